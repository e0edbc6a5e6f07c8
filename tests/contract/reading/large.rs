//! Large frames that are not masked: a read of the transport stops behind the next header, so that no payload is moved.

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::Poll;

use fastwebsockets_stream::Role;
use tokio::io::{AsyncRead, ReadBuf};

use crate::support::transport::{Answer, Mock};
use crate::support::wire::{self, BINARY, PING, PONG};
use crate::support::{ROLES, Task, binary, err, ok, pattern, read_all, stream};

const LENGTH: usize = 20_000;

/// The longest header that is not masked, and what the longest of all leaves behind it.
const BEHIND: usize = 14;

#[test]
fn large_frames_fill_a_read_and_no_read_of_the_transport_goes_far_beyond_a_header() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let payload = pattern(10 * LENGTH);
        for frame in payload.chunks(LENGTH) {
            mock.feed(&wire::data(role, frame));
        }
        mock.feed(&wire::close(role, None, ""));
        assert_eq!(ok(Task::default().read(&mut stream, 5000)).len() + 4 + mask(role), 5000);
        let before = counts(&mock);
        let room = 90_000;
        let read = ok(Task::default().read(&mut stream, room));
        let after = counts(&mock);
        let (taken, reads) = (before.0 - after.0, after.1 - before.1);
        if role == Role::Client {
            assert_eq!((read.len(), taken), (room, room + 4 * 4), "the room of the headers is used");
            assert_eq!(reads, 5, "one for each frame");
        } else {
            assert_eq!((taken, reads), (room, 1), "unmasking moves the payload at no cost");
        }
        let at = 5000 - 4 - mask(role);
        assert!(payload[at..].starts_with(&read));
        let (rest, _) = read_all(&mut stream, 65_536);
        assert!(rest == payload[at + read.len()..]);
    }
}

#[test]
fn read_takes_as_many_large_frames_as_arrived_and_fit() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let payload = pattern(100 * 16_384);
        for frame in payload.chunks(16_384) {
            mock.feed(&wire::data(role, frame));
        }
        let head = ok(Task::default().read(&mut stream, 5000));
        let rest = ok(Task::default().read(&mut stream, 2 << 20));
        assert!([head, rest].concat() == payload, "all hundred in one read");
    }
}

#[test]
fn payload_does_not_wait_for_what_comes_behind_control_frames() {
    let (mut stream, mock) = stream(Role::Client, binary());
    mock.feed(&wire::data(Role::Client, &pattern(LENGTH)));
    ok(Task::default().read(&mut stream, 5000));
    let pong = wire::from_peer(Role::Client, true, PONG, &[7; 100]);
    mock.feed(&[&pong[..], &pong].concat());
    let reads = mock.state().reads;
    assert_eq!(mock.state().input.len(), LENGTH - 4996 + 2 * pong.len());
    assert_eq!(ok(Task::default().read(&mut stream, 65_536)), pattern(LENGTH)[4996..]);
    assert_eq!(mock.state().reads, reads + 2, "up to the first Pong, and once more");
}

/// Bytes that the transport still has, and how often it was asked.
fn counts(mock: &Mock) -> (usize, usize) {
    let state = mock.state();
    (state.input.len(), state.reads)
}

fn mask(role: Role) -> usize {
    if role == Role::Server { 4 } else { 0 }
}

#[test]
fn whatever_comes_behind_a_large_frame_waits_until_its_payload_has_been_read() {
    let violation = [0xf2, 0x00];
    let ends: [(&[u8], Answer, Option<ErrorKind>); 5] = [
        (b"", Answer::Pending, None),
        (b"", Answer::Zero, Some(ErrorKind::UnexpectedEof)),
        (b"", Answer::Error(ErrorKind::TimedOut), Some(ErrorKind::TimedOut)),
        (&violation, Answer::Pending, Some(ErrorKind::InvalidData)),
        (&violation, Answer::Zero, Some(ErrorKind::InvalidData)),
    ];
    for (wire, end, kind) in ends {
        // Bytes of the next frame that are there: none, a part of its header, all of it and some or much payload.
        for more in [0, 1, 4, 5, BEHIND - 1, BEHIND, BEHIND + 1, 1000] {
            let (mut stream, mock) = stream(Role::Client, binary());
            let payload = pattern(LENGTH + 5000);
            mock.feed(&wire::data(Role::Client, &payload[..LENGTH]));
            let head = ok(Task::default().read(&mut stream, 5000));
            let next = wire::data(Role::Client, &payload[LENGTH..]);
            mock.feed(&next[..if wire.is_empty() { more } else { next.len() }]);
            mock.feed(wire);
            mock.state().input_end = end;

            let task = Task::default();
            let mut seen = head;
            let stopped = loop {
                match task.read(&mut stream, 65_536) {
                    Poll::Ready(Ok(bytes)) => seen.extend(bytes),
                    other => break other,
                }
            };
            let there = if wire.is_empty() { LENGTH + more.saturating_sub(4) } else { payload.len() };
            assert!(seen == payload[..there], "{} of {there} before {kind:?}", seen.len());
            match kind {
                Some(kind) => assert_eq!(err(stopped).kind(), kind),
                None => {
                    assert!(stopped.is_pending());
                    mock.feed(&next[more..]);
                    mock.wake_reader();
                    assert_eq!(task.wakes(), 1, "the reader waits for the transport");
                    assert!(ok(task.read(&mut stream, 65_536)) == payload[there..]);
                }
            }
        }
    }
}

#[test]
fn control_frame_behind_a_large_frame_is_answered_in_the_same_poll() {
    let (mut stream, mock) = stream(Role::Client, binary());
    mock.feed(&wire::data(Role::Client, &pattern(LENGTH)));
    ok(Task::default().read(&mut stream, 5000));
    mock.feed(&wire::from_peer(Role::Client, true, PING, b"are you there?"));
    mock.feed(&wire::data(Role::Client, b"tail"));
    let read = ok(Task::default().read(&mut stream, 65_536));
    assert!(read.ends_with(b"tail") && read.len() == LENGTH - 4996 + 4);
    assert_eq!(mock.take_written().len(), 2 + 4 + 14);
}

#[test]
fn memory_that_was_never_written_is_not_written_for_the_sake_of_a_stop() {
    let (mut stream, mock) = stream(Role::Client, binary());
    for _ in 0..3 {
        mock.feed(&wire::data(Role::Client, &pattern(LENGTH)));
    }
    ok(Task::default().read(&mut stream, 5000));
    let mut memory = [const { MaybeUninit::uninit() }; 65_536];
    let mut buf = ReadBuf::uninit(&mut memory);
    let before = counts(&mock);
    ok(Task::default().run(|cx| Pin::new(&mut stream).poll_read(cx, &mut buf)));
    let after = counts(&mock);
    assert_eq!(after.1, before.1 + 1);
    assert_eq!(buf.initialized().len(), before.0 - after.0, "what the transport wrote, and no more");
    assert!(buf.filled()[..LENGTH - 4996] == pattern(LENGTH)[4996..]);
}

#[test]
fn fragments_of_any_size_come_out_whole_at_any_room_of_a_read() {
    for role in ROLES {
        let lengths = [16_383, 16_384, 0, 40_000, 1, 16_384, 65_535, 65_536, 125, 20_000];
        let payload = pattern(lengths.iter().sum());
        let (mut wire, mut at) = (Vec::new(), 0);
        for (i, length) in lengths.iter().enumerate() {
            let opcode = if i == 0 { BINARY } else { 0 };
            wire.extend(wire::from_peer(role, i + 1 == lengths.len(), opcode, &payload[at..at + length]));
            at += length;
        }
        wire.extend(wire::close(role, None, ""));
        for room in [4096, 4097, 10_000, 16_384, 16_388, 16_398, 30_000, 65_536, 65_546, 1 << 20] {
            for chunk in [usize::MAX, 16_398, 5000, 7] {
                let (mut stream, mock) = stream(role, binary());
                mock.state().read_chunk = chunk;
                mock.feed(&wire);
                let (seen, end) = read_all(&mut stream, room);
                assert!(end.is_ok() && seen == payload, "room of {room}, chunks of {chunk}");
            }
        }
    }
}
