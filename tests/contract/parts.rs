//! The ways out of a stream, and back in: PROMISES 1.4; pitfall C32.

use std::io::ErrorKind;
use std::pin::pin;

use fastwebsockets::{Frame, OpCode, Payload, WebSocket};
use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};

use crate::support::script::{Act, random, run};
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
        ("the peer's Close", binary().half_close(true), |stream, mock, role| {
            mock.feed(&wire::close(role, Some(1000), ""));
            read(stream, 64);
        }),
        ("both Closes", binary(), |stream, mock, role| {
            mock.feed(&wire::close(role, Some(1000), ""));
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
        let websocket = WebSocket::after_handshake(transport, role);
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
            let mut websocket = WebSocket::after_handshake(transport, role);
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
        for config in [binary(), text(), binary().allow_unmasked(true)] {
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

/// One thing after another, both ways, with everything that can wait, fail or be cut.
fn scripts(role: Role) -> Vec<(Config, Vec<Act>)> {
    use Act::{BlockFlush, EndInput, EndOutput, Feed, Flush, Read, Room, Shutdown, Write};
    let frame = |fin, opcode, payload: &[u8]| Feed(wire::from_peer(role, fin, opcode, payload));
    let close = |code| Feed(wire::close(role, Some(code), "why"));
    let ping = |payload: &[u8]| Feed(wire::ping(role, payload));
    let all = || vec![Read(64), Write(b"x"), Flush, Read(64), Write(b"y"), Shutdown, Read(64), Shutdown];
    let gone = EndOutput(Answer::Error(ErrorKind::BrokenPipe));
    let reset = Answer::Error(ErrorKind::ConnectionReset);
    let mut scripts = Vec::new();
    for config in [binary(), text(), binary().half_close(true), text().half_close(true)] {
        let bytes = talk(role, &config).with(&[Close(1001, "away")]).wire;
        // At every byte of it; and all at once, read in pieces.
        scripts.push((
            config.clone(),
            bytes.iter().flat_map(|byte| [Feed(vec![*byte]), Read(3)]).chain(all()).collect(),
        ));
        let reads = (0..99).map(|_| Read(2));
        scripts.push((config, [Feed(bytes)].into_iter().chain(reads).chain(all()).collect()));
    }
    for config in [binary(), text(), binary().write_buffer(30)] {
        // The transport takes one byte at a time.
        let writes = (0..60).flat_map(|_| [Write("né€😀".as_bytes()), Read(9), Room(1), Flush]);
        scripts.push((config.clone(), [Room(0)].into_iter().chain(writes).chain(all()).collect()));
        scripts
            .push((config, vec![Write(b"a"), Write(b"b"), Room(4), Write(b"c"), Room(0), Read(9), Room(99)]));
    }
    let text_writes = || vec![Write(b"a\xf0"), Write(b"\x9f"), Write(b""), Write(b"\x98"), Flush];
    scripts.push((text(), [text_writes(), vec![Write(b"\x80"), Write(b"\xff"), Shutdown]].concat()));
    scripts.push((text(), [text_writes(), vec![Shutdown, Shutdown, Write(b"a")], all()].concat()));
    // What comes next after the beginning of a code point is not always the same.
    for (begun, next) in [(0xe0, 0x80), (0xe0, 0xa0), (0xed, 0xa0), (0xf0, 0x80), (0xf4, 0x90), (0xf4, 0x8f)]
    {
        let head = wire::header(true, wire::TEXT, (role == Role::Server).then_some([0; 4]), 5);
        let start = vec![Feed(head), Feed(vec![b'a', begun]), Read(64), Feed(vec![next]), Read(64)];
        scripts.push((text(), [start, vec![Feed(vec![0x80, 0x80]), Read(64), Read(64)], all()].concat()));
    }
    for config in [binary(), binary().half_close(true), binary().abnormal_close_is_error(true)] {
        for before in [
            vec![Room(0), ping(b"one"), Read(64), ping(b"two"), Read(64), Write(b"data")],
            vec![Room(2), Write(b"data"), ping(b"one"), Read(64), ping(b"two"), Read(64), Write(b"data")],
            vec![BlockFlush(true), ping(b"one"), Read(64)],
            vec![frame(false, wire::BINARY, b"part")],
        ] {
            for end in [
                vec![close(1000)],
                vec![close(1011)],
                vec![frame(true, wire::CONTINUATION, b"more, and"), frame(true, 0x3, b"violation")],
                vec![frame(true, wire::TEXT, b"wrong type")],
                vec![EndInput(Answer::Zero)],
                vec![EndInput(reset)],
                vec![Shutdown, Read(64), close(1000)],
                vec![Shutdown, Shutdown, Write(b"late"), gone.clone()],
                vec![gone.clone()],
                vec![gone.clone(), close(1000)],
                vec![close(1000), Read(64), gone.clone()],
                vec![EndOutput(Answer::Zero), close(1000)],
                vec![],
            ] {
                let mut script = [before.clone(), end, all()].concat();
                script.extend([BlockFlush(false), Room(9999)]);
                scripts.push((config.clone(), [script, all()].concat()));
            }
        }
    }
    scripts
}

#[track_caller]
fn same(seen: &[String], expected: &[String], case: impl Fn() -> String) {
    if let Some(at) = seen.iter().zip(expected).position(|(seen, expected)| seen != expected) {
        panic!("{}\n was {}\n not {}", case(), seen[at], expected[at]);
    }
    assert_eq!(seen.len(), expected.len(), "{}", case());
}

#[test]
fn continued_stream_behaves_as_the_uninterrupted_one_wherever_it_was_taken_apart() {
    for role in ROLES {
        for (config, script) in scripts(role) {
            let expected = run(role, &config, &script, |_| false);
            for at in 0..script.len() {
                let seen = run(role, &config, &script, |i| i == at);
                same(&seen, &expected, || format!("{} {config:?} before {at} of {script:?}", name(role)));
            }
            let seen = run(role, &config, &script, |_| true);
            same(&seen, &expected, || format!("{} {config:?} all through {script:?}", name(role)));
        }
    }
}

#[test]
fn continued_stream_behaves_as_the_uninterrupted_one_in_any_order_of_calls() {
    for role in ROLES {
        for config in [binary(), text(), binary().half_close(true), text().write_buffer(40)] {
            for seed in 1..150 {
                let script = random(seed, talk(role, &config).with(&[Close(1000, "")]).wire);
                let expected = run(role, &config, &script, |_| false);
                let seen = run(role, &config, &script, |_| true);
                same(&seen, &expected, || format!("{} {config:?} seed {seed}: {script:?}", name(role)));
            }
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
                let mut websocket = WebSocket::after_handshake(transport, role);
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
