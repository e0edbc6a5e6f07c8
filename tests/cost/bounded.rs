//! What a peer can make a stream do or hold: no more than it sends. PROMISES 1.5, 2.1; pitfalls C11, C12, C18, C31.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use fastwebsockets_stream::{Role, WebSocketStream};
use tokio::io::{AsyncRead, ReadBuf};

use crate::counting::cost;
use crate::kit::{Flag, Memory, ROLES, configs, drain, flush, frame, read, stream};

//= https://www.rfc-editor.org/rfc/rfc6455#section-10.4
//= type=test
//# MUST protect themselves against exceeding those limits.
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
    use crate::kit::Memory;
    use fastwebsockets_stream::{PayloadType, WebSocketStream};

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
fn flood_of_pings_that_was_read_ahead_costs_64_kib() {
    for role in ROLES {
        let ahead = frame(role, 9, b"p").repeat(100_000);
        let mut stream = None;
        let (_, peak, _) = cost(|| {
            let transport = Memory::new(&[]);
            stream = Some(WebSocketStream::from_transport(transport, role, &ahead, configs()[0].clone()));
        });
        let mut stream = stream.expect("it was made");
        // What it comes in, and the pool's buffers up to 66 KiB, the last of which grows into the next.
        assert!(
            peak <= ahead.len() as isize + (1 + 17 + 66 + 257) * 1024,
            "{peak} bytes for {}",
            ahead.len()
        );
        assert!(flush(&mut stream).is_ready());
        assert!(stream.get_ref().written <= 65 * 1024, "{} bytes of Pongs", stream.get_ref().written);
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
