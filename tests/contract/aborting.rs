//! A peer that closes because it has failed: of PROMISES 2.4, what reads say to that.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;

use fastwebsockets_stream::{CloseCode, CloseFrame, Error, Role, WebSocketStream};

use crate::support::wire::{self, BINARY};
use crate::support::{ROLES, Task, Transport, binary, err, name, ok, read_all, rule, stream};

/// Half of what was to come, and the reason why there is no more.
fn half(role: Role, inside: bool) -> Vec<u8> {
    [
        wire::from_peer(role, !inside, BINARY, b"half of "),
        wire::close(role, Some(1011), "disk failed"),
        wire::data(role, b"it, and more"),
    ]
    .concat()
}

fn failed() -> CloseFrame {
    CloseFrame { code: Some(CloseCode::from(1011)), reason: "disk failed".into() }
}

#[test]
fn failure_of_the_peer_after_half_the_data_is_an_error_that_says_why_and_names_the_option() {
    for role in ROLES {
        for (inside, room) in [false, true].into_iter().flat_map(|inside| [1, 100, 8192].map(|n| (inside, n)))
        {
            let (mut stream, mock) = stream(role, binary());
            mock.feed(&half(role, inside));
            let (bytes, end) = read_all(&mut stream, room);
            assert_eq!(bytes, b"half of ", "{} {room}", name(role));
            let error = end.expect_err("half of it is not the whole");
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
            assert!(matches!(rule(&error), Error::ClosedAbnormally { close, .. } if *close == failed()));
            let message = error.to_string();
            for part in ["1011", "disk failed", "abnormal_close_is_error"] {
                assert!(message.contains(part), "{part}: {message}");
            }
            for _ in 0..3 {
                assert_eq!(err(Task::default().read(&mut stream, room)).kind(), ErrorKind::ConnectionAborted);
                assert_eq!(err(Task::default().look(&mut stream)).kind(), ErrorKind::ConnectionAborted);
            }
            assert_eq!(stream.peer_close(), Some(&failed()));
            // It was answered at once, and both directions have ended.
            let frames = wire::decode(&mock.take_written());
            assert_eq!((frames.len(), &frames[0].payload), (1, &wire::close_payload(Some(1011), "")));
            assert!(mock.state().is_shut);
        }
    }
}

#[test]
fn failure_of_the_peer_is_an_end_like_any_other_where_the_option_is_off() {
    for role in ROLES {
        for room in [1, 100, 8192] {
            let (mut stream, mock) = stream(role, binary().abnormal_close_is_error(false));
            mock.feed(&half(role, false));
            let (bytes, end) = read_all(&mut stream, room);
            assert!(end.is_ok() && bytes == b"half of ", "{} {room}", name(role));
            assert_eq!(stream.peer_close(), Some(&failed()));
            assert_eq!(ok(Task::default().read(&mut stream, room)), b"");
            // Both directions have ended all the same.
            assert!(mock.state().is_shut);
            assert_eq!(err(Task::default().write(&mut stream, b"x")).kind(), ErrorKind::BrokenPipe);
        }
    }
}

/// Sends a Close, and does not wait for the peer's.
fn close(stream: &mut WebSocketStream<Transport>, code: u16) {
    let mut close = pin!(stream.close(code, "ours"));
    assert!(Task::default().run(|cx| close.as_mut().poll(cx)).is_pending());
}

#[tokio::test]
async fn close_that_repeats_the_code_of_this_ends_own_is_a_clean_end() {
    type Turn = fn(WebSocketStream<Transport>) -> WebSocketStream<Transport>;
    let turns: [Turn; 2] = [|stream| stream, |stream| WebSocketStream::from_parts(stream.into_parts())];
    for role in ROLES {
        for (own, peer) in
            [1002, 1008, 1011, 3000, 4999].into_iter().flat_map(|own| [(own, own), (own, 4001)])
        {
            for turn in turns {
                let (mut stream, mock) = stream(role, binary());
                close(&mut stream, own);
                stream = turn(stream);
                mock.feed(&wire::close(role, Some(peer), "theirs"));
                let read = Task::default().read(&mut stream, 100);
                if peer == own {
                    assert_eq!(ok(read), b"", "{} {own}", name(role));
                } else {
                    assert_eq!(err(read).kind(), ErrorKind::ConnectionAborted, "{} {own} {peer}", name(role));
                }
                assert_eq!(stream.peer_close().unwrap().code, Some(CloseCode::from(peer)));
            }
        }
    }
}
