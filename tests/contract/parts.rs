//! The ways out of a stream, and back in: PROMISES 1.4; pitfall C32.

mod continuing;

use std::io::ErrorKind;
use std::pin::pin;

use fastwebsockets::{Frame, OpCode, Payload, WebSocket};
use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};

use crate::support::talk::Step::{Close, Data, Ping, Pong};
use crate::support::talk::Talk;
use crate::support::transport::Answer;
use crate::support::{Mock, ROLES, Task, Transport, binary, name, ok, read_all, ready};
use crate::support::{stream, text, wire};

type Stream = WebSocketStream<Transport>;

/// Something that has happened to a stream.
type Past = (&'static str, Config, fn(&mut Stream, &Mock, Role));

fn read(stream: &mut Stream, room: usize) {
    let _ = Task::default().read(stream, room);
}

fn write(stream: &mut Stream, bytes: &[u8]) {
    let _ = Task::default().write(stream, bytes);
}

/// After these nothing would be lost.
fn clean_pasts() -> Vec<Past> {
    vec![
        ("nothing", binary(), |_, _, _| ()),
        ("a pending read", binary(), |stream, _, _| read(stream, 64)),
        ("whole messages both ways", binary(), |stream, mock, role| {
            write(stream, b"hello");
            mock.feed(&wire::data(role, b"hello"));
            read(stream, 64);
        }),
        ("a small read of a whole message", binary(), |stream, mock, role| {
            mock.feed(&wire::data(role, b"hello"));
            read(stream, 3);
            read(stream, 2);
        }),
        ("a fragmented message that has ended", text(), |stream, mock, role| {
            let talk = Talk::new(role, &text()).with(&[Data(false, 5), Ping(2), Data(true, 5)]);
            mock.feed(&talk.wire);
            read(stream, 64);
        }),
        ("a Ping that was answered", binary(), |stream, mock, role| {
            mock.feed(&wire::ping(role, b"ping"));
            read(stream, 64);
        }),
        ("a Pong whose flush had to wait", binary(), |stream, mock, role| {
            mock.state().flush = Some(Answer::Pending);
            mock.feed(&wire::ping(role, b"ping"));
            read(stream, 64);
            mock.state().flush = None;
            read(stream, 64);
        }),
        ("an empty message", binary(), |stream, mock, role| {
            mock.feed(&wire::data(role, b""));
            read(stream, 64);
        }),
        ("a kept frame that has left", binary().write_buffer(64), |stream, _, _| {
            write(stream, b"hello");
            ok(Task::default().flush(stream));
        }),
        ("text that ends with a code point", text(), |stream, _, _| {
            write(stream, b"\xc3");
            write(stream, b"\xa9");
        }),
    ]
}

/// After these something would be lost, or broken.
fn unfinished_pasts() -> Vec<Past> {
    vec![
        ("an octet of a header", binary(), |stream, mock, role| {
            mock.feed(&wire::data(role, b"hello")[..1]);
            read(stream, 64);
        }),
        ("a header without its payload", binary(), |stream, mock, role| {
            let frame = wire::data(role, b"hello");
            mock.feed(&frame[..frame.len() - 5]);
            read(stream, 64);
        }),
        ("a frame read in part", binary(), |stream, mock, role| {
            let frame = wire::data(role, b"hello");
            mock.feed(&frame[..frame.len() - 1]);
            read(stream, 64);
        }),
        ("payload that waits", binary(), |stream, mock, role| {
            mock.feed(&wire::data(role, b"hello"));
            read(stream, 4);
        }),
        ("a Ping read in part", binary(), |stream, mock, role| {
            let frame = wire::ping(role, b"ping");
            mock.feed(&frame[..frame.len() - 1]);
            read(stream, 64);
        }),
        ("a Pong that waits", binary(), |stream, mock, role| {
            mock.set_room(0);
            mock.feed(&wire::ping(role, b"ping"));
            read(stream, 64);
        }),
        ("a Pong that waits for a flush", binary(), |stream, mock, role| {
            mock.state().flush = Some(Answer::Pending);
            mock.feed(&wire::ping(role, b"ping"));
            read(stream, 64);
        }),
        ("a Pong sent in part", binary(), |stream, mock, role| {
            mock.set_room(2);
            mock.feed(&wire::ping(role, b"ping"));
            read(stream, 64);
        }),
        ("an unfinished message", binary(), |stream, mock, role| {
            mock.feed(&wire::from_peer(role, false, wire::BINARY, b"hello"));
            read(stream, 64);
        }),
        ("an unfinished empty message", binary(), |stream, mock, role| {
            mock.feed(&wire::from_peer(role, false, wire::BINARY, b""));
            read(stream, 64);
        }),
        ("a frame written in part", binary(), |stream, mock, _| {
            mock.set_room(3);
            write(stream, b"hello");
        }),
        ("a frame that is kept", binary().write_buffer(64), |stream, _, _| write(stream, b"hello")),
        ("half a code point written", text(), |stream, _, _| write(stream, b"a\xc3")),
        ("the peer's Close", binary(), |stream, mock, role| {
            mock.feed(&wire::close(role, Some(1000), ""));
            read(stream, 64);
        }),
        ("both Closes", binary(), |stream, mock, role| {
            mock.feed(&wire::close(role, Some(1001), ""));
            read(stream, 64);
        }),
        ("a shutdown", binary(), |stream, _, _| ok(Task::default().shutdown(stream))),
        ("a violation", binary(), |stream, mock, _| {
            mock.feed(&[0xff]);
            read(stream, 64);
        }),
        ("truncation", binary(), |stream, mock, _| {
            mock.state().input_end = Answer::Zero;
            read(stream, 64);
        }),
        ("a read error", binary(), |stream, mock, _| {
            mock.state().input_end = Answer::Error(ErrorKind::ConnectionReset);
            read(stream, 64);
        }),
        ("a write error", binary(), |stream, mock, _| {
            mock.state().fail_at = Some((0, ErrorKind::ConnectionReset));
            write(stream, b"hello");
        }),
    ]
}

fn exchange(mut websocket: WebSocket<Transport>, mock: &Mock, role: Role) {
    let task = Task::default();
    mock.take_written();
    mock.feed(&wire::data(role, b"next"));
    let frame = ready(task.run(|cx| pin!(websocket.read_frame()).poll(cx))).unwrap();
    assert_eq!((frame.opcode, &*frame.payload), (OpCode::Binary, &b"next"[..]));
    let frame = Frame::binary(Payload::Owned(b"reply".to_vec()));
    ready(task.run(|cx| pin!(websocket.write_frame(frame)).poll(cx))).unwrap();
    let frames = wire::decode(&mock.take_written());
    assert_eq!((wire::payload(&frames), frames[0].key.is_some()), (b"reply".to_vec(), role == Role::Client));
}

#[test]
fn into_inner_gives_back_a_websocket_that_works_where_nothing_is_lost_by_it() {
    for role in ROLES {
        for (past, config, happen) in clean_pasts() {
            let (mut stream, mock) = stream(role, config);
            happen(&mut stream, &mock, role);
            let websocket = stream.into_inner();
            exchange(websocket.unwrap_or_else(|| panic!("{} after {past}", name(role))), &mock, role);
        }
    }
}

#[test]
fn into_inner_gives_back_a_websocket_that_was_just_adopted() {
    for role in ROLES {
        let (mock, transport) = Mock::new();
        let websocket = WebSocket::after_handshake(transport, role.into());
        let stream = WebSocketStream::new(websocket, PayloadType::Binary);
        exchange(stream.into_inner().unwrap(), &mock, role);
    }
}

#[test]
fn into_inner_is_none_where_something_would_be_lost_and_try_into_inner_gives_the_stream_back() {
    for role in ROLES {
        for (past, config, happen) in unfinished_pasts() {
            let (mut first, mock) = stream(role, config.clone());
            happen(&mut first, &mock, role);
            let Err(second) = first.try_into_inner() else { panic!("{} after {past}", name(role)) };
            assert!(second.into_inner().is_none(), "{} after {past}", name(role));
            // It is the same stream, and not only one that says no.
            let (mut first, mock) = stream(role, config.clone());
            happen(&mut first, &mock, role);
            let shown = format!("{first:?}");
            assert_eq!(format!("{:?}", first.try_into_inner().err().unwrap()), shown, "{past}");
        }
    }
    let (mut stream, mock) = stream(Role::Client, binary());
    mock.feed(&wire::data(Role::Client, b"hello"));
    read(&mut stream, 2);
    let mut stream = stream.try_into_inner().err().unwrap();
    assert_eq!(ok(Task::default().read(&mut stream, 64)), b"llo");
}

#[test]
fn into_inner_is_none_for_a_websocket_that_had_read_ahead() {
    for role in ROLES {
        for ahead in [&wire::data(role, b"more")[..], &[0x82], &[0x89]] {
            let (mock, transport) = Mock::new();
            let mut websocket = WebSocket::after_handshake(transport, role.into());
            mock.feed(&[&wire::data(role, b"first")[..], ahead].concat());
            ready(Task::default().run(|cx| pin!(websocket.read_frame()).poll(cx))).unwrap();
            assert!(WebSocketStream::new(websocket, PayloadType::Binary).into_inner().is_none());
        }
    }
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
