//! The end: CONTRACT 2.4, 3.9, 4.4, 5.1 to 5.4, 5.6; pitfalls C23, C24, C25, C26, C28, C29.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use fastwebsockets_stream::{CloseCode, CloseFrame, Error, Role, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::support::transport::Answer;
use crate::support::{
    ROLES, Task, Transport, binary, err, name, ok, pair, pattern, ready, rule, stream, wire,
};

/// What the stream has sent since this was last asked.
fn sent(mock: &crate::support::Mock) -> Vec<(u8, Vec<u8>)> {
    wire::decode(&mock.take_written()).into_iter().map(|frame| (frame.opcode, frame.payload)).collect()
}

fn close_of(code: Option<u16>, reason: &str) -> (u8, Vec<u8>) {
    (wire::CLOSE, wire::close_payload(code, reason))
}

fn code(code: u16) -> Option<CloseCode> {
    Some(CloseCode::from(code))
}

#[test]
fn shutdown_sends_what_is_kept_then_close_1000_once_flushed() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary().write_buffer(1000));
        let task = Task::default();
        ok(task.write(&mut stream, b"gathered"));
        ok(task.shutdown(&mut stream));
        ok(task.shutdown(&mut stream));
        assert!(mock.is_flushed());
        assert!(!mock.state().is_shut, "the peer may have more to send");
        assert_eq!(sent(&mock), [(wire::BINARY, b"gathered".to_vec()), close_of(Some(1000), "")]);
        let error = err(task.write(&mut stream, b"late"));
        assert_eq!((error.kind(), rule(&error)), (ErrorKind::BrokenPipe, &Error::WriteAfterShutdown));
        ok(task.flush(&mut stream));
        assert_eq!(sent(&mock), []);
    }
}

#[test]
fn shutdown_drops_no_incoming_data_and_the_peers_close_shuts_the_transport() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let task = Task::default();
        ok(task.shutdown(&mut stream));
        mock.feed(&wire::data(role, b"reply"));
        mock.feed(&wire::ping(role, b"alive?"));
        assert_eq!(ok(task.read(&mut stream, 100)), b"reply");
        assert!(!mock.state().is_shut);
        mock.feed(&wire::close(role, Some(1000), ""));
        assert_eq!(ok(task.read(&mut stream, 100)), b"");
        assert!(mock.state().is_shut);
        // A Ping is owed its Pong until the peer's Close, also after our own.
        assert_eq!(sent(&mock), [close_of(Some(1000), ""), (wire::PONG, b"alive?".to_vec())]);
        ok(task.shutdown(&mut stream));
        assert_eq!(mock.state().shutdowns, 1);
    }
}

#[test]
fn shutdown_goes_on_after_pending_at_every_step() {
    for role in ROLES {
        for closed_first in [false, true] {
            let (mut stream, mock) = stream(role, binary().half_close(true));
            mock.state().hesitant = true;
            mock.state().write_chunk = 1;
            let task = Task::default();
            if closed_first {
                mock.feed(&wire::close(role, Some(1001), ""));
                while task.read(&mut stream, 100).is_pending() {}
            }
            while task.write(&mut stream, b"data").is_pending() {}
            let mut polls = 0;
            while task.shutdown(&mut stream).is_pending() {
                assert!(task.wakes() > 0, "pending, and nobody will wake");
                polls += 1;
                assert!(polls < 100);
            }
            assert_eq!(mock.state().is_shut, closed_first);
            let code = if closed_first { 1001 } else { 1000 };
            assert_eq!(sent(&mock), [(wire::BINARY, b"data".to_vec()), close_of(Some(code), "")]);
        }
    }
}

#[test]
fn peers_close_is_answered_once_with_its_code_and_no_reason() {
    for role in ROLES {
        for peer in [None, Some(1000), Some(1001), Some(1011), Some(3000), Some(4999)] {
            let (mut stream, mock) = stream(role, binary());
            let task = Task::default();
            let reason = if peer.is_some() { "because" } else { "" };
            mock.feed(&wire::data(role, b"last"));
            mock.feed(&wire::close(role, peer, reason));
            mock.feed(&wire::data(role, b"ignored"));
            assert!(!stream.is_closed() && stream.peer_close().is_none());
            assert_eq!(ok(task.read(&mut stream, 5000)), b"last");
            for _ in 0..3 {
                assert_eq!(ok(task.read(&mut stream, 5000)), b"");
            }
            assert!(stream.is_closed());
            let expected = CloseFrame { code: peer.and_then(code), reason: reason.into() };
            assert_eq!(stream.peer_close(), Some(&expected));
            ok(task.shutdown(&mut stream));
            assert!(mock.state().is_shut);
            assert_eq!(sent(&mock), [close_of(peer, "")], "{} {peer:?}", name(role));
            assert_eq!(*rule(&err(task.write(&mut stream, b"late"))), Error::PeerClosed);
            ok(task.flush(&mut stream));
        }
    }
}

#[test]
fn end_does_not_wait_for_the_answer_which_leaves_with_whatever_comes_next() {
    type Next = fn(&Task, &mut WebSocketStream<Transport>);
    let nexts: [Next; 3] = [
        |task, stream| assert_eq!(ok(task.read(stream, 100)), b""),
        |task, stream| ok(task.flush(stream)),
        |task, stream| ok(task.shutdown(stream)),
    ];
    for role in ROLES {
        for next in nexts {
            let (mut stream, mock) = stream(role, binary());
            let task = Task::default();
            mock.set_room(1);
            mock.feed(&wire::close(role, Some(1000), ""));
            assert_eq!(ok(task.read(&mut stream, 100)), b"");
            mock.set_room(usize::MAX);
            next(&task, &mut stream);
            assert_eq!(sent(&mock), [close_of(Some(1000), "")]);
        }
    }
}

#[test]
fn answer_that_meets_a_dead_pipe_changes_nothing() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let task = Task::default();
        mock.set_room(0);
        mock.state().output_end = Answer::Error(ErrorKind::BrokenPipe);
        mock.state().shutdown = Some(Answer::Error(ErrorKind::NotConnected));
        mock.feed(&wire::data(role, b"data"));
        mock.feed(&wire::close(role, Some(1000), ""));
        assert_eq!(ok(task.read(&mut stream, 5000)), b"data");
        assert_eq!(ok(task.read(&mut stream, 5000)), b"");
        ok(task.flush(&mut stream));
        assert_eq!(*rule(&err(task.write(&mut stream, b"x"))), Error::PeerClosed);
        ok(task.shutdown(&mut stream));
    }
}

#[test]
fn data_that_was_written_and_lost_is_an_error_of_flush_also_after_the_peers_close() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let task = Task::default();
        mock.set_room(3);
        ok(task.write(&mut stream, b"accepted"));
        mock.state().output_end = Answer::Error(ErrorKind::ConnectionReset);
        mock.feed(&wire::close(role, Some(1000), ""));
        assert_eq!(ok(task.read(&mut stream, 100)), b"");
        assert_eq!(err(task.flush(&mut stream)).kind(), ErrorKind::ConnectionReset);
        assert_eq!(err(task.flush(&mut stream)).kind(), ErrorKind::BrokenPipe);
    }
}

#[test]
fn kept_frame_leaves_whole_before_the_answer_to_a_close() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let task = Task::default();
        mock.set_room(3);
        ok(task.write(&mut stream, b"accepted"));
        mock.feed(&wire::close(role, Some(1001), ""));
        assert_eq!(ok(task.read(&mut stream, 100)), b"");
        mock.set_room(usize::MAX);
        ok(task.shutdown(&mut stream));
        assert_eq!(sent(&mock), [(wire::BINARY, b"accepted".to_vec()), close_of(Some(1001), "")]);
    }
}

#[test]
fn abnormal_close_is_an_error_only_where_the_config_says_so() {
    for role in ROLES {
        for (peer, abnormal) in [(None, false), (Some(1000), false), (Some(1001), false), (Some(1011), true)]
        {
            let (mut stream, mock) = stream(role, binary().abnormal_close_is_error(true));
            let task = Task::default();
            mock.feed(&wire::data(role, b"data"));
            mock.feed(&wire::close(role, peer, ""));
            assert_eq!(ok(task.read(&mut stream, 5000)), b"data");
            if abnormal {
                let error = err(task.read(&mut stream, 100));
                assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
                assert!(matches!(rule(&error), Error::ClosedAbnormally(frame) if frame.code == code(1011)));
                assert_eq!(err(task.read(&mut stream, 100)).kind(), ErrorKind::ConnectionAborted);
            } else {
                assert_eq!(ok(task.read(&mut stream, 100)), b"");
            }
            assert_eq!(sent(&mock), [close_of(peer, "")]);
            assert!(mock.state().is_shut);
        }
    }
}

#[test]
fn half_close_lets_the_response_be_written_before_the_answer() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary().half_close(true));
        let task = Task::default();
        mock.feed(&wire::data(role, b"request"));
        mock.feed(&wire::close(role, Some(1001), "done"));
        assert_eq!(ok(task.read(&mut stream, 5000)), b"request");
        assert_eq!(ok(task.read(&mut stream, 5000)), b"");
        assert_eq!(sent(&mock), []);
        ok(task.write(&mut stream, b"response"));
        ok(task.flush(&mut stream));
        assert!(!mock.state().is_shut);
        ok(task.shutdown(&mut stream));
        assert!(mock.state().is_shut);
        assert_eq!(sent(&mock), [(wire::BINARY, b"response".to_vec()), close_of(Some(1001), "")]);
    }
}

#[test]
fn violation_truncation_and_silence_end_the_writing_and_shutdown_waits_for_nobody() {
    for role in ROLES {
        for (input, end, due) in [(b"\xff".as_slice(), Answer::Pending, 1002), (b"", Answer::Zero, 1000)] {
            let (mut stream, mock) = stream(role, binary());
            let task = Task::default();
            mock.feed(input);
            mock.state().input_end = end;
            let first = err(task.read(&mut stream, 100));
            assert_eq!(err(task.read(&mut stream, 100)).kind(), first.kind());
            assert_eq!(*rule(&err(task.write(&mut stream, b"x"))), Error::WriteAfterFailure);
            assert_eq!(err(task.flush(&mut stream)).kind(), ErrorKind::BrokenPipe);
            ok(task.shutdown(&mut stream));
            assert!(mock.state().is_shut);
            assert_eq!(sent(&mock), [close_of(Some(due), "")], "{}", name(role));
            ok(task.shutdown(&mut stream));
        }
    }
}

#[test]
fn transports_shutdown_is_tried_once_by_a_read_and_gone_on_with_later() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let task = Task::default();
        mock.state().shutdown = Some(Answer::Pending);
        mock.feed(&wire::close(role, Some(1000), ""));
        assert_eq!(ok(task.read(&mut stream, 100)), b"");
        assert_eq!(mock.state().shutdowns, 1);
        assert_eq!(ok(task.read(&mut stream, 100)), b"");
        assert_eq!(mock.state().shutdowns, 2);
        assert!(task.shutdown(&mut stream).is_pending());
        task.wakes();
        mock.state().shutdown = None;
        assert!(mock.wake_writer());
        assert_eq!(task.wakes(), 1);
        ok(task.shutdown(&mut stream));
        assert!(mock.state().is_shut);
    }
}

#[test]
fn transports_shutdown_errors_are_forgiven_after_both_closes_only_if_it_is_gone() {
    for (kind, forgiven) in [
        (ErrorKind::BrokenPipe, true),
        (ErrorKind::NotConnected, true),
        (ErrorKind::ConnectionReset, true),
        (ErrorKind::Other, false),
    ] {
        let (mut stream, mock) = stream(Role::Client, binary().half_close(true));
        let task = Task::default();
        mock.feed(&wire::close(Role::Client, Some(1000), ""));
        assert_eq!(ok(task.read(&mut stream, 100)), b"");
        mock.state().shutdown = Some(Answer::Error(kind));
        assert_eq!(ready(task.shutdown(&mut stream)).is_ok(), forgiven, "{kind:?}");
        ok(task.shutdown(&mut stream));
    }
}

#[test]
fn drop_sends_nothing() {
    let (mut stream, mock) = stream(Role::Client, binary().write_buffer(1000));
    ok(Task::default().write(&mut stream, b"gathered"));
    drop(stream);
    let state = mock.state();
    assert_eq!((state.write_calls, state.shutdowns), (0, 0));
}

#[tokio::test]
async fn close_sends_code_and_reason_and_returns_the_peers() {
    let (mut client, mut server) = pair(1024, binary().write_buffer(100));
    client.write_all(b"last words").await.unwrap();
    let far = async {
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.unwrap();
        (all, server.peer_close().cloned().unwrap())
    };
    let (close, (all, seen)) = tokio::join!(client.close(CloseCode::Away, "bye"), far);
    assert_eq!(all, b"last words");
    assert_eq!((seen.code, seen.reason.as_str()), (Some(CloseCode::Away), "bye"));
    assert_eq!(close.unwrap().unwrap(), CloseFrame { code: Some(CloseCode::Away), reason: String::new() });
}

#[tokio::test]
async fn close_refuses_codes_and_reasons_that_may_not_be_sent() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
            let error = stream.close(CloseCode::from(code), "").await.unwrap_err();
            assert_eq!(
                (error.kind(), rule(&error)),
                (ErrorKind::InvalidInput, &Error::CloseCodeNotSendable { code })
            );
        }
        let error = stream.close(CloseCode::Normal, &"x".repeat(124)).await.unwrap_err();
        assert_eq!(*rule(&error), Error::CloseReasonTooLong { length: 124 });
        assert_eq!(mock.state().calls, 0);
        ok(Task::default().write(&mut stream, b"still open"));
    }
}

#[tokio::test(start_paused = true)]
async fn close_discards_what_comes_and_ends_with_the_transport() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        mock.feed(&wire::data(role, &pattern(100_000)));
        mock.feed(&wire::ping(role, b"p"));
        mock.state().input_end = Answer::Zero;
        assert_eq!(stream.close(CloseCode::from(4000), &"r".repeat(123)).await.unwrap(), None);
        assert!(mock.state().is_shut);
        assert_eq!(sent(&mock)[0], close_of(Some(4000), &"r".repeat(123)));
    }
}

#[tokio::test(start_paused = true)]
async fn close_times_out_on_silent_full_and_never_ending_peers() {
    for role in ROLES {
        for peer in ["silent", "full", "endless"] {
            let (mut stream, mock) = stream(role, binary().close_timeout(Duration::from_secs(3)));
            match peer {
                "full" => mock.set_room(1),
                "endless" => mock.feed(&wire::data(role, &[0; 64 * 1024]).repeat(64)),
                _ => {}
            }
            let before = tokio::time::Instant::now();
            let error = stream.close(CloseCode::Normal, "").await.unwrap_err();
            assert_eq!((error.kind(), rule(&error)), (ErrorKind::TimedOut, &Error::CloseTimedOut), "{peer}");
            assert_eq!(before.elapsed().as_secs(), 3);
            assert!(mock.state().is_shut);
            let task = Task::default();
            assert_eq!(err(task.read(&mut stream, 100)).kind(), ErrorKind::TimedOut);
            assert_eq!(err(task.write(&mut stream, b"x")).kind(), ErrorKind::BrokenPipe);
            ok(task.shutdown(&mut stream));
        }
    }
}

/// A peer that never stops sending, and never waits.
struct Endless(usize);

impl tokio::io::AsyncRead for Endless {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        self.0 += 1;
        buf.put_slice(&wire::data(Role::Client, &[0; 100]));
        std::task::Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::task::Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[test]
fn close_yields_to_its_time_limit_while_the_peer_never_stops_sending() {
    let mut stream =
        WebSocketStream::from_transport(Endless(0), Role::Client, [], binary().close_timeout(Duration::MAX));
    let task = Task::default();
    let mut close = pin!(stream.close(CloseCode::Normal, ""));
    assert!(task.run(|cx| close.as_mut().poll(cx)).is_pending());
    assert!(task.wakes() > 0);
}

#[tokio::test]
async fn close_that_was_dropped_goes_on_when_called_again_and_after_a_shutdown_only_waits() {
    for role in ROLES {
        for shut_down_first in [false, true] {
            let (mut stream, mock) = stream(role, binary());
            let task = Task::default();
            if shut_down_first {
                ok(task.shutdown(&mut stream));
            }
            {
                let mut close = pin!(stream.close(CloseCode::Away, "bye"));
                assert!(task.run(|cx| close.as_mut().poll(cx)).is_pending());
            }
            mock.feed(&wire::close(role, Some(1000), "you too"));
            let frame = stream.close(CloseCode::Error, "other").await.unwrap().unwrap();
            assert_eq!(frame.reason, "you too");
            let first = if shut_down_first { close_of(Some(1000), "") } else { close_of(Some(1001), "bye") };
            assert_eq!(sent(&mock), [first]);
            assert!(mock.state().is_shut);
        }
    }
}

#[tokio::test]
async fn both_ends_with_half_close_lose_nothing_in_either_direction() {
    let (mut client, mut server) = pair(1024, binary().half_close(true));
    let request = pattern(300_000);
    let reply = pattern(500_000);
    let near = async {
        client.write_all(&request).await.unwrap();
        client.shutdown().await.unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        assert!(all == reply);
    };
    let far = async {
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.unwrap();
        assert!(all == request);
        server.write_all(&reply).await.unwrap();
        server.shutdown().await.unwrap();
    };
    tokio::join!(near, far);
}
