//! Taking over a `fastwebsockets::WebSocket` that has read ahead: PROMISES 1.5; pitfall C32.

mod messages;
mod sockets;

use std::io::ErrorKind;
use std::pin::pin;
use std::task::Poll;

use fastwebsockets::{Frame, WebSocket, WebSocketError};
use fastwebsockets_stream::{Error, PayloadType, Role, WebSocketStream};

use crate::support::talk::Step::{Close, Data, Ping, Pong};
use crate::support::talk::{Step, Talk, violations};
use crate::support::{Mock, ROLES, Task, Transport, binary, err, name, ok, pattern, read_all, ready, rule};
use crate::support::{sentence, text, wire};

fn read_frame(websocket: &mut WebSocket<Transport>) -> Result<Frame<'static>, WebSocketError> {
    ready(Task::default().run(|cx| pin!(websocket.read_frame()).poll(cx)))
}

/// A `WebSocket` that has returned its first message, and with it has read `ahead`.
#[track_caller]
fn used(role: Role, ahead: &[u8]) -> (WebSocket<Transport>, Mock) {
    let (mock, transport) = Mock::new();
    let mut websocket = WebSocket::after_handshake(transport, role.into());
    let mut first = wire::data(role, b"first");
    if ahead.len() > 8000 {
        // A large frame makes its buffer grow, and one beyond 8 KiB makes it use that room.
        mock.feed(&wire::data(role, &vec![0; ahead.len() + 65536]));
        read_frame(&mut websocket).unwrap();
        first = wire::data(role, &[0; 9000]);
    }
    mock.feed(&first);
    mock.feed(ahead);
    read_frame(&mut websocket).unwrap();
    assert!(mock.state().input.is_empty(), "not all of it was read ahead");
    (websocket, mock)
}

/// Adopts a `WebSocket` that has read the first `at` bytes of the talk; the transport brings the others.
#[track_caller]
fn adopt(talk: &Talk, at: usize) -> (WebSocketStream<Transport>, Mock) {
    let (websocket, mock) = used(talk.role, &talk.wire[..at]);
    let stream = WebSocketStream::new(websocket, talk.payload_type());
    assert!(stream.role() == talk.role);
    assert!(mock.state().written.is_empty(), "adopting writes");
    mock.feed(&talk.wire[at..]);
    (stream, mock)
}

/// Where to cut: at every octet of the header, and where the payload is a few bytes, or all but a few.
fn cuts(frame: std::ops::Range<usize>) -> impl Iterator<Item = usize> {
    let len = frame.len();
    let at = (0..=len).filter(move |at| *at < 20 || len - *at < 19 || [60, 4000, 4109].contains(at));
    at.map(move |at| frame.start + at)
}

/// What may have been read ahead before the frame that is cut.
const BEFORE: [&[Step]; 6] = [
    &[],
    &[Data(true, 0), Data(true, 1)],
    &[Data(true, 125), Data(true, 126)],
    &[Ping(4), Data(false, 3), Pong(125), Data(false, 0), Ping(0), Data(true, 9)],
    &[Data(false, 5)],
    &[Data(false, 0), Ping(125), Data(false, 1000)],
];

#[test]
fn complete_frames_and_one_cut_at_any_byte_come_out_in_order() {
    let data = [0, 1, 5, 14, 40, 125, 126, 200, 5000, 65535].map(|len| [Data(true, len), Data(false, len)]);
    let control = [Ping(0), Ping(5), Pong(1), Ping(125), Pong(125), Close(1001, "away"), Close(1000, "")];
    for role in ROLES {
        for before in BEFORE {
            for cut in data.as_flattened().iter().chain(&control) {
                let mut talk = Talk::new(role, &binary()).with(before);
                let frame = talk.say(*cut);
                let talk = if talk.close.is_none() { talk.goodbye() } else { talk };
                for at in cuts(frame).filter(|at| *at < 8000) {
                    let (stream, mock) = adopt(&talk, at);
                    talk.check(stream, &mock, 8192, &format!("{before:?} {cut:?} {at}"));
                }
            }
        }
    }
}

#[test]
fn unread_bytes_of_an_adopted_stream_are_the_rest_to_any_other() {
    for role in ROLES {
        let mut talk = Talk::new(role, &binary());
        let frame = talk.say(Data(true, 300));
        let talk = talk.goodbye();
        for at in frame.start..frame.start + 12 {
            let (websocket, mock) = used(role, &talk.wire[..at]);
            let parts = WebSocketStream::new(websocket, talk.payload_type()).into_parts();
            let stream = WebSocketStream::from_transport(parts.transport, role, parts.unread, binary());
            mock.feed(&talk.wire[at..]);
            talk.check(stream, &mock, 8192, &format!("{} {at}", name(role)));
        }
    }
}

#[test]
fn large_frames_that_were_read_ahead_come_out_in_order() {
    let befores: [&[Step]; 3] = [
        &[Data(true, 65535), Ping(1)],
        &[Data(true, 65536)],
        &[Data(false, 200_000), Ping(7), Data(true, 3)],
    ];
    for role in ROLES {
        for before in befores {
            for cut in [Data(true, 5), Data(true, 300), Data(false, 66000)] {
                let mut talk = Talk::new(role, &binary()).with(before);
                let frame = talk.say(cut);
                let talk = talk.goodbye();
                for at in [0, 1, 3, 6, frame.len().min(40_000)] {
                    let (stream, mock) = adopt(&talk, frame.start + at);
                    talk.check(stream, &mock, 100_000, &format!("{before:?} {cut:?} {at}"));
                }
            }
        }
    }
}

#[test]
fn frame_cut_inside_a_64_bit_length_comes_out_whatever_it_was_and_whatever_follows() {
    for role in ROLES {
        for before in [&[][..], &[Data(false, 3)], &[Data(true, 3), Ping(1)]] {
            for (fin, len) in [(true, 65536), (false, 70_000)] {
                let mut talk = Talk::new(role, &binary()).with(before);
                let frame = talk.say(Data(fin, len));
                let talk = talk.goodbye();
                for at in 0..=15 {
                    let (stream, mock) = adopt(&talk, frame.start + at);
                    talk.check(stream, &mock, 100_000, &format!("{before:?} FIN {fin}, {len}, {at}"));
                }
            }
        }
    }
}

#[test]
fn strictness_returns_after_a_frame_whose_fin_was_hidden() {
    for role in ROLES {
        for (next, then) in [(wire::BINARY, wire::CONTINUATION), (wire::CONTINUATION, wire::CONTINUATION)] {
            let mut talk = Talk::new(role, &binary()).with(&[Data(true, 70_000)]);
            for opcode in [next, then] {
                talk.wire.extend(wire::from_peer(role, true, opcode, b"x"));
            }
            let (mut stream, _mock) = adopt(&talk, 3);
            let (bytes, end) = read_all(&mut stream, 8192);
            assert_eq!(bytes.len(), 70_001);
            assert_eq!(*rule(&end.unwrap_err()), Error::UnexpectedContinuation);
        }
    }
}

#[test]
fn frame_of_20_mib_cut_inside_its_header_goes_on_with_its_exact_length() {
    const LEN: u64 = 20 << 20;
    for role in ROLES {
        let key = (role == Role::Server).then_some(wire::KEY);
        let mut talk = Talk::new(role, &binary()).with(&[Data(true, 3)]);
        let start = talk.wire.len();
        talk.wire.extend(wire::header(true, wire::BINARY, key, LEN));
        talk.wire.extend([0; 4096]);
        for at in 0..16 {
            let (mut stream, _mock) = adopt(&talk, start + at);
            let (task, mut bytes) = (Task::default(), 0);
            while let Poll::Ready(read) = task.read(&mut stream, 8192) {
                bytes += read.unwrap().len();
            }
            assert_eq!(bytes, 3 + 4096, "{} {at}", name(role));
            let rest = stream.into_parts().unread;
            let octets = rest[2..10].try_into().unwrap();
            assert_eq!(u64::from_be_bytes(octets), LEN - 4096, "{} {at}", name(role));
        }
    }
}

#[test]
fn text_frame_cut_at_any_byte_comes_out_or_its_read_says_why() {
    let befores: [&[Step]; 4] =
        [&[], &[Data(true, 10), Ping(2)], &[Data(false, 4)], &[Data(false, 10), Data(false, 8)]];
    for role in ROLES {
        for before in befores {
            for (fin, len) in [(true, 10), (true, 60), (false, 60), (true, 200), (false, 202), (true, 70_000)]
            {
                let mut talk = Talk::new(role, &text()).with(before);
                let begun = talk.payload.len();
                // A final frame ends the code point that an earlier one has begun.
                let frame = talk.say(Data(fin, len + if fin { (10 - begun % 10) % 10 } else { 0 }));
                let talk = talk.goodbye();
                // Only a whole message of one frame is checked by fastwebsockets itself.
                let checked = fin
                    && (before.is_empty() || begun == 10 && before.len() == 2 && len > 0)
                    && !matches!(before.last(), Some(Data(false, _)));
                for at in cuts(frame.clone()) {
                    let case = format!("{} {before:?} FIN {fin}, {len}, {at}", name(role));
                    let (mut stream, mock) = adopt(&talk, at);
                    let (bytes, end) = read_all(&mut stream, 100_000);
                    assert!(talk.payload.starts_with(&bytes), "{case}");
                    match end {
                        Ok(()) => assert_eq!(bytes.len(), talk.payload.len(), "{case}"),
                        Err(error) => {
                            assert_eq!(*rule(&error), Error::AdoptedTextCut, "{case}");
                            assert_eq!(error.kind(), ErrorKind::InvalidData);
                            assert!(checked && frame.contains(&at) && bytes.len() >= begun, "{case}");
                            let close = wire::close_payload(Some(1011), &sentence(&Error::AdoptedTextCut));
                            assert_eq!(*talk.sent(&mock).last().unwrap(), (wire::CLOSE, close), "{case}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn text_that_is_invalid_in_the_read_ahead_is_refused_after_the_text_before_it() {
    for role in ROLES {
        for (fin, opcode) in [(true, wire::TEXT), (false, wire::TEXT), (true, wire::CONTINUATION)] {
            let begun = opcode == wire::CONTINUATION;
            let mut talk = Talk::new(role, &text()).with(&[Data(!begun, 10)]);
            talk.wire.extend(wire::from_peer(role, fin, opcode, b"valid, then \xff not"));
            let (mut stream, mock) = adopt(&talk, talk.wire.len());
            let (bytes, end) = read_all(&mut stream, 8192);
            assert!(bytes.starts_with(&talk.payload), "{} {fin} {opcode}", name(role));
            assert_eq!(*rule(&end.unwrap_err()), Error::InvalidUtf8);
            let close = wire::close_payload(Some(1007), &sentence(&Error::InvalidUtf8));
            assert_eq!(talk.sent(&mock), [(wire::CLOSE, close)]);
        }
    }
}

#[test]
fn frame_of_64_mib_or_more_fails_with_its_reason_after_the_data_before_it() {
    for role in ROLES {
        let key = (role == Role::Server).then_some(wire::KEY);
        for len in [64 << 20, (64 << 20) + 1, 1 << 31, (4 << 30) - 1, 1 << 40, i64::MAX as u64] {
            let mut talk = Talk::new(role, &binary()).with(&[Ping(3), Data(true, 5)]);
            let header = wire::header(true, wire::BINARY, key, len);
            talk.wire.extend(&header);
            for more in [0, 1, 500] {
                talk.wire.extend(vec![7; more]);
                let (mut stream, mock) = adopt(&talk, talk.wire.len());
                let (bytes, end) = read_all(&mut stream, 8192);
                assert!(bytes == talk.payload, "{} {len} {more}", name(role));
                let error = end.unwrap_err();
                assert_eq!(
                    (error.kind(), rule(&error)),
                    (ErrorKind::InvalidData, &Error::AdoptedFrameTooLarge)
                );
                let reason = sentence(&Error::AdoptedFrameTooLarge);
                let close = (wire::CLOSE, wire::close_payload(Some(1009), &reason));
                assert_eq!(talk.sent(&mock), [(wire::PONG, pattern(3)), close]);
                assert_eq!(err(Task::default().write(&mut stream, b"x")).kind(), ErrorKind::BrokenPipe);
            }
        }
    }
}

#[test]
fn frame_just_below_64_mib_streams_on_from_where_it_was_cut() {
    for role in ROLES {
        let key = (role == Role::Server).then_some(wire::KEY);
        let mut talk = Talk::new(role, &binary());
        talk.wire.extend(wire::header(false, wire::BINARY, key, (64 << 20) - 1));
        talk.wire.extend([0; 100]);
        let (mut stream, _mock) = adopt(&talk, talk.wire.len() - 50);
        assert_eq!(ok(Task::default().read(&mut stream, 8192)).len(), 50);
        assert_eq!(ok(Task::default().read(&mut stream, 8192)).len(), 50);
    }
}

#[test]
fn violation_in_the_read_ahead_fails_after_the_data_before_it_wherever_it_was_cut() {
    for role in ROLES {
        for (what, frames, code) in violations(role) {
            let mut talk = Talk::new(role, &binary()).with(&[Data(true, 5)]);
            let start = talk.wire.len();
            talk.wire.extend(&frames);
            talk.wire.extend(wire::data(role, b"after"));
            for at in (0..=frames.len().min(200)).chain([frames.len() + 1, talk.wire.len() - start]) {
                if start + at > 8000 {
                    continue;
                }
                let case = format!("{} {what} cut at {at}", name(role));
                let (mut stream, mock) = adopt(&talk, start + at);
                let (bytes, end) = read_all(&mut stream, 8192);
                assert!(bytes == talk.payload, "{case}: {} bytes", bytes.len());
                let error = end.expect_err(&case);
                assert_eq!(error.kind(), ErrorKind::InvalidData, "{case}");
                let sent = talk.sent(&mock);
                assert_eq!(sent.len(), 1, "{case}");
                let refused = u16::from_be_bytes(sent[0].1[..2].try_into().unwrap());
                assert_eq!(sent[0].0, wire::CLOSE, "{case}");
                assert_eq!(sent[0].1[2..], *sentence(rule(&error)).as_bytes(), "{case}");
                // Inside a length of 64 bits wrong masking looks like a length that is too large.
                assert!(refused == code || what.contains("64") && refused == 1009, "{case}: {refused}");
            }
        }
    }
}

#[test]
fn first_violation_in_the_read_ahead_is_the_one_reported() {
    for role in ROLES {
        for (what, second, _) in violations(role) {
            let mut talk = Talk::new(role, &binary()).with(&[Data(true, 5)]);
            talk.wire.extend(wire::from_peer(role, true, wire::CONTINUATION, b"abc"));
            talk.wire.extend(second);
            let (mut stream, mock) = adopt(&talk, talk.wire.len().min(8000));
            let (bytes, end) = read_all(&mut stream, 8192);
            assert!(bytes == talk.payload);
            assert_eq!(*rule(&end.unwrap_err()), Error::UnexpectedContinuation, "{} {what}", name(role));
            let close = wire::close_payload(Some(1002), &sentence(&Error::UnexpectedContinuation));
            assert_eq!(talk.sent(&mock), [(wire::CLOSE, close)]);
        }
    }
}

#[test]
fn close_in_the_read_ahead_is_the_end_whatever_follows_it() {
    for role in ROLES {
        for (what, after, _) in violations(role) {
            let mut talk = Talk::new(role, &binary()).with(&[Data(false, 5), Close(1001, "away")]);
            let at = talk.wire.len();
            talk.wire.extend(after);
            for at in [at, at + 1, at + 2, at + 3, at + 8, talk.wire.len().min(8000)] {
                let (stream, mock) = adopt(&talk, at.min(talk.wire.len()));
                talk.check(stream, &mock, 8192, &format!("{what} cut at {at}"));
            }
        }
    }
}

#[test]
fn length_in_a_longer_form_than_needed_corrupts_nothing() {
    for role in ROLES {
        let mask = if role == Role::Server { 0x80 } else { 0 };
        for head in [&[0x82, mask | 126, 0, 5][..], &[0x82, mask | 127, 0, 0, 0, 0, 0, 0, 0, 5]] {
            let mut talk = Talk::new(role, &binary()).with(&[Data(true, 4)]);
            let start = talk.wire.len();
            let (mut frame, payload) = (head.to_vec(), [talk.payload.clone(), vec![0; 5]].concat());
            // A key of zeros masks nothing.
            frame.extend(vec![0; if role == Role::Server { 9 } else { 5 }]);
            talk.wire.extend(&frame);
            talk = talk.with(&[Close(1000, "")]);
            for at in 0..=frame.len() {
                let (mut stream, _mock) = adopt(&talk, start + at);
                let (bytes, end) = read_all(&mut stream, 8192);
                match end {
                    Ok(()) => assert_eq!(bytes, payload, "{} {head:x?} {at}", name(role)),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::InvalidData);
                        assert_eq!(bytes, talk.payload, "{} {head:x?} {at}", name(role));
                    }
                }
            }
        }
    }
}

#[test]
fn unmasked_frames_that_are_allowed_come_out_or_their_read_says_why() {
    for (key, len) in [None, Some(wire::KEY)].iter().flat_map(|key| [(key, 5), (key, 300), (key, 70_000)]) {
        let mut talk = Talk::new(Role::Server, &binary()).with(&[Data(true, 4)]);
        let (start, payload) = (talk.wire.len(), pattern(len));
        talk.wire.extend(wire::encode(true, wire::BINARY, *key, &payload));
        let whole = [talk.payload.clone(), payload].concat();
        let talk = talk.with(&[Close(1000, "")]);
        for at in 0..talk.wire.len().min(start + 30) - start {
            let (websocket, mock) = used(Role::Server, &talk.wire[..start + at]);
            let mut stream = WebSocketStream::with_config(websocket, binary().allow_unmasked(true));
            mock.feed(&talk.wire[start + at..]);
            match read_all(&mut stream, 100_000) {
                (bytes, Ok(())) => assert!(bytes == whole, "{key:?} {len} {at}"),
                (bytes, Err(error)) => {
                    assert_eq!(*rule(&error), Error::AdoptedFrameTooLarge, "{key:?} {len} {at}");
                    assert!(bytes == talk.payload && len == 70_000 && (2..10).contains(&at));
                }
            }
        }
    }
}
