//! What a Close says, and what is made of it: PROMISES 3.9, 5.2, 5.4.

use std::io::ErrorKind;

use fastwebsockets_stream::{Config, Error, PayloadType, Role, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{close_of, sent};
use crate::support::broken::Broken;
use crate::support::net::within;
use crate::support::{ROLES, Task, binary, err, name, ok, rule, sentence, stream, text, wire};

#[tokio::test]
async fn peer_that_breaks_a_rule_reads_which_one() {
    let (near, far) = tokio::io::duplex(1024);
    let mut client = WebSocketStream::from_transport(near, Role::Client, [], text());
    let mut server = WebSocketStream::from_transport(far, Role::Server, [], binary());
    client.write_all(b"text").await.unwrap();
    let refused = within(server.read(&mut [0; 8])).await.unwrap_err();
    let types = (PayloadType::Text, PayloadType::Binary);
    assert_eq!(*rule(&refused), Broken::WrongPayloadType { received: types.0, expected: types.1 });
    let broken = rule(&refused);
    let told = within(client.read(&mut [0; 8])).await.unwrap_err();
    assert_eq!(told.kind(), ErrorKind::ConnectionAborted);
    let close = client.peer_close().unwrap();
    assert_eq!((close.code.map(u16::from), close.reason.as_str()), (Some(1003), sentence(broken).as_str()));
    assert!(told.to_string().contains(&broken.to_string()), "{told}");
}

/// A Close of the peer's that was answered, whether half-close is on, and whether that matters.
const ANSWERED: [(Option<u16>, bool, bool); 9] = [
    (None, false, true),
    (Some(1000), false, true),
    (Some(1001), false, false),
    (Some(1001), true, false),
    (Some(1008), false, false),
    (Some(1008), true, false),
    (Some(1011), true, false),
    (Some(4000), false, false),
    (Some(4000), true, false),
];

fn config(half_close: bool) -> Config {
    binary().half_close(half_close)
}

#[track_caller]
fn is_refused_by(error: &std::io::Error, peer: Option<u16>, reason: &str, names: bool, case: &str) {
    assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{case}");
    let Error::PeerClosed { close, half_close_is_off, .. } = rule(error) else { panic!("{case}: {error:?}") };
    assert_eq!((close.code.map(u16::from), close.reason.as_str()), (peer, reason), "{case}");
    assert_eq!(*half_close_is_off, names, "{case}");
    let message = error.to_string();
    let code = peer.map_or("no code".to_owned(), |code| code.to_string());
    assert!(message.contains(&code) && message.contains(reason), "{case}: {message}");
    assert_eq!(message.contains("half_close"), names, "{case}: {message}");
}

#[test]
fn write_after_an_answered_close_says_which_and_names_half_close_only_where_that_is_the_cause() {
    for role in ROLES {
        for (peer, half_close, names) in ANSWERED {
            let case = format!("{} {peer:?}, half-close {half_close}", name(role));
            let (mut stream, mock) = stream(role, config(half_close));
            let (task, reason) = (Task::default(), if peer.is_some() { "so it is" } else { "" });
            mock.feed(&wire::close(role, peer, reason));
            assert!(task.read(&mut stream, 100).is_ready());
            assert_eq!(sent(&mock), [close_of(peer, "")], "{case}");
            for _ in 0..2 {
                is_refused_by(&err(task.write(&mut stream, b"late")), peer, reason, names, &case);
                let slices = [std::io::IoSlice::new(b"late")];
                is_refused_by(&err(task.write_vectored(&mut stream, &slices)), peer, reason, names, &case);
            }
        }
    }
}

#[test]
fn waiting_write_that_meets_an_answered_close_says_which_and_names_half_close_only_as_the_cause() {
    for role in ROLES {
        for (peer, half_close, names) in ANSWERED {
            let case = format!("{} {peer:?}, half-close {half_close}", name(role));
            let (mut stream, mock) = stream(role, config(half_close));
            let (reader, writer) = (Task::default(), Task::default());
            mock.set_room(3);
            ok(writer.write(&mut stream, b"kept"));
            assert!(writer.write(&mut stream, b"waits").is_pending());
            let reason = if peer.is_some() { "so it is" } else { "" };
            mock.feed(&wire::close(role, peer, reason));
            assert!(reader.read(&mut stream, 100).is_ready());
            assert_eq!(writer.wakes(), 1, "{case}");
            is_refused_by(&err(writer.write(&mut stream, b"waits")), peer, reason, names, &case);
        }
    }
}

#[test]
fn write_after_this_ends_own_shutdown_never_names_half_close() {
    for role in ROLES {
        for half_close in [false, true] {
            for peer in [None, Some(1000), Some(1001)] {
                // First this end's Close, then the peer's; or, where that waits for it, the other way round.
                for peer_first in [false, true] {
                    let (mut stream, mock) = stream(role, config(half_close));
                    let task = Task::default();
                    if peer_first && (!half_close || peer == Some(1001)) {
                        continue;
                    }
                    if !peer_first {
                        ok(task.shutdown(&mut stream));
                    }
                    mock.feed(&wire::close(role, peer, ""));
                    assert_eq!(ok(task.read(&mut stream, 100)), b"");
                    ok(task.shutdown(&mut stream));
                    let error = err(task.write(&mut stream, b"late"));
                    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                    assert!(!error.to_string().contains("half_close"), "{} {peer:?}: {error}", name(role));
                }
            }
        }
    }
}

#[test]
fn away_ends_both_directions_and_1000_only_one() {
    for role in ROLES {
        for (code, writable) in [(None, true), (Some(1000), true), (Some(1001), false), (Some(1003), false)] {
            let (mut stream, mock) = stream(role, binary());
            let task = Task::default();
            mock.feed(&wire::close(role, code, ""));
            assert!(task.read(&mut stream, 100).is_ready());
            assert_eq!(
                task.write(&mut stream, b"more").map(|write| write.is_ok()),
                std::task::Poll::Ready(writable)
            );
            assert_eq!(mock.state().is_shut, !writable, "{} {code:?}", name(role));
            let opcodes = wire::opcodes(&wire::decode(&mock.take_written()));
            assert_eq!(opcodes, [if writable { wire::BINARY } else { wire::CLOSE }]);
        }
    }
}
