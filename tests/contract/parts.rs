//! The ways out of a stream, and back in: PROMISES 1.4; pitfall C32.

mod continuing;
#[cfg(feature = "fastwebsockets")]
mod inner;

use std::io::ErrorKind;

use fastwebsockets_stream::{Config, Role, WebSocketStream};

use crate::support::talk::Step::{Close, Data, Ping, Pong};
use crate::support::talk::Talk;
use crate::support::transport::Answer;
use crate::support::{ROLES, Task, Transport, binary, name, ok, read_all};
use crate::support::{stream, text, wire};

type Stream = WebSocketStream<Transport>;

fn read(stream: &mut Stream, room: usize) {
    let _ = Task::default().read(stream, room);
}

fn write(stream: &mut Stream, bytes: &[u8]) {
    let _ = Task::default().write(stream, bytes);
}

/// A conversation in which a cut can be in every kind of place. It ends without a Close.
fn talk(role: Role, config: &Config) -> Talk {
    let steps = [Data(true, 10), Ping(5), Data(false, 131), Pong(3), Data(false, 0), Ping(0), Data(true, 9)];
    Talk::new(role, config).with(&steps).with(&[Data(false, 3), Ping(1), Data(true, 7)])
}

#[test]
fn unread_bytes_give_exactly_the_rest_to_a_new_stream_at_every_byte() {
    for role in ROLES {
        for config in [binary(), text(), binary().half_close(false), binary().allow_unmasked(true)] {
            let talk = talk(role, &config);
            for at in 0..=talk.wire.len() {
                // Reads so many times: nothing, a little, and all there is.
                for reads in [0, 1, 3, 9, 99] {
                    let (mut stream, mock) = stream(role, config.clone());
                    mock.feed(&talk.wire[..at]);
                    let (task, mut bytes) = (Task::default(), Vec::new());
                    for _ in 0..reads {
                        if let std::task::Poll::Ready(read) = task.read(&mut stream, 5) {
                            bytes.extend(read.unwrap());
                        }
                    }
                    // A stream of text cannot begin inside a code point.
                    if talk.is_text() && std::str::from_utf8(&bytes).is_err() {
                        continue;
                    }
                    let parts = stream.into_parts();
                    assert!(parts.role == role && parts.unsent.is_empty());
                    let mut stream =
                        WebSocketStream::from_transport(parts.transport, role, parts.unread, config.clone());
                    let rest = talk.clone().with(&[Close(1000, "")]);
                    mock.feed(&rest.wire[at..]);
                    let (more, end) = read_all(&mut stream, 64);
                    let case = format!("{} {config:?} cut at {at}, {reads} reads", name(role));
                    assert!(end.is_ok(), "{case}: {end:?}");
                    assert_eq!([bytes, more].concat(), rest.payload, "{case}");
                    assert!(rest.is_half_closed() != mock.state().is_shut, "{case}");
                    ok(task.shutdown(&mut stream));
                    assert!(rest.sent(&mock).len() == rest.pings.len() + 1, "{case}");
                }
            }
        }
    }
}

#[test]
fn unsent_bytes_are_exactly_what_the_transport_has_not_taken() {
    for role in ROLES {
        for room in 0..40 {
            let (mut stream, mock) = stream(role, binary().write_buffer(64));
            write(&mut stream, b"hello");
            write(&mut stream, b"world");
            mock.set_room(room);
            let _ = Task::default().flush(&mut stream);
            let parts = stream.into_parts();
            let frames = wire::decode(&[mock.take_written(), parts.unsent].concat());
            assert_eq!(wire::payload(&frames), b"helloworld", "{} {room}", name(role));
            assert_eq!(frames.len(), 2);
        }
    }
}

#[test]
fn debug_of_the_parts_shows_no_payload() {
    let (mut stream, mock) = stream(Role::Server, binary());
    mock.feed(&wire::data(Role::Server, b"secret"));
    mock.set_room(1);
    read(&mut stream, 1);
    write(&mut stream, b"secret");
    let parts = stream.into_parts();
    let shown = format!("{parts:?}");
    assert!(!shown.contains("secret") && shown.contains(&parts.unsent.len().to_string()), "{shown}");
}
