//! The examples of RFC 6455, section 5.7, octet by octet: as they come, and as they are sent where this crate sends that form.

use fastwebsockets_stream::Role;

use crate::support::reader::{Ask, feed_pieces};
use crate::support::{Task, binary, ok, pattern, stream, text, wire};

const UNMASKED: [u8; 7] = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
const MASKED: [u8; 11] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
const FRAGMENTED: [u8; 9] = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
const PING: [u8; 7] = [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
const MASKED_PONG: [u8; 11] = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
const HEADER_OF_256: [u8; 4] = [0x82, 0x7e, 0x01, 0x00];
const HEADER_OF_64_KIB: [u8; 10] = [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0];

/// What the frames leave for the reader, wherever they are cut.
#[track_caller]
fn assert_read(role: Role, is_text: bool, frames: &[u8], payload: &[u8]) {
    for cut in (0..=frames.len()).filter(|cut| frames.len() < 300 || cut % 4099 < 15) {
        let (mut stream, mock) = stream(role, if is_text { text() } else { binary() });
        let pieces = [&frames[..cut], &frames[cut..]];
        let (seen, end) = feed_pieces(&mut stream, &mock, pieces, &[Ask::Read(100_000)]);
        assert!(seen == payload, "{} bytes came, cut at {cut}", seen.len());
        assert!(end.is_none(), "{end:?}");
        assert_eq!(mock.take_written(), b"");
    }
}

/// All that one write puts on the wire.
fn written(role: Role, is_text: bool, bytes: &[u8]) -> Vec<u8> {
    let (mut stream, mock) = stream(role, if is_text { text() } else { binary() });
    assert_eq!(ok(Task::default().write(&mut stream, bytes)), bytes.len());
    mock.take_written()
}

/// The payload of what a client has sent behind this beginning, by the formula of section 5.3.
#[track_caller]
fn unmasked(frame: &[u8], beginning: [u8; 2]) -> Vec<u8> {
    assert_eq!(frame[..2], beginning);
    let (key, payload) = frame[2..].split_first_chunk::<4>().expect("a masking key");
    payload.iter().zip(key.iter().cycle()).map(|(octet, key)| octet ^ key).collect()
}

#[test]
fn single_frame_unmasked_text_message_is_read_and_written() {
    assert_read(Role::Client, true, &UNMASKED, b"Hello");
    assert_eq!(written(Role::Server, true, b"Hello"), UNMASKED);
}

#[test]
fn single_frame_masked_text_message_is_read_and_written() {
    assert_read(Role::Server, true, &MASKED, b"Hello");
    assert_eq!(unmasked(&written(Role::Client, true, b"Hello"), [0x81, 0x85]), b"Hello");
}

#[test]
fn fragmented_unmasked_text_message_is_read_as_one() {
    assert_read(Role::Client, true, &FRAGMENTED, b"Hello");
    assert_read(Role::Client, true, &[FRAGMENTED, FRAGMENTED].concat(), b"HelloHello");
}

#[test]
fn unmasked_ping_is_answered_by_the_masked_pong() {
    for cut in 0..=PING.len() {
        let (mut stream, mock) = stream(Role::Client, text());
        let pieces = [&PING[..cut], &PING[cut..]];
        let (seen, end) = feed_pieces(&mut stream, &mock, pieces, &[Ask::Read(100)]);
        assert!(seen.is_empty() && end.is_none());
        assert_eq!(unmasked(&mock.take_written(), [0x8a, 0x85]), b"Hello");
    }
}

#[test]
fn masked_pong_is_read_and_leaves_nothing() {
    assert_read(Role::Server, true, &[&MASKED_PONG[..], &MASKED].concat(), b"Hello");
}

#[test]
fn binary_message_of_256_bytes_is_read_and_written() {
    let bytes = pattern(256);
    let frame = [&HEADER_OF_256[..], &bytes].concat();
    assert_read(Role::Client, false, &frame, &bytes);
    assert_eq!(written(Role::Server, false, &bytes), frame);
}

#[test]
fn binary_message_of_64_kib_is_read_and_written() {
    let bytes = pattern(65_536);
    let frame = [&HEADER_OF_64_KIB[..], &bytes].concat();
    assert_read(Role::Client, false, &frame, &bytes);
    assert!(written(Role::Server, false, &bytes) == frame);
}

/// The wire format that the other tests use is itself held against the examples.
#[test]
fn kit_of_the_tests_speaks_the_examples() {
    let frames = wire::decode(&[&UNMASKED[..], &MASKED, &FRAGMENTED, &PING, &MASKED_PONG].concat());
    let payloads: Vec<&[u8]> = frames.iter().map(|frame| &frame.payload[..]).collect();
    assert_eq!(payloads, [b"Hello".as_slice(), b"Hello", b"Hel", b"lo", b"Hello", b"Hello"]);
    assert_eq!(wire::encode(true, wire::TEXT, Some(wire::KEY), b"Hello")[..2], MASKED[..2]);
}
