//! The `WebSocket` of fastwebsockets that a stream was, or could have been, made of: PROMISES 1.4.

use std::pin::pin;

use fastwebsockets::{Frame, OpCode, Payload, WebSocket};
use fastwebsockets_stream::PayloadType;

use super::*;
use crate::support::{Mock, ready};

/// Something that has happened to a stream.
type Past = (&'static str, Config, fn(&mut Stream, &Mock, Role));

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

#[test]
fn stream_that_was_adopted_continues_at_every_cut() {
    for role in ROLES {
        for fin in [true, false] {
            let mut talk = Talk::new(role, &binary()).with(&[Data(true, 4)]);
            let frame = talk.say(Data(fin, 70_000));
            let talk = talk.goodbye();
            for at in 0..16 {
                let (mock, transport) = Mock::new();
                let mut websocket = WebSocket::after_handshake(transport, role.into());
                mock.feed(&wire::data(role, b"first"));
                mock.feed(&talk.wire[..frame.start + at]);
                ready(Task::default().run(|cx| pin!(websocket.read_frame()).poll(cx))).unwrap();
                let stream = WebSocketStream::new(websocket, PayloadType::Binary);
                let stream = WebSocketStream::from_parts(stream.into_parts());
                mock.feed(&talk.wire[frame.start + at..]);
                talk.check(stream, &mock, 100_000, &format!("{fin} {at}"));
            }
        }
    }
}
