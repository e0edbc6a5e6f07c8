//! Corners where several promises meet: PROMISES 2.12, 3.3 to 3.5, 3.9, 4.1, 4.3, 5.1, 5.3, 5.5.

use std::io::{ErrorKind, IoSlice};
use std::time::Duration;

use fastwebsockets_stream::{CloseCode, Role, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::transport::Answer;
use crate::support::{ROLES, Task, binary, err, name, ok, pair, pattern, ready, stream, wire};

#[test]
fn slices_of_any_number_leave_a_server_with_one_transport_write() {
    for (count, each) in [(64, 1024), (65, 1024), (100, 2000)] {
        let (mut stream, mock) = stream(Role::Server, binary());
        let part = pattern(each);
        let slices: Vec<_> = (0..count).map(|_| IoSlice::new(&part)).collect();
        ok(Task::default().write_vectored(&mut stream, &slices));
        let writes = mock.state().writes.clone();
        assert_eq!(writes.len(), 1, "{count} {each}: {writes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_while_no_read_waits_brings_no_ping() {
    let (mut stream, mock) = stream(ROLES[0], binary().keep_alive(Duration::from_secs(30)));
    let mut buf = [0; 100];
    assert!(tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buf)).await.is_err());
    tokio::time::sleep(Duration::from_secs(100)).await;
    // Only 10 s of waiting so far.
    assert!(tokio::time::timeout(Duration::from_secs(15), stream.read(&mut buf)).await.is_err());
    assert_eq!(mock.take_written(), b"", "25 s of waiting: no Ping is due");
}

#[tokio::test(start_paused = true)]
async fn silence_while_no_read_waits_ends_nothing() {
    let (mut stream, _mock) = stream(ROLES[0], binary().keep_alive(Duration::from_secs(30)));
    let mut buf = [0; 100];
    assert!(tokio::time::timeout(Duration::from_secs(35), stream.read(&mut buf)).await.is_err());
    tokio::time::sleep(Duration::from_secs(100)).await;
    // Ping left at 30; 5 s of the second interval have been waited.
    let r = tokio::time::timeout(Duration::from_secs(15), stream.read(&mut buf)).await;
    assert!(r.is_err(), "{r:?}");
}

#[tokio::test(start_paused = true)]
async fn reads_that_a_select_gives_up_and_repeats_count_as_one_silence() {
    let (mut stream, mock) = stream(ROLES[0], binary().keep_alive(Duration::from_secs(30)));
    let mut buf = [0; 100];
    let start = tokio::time::Instant::now();
    let e = loop {
        tokio::select! {
            r = stream.read(&mut buf) => break r.unwrap_err(),
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    };
    assert_eq!(e.kind(), ErrorKind::TimedOut);
    assert!(
        start.elapsed() >= Duration::from_secs(60) && start.elapsed() < Duration::from_secs(61),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(wire::opcodes(&wire::decode(&mock.take_written())), [wire::PING]);
}

#[test]
fn transports_shutdown_error_met_by_a_read_is_reported_by_shutdown() {
    for role in ROLES {
        for first in [false, true] {
            let (mut stream, mock) = stream(role, binary());
            let task = Task::default();
            if first {
                ok(task.shutdown(&mut stream));
            }
            mock.state().shutdown = Some(Answer::Error(ErrorKind::PermissionDenied));
            mock.feed(&wire::close(role, Some(if first { 1000 } else { 1001 }), ""));
            assert_eq!(ok(task.read(&mut stream, 100)), b"");
            assert_eq!(mock.state().shutdowns, 1, "{first}");
            assert_eq!(err(task.shutdown(&mut stream)).kind(), ErrorKind::PermissionDenied, "{first}");
            ok(task.shutdown(&mut stream));
        }
    }
}

#[test]
fn read_tries_a_transport_that_takes_nothing_once_whatever_the_pings() {
    for role in ROLES {
        for (count, payload) in [(10, 100), (100, 100), (1000, 10)] {
            let (mut stream, mock) = stream(role, binary());
            mock.set_room(0);
            for _ in 0..count {
                mock.feed(&wire::ping(role, &vec![1; payload]));
            }
            mock.feed(&wire::data(role, b"x"));
            assert_eq!(ok(Task::default().read(&mut stream, 1 << 20)), b"x");
            let calls = mock.state().write_calls;
            assert_eq!(calls, 1, "{} {count} {payload}", name(role));
        }
    }
}

#[test]
fn pings_in_the_read_ahead_are_all_answered() {
    for role in ROLES {
        for count in [10, 60, 300] {
            let (mock, transport) = crate::support::Mock::new();
            let bytes: Vec<u8> = (0..count as u32)
                .flat_map(|i| wire::ping(role, &[&i.to_be_bytes()[..], &[0; 100]].concat()))
                .collect();
            let mut stream = WebSocketStream::from_transport(transport, role, bytes, binary());
            assert!(Task::default().read(&mut stream, 100).is_pending());
            assert_eq!(wire::decode(&mock.take_written()).len(), count, "{}", name(role));
        }
    }
}

#[tokio::test]
async fn shutdown_after_a_truncation_over_a_dead_pipe_is_ok() {
    let (a, b) = tokio::io::duplex(1024);
    let mut s = WebSocketStream::from_transport(a, Role::Client, [], binary());
    drop(b);
    assert_eq!(s.read(&mut [0; 10]).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(s.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(s.flush().await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    let r = s.shutdown().await;
    assert!(r.is_ok(), "{r:?}");
}

#[test]
fn shutdown_after_a_violation_over_a_dead_pipe_shuts_the_transport() {
    let (mut stream, mock) = stream(Role::Client, binary());
    let task = Task::default();
    mock.state().input_end = Answer::Zero;
    assert_eq!(err(task.read(&mut stream, 100)).kind(), ErrorKind::UnexpectedEof);
    mock.set_room(0);
    mock.state().output_end = Answer::Error(ErrorKind::BrokenPipe);
    let r = ready(task.shutdown(&mut stream));
    let shut = mock.state().is_shut;
    assert!(shut, "{r:?}");
}

#[test]
fn write_buffer_is_filled_to_its_last_byte() {
    let (mut stream, mock) = stream(Role::Server, binary().write_buffer(100));
    let task = Task::default();
    ok(task.write(&mut stream, &[1; 48]));
    ok(task.write(&mut stream, &[2; 48]));
    let writes = mock.state().writes.clone();
    assert_eq!(writes, [] as [usize; 0], "two frames of 50 bytes fit 100");
    ok(task.write(&mut stream, &[2; 48]));
    let writes = mock.state().writes.clone();
    assert_eq!(writes, [100]);
}

#[test]
fn half_sent_frames_of_a_cancelled_write_are_pushed_by_the_parked_reader() {
    let (mut stream, mock) = stream(Role::Server, binary().write_buffer(100));
    let (reader, writer) = (Task::default(), Task::default());
    assert!(reader.read(&mut stream, 64).is_pending());
    mock.set_room(5);
    ok(writer.write(&mut stream, &[1; 80]));
    assert!(writer.write(&mut stream, &[1; 80]).is_pending());
    // part of the first frame is in the transport
    mock.set_room(usize::MAX);
    mock.wake_writer();
    assert!(reader.wakes() > 0, "the kept bytes have nobody who pushes them");
}

#[tokio::test(start_paused = true)]
async fn close_ends_within_its_limit_with_and_without_half_close() {
    for half in [false, true] {
        let (mut a, mut b) = pair(1024, binary().half_close(half));
        let start = tokio::time::Instant::now();
        // peer reads but never shuts down
        let peer = async {
            let mut v = Vec::new();
            let _ = b.read_to_end(&mut v).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            r = a.close(CloseCode::NORMAL, "x") => {
                if half { assert_eq!(r.unwrap_err().kind(), ErrorKind::TimedOut); assert_eq!(start.elapsed().as_secs(), 10); }
                else { assert_eq!(r.unwrap().unwrap().code, Some(CloseCode::NORMAL)); }
            }
            () = peer => {}
        }
    }
}

#[test]
fn failure_of_the_write_side_is_reported_once_in_any_order_of_calls() {
    use ErrorKind::{BrokenPipe, ConnectionReset};
    // Kept data lost; met by the reader; reported by each.
    for role in ROLES {
        for who in ["write", "flush", "shutdown"] {
            for by in ["read", "self"] {
                let (mut stream, mock) = stream(role, binary());
                let task = Task::default();
                mock.set_room(3);
                ok(task.write(&mut stream, b"hello"));
                mock.set_room(0);
                mock.state().output_end = Answer::Error(ConnectionReset);
                if by == "read" {
                    assert!(task.read(&mut stream, 100).is_pending());
                }
                let e = match who {
                    "write" => err(task.write(&mut stream, b"x")),
                    "flush" => err(task.flush(&mut stream)),
                    _ => err(task.shutdown(&mut stream)),
                };
                assert_eq!(e.kind(), ConnectionReset);
                assert_eq!(err(task.write(&mut stream, b"x")).kind(), BrokenPipe);
                assert_eq!(err(task.flush(&mut stream)).kind(), BrokenPipe);
                mock.feed(&wire::data(role, b"data"));
                assert_eq!(ok(task.read(&mut stream, 100)), b"data");
                mock.feed(&wire::close(role, Some(1000), ""));
                assert_eq!(ok(task.read(&mut stream, 100)), b"");
                assert_eq!(err(task.write(&mut stream, b"x")).kind(), BrokenPipe);
                ok(task.shutdown(&mut stream));
                assert!(mock.state().is_shut);
                assert_eq!(err(task.write(&mut stream, b"x")).kind(), BrokenPipe);
                ok(task.shutdown(&mut stream));
            }
        }
    }
}

#[test]
fn failure_inside_a_frame_or_in_a_flush_is_reported_once() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let task = Task::default();
        mock.set_room(3);
        mock.state().output_end = Answer::Error(ErrorKind::PermissionDenied);
        assert_eq!(err(task.write(&mut stream, b"hello")).kind(), ErrorKind::PermissionDenied);
        assert_eq!(err(task.write(&mut stream, b"hello")).kind(), ErrorKind::BrokenPipe);
        assert_eq!(err(task.flush(&mut stream)).kind(), ErrorKind::BrokenPipe);
        ok(task.shutdown(&mut stream));
        assert!(mock.state().is_shut);

        let (mut stream, mock) = self::stream(role, binary());
        mock.state().flush = Some(Answer::Error(ErrorKind::PermissionDenied));
        ok(task.write(&mut stream, b"hello"));
        assert_eq!(err(task.flush(&mut stream)).kind(), ErrorKind::PermissionDenied);
        assert_eq!(err(task.write(&mut stream, b"hello")).kind(), ErrorKind::BrokenPipe);
        assert_eq!(err(task.flush(&mut stream)).kind(), ErrorKind::BrokenPipe);
        ok(task.shutdown(&mut stream));
        assert!(mock.state().is_shut);
    }
}

#[test]
fn thirty_two_transport_reads_without_payload_yield_once() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let one = wire::data(role, b"");
        mock.state().read_chunk = one.len();
        for _ in 0..40 {
            mock.feed(&one);
        }
        mock.feed(&wire::close(role, None, ""));
        let task = Task::default();
        assert!(task.read(&mut stream, 5000).is_pending());
        assert_eq!((mock.state().reads, task.wakes()), (32, 1));
        let (d, e) = crate::support::read_all(&mut stream, 5000);
        assert!(d.is_empty());
        e.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn keep_alive_on_both_ends_keeps_both_alive() {
    let (mut a, mut b) = pair(1024, binary().keep_alive(Duration::from_secs(5)));
    let r = tokio::time::timeout(Duration::from_secs(1000), async {
        let (mut x, mut y) = ([0; 1], [0; 1]);
        tokio::select! { r = a.read(&mut x) => r, r = b.read(&mut y) => r }
    })
    .await;
    assert!(r.is_err(), "{r:?}");
}

#[tokio::test(start_paused = true)]
async fn stream_that_was_closed_stays_closed() {
    let (mut a, mut b) = pair(64, binary());
    let data = vec![1; 5000];
    let (x, y) = tokio::join!(async { a.close(CloseCode::AWAY, "bye").await }, async {
        // blocked writer gets BrokenPipe once the Close was read? it only writes
        let mut r = Ok(());
        for _ in 0..10 {
            r = b.write_all(&data).await;
            if r.is_err() {
                break;
            }
        }
        let mut v = Vec::new();
        let rr = b.read_to_end(&mut v).await;
        b.shutdown().await.unwrap();
        (r, rr, b.peer_close().cloned())
    });
    println!("{x:?} {y:?}");
    assert_eq!(y.2.unwrap().reason, "bye");
    assert_eq!(x.unwrap().unwrap().code, Some(CloseCode::AWAY));
}

#[test]
fn cancelled_shutdown_leaves_its_close_to_the_parked_reader() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let (reader, writer) = (Task::default(), Task::default());
        assert!(reader.read(&mut stream, 64).is_pending());
        mock.set_room(0);
        assert!(writer.shutdown(&mut stream).is_pending());
        drop(writer); // The shutdown is given up, e.g. by `timeout`; the reader waits for the peer's Close.
        while reader.wakes() > 0 {
            assert!(reader.read(&mut stream, 64).is_pending());
        }
        mock.set_room(usize::MAX);
        assert!(mock.wake_writer());
        assert_eq!(reader.wakes(), 1, "{}: nobody pushes the Close out", name(role));
        assert!(reader.read(&mut stream, 64).is_pending());
        assert_eq!(wire::opcodes(&wire::decode(&mock.take_written())), [wire::CLOSE]);
    }
}

#[test]
fn cancelled_shutdown_leaves_its_flush_to_the_parked_reader() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let (reader, writer) = (Task::default(), Task::default());
        assert!(reader.read(&mut stream, 64).is_pending());
        mock.state().flush = Some(Answer::Pending);
        assert!(writer.shutdown(&mut stream).is_pending());
        drop(writer);
        while reader.wakes() > 0 {
            assert!(reader.read(&mut stream, 64).is_pending());
        }
        mock.state().flush = None;
        assert!(mock.wake_writer());
        assert_eq!(reader.wakes(), 1, "{}: nobody flushes the Close", name(role));
        assert!(reader.read(&mut stream, 64).is_pending());
        assert!(mock.is_flushed());
    }
}
