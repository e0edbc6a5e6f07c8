//! The end: PROMISES 2.4, 3.9, 4.4, 5.1, 5.2, 5.4, 5.6; pitfalls C23, C25, C26, C29.

mod calling;
mod discarding;
mod reasons;

use std::io::ErrorKind;

use fastwebsockets_stream::{CloseCode, CloseFrame, Config, Error, Role, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::transport::Answer;
use crate::support::{
    ROLES, Task, Transport, binary, err, name, ok, pair, pattern, ready, rule, sentence, stream, wire,
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

/// The clean ends of both directions: by the peer's code, and by the option.
fn both_ways() -> [(u16, Config); 3] {
    let off = binary().half_close(false);
    [(1001, binary()), (1001, off.clone()), (1000, off)]
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//= type=test
//# The application MUST NOT send any more data frames after sending a Close frame.
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

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//= type=test
//# After both sending and receiving a Close message, an endpoint considers the WebSocket connection closed and
//# MUST close the underlying TCP connection.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//= type=test
//# The server MUST close the underlying TCP connection immediately;
//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1
//= type=test
//# when a server is instructed to _Close the WebSocket Connection_ it SHOULD initiate a TCP Close immediately,
//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.2
//= type=test
//# that endpoint SHOULD _Close the WebSocket Connection_
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
        for peer in [None, Some(None), Some(Some(1000))] {
            let (mut stream, mock) = stream(role, binary());
            mock.state().hesitant = true;
            mock.state().write_chunk = 1;
            let task = Task::default();
            if let Some(code) = peer {
                mock.feed(&wire::close(role, code, ""));
                while task.read(&mut stream, 100).is_pending() {}
            }
            while task.write(&mut stream, b"data").is_pending() {}
            let mut polls = 0;
            while task.shutdown(&mut stream).is_pending() {
                assert!(task.wakes() > 0, "pending, and nobody will wake");
                polls += 1;
                assert!(polls < 100);
            }
            assert_eq!(mock.state().is_shut, peer.is_some());
            let code = peer.unwrap_or(Some(1000));
            assert_eq!(sent(&mock), [(wire::BINARY, b"data".to_vec()), close_of(code, "")]);
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//= type=test
//# If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST send a
//# Close frame in response.
#[test]
fn peers_close_is_answered_once_with_its_code_and_no_reason() {
    for role in ROLES {
        for (peer, half_close) in [None, Some(1000), Some(1001), Some(1011), Some(3000), Some(4999)]
            .into_iter()
            .flat_map(|peer| [(peer, true), (peer, false)])
        {
            let case = format!("{} {peer:?}, half-close {half_close}", name(role));
            let (mut stream, mock) = stream(role, binary().half_close(half_close));
            let task = Task::default();
            let ends_one_direction = matches!(peer, None | Some(1000));
            let reason = if peer.is_some() { "because" } else { "" };
            mock.feed(&wire::data(role, b"last"));
            mock.feed(&wire::close(role, peer, reason));
            mock.feed(&wire::data(role, b"ignored"));
            assert!(!stream.is_closed() && stream.peer_close().is_none());
            assert_eq!(ok(task.read(&mut stream, 5000)), b"last");
            for _ in 0..3 {
                if ends_one_direction || peer == Some(1001) {
                    assert_eq!(ok(task.read(&mut stream, 5000)), b"", "{case}");
                } else {
                    assert_eq!(
                        err(task.read(&mut stream, 5000)).kind(),
                        ErrorKind::ConnectionAborted,
                        "{case}"
                    );
                }
            }
            assert!(stream.is_closed());
            let expected = CloseFrame { code: peer.and_then(code), reason: reason.into() };
            assert_eq!(stream.peer_close(), Some(&expected));
            let waits = half_close && ends_one_direction;
            assert!(mock.state().is_shut != waits, "{case}");
            let mut answers = sent(&mock);
            assert_eq!(answers.len(), usize::from(!waits), "{case}");
            ok(task.shutdown(&mut stream));
            assert!(mock.state().is_shut, "{case}");
            answers.extend(sent(&mock));
            assert_eq!(answers, [close_of(peer, "")], "{case}");
            let error = err(task.write(&mut stream, b"late"));
            assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{case}");
            assert!(matches!(rule(&error), Error::PeerClosed { close, .. } if *close == expected), "{case}");
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
            for (code, config) in both_ways() {
                let (mut stream, mock) = stream(role, config);
                let task = Task::default();
                mock.set_room(1);
                mock.feed(&wire::close(role, Some(code), ""));
                assert_eq!(ok(task.read(&mut stream, 100)), b"");
                mock.set_room(usize::MAX);
                next(&task, &mut stream);
                assert_eq!(sent(&mock), [close_of(Some(code), "")]);
            }
        }
    }
}

#[test]
fn answer_that_meets_a_dead_pipe_changes_nothing() {
    for role in ROLES {
        for (code, config) in both_ways() {
            let (mut stream, mock) = stream(role, config);
            let task = Task::default();
            mock.set_room(0);
            mock.state().output_end = Answer::Error(ErrorKind::BrokenPipe);
            mock.state().shutdown = Some(Answer::Error(ErrorKind::NotConnected));
            mock.feed(&wire::data(role, b"data"));
            mock.feed(&wire::close(role, Some(code), ""));
            assert_eq!(ok(task.read(&mut stream, 5000)), b"data");
            assert_eq!(ok(task.read(&mut stream, 5000)), b"");
            ok(task.flush(&mut stream));
            assert!(matches!(rule(&err(task.write(&mut stream, b"x"))), Error::PeerClosed { .. }));
            ok(task.shutdown(&mut stream));
        }
    }
}

#[test]
fn answer_of_a_shutdown_that_meets_a_dead_pipe_is_ok_where_nothing_is_lost() {
    for role in ROLES {
        for kind in [ErrorKind::BrokenPipe, ErrorKind::NotConnected, ErrorKind::ConnectionReset] {
            let (mut stream, mock) = stream(role, binary());
            let task = Task::default();
            mock.feed(&wire::close(role, Some(1000), ""));
            assert_eq!(ok(task.read(&mut stream, 5000)), b"");
            mock.set_room(0);
            mock.state().output_end = Answer::Error(kind);
            mock.state().shutdown = Some(Answer::Error(kind));
            ok(task.shutdown(&mut stream));
            ok(task.flush(&mut stream));
            assert!(matches!(rule(&err(task.write(&mut stream, b"x"))), Error::PeerClosed { .. }));
            assert_eq!(ok(task.read(&mut stream, 5000)), b"");
        }
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
        for (peer, on, abnormal) in [
            (None, true, false),
            (Some(1000), true, false),
            (Some(1001), true, false),
            (Some(1011), true, true),
            (Some(1011), false, false),
        ] {
            let config = if on { binary() } else { binary().abnormal_close_is_error(false) };
            let (mut stream, mock) = stream(role, config.half_close(false));
            let task = Task::default();
            mock.feed(&wire::data(role, b"data"));
            mock.feed(&wire::close(role, peer, ""));
            assert_eq!(ok(task.read(&mut stream, 5000)), b"data");
            if abnormal {
                let error = err(task.read(&mut stream, 100));
                assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
                assert!(
                    matches!(rule(&error), Error::ClosedAbnormally { close, .. } if close.code == code(1011))
                );
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
        for code in [None, Some(1000)] {
            let (mut stream, mock) = stream(role, binary());
            let task = Task::default();
            mock.feed(&wire::data(role, b"request"));
            mock.feed(&wire::close(role, code, if code.is_some() { "done" } else { "" }));
            assert_eq!(ok(task.read(&mut stream, 5000)), b"request");
            assert_eq!(ok(task.read(&mut stream, 5000)), b"");
            assert_eq!(sent(&mock), []);
            ok(task.write(&mut stream, b"response"));
            ok(task.flush(&mut stream));
            assert!(!mock.state().is_shut);
            ok(task.shutdown(&mut stream));
            assert!(mock.state().is_shut);
            assert_eq!(sent(&mock), [(wire::BINARY, b"response".to_vec()), close_of(code, "")]);
            ok(task.flush(&mut stream));
        }
    }
}

#[test]
fn violation_and_truncation_end_the_writing_and_shutdown_waits_for_nobody() {
    for role in ROLES {
        for (input, end, due) in [(b"\xff".as_slice(), Answer::Pending, 1002), (b"", Answer::Zero, 1000)] {
            let (mut stream, mock) = stream(role, binary());
            let task = Task::default();
            mock.feed(input);
            mock.state().input_end = end;
            let first = err(task.read(&mut stream, 100));
            let reason = if due == 1000 { String::new() } else { sentence(rule(&first)) };
            assert_eq!(err(task.read(&mut stream, 100)).kind(), first.kind());
            assert_eq!(*rule(&err(task.write(&mut stream, b"x"))), Error::WriteAfterFailure);
            assert_eq!(err(task.flush(&mut stream)).kind(), ErrorKind::BrokenPipe);
            ok(task.shutdown(&mut stream));
            assert!(mock.state().is_shut);
            assert_eq!(sent(&mock), [close_of(Some(due), &reason)], "{}", name(role));
            ok(task.shutdown(&mut stream));
        }
    }
}

#[test]
fn transports_shutdown_is_tried_once_by_a_read_and_gone_on_with_later() {
    for role in ROLES {
        for (code, config) in both_ways() {
            let (mut stream, mock) = stream(role, config);
            let task = Task::default();
            mock.state().shutdown = Some(Answer::Pending);
            mock.feed(&wire::close(role, Some(code), ""));
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
}

#[test]
fn transports_shutdown_errors_are_forgiven_after_both_closes_only_if_it_is_gone() {
    for (kind, forgiven) in [
        (ErrorKind::BrokenPipe, true),
        (ErrorKind::NotConnected, true),
        (ErrorKind::ConnectionReset, true),
        (ErrorKind::Other, false),
    ] {
        let (mut stream, mock) = stream(Role::Client, binary());
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
async fn both_ends_with_half_close_lose_nothing_in_either_direction() {
    let (mut client, mut server) = pair(1024, binary());
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
