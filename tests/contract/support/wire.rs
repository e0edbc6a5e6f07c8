//! RFC 6455, section 5.2, written a second time, so that the tests do not believe the crate.

pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;

pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

use fastwebsockets_stream::Role;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    pub opcode: u8,
    pub key: Option<[u8; 4]>,
    pub payload: Vec<u8>,
}

/// A frame as the peer of `role` sends it.
pub fn from_peer(role: Role, fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    encode(fin, opcode, (role == Role::Server).then_some(KEY), payload)
}

/// The peer's whole Binary message.
pub fn data(role: Role, payload: &[u8]) -> Vec<u8> {
    from_peer(role, true, BINARY, payload)
}

/// The peer's Close.
pub fn close(role: Role, code: Option<u16>, reason: &str) -> Vec<u8> {
    from_peer(role, true, CLOSE, &close_payload(code, reason))
}

pub fn close_payload(code: Option<u16>, reason: &str) -> Vec<u8> {
    code.map_or(Vec::new(), |code| [&code.to_be_bytes(), reason.as_bytes()].concat())
}

pub fn ping(role: Role, payload: &[u8]) -> Vec<u8> {
    from_peer(role, true, PING, payload)
}

pub fn header(fin: bool, opcode: u8, key: Option<[u8; 4]>, length: u64) -> Vec<u8> {
    let mut out = vec![(fin as u8) << 7 | opcode];
    let mask = (key.is_some() as u8) << 7;
    if length < 126 {
        out.push(mask | length as u8);
    } else if length < 65536 {
        out.push(mask | 126);
        out.extend((length as u16).to_be_bytes());
    } else {
        out.push(mask | 127);
        out.extend(length.to_be_bytes());
    }
    out.extend(key.iter().flatten());
    out
}

pub fn encode(fin: bool, opcode: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut out = header(fin, opcode, key, payload.len() as u64);
    out.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ key.map_or(0, |key| key[i % 4])));
    out
}

/// All frames that `bytes` consist of; panics where they are not whole frames of RFC 6455 in shortest form.
#[track_caller]
pub fn decode(bytes: &[u8]) -> Vec<Frame> {
    let (frames, rest) = decode_prefix(bytes);
    assert!(rest.is_empty(), "{} bytes are not a whole frame", rest.len());
    frames
}

/// The whole frames at the start of `bytes`, and what follows them.
#[track_caller]
pub fn decode_prefix(mut bytes: &[u8]) -> (Vec<Frame>, &[u8]) {
    let mut frames = Vec::new();
    while let Some((frame, rest)) = decode_one(bytes) {
        frames.push(frame);
        bytes = rest;
    }
    (frames, bytes)
}

fn decode_one(bytes: &[u8]) -> Option<(Frame, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    assert_eq!(first & 0x70, 0, "reserved bits");
    let (&second, mut rest) = rest.split_first()?;
    let mut length = u64::from(second & 0x7f);
    let extended = match length {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if extended > 0 {
        let (octets, after) = rest.split_at_checked(extended)?;
        length = octets.iter().fold(0, |length, octet| length << 8 | u64::from(*octet));
        assert!(length >= if extended == 2 { 126 } else { 65536 }, "length is not in its shortest form");
        rest = after;
    }
    let mut key = None;
    if second & 0x80 != 0 {
        let (octets, after) = rest.split_at_checked(4)?;
        key = Some(octets.try_into().unwrap());
        rest = after;
    }
    let (payload, rest) = rest.split_at_checked(length as usize)?;
    let payload = payload.iter().enumerate().map(|(i, byte)| byte ^ key.map_or(0, |key: [u8; 4]| key[i % 4]));
    Some((Frame { fin: first & 0x80 != 0, opcode: first & 0x0f, key, payload: payload.collect() }, rest))
}

/// The payload of all data frames.
pub fn payload(frames: &[Frame]) -> Vec<u8> {
    frames.iter().filter(|frame| frame.opcode < 8).flat_map(|frame| frame.payload.clone()).collect()
}

/// The opcodes, in order.
pub fn opcodes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().map(|frame| frame.opcode).collect()
}
