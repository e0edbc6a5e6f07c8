//! What reading, writing and waiting allocate: nothing, once they have begun. PROMISES 1.8, 7.1, 7.2; pitfall C35.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use fastwebsockets_stream::{CloseCode, Role, copy_bidirectional};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::counting::cost;
use crate::kit::{Flag, Memory, ROLES, configs, drain, flush, frame, read, stream, write};

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

#[test]
fn tunnel_allocates_nothing_and_holds_no_heap_while_it_is_idle() {
    let payload = [b'x'; 200_000];
    for role in ROLES {
        let frames = frame(role, 2, &payload);
        for warm in [false, true] {
            let mut held = None;
            let (allocations, _, left) = cost(|| {
                let near = stream(role, &configs()[0], &frames);
                let mut copying = copy_bidirectional(near, Memory::new(&payload));
                for _ in 0..3 {
                    let polled = Pin::new(&mut copying).poll(&mut Context::from_waker(Waker::noop()));
                    assert!(polled.is_pending());
                }
                held = Some(copying);
            });
            assert!(
                !warm || (allocations, left) == (0, 0),
                "{allocations} allocations, {left} bytes are left"
            );
            let copied = held.map(|copying| copying.progress().copied()).expect("it waits");
            assert_eq!((copied.a_to_b, copied.b_to_a), (200_000, 200_000));
        }
    }
}
