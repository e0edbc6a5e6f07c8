//! Frames that carry little or nothing, and bytes that come one by one.

use std::task::Poll;

use fastwebsockets_stream::{Config, PayloadType, Role};

use crate::counting::cost;
use crate::kit::{ROLES, drain, frame, read, stream};

/// A thread's buffer for reading.
const ROOM: usize = 64 * 1024;

const FRAMES: usize = 50_000;

/// The peer's frame, which does not end its message.
fn fragment(role: Role, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = frame(role, opcode, payload);
    frame[0] &= 0x7f;
    frame
}

struct Flood {
    name: &'static str,
    first: Vec<u8>,
    /// Comes over and over again.
    each: Vec<u8>,
    payload: usize,
    /// Written for each.
    answer: usize,
}

fn floods(role: Role, opcode: u8) -> Vec<Flood> {
    let pong = if role == Role::Client { 6 } else { 2 };
    let flood = |name, each, payload, answer| Flood { name, first: Vec::new(), each, payload, answer };
    let within = |flood: Flood| Flood { first: fragment(role, opcode, b"a"), ..flood };
    vec![
        flood("empty messages", frame(role, opcode, b""), 0, 0),
        within(flood("empty fragments", fragment(role, 0, b""), 0, 0)),
        flood("messages of 1 byte", frame(role, opcode, b"x"), 1, 0),
        within(flood("fragments of 1 byte", fragment(role, 0, b"x"), 1, 0)),
        flood("empty Pings", frame(role, 9, b""), 0, pong),
        within(flood("Pings of 125 bytes in a message", frame(role, 9, &[b'p'; 125]), 0, pong + 125)),
        flood("Pongs of 125 bytes", frame(role, 10, &[b'p'; 125]), 0, 0),
    ]
}

/// A poll of a read takes up to 32 reads of the transport that bring nothing. So polls, too, are fewer than frames; memory is what a
/// thread has for all its streams; and what is sent is no more than what came.
#[test]
fn flood_of_any_small_frames_allocates_nothing_and_takes_few_polls() {
    let mut bytes = vec![0; ROOM];
    for role in ROLES {
        for (payload_type, opcode) in [(PayloadType::Binary, 2), (PayloadType::Text, 1)] {
            for Flood { name, first, each, payload, answer } in floods(role, opcode) {
                let input = [first.clone(), each.repeat(FRAMES)].concat();
                let carried = payload * FRAMES + usize::from(!first.is_empty());
                for warm in [false, true] {
                    let mut stream = stream(role, &Config::new(payload_type), &input);
                    let (mut polls, mut total) = (0, 0);
                    let (allocations, peak, left) = cost(|| {
                        while !stream.get_ref().input.is_empty() {
                            polls += 1;
                            let before = stream.get_ref().input.len();
                            if let Poll::Ready(read) = read(&mut stream, &mut bytes) {
                                total += read.expect("every frame is legal");
                            }
                            let taken = before - stream.get_ref().input.len();
                            assert!(taken <= 32 * ROOM, "{name}: {taken} bytes in one poll");
                        }
                    });
                    assert_eq!(total, carried, "{name}");
                    assert_eq!(stream.get_ref().written, answer * FRAMES, "{name}");
                    // With payload, a poll ends with the transport's read that brought it.
                    let most = input.len().div_ceil(ROOM - 14) + 2;
                    assert!(polls <= most, "{name}: {polls} polls, of at most {most}");
                    assert!(peak <= 4 << 10 && left <= 4 << 10, "{name}: {peak} bytes, {left} left");
                    assert!(!warm || allocations == 0, "{name}: {allocations} allocations");
                    if warm && role == Role::Server && opcode == 2 {
                        println!("{name}: {FRAMES} frames, {polls} polls, {peak} bytes");
                    }
                }
            }
        }
    }
}

/// One poll for each byte that wakes the reader, headers and control frames included.
#[test]
fn frames_that_come_a_byte_at_a_time_take_a_poll_for_each_and_no_memory() {
    let mut bytes = vec![0; ROOM];
    for role in ROLES {
        for room in [1, ROOM] {
            let payload = vec![b'x'; 70_000];
            let input = [
                frame(role, 2, &payload),
                fragment(role, 2, b"a"),
                frame(role, 9, &[b'p'; 125]),
                frame(role, 0, &payload[..200]),
                frame(role, 10, &[b'p'; 125]),
            ]
            .concat();
            for warm in [false, true] {
                let mut stream = stream(role, &Config::new(PayloadType::Binary), &[]);
                let (mut polls, mut total) = (0, 0);
                let (allocations, peak, left) = cost(|| {
                    for byte in input.chunks(1) {
                        stream.get_mut().input = byte;
                        polls += 1;
                        if let Poll::Ready(read) = read(&mut stream, &mut bytes[..room]) {
                            total += read.expect("every frame is legal");
                        }
                        assert!(stream.get_ref().input.is_empty(), "one poll takes what has come");
                    }
                });
                assert_eq!((total, polls), (70_201, input.len()));
                // Half a control frame, and a buffer for reading ahead.
                assert!(peak <= 20 << 10 && left <= 20 << 10, "{peak} bytes, {left} left");
                assert!(!warm || allocations == 0, "{allocations} allocations");
            }
        }
    }
}

/// A header that never ends is at most 13 bytes of one; what it announces is nothing yet.
#[test]
fn half_a_header_of_any_kind_holds_nothing_beside_the_stream() {
    let mut bytes = vec![0; ROOM];
    for role in ROLES {
        for opcode in [2, 9] {
            let mut whole = frame(role, opcode, b"");
            if opcode == 2 {
                whole.splice(1..2, [whole[1] | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
            }
            for cut in 1..whole.len() {
                for warm in [false, true] {
                    let mut stream = stream(role, &Config::new(PayloadType::Binary), &whole[..cut]);
                    let (allocations, ..) = cost(|| assert_eq!(drain(&mut stream, &mut bytes).0, 0));
                    assert!(!warm || allocations == 0, "{allocations} at {cut}");
                }
            }
        }
    }
}
