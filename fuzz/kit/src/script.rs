//! Bytes that a peer sends, drawn from the input: frames, odd frames, and bytes that are none.

use crate::input::{Input, text};

/// A header, in any form of length, its rules kept or not.
pub fn header(first: u8, key: Option<[u8; 4]>, length: u64, form: u8) -> Vec<u8> {
    let mask = if key.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    match form {
        0 => out.push(mask | (length as u8 & 0x7f)),
        1 => {
            out.push(mask | 126);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.push(mask | 127);
            out.extend(length.to_be_bytes());
        }
    }
    out.extend(key.iter().flatten());
    out
}

/// The shortest form for a length.
pub fn shortest(length: usize) -> u8 {
    match length {
        0..=125 => 0,
        126..=0xffff => 1,
        _ => 2,
    }
}

pub fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut out = header(first, key, payload.len() as u64, shortest(payload.len()));
    out.extend(payload.iter().enumerate().map(|(i, octet)| octet ^ key.map_or(0, |key| key[i % 4])));
    out
}

/// What a peer sends that masks or not; `is_text` is the type that is expected of it.
pub fn draw(input: &mut Input<'_>, masks: bool, is_text: bool) -> Vec<u8> {
    let mut wire = Vec::new();
    let data = if is_text { 1 } else { 2 };
    let mut in_message = false;
    for _ in 0..input.below(24) {
        if input.is_over() {
            break;
        }
        // One that is large is enough.
        let most = if wire.len() < 10_000 { 70_000 } else { 24 };
        let key = masks.then(|| [input.byte(), 0x21, 0, 0x80]);
        let kind = input.byte();
        match kind {
            // A frame of a message, in its place.
            0..=119 => {
                let fin = kind & 1;
                let opcode = if in_message { 0 } else { data };
                in_message = fin == 0;
                let len = input.length().min(most);
                let mut payload = if is_text { text(kind.into(), len) } else { input.take(len).to_vec() };
                if kind & 2 == 0 && !is_text {
                    payload.resize(len, kind);
                }
                wire.extend(frame(fin << 7 | opcode, key, &payload));
            }
            // Text out of any octets.
            120..=139 => {
                let len = input.below(24);
                let fin = kind & 1;
                let opcode = if in_message { 0 } else { data };
                in_message = fin == 0;
                wire.extend(frame(fin << 7 | opcode, key, input.take(len)));
            }
            140..=179 => {
                let len = input.below(126);
                wire.extend(frame(if kind & 1 == 0 { 0x89 } else { 0x8a }, key, input.take(len)));
            }
            180..=199 => {
                let code = input
                    .pick(&[1000, 1000, 1001, 1002, 1005, 1008, 1011, 1015, 1016, 2999, 3000, 4999, 5000]);
                let len = input.below(if kind & 1 == 0 { 2 } else { 124 });
                let mut payload = u16::to_be_bytes(code).to_vec();
                payload.extend(input.take(len));
                wire.extend(frame(0x88, key, &payload));
            }
            200..=207 => wire.extend(frame(0x88, key, b"")),
            // Any first octet, any form, MASK as it should not be.
            208..=239 => {
                let key = if kind & 1 == 0 { key } else { key.xor(Some([1, 2, 3, 4])) };
                let first = input.byte();
                let length = input.length();
                let form = input.byte() % 3;
                let wide = if kind & 6 == 6 { u64::from(input.byte()) << 56 } else { 0 };
                wire.extend(header(first, key, length as u64 | wide, form));
                wire.extend(input.take(length));
            }
            // A flood.
            240..=243 => {
                let payload = input.take(125);
                for n in 0..input.byte() {
                    wire.extend(frame(0x89, key, &[&payload[..payload.len().min(124)], &[n]].concat()));
                }
            }
            _ => {
                let len = input.below(16);
                wire.extend(input.take(len));
            }
        }
    }
    wire
}
