//! Every sequence of bytes, or of the bytes that matter, at every cut, against std; and every state against RFC 3629.
//!
//! What runs each time is all sequences of up to three bytes, and of four those whose bytes are the first or last of a range in the
//! table of RFC 3629. It is enough. Each byte by itself is judged by [`Utf8::step`], which is shown to be that table: its states are found
//! by all bytes there are, and compared one by one. So a piece of any length that goes through `step` is judged right. [`Utf8::check`] leaves
//! whole code points to std, and takes to `step` what std leaves, or what comes first where a code point is under way. Where it changes
//! from one to the other depends on std's `valid_up_to` and on how many bytes are missing, which all cuts of three bytes show for what has up
//! to three, and those of four for the rest. `EXHAUSTIVE=1` tries all of four bytes too.

use super::Utf8;

/// What is known after some bytes: the index of the one that cannot be there, or whether no code point is under way.
type Verdict = Result<bool, usize>;

/// Std's: the first byte with which no text can begin so.
fn by_std(bytes: &[u8]) -> Verdict {
    for end in 1..=bytes.len() {
        if std::str::from_utf8(&bytes[..end]).is_err_and(|error| error.error_len().is_some()) {
            return Err(end - 1);
        }
    }
    Ok(std::str::from_utf8(bytes).is_ok())
}

/// The same, knowing the verdict over all but the last byte.
fn by_std_after(before: Verdict, bytes: &[u8]) -> Verdict {
    before?;
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(true),
        Err(error) if error.error_len().is_none() => Ok(false),
        Err(_) => Err(bytes.len() - 1),
    }
}

/// Goes on with a piece that begins at this index.
fn go_on(state: Result<Utf8, usize>, piece: &[u8], at: usize) -> Result<Utf8, usize> {
    let mut utf8 = state?;
    utf8.check(piece).map_err(|index| index + at)?;
    Ok(utf8)
}

/// All sequences that `last` ends, after these bytes, at all cuts at once: `states[at]` is where the bytes up to `at` lead, however they
/// are cut, which has been shown before; and so each is gone on with in one piece.
fn judge(states: &[Result<Utf8, usize>], bytes: &[u8], expected: Verdict) -> Result<Utf8, usize> {
    let end = go_on(states[0], bytes, 0);
    for (at, state) in states.iter().enumerate().skip(1) {
        assert_eq!(go_on(*state, &bytes[at..], at), end, "{bytes:02x?} with its last cut at {at}");
    }
    assert_eq!(end.map(Utf8::is_boundary), expected, "{bytes:02x?}");
    end
}

/// All sequences of up to so many of these bytes.
fn every(bytes: &[u8], longest: usize) -> u64 {
    fn extend(
        all: &[u8],
        longest: usize,
        states: &[Result<Utf8, usize>],
        bytes: &[u8],
        before: Verdict,
    ) -> u64 {
        let mut count = 0;
        let mut longer = bytes.to_vec();
        longer.push(0);
        let mut more = states.to_vec();
        for last in all {
            longer[bytes.len()] = *last;
            let expected = by_std_after(before, &longer);
            let state = judge(states, &longer, expected);
            count += 1;
            if longer.len() < longest {
                more.push(state);
                count += extend(all, longest, &more, &longer, expected);
                more.pop();
            }
        }
        count
    }
    extend(bytes, longest, &[Ok(Utf8::default())], &[], Ok(true))
}

#[test]
fn every_sequence_of_up_to_three_bytes_is_judged_like_std_at_every_cut() {
    let all: Vec<u8> = (0..=255).collect();
    let longest = if std::env::var_os("EXHAUSTIVE").is_some() { 4 } else { 3 };
    let count = every(&all, longest);
    println!("{count} sequences of up to {longest} bytes, at every cut");
    assert_eq!(count, (1..=longest).map(|length| (0..length).fold(1, |count, _| 256 * count)).sum());
}

/// The first and last byte of each range in the table of RFC 3629, section 4, and of what is in none.
const LIMITS: [u8; 25] = [
    0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
    0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xfe, 0xff,
];

#[test]
fn every_sequence_of_up_to_four_bytes_at_the_limits_is_judged_like_std_at_every_cut() {
    let count = every(&LIMITS, 4);
    println!("{count} sequences of up to 4 bytes, at every cut");
}

/// RFC 3629, section 4: what may follow, range by range.
///
/// ```text
/// UTF8-2 = %xC2-DF UTF8-tail
/// UTF8-3 = %xE0 %xA0-BF UTF8-tail / %xE1-EC 2( UTF8-tail ) / %xED %x80-9F UTF8-tail / %xEE-EF 2( UTF8-tail )
/// UTF8-4 = %xF0 %x90-BF 2( UTF8-tail ) / %xF1-F3 3( UTF8-tail ) / %xF4 %x80-8F 2( UTF8-tail )
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rfc {
    Boundary,
    /// So many of %x80-BF.
    Tail(u8),
    AfterE0,
    AfterEd,
    AfterF0,
    AfterF4,
}

impl Rfc {
    fn next(self, byte: u8) -> Option<Rfc> {
        Some(match (self, byte) {
            (Rfc::Boundary, 0x00..=0x7f) => Rfc::Boundary,
            (Rfc::Boundary, 0xc2..=0xdf) => Rfc::Tail(1),
            (Rfc::Boundary, 0xe0) => Rfc::AfterE0,
            (Rfc::Boundary, 0xed) => Rfc::AfterEd,
            (Rfc::Boundary, 0xe1..=0xec | 0xee..=0xef) => Rfc::Tail(2),
            (Rfc::Boundary, 0xf0) => Rfc::AfterF0,
            (Rfc::Boundary, 0xf1..=0xf3) => Rfc::Tail(3),
            (Rfc::Boundary, 0xf4) => Rfc::AfterF4,
            (Rfc::Tail(1), 0x80..=0xbf) => Rfc::Boundary,
            (Rfc::Tail(left), 0x80..=0xbf) => Rfc::Tail(left - 1),
            (Rfc::AfterE0, 0xa0..=0xbf) | (Rfc::AfterEd, 0x80..=0x9f) => Rfc::Tail(1),
            (Rfc::AfterF0, 0x90..=0xbf) | (Rfc::AfterF4, 0x80..=0x8f) => Rfc::Tail(2),
            _ => return None,
        })
    }
}

#[test]
fn every_state_takes_just_the_bytes_that_rfc_3629_gives_it() {
    let mut found = vec![(Utf8::default(), Rfc::Boundary)];
    let mut at = 0;
    // Ends: there are few states, and each is looked at once.
    while let Some(&(state, rfc)) = found.get(at) {
        at += 1;
        for byte in 0..=255 {
            let mut next = state;
            let steps = next.step(byte).is_ok();
            assert_eq!(steps, rfc.next(byte).is_some(), "{state:?} {byte:#04x}");
            let Some(rfc) = rfc.next(byte) else { continue };
            assert_eq!(next.is_boundary(), rfc == Rfc::Boundary);
            if !found.contains(&(next, rfc)) {
                found.push((next, rfc));
            }
        }
    }
    println!("{} states of 256 bytes each", found.len());
    assert!(found.len() < 20, "a state for each place in a code point: {found:?}");
}

#[test]
fn every_code_point_is_taken_at_every_cut() {
    let mut buf = [0; 4];
    for char in '\0'..=char::MAX {
        let bytes = char.encode_utf8(&mut buf).as_bytes();
        assert_eq!(by_std(bytes), Ok(true));
        for cut in 0..=bytes.len() {
            let begun = go_on(Ok(Utf8::default()), &bytes[..cut], 0);
            assert_eq!(begun.map(Utf8::is_boundary), Ok(cut == 0 || cut == bytes.len()));
            assert_eq!(go_on(begun, &bytes[cut..], cut), Ok(Utf8::default()), "{char:?} cut at {cut}");
        }
    }
}
