//! Payload lengths in each of their three forms, for every opcode in both roles: at the limits, beside them, and far from them.

use fastwebsockets_stream::{PayloadType, Role};

use crate::kit::{KEY, ROLES, Read, Stream, control, feed, frame, mask, peers_key, sent, stream};
use crate::rules::{Rule, Rules, assert_broken};

/// FIN and opcode of every legal frame; a continuation stands inside a message.
const FIRSTS: [u8; 9] = [0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a];

/// A stream on which such a frame may come; what makes it so lies in `opening`.
fn stream_for<'a>(role: Role, first: u8, opening: &'a [u8], bytes: &mut [u8]) -> Stream<'a> {
    let text = first & 0x0f == 0x1;
    let mut stream = stream(role, if text { PayloadType::Text } else { PayloadType::Binary });
    if first & 0x0f == 0x0 {
        assert!(matches!(feed(&mut stream, opening, bytes), Read::Bytes(2)));
    }
    stream
}

/// A header with its length in this form, fitting or not.
fn header(role: Role, first: u8, form: u8, length: u64) -> Vec<u8> {
    let key = peers_key(role);
    let mark = if key.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    match form {
        7 => out.push(mark | length as u8),
        16 => {
            out.push(mark | 126);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.push(mark | 127);
            out.extend(length.to_be_bytes());
        }
    }
    out.extend(key.into_iter().flatten());
    out
}

/// Section 5.2, and 5.5 for control frames.
fn rules(first: u8, form: u8, length: u64) -> Rules {
    let mut rules = Rules::default();
    let is_control = first & 0x08 != 0;
    let minimum = match form {
        7 => 0,
        16 => 126,
        _ => 0x1_0000,
    };
    rules.add(Rule::ControlShort, is_control && form != 7);
    rules.add(Rule::Minimal, length < minimum);
    rules.add(Rule::TopBit, length >> 63 != 0);
    rules
}

/// All of 16 bits, and of 64 what is near a power of two, or small.
fn forms() -> Vec<(u8, u64)> {
    let mut forms: Vec<_> = (0..=125).map(|length| (7, length)).collect();
    forms.extend((0..=0xffff).map(|length| (16, length)));
    let mut wide: Vec<u64> = (0..=300).chain(0xff00..=0x1_0100).collect();
    for bit in 0..64 {
        let power = 1_u64 << bit;
        wide.extend((0..=4).flat_map(|by| [power.saturating_sub(by), power.saturating_add(by)]));
        wide.extend((0..bit).map(|lower| power | 1 << lower));
        // From here up, and from here down, all ones.
        wide.extend([u64::MAX << bit, u64::MAX >> bit]);
    }
    wide.sort_unstable();
    wide.dedup();
    forms.extend(wide.into_iter().map(|length| (64, length)));
    forms
}

#[test]
fn length_in_every_form_is_taken_as_it_is_or_refused() {
    let mut bytes = vec![0; 4096];
    let (mut cases, mut taken) = (0_u64, 0_u64);
    for role in ROLES {
        let opening = frame(role, 0x02, b"ab");
        for first in FIRSTS {
            for &(form, length) in &forms() {
                let rules = rules(first, form, length);
                // A byte of payload shows how much is left then. What is short arrives whole in the next test.
                let mut input = header(role, first, form, length);
                let head = input.len();
                input.push(b'x');
                mask(&mut input[head..], peers_key(role));
                let mut stream = stream_for(role, first, &opening, &mut bytes);
                cases += 1;
                if !rules.is_empty() {
                    // The length alone is enough: the key, and the payload, may never come.
                    let length_end = head - peers_key(role).map_or(0, |key| key.len());
                    match feed(&mut stream, &input[..length_end], &mut bytes) {
                        Read::Fails(error) => assert_broken(&mut stream, &error, rules, false),
                        other => panic!("{first:#04x} {form} bits {length:#x}: {other:?}"),
                    }
                } else if first & 0x08 == 0 && length > 1 {
                    let got = feed(&mut stream, &input, &mut bytes);
                    assert!(matches!(got, Read::Bytes(1)), "{first:#04x} {form} bits {length:#x}: {got:?}");
                    assert_eq!(left(stream, role), length - 1, "{first:#04x} {form} bits");
                    taken += 1;
                }
            }
        }
    }
    println!("{cases} lengths, of which {taken} are those of frames that go on");
    assert!(taken > 0);
}

/// How long the rest of a frame is, by the header that a stream gives it when it is taken apart.
fn left(stream: Stream<'_>, role: Role) -> u64 {
    let unread = stream.into_parts().unread;
    // The message that is open may need an opening frame of its own, which is empty.
    let mut rest = &unread[..];
    loop {
        let (short, after) = (rest[1] & 0x7f, &rest[2..]);
        let (length, after) = match short {
            126 => (after[..2].iter(), &after[2..]),
            127 => (after[..8].iter(), &after[8..]),
            _ => (rest[1..2].iter(), after),
        };
        let length = length.fold(0, |length, octet| length << 8 | u64::from(*octet));
        let length = if short < 126 { short.into() } else { length };
        let after = if role == Role::Server { &after[4..] } else { after };
        if length > 0 {
            assert!(after.is_empty(), "no payload has been read ahead");
            if role == Role::Server {
                let key = &rest[rest.len() - 4..];
                assert_eq!(key, [KEY[1], KEY[2], KEY[3], KEY[0]], "the key is that of the next byte");
            }
            return length;
        }
        rest = after;
    }
}

/// Frames of each of these lengths arrive whole, and what follows them is where it belongs.
#[test]
fn frame_of_every_length_near_the_limits_of_a_form_arrives_whole() {
    let mut bytes = vec![0; 0x2_0000];
    let mut cases = 0;
    for role in ROLES {
        let opening = frame(role, 0x02, b"ab");
        for first in FIRSTS {
            let lengths: Vec<usize> = match first & 0x08 {
                0 => (0..=300).chain(0xfff8..=0x1_0008).collect(),
                _ => (0..=125).collect(),
            };
            for length in lengths {
                let payload = vec![b'x'; length];
                // Behind a Close it is ignored.
                let input = [frame(role, first, &payload), frame(role, 0x89, b"next")].concat();
                let mut stream = stream_for(role, first, &opening, &mut bytes);
                let got = feed(&mut stream, &input, &mut bytes);
                let case = format!("{first:#04x} {length}: {got:?}");
                match (first, got) {
                    // "xx" is 30,840, which is no code.
                    (0x88, Read::Fails(error)) if length > 0 => {
                        let mut rules = Rules::default();
                        rules.add(if length == 1 { Rule::CloseLength } else { Rule::CloseCode }, true);
                        assert_broken(&mut stream, &error, rules, false);
                    }
                    (0x88, Read::Bytes(0)) if length == 0 => assert!(stream.is_closed()),
                    (0x89, Read::Waits) => {
                        let sent = sent(&mut stream);
                        let (first, second) = sent.split_at(pong_len(role, length));
                        assert_eq!(control(role, first.to_vec()), Some((0x8a, payload)), "{case}");
                        assert_eq!(control(role, second.to_vec()), Some((0x8a, b"next".to_vec())), "{case}");
                    }
                    (0x8a, Read::Waits) => assert_eq!(next_pong(role, &mut stream), b"next", "{case}"),
                    (_, Read::Bytes(n)) if n == length && length > 0 => {
                        assert!(bytes[..n] == *payload, "{case}");
                        assert_eq!(next_pong(role, &mut stream), b"next", "{case}");
                    }
                    (0x00..=0x82, Read::Waits) if length == 0 => {
                        assert_eq!(next_pong(role, &mut stream), b"next", "{case}");
                    }
                    _ => panic!("{case}"),
                }
                cases += 1;
            }
        }
    }
    println!("{cases} whole frames");
}

fn pong_len(role: Role, length: usize) -> usize {
    length + if role == Role::Client { 6 } else { 2 }
}

fn next_pong(role: Role, stream: &mut Stream<'_>) -> Vec<u8> {
    let (first, payload) = control(role, sent(stream)).expect("the Ping behind it is answered");
    assert_eq!(first, 0x8a);
    payload
}
