//! What a Text stream takes for text: every sequence of up to four bytes at the limits of RFC 3629's table, at every cut, in reads and in
//! fragments. All sequences of up to three bytes, and all of four on demand, are tried where the bytes are checked: `protocol::utf8`.

use fastwebsockets_stream::{PayloadType, Role};

use crate::kit::{ROLES, Read, feed, frame, read, sent, stream};
use crate::rules::{Rule, Rules, assert_broken};

/// The first and last byte of each range in the table of RFC 3629, section 4, and of what is in none.
const LIMITS: [u8; 26] = [
    0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
    0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xfe, 0xff, b'x',
];

/// How much of it is text, by std, and whether that shows before its end.
fn verdict(bytes: &[u8]) -> (usize, Verdict) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.len(), Verdict::Text),
        Err(error) if error.error_len().is_none() => (error.valid_up_to(), Verdict::Unfinished),
        Err(error) => (error.valid_up_to(), Verdict::Wrong),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Text,
    Unfinished,
    Wrong,
}

/// A message in pieces: bit `i` of `cuts` says that there is a cut behind byte `i`.
fn pieces(bytes: &[u8], cuts: usize) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    (0..bytes.len()).filter_map(move |at| {
        let ends = at + 1 == bytes.len() || cuts >> at & 1 != 0;
        ends.then(|| &bytes[std::mem::replace(&mut start, at + 1)..=at])
    })
}

/// One message, each piece a fragment of its own or a read of its own.
fn judge(role: Role, message: &[u8], cuts: usize, in_fragments: bool) {
    let mut wire: Vec<Vec<u8>> = Vec::new();
    if in_fragments {
        let count = pieces(message, cuts).count();
        for (i, piece) in pieces(message, cuts).enumerate() {
            let fin = if i + 1 == count { 0x80 } else { 0 };
            wire.push(frame(role, fin | if i == 0 { 0x1 } else { 0x0 }, piece));
        }
    } else {
        let whole = frame(role, 0x81, message);
        let head = whole.len() - message.len();
        wire.push(whole[..head].to_vec());
        wire.extend(pieces(&whole[head..], cuts).map(<[u8]>::to_vec));
    }
    let mut bytes = [0; 4096];
    let mut got = Vec::new();
    let mut stream = stream(role, PayloadType::Text);
    let (valid, verdict) = verdict(message);
    let mut failed = None;
    for input in &wire {
        let mut polled = feed(&mut stream, input, &mut bytes);
        while let Read::Bytes(n) = polled {
            got.extend_from_slice(&bytes[..n]);
            polled = read(&mut stream, &mut bytes);
        }
        if let Read::Fails(error) = polled {
            failed = Some(error);
            break;
        }
    }
    let case = || format!("{message:02x?} cut by {cuts:#b}, in fragments {in_fragments}: {got:02x?}");
    assert!(got.len() >= valid && message.starts_with(&got), "{}", case());
    match failed {
        None => {
            assert!(verdict == Verdict::Text && got.len() == message.len(), "{}", case());
            assert!(sent(&mut stream).is_empty(), "{}", case());
        }
        Some(error) => {
            assert!(verdict != Verdict::Text, "{}", case());
            let mut rules = Rules::default();
            rules.add(Rule::Utf8, true);
            assert_broken(&mut stream, &error, rules, false);
        }
    }
}

#[test]
fn text_of_up_to_four_bytes_at_the_limits_of_the_table_is_judged_as_by_std_at_every_cut() {
    let mut cases = 0_usize;
    for length in 1..=4_u32 {
        // Every role, cut and way.
        let ways = 2 << length;
        for number in 0..LIMITS.len().pow(length) {
            let message: Vec<u8> =
                (0..length).map(|at| LIMITS[number / LIMITS.len().pow(at) % LIMITS.len()]).collect();
            // Of four bytes, each sequence comes in one of the ways, which is drawn from it.
            let drawn = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            let drawn = drawn as usize % ways;
            for way in if length < 4 { 0..ways } else { drawn..drawn + 1 } {
                judge(ROLES[way & 1], &message, way >> 2, way & 2 != 0);
                cases += 1;
            }
        }
    }
    println!("{cases} Text messages");
    let [one, two, three, four] = [1, 2, 3, 4].map(|length| LIMITS.len().pow(length));
    assert_eq!(cases, 4 * one + 8 * two + 16 * three + four);
}
