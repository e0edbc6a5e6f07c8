//! What a peer must not send: PROMISES 2.7, 2.9, 6.2, and of 2.8 that a violation looks the same however it arrives.
//! Pitfalls C19, C20.

mod legal;

use std::io::{self, ErrorKind};

use fastwebsockets_stream::{Config, Error, OpCode, PayloadType, Role, WebSocketStream};

use crate::support::broken::Broken;
use crate::support::reader::{Ask, feed_pieces};
use crate::support::transport::Answer;
use crate::support::wire::{self, BINARY, CLOSE, CONTINUATION, KEY, PING, PONG, TEXT};
use crate::support::{Mock, ROLES, Task, binary, err, name, ok, read_all, rule, sentence, stream, text};

/// A frame that must not come.
struct Violation {
    /// It comes inside a fragmented message.
    inside: bool,
    bytes: Vec<u8>,
    /// The part of its payload that is delivered nevertheless.
    valid: &'static [u8],
    broken: Broken,
    code: u16,
}

impl Violation {
    /// What the stream answers.
    fn close(&self, error: &io::Error) -> Vec<u8> {
        wire::close_payload(Some(self.code), &sentence(rule(error)))
    }
}

/// A header whose length is in this form, fitting or not, and a byte of payload.
fn long_form(role: Role, opcode: u8, bits: u8, length: u64) -> Vec<u8> {
    let mask = if role == Role::Server { 0x80 } else { 0 };
    let (mark, octets) = if bits == 16 { (126, 6..8) } else { (127, 0..8) };
    let key: &[u8] = if role == Role::Server { &KEY } else { &[] };
    [&[0x80 | opcode, mask | mark], &length.to_be_bytes()[octets], key, b"x"].concat()
}

/// Every violation, as the peer of `role` commits it on a Text or a Binary stream.
fn violations(role: Role, is_text: bool) -> Vec<Violation> {
    let (own, other) = if is_text { (TEXT, BINARY) } else { (BINARY, TEXT) };
    let frame = |fin, opcode, payload: &[u8]| wire::from_peer(role, fin, opcode, payload);
    let key = (role == Role::Server).then_some(KEY);
    let mut all = Vec::new();
    let mut add = |inside, bytes: Vec<u8>, broken: Broken| {
        let code = close_code(&broken);
        all.push(Violation { inside, bytes, valid: b"", broken, code });
    };

    // Section 5.1.
    let (wrong_key, broken) = match role {
        Role::Server => (None, Broken::UnmaskedFrame),
        Role::Client => (Some(KEY), Broken::MaskedFrame),
    };
    for payload in [b"".as_slice(), b"x"] {
        for opcode in [own, PING, PONG, CLOSE] {
            add(false, wire::encode(true, opcode, wrong_key, payload), broken.clone());
        }
        add(true, wire::encode(true, CONTINUATION, wrong_key, payload), broken.clone());
    }
    // Section 5.2.
    for bits in 1..8 {
        for opcode in [own, PING, CLOSE] {
            let mut bytes = frame(true, opcode, b"");
            bytes[0] |= bits << 4;
            add(false, bytes, Broken::ReservedBits { bits });
        }
        let mut bytes = frame(true, CONTINUATION, b"x");
        bytes[0] |= bits << 4;
        add(true, bytes, Broken::ReservedBits { bits });
    }
    for opcode in (3..8).chain(0xb..0x10) {
        for (fin, inside) in [(true, false), (false, true)] {
            add(inside, frame(fin, opcode, b"x"), Broken::ReservedOpcode { opcode });
        }
    }
    for (bits, length) in [(16, 0), (16, 125), (64, 0), (64, 125), (64, 126), (64, 0xffff)] {
        add(false, long_form(role, own, bits, length), Broken::LengthNotMinimal { length, bits });
    }
    for length in [1 << 63, u64::MAX] {
        add(false, long_form(role, own, 64, length), Broken::LengthTooLarge { length });
        add(true, long_form(role, CONTINUATION, 64, length), Broken::LengthTooLarge { length });
    }
    // Section 5.4.
    for fin in [true, false] {
        add(false, frame(fin, CONTINUATION, b"x"), Broken::UnexpectedContinuation);
        add(true, frame(fin, TEXT, b"x"), Broken::UnfinishedMessage { opcode: OpCode::Text });
        add(true, frame(fin, BINARY, b""), Broken::UnfinishedMessage { opcode: OpCode::Binary });
    }
    // Section 5.5.
    for (octet, opcode) in [(CLOSE, OpCode::Close), (PING, OpCode::Ping), (PONG, OpCode::Pong)] {
        for inside in [false, true] {
            add(inside, frame(false, octet, b""), Broken::FragmentedControlFrame { opcode });
            for length in [126, 0x1_0000] {
                let bytes = wire::header(true, octet, key, length);
                add(inside, bytes, Broken::ControlFrameTooLong { opcode });
            }
        }
        add(false, long_form(role, octet, 16, 1), Broken::ControlFrameTooLong { opcode });
    }
    // Sections 5.5.1 and 7.4.
    add(false, frame(true, CLOSE, b"\x03"), Broken::ClosePayloadTooShort);
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 0xffff] {
        add(true, wire::close(role, Some(code), "bye"), Broken::CloseCodeInvalid { code: code.into() });
    }
    for reason in [b"\x03\xe8\xff".as_slice(), b"\x03\xe8ok\xe2\x82", b"\x03\xe8\xed\xa0\x80"] {
        add(false, frame(true, CLOSE, reason), Broken::CloseReasonNotUtf8);
    }
    // The other type.
    let types = [PayloadType::Binary, PayloadType::Text];
    let (expected, received) = (types[usize::from(is_text)], types[usize::from(!is_text)]);
    for (fin, payload) in [(true, b"x".as_slice()), (false, b"x"), (true, b""), (false, b"")] {
        add(false, frame(fin, other, payload), Broken::WrongPayloadType { received, expected });
    }
    // Section 8.1.
    if is_text {
        let texts: [(_, &[u8], &'static [u8]); 5] = [
            (Broken::InvalidUtf8, b"ok\xffno", b"ok"),
            (Broken::InvalidUtf8, b"ok\xe2\x82no", b"ok\xe2\x82"),
            (Broken::InvalidUtf8, b"\xed\xa0\x80", b"\xed"),
            (Broken::IncompleteUtf8, b"ok\xe2\x82", b"ok\xe2\x82"),
            (Broken::IncompleteUtf8, b"\xf0\x9f\x98", b"\xf0\x9f\x98"),
        ];
        for (broken, payload, valid) in texts {
            for (inside, opcode) in [(false, TEXT), (true, CONTINUATION)] {
                let bytes = frame(true, opcode, payload);
                all.push(Violation { inside, bytes, valid, broken: broken.clone(), code: 1007 });
            }
        }
    }
    all
}

/// Sections 7.4.1 and 8.1.
fn close_code(broken: &Broken) -> u16 {
    match broken {
        Broken::WrongPayloadType { .. } => 1003,
        Broken::CloseReasonNotUtf8 => 1007,
        _ => 1002,
    }
}

fn config(is_text: bool) -> Config {
    if is_text { text() } else { binary() }
}

/// A message in two fragments with a Ping between them, which the violation follows, and a message after it.
fn wire_bytes(role: Role, is_text: bool, violation: &Violation) -> Vec<u8> {
    let own = if is_text { TEXT } else { BINARY };
    [
        wire::from_peer(role, false, own, b"be"),
        wire::ping(role, b"p"),
        wire::from_peer(role, !violation.inside, CONTINUATION, b"fore"),
        violation.bytes.clone(),
        wire::from_peer(role, true, own, b"after"),
    ]
    .concat()
}

/// Each violation in both roles and types.
fn for_each(mut check: impl FnMut(Role, bool, &Violation, &str)) {
    for role in ROLES {
        for is_text in [false, true] {
            for violation in violations(role, is_text) {
                let Violation { inside, broken, bytes, .. } = &violation;
                let about =
                    format!("{}, text: {is_text}, inside: {inside}, {broken:?}, {bytes:02x?}", name(role));
                check(role, is_text, &violation, &about);
            }
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
//= type=test
//# The server MUST close the connection upon receiving a frame that is not masked.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
//= type=test
//# A client MUST close a connection if it detects a masked frame.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
//= type=test
//# If a nonzero value is received and none of the negotiated extensions defines the meaning of such a nonzero
//# value, the receiving endpoint MUST _Fail the WebSocket Connection_.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
//= type=test
//# If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
//= type=test
//# the most significant bit MUST be 0
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
//= type=test
//# the minimal number of bytes MUST be used to encode the length
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
//= type=test
//# Control frames themselves MUST NOT be fragmented.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
//= type=test
//# The fragments of one message MUST NOT be interleaved between the fragments of another message
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
//= type=test
//# the type for all fragments in a message MUST be either text, binary, or one of the reserved opcodes.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5
//= type=test
//# All control frames MUST have a payload length of 125 bytes or less
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5
//= type=test
//# MUST NOT be fragmented.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//= type=test
//# the first two bytes of the body MUST be a 2-byte unsigned integer
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//= type=test
//# Close frames sent from client to server must be masked as per Section 5.3.
//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7
//= type=test
//# the client MUST _Close the WebSocket Connection_,
//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7
//= type=test
//# the server MUST _Close the WebSocket Connection_,
//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7
//= type=test
//# the endpoint SHOULD send a Close frame with an appropriate status code (Section 7.4) before proceeding to
//# _Close the WebSocket Connection_.
//= https://www.rfc-editor.org/rfc/rfc6455#section-10.7
//= type=test
//# Incoming data MUST always be validated by both clients and servers.
//= https://www.rfc-editor.org/rfc/rfc6455#section-10.7
//= type=test
//# the endpoint SHOULD send a Close frame with an appropriate status code (Section 7.4) before proceeding to
//# _Close the WebSocket Connection_.
#[test]
fn violation_after_data_delivers_the_data_fails_and_is_answered_with_its_close_code() {
    for_each(|role, is_text, violation, about| {
        let (mut stream, mock) = stream(role, config(is_text));
        mock.feed(&wire_bytes(role, is_text, violation));
        let (bytes, end) = read_all(&mut stream, 8192);
        assert_eq!(bytes, [b"before", violation.valid].concat(), "{about}");
        let error = end.expect_err(about);
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{about}");
        assert_eq!(*rule(&error), violation.broken, "{about}");
        assert_eq!(rule(&error).kind(), ErrorKind::InvalidData, "{about}");
        assert_eq!(rule(&error).close_code().map(u16::from), Some(violation.code), "{about}");
        assert!(!rule(&error).to_string().is_empty());

        assert!(mock.is_flushed(), "{about}");
        let frames = wire::decode(&mock.take_written());
        assert_eq!(wire::opcodes(&frames), [PONG, CLOSE], "{about}");
        assert_eq!(frames[1].payload, violation.close(&error), "{about}");
        assert!(frames.iter().all(|frame| frame.key.is_some() == (role == Role::Client)), "{about}");

        let task = Task::default();
        for _ in 0..3 {
            assert_eq!(err(task.read(&mut stream, 8192)).kind(), ErrorKind::InvalidData, "{about}");
            assert_eq!(err(task.look(&mut stream)).kind(), ErrorKind::InvalidData, "{about}");
            assert_eq!(*rule(&err(task.write(&mut stream, b"x"))), Error::WriteAfterFailure, "{about}");
        }
        assert!(!stream.is_closed() && stream.peer_close().is_none(), "{about}");
        ok(task.shutdown(&mut stream));
        assert!(mock.state().is_shut, "{about}");
        assert_eq!(mock.take_written(), b"", "{about}");
    });
}

#[test]
fn violation_at_any_split_and_read_size_gives_the_same_verdict_and_bytes() {
    for_each(|role, is_text, violation, about| {
        let bytes = wire_bytes(role, is_text, violation);
        let expected = [b"before", violation.valid].concat();
        for room in [1, 2, 100, 4096, 70_000] {
            // The last one arrives octet by octet.
            for cut in 0..=bytes.len() {
                let (mut stream, mock) = stream(role, config(is_text));
                let pieces = [&bytes[..cut], &bytes[cut..]];
                if cut == bytes.len() {
                    mock.state().read_chunk = 1;
                }
                let (seen, end) = feed_pieces(&mut stream, &mock, pieces, &[Ask::Read(room)]);
                let about = || format!("room {room}, cut {cut}: {about}");
                assert_eq!(seen, expected, "{}", about());
                let error = end.unwrap_or_else(|| panic!("waits: {}", about())).expect_err(&about());
                assert_eq!(*rule(&error), violation.broken, "{}", about());
                let frames = wire::decode(&mock.take_written());
                assert_eq!(wire::opcodes(&frames), [PONG, CLOSE], "{}", about());
                assert_eq!(frames[1].payload, violation.close(&error), "{}", about());
            }
        }
    });
}

#[test]
fn violation_while_the_transport_takes_nothing_still_fails_and_its_close_leaves_later() {
    for_each(|role, is_text, violation, about| {
        let (mut stream, mock) = stream(role, config(is_text));
        mock.set_room(0);
        if violation.inside {
            mock.feed(&wire::from_peer(role, false, if is_text { TEXT } else { BINARY }, b""));
        }
        mock.feed(&violation.bytes);
        let (bytes, end) = read_all(&mut stream, 100);
        let error = end.expect_err(about);
        assert_eq!(*rule(&error), violation.broken, "{about}");
        assert_eq!(bytes, violation.valid, "{about}");
        let task = Task::default();
        assert!(task.shutdown(&mut stream).is_pending(), "{about}");
        mock.set_room(usize::MAX);
        assert!(mock.wake_writer(), "{about}");
        ok(task.shutdown(&mut stream));
        assert!(mock.state().is_shut, "{about}");
        let frames = wire::decode(&mock.take_written());
        assert_eq!(wire::opcodes(&frames), [CLOSE], "{about}");
        assert_eq!(frames[0].payload, violation.close(&error), "{about}");
    });
}

#[test]
fn violation_over_a_dead_pipe_is_the_error_that_is_read() {
    for_each(|role, is_text, violation, about| {
        let (mut stream, mock) = stream(role, config(is_text));
        mock.set_room(0);
        mock.state().output_end = Answer::Error(ErrorKind::BrokenPipe);
        mock.feed(&wire_bytes(role, is_text, violation));
        let (bytes, end) = read_all(&mut stream, 4096);
        assert_eq!(bytes, [b"before", violation.valid].concat(), "{about}");
        assert_eq!(*rule(&end.expect_err(about)), violation.broken, "{about}");
    });
}

#[test]
fn violation_after_this_ends_close_sends_no_second_one() {
    for_each(|role, is_text, violation, about| {
        let (mut stream, mock) = stream(role, config(is_text));
        ok(Task::default().shutdown(&mut stream));
        mock.feed(&wire_bytes(role, is_text, violation));
        let (bytes, end) = read_all(&mut stream, 8192);
        assert_eq!(bytes, [b"before", violation.valid].concat(), "{about}");
        assert_eq!(*rule(&end.expect_err(about)), violation.broken, "{about}");
        ok(Task::default().shutdown(&mut stream));
        assert!(mock.state().is_shut, "{about}");
        let frames = wire::decode(&mock.take_written());
        let closes: Vec<_> = frames.iter().filter(|frame| frame.opcode == CLOSE).collect();
        assert_eq!(closes.len(), 1, "{about}");
        assert_eq!(closes[0].payload, 1000_u16.to_be_bytes(), "{about}");
    });
}

#[test]
fn violation_in_the_read_ahead_of_a_transport_is_found_too() {
    for_each(|role, is_text, violation, about| {
        let (mock, transport) = Mock::new();
        let bytes = wire_bytes(role, is_text, violation);
        let mut stream = WebSocketStream::from_transport(transport, role, bytes, config(is_text));
        let (bytes, end) = read_all(&mut stream, 4);
        assert_eq!(bytes, [b"before", violation.valid].concat(), "{about}");
        assert_eq!(*rule(&end.expect_err(about)), violation.broken, "{about}");
        assert_eq!(wire::opcodes(&wire::decode(&mock.take_written())), [PONG, CLOSE], "{about}");
    });
}

#[test]
fn octet_that_breaks_two_rules_is_judged_by_the_first_octet_that_breaks_one() {
    let (server, client) = (Role::Server, Role::Client);
    let table = [
        (server, [0xff, 0x7f], Broken::ReservedBits { bits: 7 }),
        (server, [0x83, 0x7f], Broken::ReservedOpcode { opcode: 3 }),
        (server, [0x09, 0x7f], Broken::FragmentedControlFrame { opcode: OpCode::Ping }),
        (server, [0x80, 0x7f], Broken::UnexpectedContinuation),
        (server, [0x89, 0x7f], Broken::UnmaskedFrame),
        (client, [0x89, 0xff], Broken::MaskedFrame),
    ];
    for (role, bytes, broken) in table {
        for chunk in [1, 2] {
            let (mut stream, mock) = stream(role, binary());
            mock.state().read_chunk = chunk;
            mock.feed(&bytes);
            assert_eq!(*rule(&err(Task::default().read(&mut stream, 64))), broken);
        }
    }
}

#[test]
fn server_that_allows_unmasked_frames_takes_both_kinds_and_all_other_rules_hold() {
    let role = Role::Server;
    let (mut stream, mock) = stream(role, binary().allow_unmasked(true));
    for (fin, opcode, key, payload) in [
        (false, BINARY, None, "one "),
        (true, PING, None, "plain"),
        (false, CONTINUATION, Some(KEY), "two "),
        (true, PING, Some(KEY), "masked"),
        (true, CONTINUATION, None, "three "),
        (true, BINARY, Some(KEY), "four"),
    ] {
        mock.feed(&wire::encode(fin, opcode, key, payload.as_bytes()));
    }
    mock.feed(&wire::encode(true, CLOSE, None, &1001_u16.to_be_bytes()));
    let (bytes, end) = read_all(&mut stream, 5);
    assert_eq!((&bytes[..], end.is_ok()), (&b"one two three four"[..], true));
    assert_eq!(stream.peer_close().and_then(|frame| frame.code).map(u16::from), Some(1001));
    let frames = wire::decode(&mock.take_written());
    assert!(frames.iter().all(|frame| frame.key.is_none()));
    assert_eq!(wire::opcodes(&frames), [PONG, PONG, CLOSE]);
    assert_eq!((&frames[0].payload[..], &frames[1].payload[..]), (&b"plain"[..], &b"masked"[..]));

    for_each(|role, is_text, violation, about| {
        if violation.broken == Broken::UnmaskedFrame {
            return;
        }
        let (mut stream, mock) = super::support::stream(role, config(is_text).allow_unmasked(true));
        mock.feed(&wire_bytes(role, is_text, violation));
        assert_eq!(*rule(&read_all(&mut stream, 4096).1.expect_err(about)), violation.broken, "{about}");
    });
}
