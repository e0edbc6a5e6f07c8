//! What the stream costs, counted: PROMISES 2.1, 7.1, 7.2; pitfalls C11, C12, C18, C31, C35.
//!
//! Allocations are counted by thread, so the tests may run side by side.

#![allow(unsafe_code, clippy::cast_possible_truncation, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

use fastwebsockets_stream::{CloseCode, Config, PayloadType, Role, WebSocketStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(allocations: usize, bytes: isize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` allocates: how often, the most at a time, and what it leaves.
fn cost(work: impl FnOnce()) -> (usize, isize, isize) {
    let (allocations, live) = (ALLOCATIONS.get(), LIVE.get());
    PEAK.set(live);
    work();
    (ALLOCATIONS.get() - allocations, PEAK.get() - live, LIVE.get() - live)
}

/// A transport that allocates nothing: input comes from a slice, output is counted and forgotten.
struct Memory<'a> {
    input: &'a [u8],
    chunk: usize,
    /// Bytes that are still taken.
    room: usize,
    written: usize,
}

impl<'a> Memory<'a> {
    fn new(input: &'a [u8]) -> Self {
        Memory { input, chunk: usize::MAX, room: usize::MAX, written: 0 }
    }
}

impl AsyncRead for Memory<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n = self.input.len().min(buf.remaining()).min(self.chunk);
        if n == 0 {
            return Poll::Pending;
        }
        let (now, later) = self.input.split_at(n);
        self.input = later;
        buf.put_slice(now);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let n = buf.len().min(self.room);
        if n == 0 && !buf.is_empty() {
            return Poll::Pending;
        }
        self.room -= n;
        self.written += n;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

type Stream<'a> = WebSocketStream<Memory<'a>>;

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn stream<'a>(role: Role, config: &Config, input: &'a [u8]) -> Stream<'a> {
    WebSocketStream::from_transport(Memory::new(input), role, [], config.clone())
}

fn configs() -> [Config; 3] {
    let binary = Config::new(PayloadType::Binary);
    [binary.clone(), binary.write_buffer(8192), Config::new(PayloadType::Text)]
}

/// The peer's frames for `role`; the key is of zeros, which masks nothing.
fn frame(role: Role, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let (mask, key): (u8, &[u8]) = if role == Role::Server { (0x80, &[0; 4]) } else { (0, &[]) };
    let mut out = vec![0x80 | opcode];
    match payload.len() {
        n @ 0..126 => out.push(mask | n as u8),
        n @ 126..65536 => {
            out.push(mask | 126);
            out.extend((n as u16).to_be_bytes());
        }
        n => {
            out.push(mask | 127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    [&out, key, payload].concat()
}

fn read(stream: &mut Stream<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
    let mut buf = ReadBuf::new(bytes);
    let cx = &mut Context::from_waker(Waker::noop());
    Pin::new(stream).poll_read(cx, &mut buf).map_ok(|()| buf.filled().len())
}

fn write(stream: &mut Stream<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    Pin::new(stream).poll_write(&mut Context::from_waker(Waker::noop()), bytes)
}

fn flush(stream: &mut Stream<'_>) -> Poll<io::Result<()>> {
    Pin::new(stream).poll_flush(&mut Context::from_waker(Waker::noop()))
}

/// Reads until nothing is left; how many bytes, and in how many reads.
fn drain(stream: &mut Stream<'_>, bytes: &mut [u8]) -> (usize, usize) {
    let (mut total, mut reads) = (0, 0);
    loop {
        match read(stream, bytes) {
            Poll::Ready(Ok(n)) => (total, reads) = (total + n, reads + 1),
            Poll::Ready(Err(error)) => panic!("{error}"),
            Poll::Pending if stream.get_ref().input.is_empty() => return (total, reads),
            Poll::Pending => {}
        }
    }
}

#[test]
fn reads_allocate_nothing_in_either_role_at_any_size_and_cut() {
    let mut bytes = vec![0; 70_000];
    for role in ROLES {
        for config in configs() {
            let text = config == configs()[2];
            let opcode = if text { 1 } else { 2 };
            let mut input = Vec::new();
            for size in [0, 1, 16, 125, 126, 1000, 20_000, 70_000] {
                input.extend(frame(role, opcode, &vec![b'x'; size]));
                input.extend(frame(role, 9, b"ping"));
                input.extend(frame(role, 10, b"pong"));
            }
            for chunk in [1, 3, 1000, usize::MAX] {
                for room in [1, 100, 4096, 70_000] {
                    // Once to warm the thread's pool, once to count.
                    for warm in [false, true] {
                        let mut stream = stream(role, &config, &input);
                        stream.get_mut().chunk = chunk;
                        let (allocations, ..) =
                            cost(|| assert_eq!(drain(&mut stream, &mut bytes[..room]).0, 91_268));
                        assert!(!warm || allocations == 0, "{allocations} in pieces of {chunk} to {room}");
                    }
                }
            }
        }
    }
}

#[test]
fn writes_and_flushes_allocate_nothing_in_either_role_at_any_size() {
    let bytes = vec![b'x'; 1 << 20];
    for role in ROLES {
        for config in configs() {
            for size in [1, 16, 1000, 20_000, 65_536, 70_000, 1 << 20] {
                let mut stream = stream(role, &config, &[]);
                for warm in [false, true] {
                    let (allocations, ..) = cost(|| {
                        for _ in 0..10 {
                            assert!(
                                matches!(write(&mut stream, &bytes[..size]), Poll::Ready(Ok(n)) if n == size)
                            );
                            assert!(flush(&mut stream).is_ready());
                        }
                    });
                    assert!(!warm || allocations == 0, "{allocations} for {size} bytes");
                }
            }
        }
    }
}

#[test]
fn vectored_writes_of_up_to_64_slices_allocate_nothing() {
    let bytes = vec![b'x'; 5000];
    for role in ROLES {
        for config in configs() {
            for count in [1, 2, 3, 64] {
                for size in [10, 5000] {
                    let slices = vec![io::IoSlice::new(&bytes[..size]); count];
                    let mut stream = stream(role, &config, &[]);
                    for warm in [false, true] {
                        let (allocations, ..) = cost(|| {
                            let cx = &mut Context::from_waker(Waker::noop());
                            let polled = Pin::new(&mut stream).poll_write_vectored(cx, &slices);
                            assert!(matches!(polled, Poll::Ready(Ok(n)) if n == count * size));
                            assert!(flush(&mut stream).is_ready());
                        });
                        assert!(
                            !warm || allocations == 0,
                            "{allocations} for {count} slices of {size} bytes"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn keep_alive_allocates_its_timer_once() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        for role in ROLES {
            let pong = frame(role, 10, b"");
            let interval = std::time::Duration::from_secs(1);
            let mut stream = stream(role, &configs()[0].clone().keep_alive(interval), &[]);
            let mut bytes = [0; 100];
            for turn in 0..10 {
                let mut allocated = 0;
                for (input, time) in [(&[][..], interval * 5 / 4), (&[], interval / 2), (&pong, interval / 4)]
                {
                    stream.get_mut().input = input;
                    allocated += cost(|| assert!(read(&mut stream, &mut bytes).is_pending())).0;
                    tokio::time::advance(time).await;
                }
                assert!(turn == 0 || allocated == 0, "{allocated} in turn {turn}");
            }
            assert!(stream.get_ref().written >= 9 * 2, "Pings have left");
        }
    });
}

#[test]
fn back_pressure_allocates_nothing_up_to_64_kib_and_frees_what_is_beyond() {
    let bytes = vec![b'x'; 1 << 20];
    for role in ROLES {
        for (size, most) in [(100, 0), (20_000, 0), (65_000, 0), (1 << 20, 1)] {
            let mut stream = stream(role, &configs()[0], &[]);
            for warm in [false, true] {
                let (allocations, _, left) = cost(|| {
                    stream.get_mut().room = 10;
                    assert!(write(&mut stream, &bytes[..size]).is_ready());
                    assert!(write(&mut stream, b"more").is_pending());
                    stream.get_mut().room = usize::MAX;
                    assert!(flush(&mut stream).is_ready());
                });
                assert!(!warm || (allocations <= most && left == 0), "{allocations} for {size}, {left} left");
            }
        }
    }
}

#[test]
fn idle_stream_holds_no_heap_before_and_after_traffic() {
    let mut bytes = vec![0; 70_000];
    for role in ROLES {
        for config in configs() {
            let opcode = if config == configs()[2] { 1 } else { 2 };
            let input =
                [frame(role, opcode, &[b'x'; 3000]), frame(role, 9, b"ping"), frame(role, opcode, b"y")]
                    .concat();
            for room in [100, 70_000] {
                for warm in [false, true] {
                    let mut held = None;
                    let (_, _, left) = cost(|| {
                        let mut stream = stream(role, &config, &input);
                        drain(&mut stream, &mut bytes[..room]);
                        assert!(write(&mut stream, b"data").is_ready());
                        assert!(flush(&mut stream).is_ready());
                        assert!(read(&mut stream, &mut bytes[..room]).is_pending());
                        held = Some(stream);
                    });
                    assert!(!warm || left == 0, "{left} bytes are left on the heap");
                    drop(held);
                }
            }
        }
    }
}

#[test]
fn stream_that_was_closed_holds_no_heap_and_discards_without_allocating() {
    for role in ROLES {
        for config in configs() {
            let opcode = if config == configs()[2] { 1 } else { 2 };
            let data = frame(role, opcode, &[b'x'; 3000]);
            let input = [data.repeat(20), frame(role, 9, b"ping"), data, frame(role, 8, b"")].concat();
            // Waited for to the end, and dropped in the middle, with reads that go on discarding.
            for whole in [true, false] {
                for warm in [false, true] {
                    let mut stream =
                        stream(role, &config.clone().close_timeout(std::time::Duration::MAX), &input);
                    // What was read ahead is given back.
                    let mut bytes = [0; 70];
                    assert!(read(&mut stream, &mut bytes).is_ready());
                    stream.get_mut().chunk = if whole { usize::MAX } else { 1000 };
                    let (allocations, _, left) = cost(|| {
                        let mut close = Box::pin(stream.close(CloseCode::NORMAL, ""));
                        let polled = close.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                        assert_eq!(polled.is_ready(), whole);
                    });
                    // The box of the future alone.
                    assert!(!warm || allocations == 1, "{allocations} to close");
                    assert!(!warm || left <= 0, "{left} bytes stay");
                    let (allocations, _, left) = cost(|| {
                        while !stream.is_closed() {
                            assert!(!matches!(read(&mut stream, &mut bytes), Poll::Ready(Ok(1..))));
                        }
                        assert!(matches!(read(&mut stream, &mut bytes), Poll::Ready(Ok(0))));
                    });
                    assert!(
                        !warm || allocations == 0 && left == 0,
                        "{allocations} to read, {left} bytes stay"
                    );
                }
            }
        }
    }
}

#[test]
fn announcement_of_any_length_allocates_nothing_and_its_payload_streams() {
    let mut bytes = vec![0; 70_000];
    for role in ROLES {
        for length in [64 << 20, (64 << 20) - 1, 1 << 40, i64::MAX as u64] {
            let mut input = frame(role, 2, &[b'x'; 70_000]);
            input[2..10].copy_from_slice(&length.to_be_bytes());
            for warm in [false, true] {
                let mut stream = stream(role, &configs()[0], &input);
                let (allocations, ..) = cost(|| assert_eq!(drain(&mut stream, &mut bytes).0, 70_000));
                assert!(!warm || allocations == 0);
            }
        }
    }
}

#[cfg(feature = "fastwebsockets")]
#[test]
fn adopting_a_socket_allocates_at_most_the_frame_that_was_cut() {
    for role in ROLES {
        for (cut, most) in [(0, 64 << 10), (2, 9 << 20), (9, 20 << 20), (300, 20 << 20)] {
            let mut ahead = frame(role, 2, &[0; 70_000]);
            ahead[2..10].copy_from_slice(&(20_u64 << 20).to_be_bytes());
            let input = [&frame(role, 2, b"first"), &ahead[..cut]].concat();
            let mut websocket = fastwebsockets::WebSocket::after_handshake(Memory::new(&input), role.into());
            let first = std::pin::pin!(websocket.read_frame()).poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(first, Poll::Ready(Ok(frame)) if frame.payload.len() == 5));
            let mut stream = None;
            let (_, peak, left) =
                cost(|| stream = Some(WebSocketStream::new(websocket, PayloadType::Binary)));
            assert!(peak <= most + (64 << 10), "{peak} bytes for a frame of 20 MiB, cut at {cut}");
            assert!(left <= 0, "{left} bytes stay");
        }
    }
}

#[test]
fn flood_of_pings_on_a_blocked_transport_costs_one_slot() {
    let mut bytes = vec![0; 70_000];
    for role in ROLES {
        let input = frame(role, 9, &[b'p'; 125]).repeat(20_000);
        let mut stream = stream(role, &configs()[0], &input);
        stream.get_mut().room = 0;
        let (_, peak, _) = cost(|| assert_eq!(drain(&mut stream, &mut bytes).0, 0));
        assert!(peak <= 4 * 1024, "{peak} bytes for Pongs that nobody takes");
        stream.get_mut().room = usize::MAX;
        assert!(flush(&mut stream).is_ready());
        assert!(stream.get_ref().written <= 1024, "{} bytes of them", stream.get_ref().written);
    }
}

#[test]
fn million_empty_frames_and_pings_yield_and_hold_nothing() {
    let mut bytes = vec![0; 16_384];
    for role in ROLES {
        for (opcode, what) in [(2, "empty frames"), (9, "pings")] {
            let input = frame(role, opcode, b"").repeat(1_000_000);
            let mut stream = stream(role, &configs()[0], &input);
            let woken = std::sync::Arc::new(Flag::default());
            let waker = Waker::from(woken.clone());
            let mut polls = 0;
            while !stream.get_ref().input.is_empty() {
                let before = stream.get_ref().input.len();
                let mut buf = ReadBuf::new(&mut bytes);
                let polled = Pin::new(&mut stream).poll_read(&mut Context::from_waker(&waker), &mut buf);
                assert!(polled.is_pending(), "{what} are no payload, and no end");
                assert!(before - stream.get_ref().input.len() <= 32 * 16_384, "a poll has a bound");
                polls += 1;
            }
            assert!(polls > 0 && woken.0.load(std::sync::atomic::Ordering::SeqCst));
            assert!(read(&mut stream, &mut bytes).is_pending());
        }
    }
}

#[derive(Default)]
struct Flag(std::sync::atomic::AtomicBool);

impl Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn large_frame_in_small_reads_takes_one_transport_read_for_each_16_kib() {
    let input = frame(Role::Server, 2, &vec![b'x'; 1 << 20]);
    let mut stream = stream(Role::Server, &configs()[0], &input);
    let mut bytes = [0; 16];
    let mut transport_reads = 0;
    let mut total = 0;
    while total < 1 << 20 {
        let before = stream.get_ref().input.len();
        match read(&mut stream, &mut bytes) {
            Poll::Ready(Ok(n)) => total += n,
            other => panic!("{other:?}"),
        }
        transport_reads += usize::from(stream.get_ref().input.len() != before);
    }
    assert_eq!(transport_reads, (1 << 20) / 16_384 + 1);
}

#[test]
fn shared_waker_is_small_and_only_there_once_two_tasks_have_waited() {
    let mut stream = stream(Role::Client, &configs()[0], &[]);
    let mut bytes = [0; 100];
    let (one, two) = (Waker::from(std::sync::Arc::new(Flag::default())), Waker::noop());
    stream.get_mut().room = 3;
    assert!(write(&mut stream, b"data").is_ready());
    // Warms the thread's pool, and lets one task wait.
    assert!(read(&mut stream, &mut bytes).is_pending());
    let (_, _, left) = cost(|| {
        let mut buf = ReadBuf::new(&mut bytes);
        assert!(Pin::new(&mut stream).poll_read(&mut Context::from_waker(&one), &mut buf).is_pending());
        let cx = &mut Context::from_waker(two);
        assert!(Pin::new(&mut stream).poll_write(cx, b"more").is_pending());
    });
    assert!((1..=96).contains(&left), "{left} bytes");
}

#[test]
fn halves_are_two_allocations_and_none_for_each_read_and_write() {
    let mut bytes = vec![0; 70_000];
    for role in ROLES {
        for config in configs() {
            let opcode = if config == configs()[2] { 1 } else { 2 };
            let input = frame(role, opcode, &[b'x'; 300]).repeat(40);
            for warm in [false, true] {
                let whole = stream(role, &config, &input);
                let mut halves = None;
                let (allocations, ..) = cost(|| halves = Some(whole.into_split()));
                assert!(allocations <= 2, "{allocations} to split");
                let (mut reader, mut writer) = halves.unwrap();
                let (allocations, _, left) = cost(|| {
                    let cx = &mut Context::from_waker(Waker::noop());
                    for _ in 0..10 {
                        for room in [100, 600] {
                            let mut buf = ReadBuf::new(&mut bytes[..room]);
                            assert!(Pin::new(&mut reader).poll_read(cx, &mut buf).is_ready());
                            assert!(!buf.filled().is_empty());
                        }
                        for size in [16, 20_000, 70_000] {
                            let written = Pin::new(&mut writer).poll_write(cx, &[b'x'; 70_000][..size]);
                            assert!(matches!(written, Poll::Ready(Ok(n)) if n == size));
                            assert!(Pin::new(&mut writer).poll_flush(cx).is_ready());
                        }
                    }
                });
                assert!(!warm || (allocations, left) == (0, 0), "{allocations}, {left} bytes are left");
            }
        }
    }
}
