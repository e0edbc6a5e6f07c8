//! Reading: PROMISES 2.1 to 2.3, 2.10, 2.11; in the parts, 2.4 to 2.6, 2.12 and 4.1. Pitfalls C2, C11, C14, C16, C17,
//! C18 (as a count).

mod control;
mod ending;
mod large;

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;

use fastwebsockets_stream::Role;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, ReadBuf};

use crate::support::reader::{Ask, drain, feed_pieces, pieces};
use crate::support::transport::Answer;
use crate::support::wire::{self, BINARY, CONTINUATION, PING, PONG};
use crate::support::{ROLES, Task, binary, name, ok, pattern, read_all, stream};

/// The peer's frames of these kinds and payloads, one after the other.
fn frames(role: Role, frames: &[(bool, u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(fin, opcode, payload)| wire::from_peer(role, *fin, *opcode, payload)).collect()
}

#[test]
fn payload_that_arrives_octet_by_octet_comes_out_octet_by_octet() {
    for role in ROLES {
        for length in [0, 1, 5, 125, 126, 300, 0xffff, 0x1_0000] {
            let (mut stream, mock) = stream(role, binary());
            let payload = pattern(length);
            let bytes = [wire::data(role, &payload), wire::ping(role, b"x"), wire::data(role, b"!")].concat();
            let header = wire::data(role, &payload).len() - length;
            let (mut seen, mut fed, mut rooms) = (Vec::new(), 0, [1, 64, 4096, 70_000].iter().cycle());
            // The middle of a long frame is quicker.
            let steps = [vec![1; 20], vec![length.saturating_sub(400).max(1)], vec![1; 500]].concat();
            for piece in pieces(&bytes, &steps) {
                mock.feed(piece);
                fed += piece.len();
                // Each read is dropped when it waits: nothing may be lost by that.
                while let Poll::Ready(read) = Task::default().read(&mut stream, *rooms.next().unwrap()) {
                    let read = read.unwrap();
                    assert!(!read.is_empty(), "an end after {fed} of {length}");
                    seen.extend(read);
                }
                let due = fed.saturating_sub(header).min(length) + usize::from(fed == bytes.len());
                assert_eq!(seen.len(), due, "{} of {length} after {fed}", name(role));
            }
            assert_eq!(seen, [&payload[..], b"!"].concat());
        }
    }
}

#[test]
fn frame_of_any_announced_length_streams_through() {
    for role in ROLES {
        let key = (role == Role::Server).then_some([1, 2, 3, 4]);
        let payload = pattern(5000);
        let wire = wire::encode(true, BINARY, key, &payload);
        let asks = [Ask::Read(4096), Ask::Read(7)];
        let streams =
            [i64::MAX as u64, (64 << 20) - 1, 1 << 40].into_iter().cycle().take(1000).map(|length| {
                let (mut stream, mock) = stream(role, binary());
                mock.feed(&wire::header(true, BINARY, key, length));
                assert!(Task::default().read(&mut stream, 4096).is_pending());
                let pieces = pieces(&wire[wire.len() - 5000..], &[1, 2, 999]);
                let (seen, end) = feed_pieces(&mut stream, &mock, pieces, &asks);
                assert!(seen == payload && end.is_none());
                stream
            });
        // All at a time: what an announcement took would add up to more than any machine has.
        assert_eq!(streams.collect::<Vec<_>>().len(), 1000);
    }
}

#[test]
fn frames_that_arrived_together_come_out_of_one_read() {
    for role in ROLES {
        for room in [8192, 100] {
            let (mut stream, mock) = stream(role, binary());
            for byte in 0..100 {
                mock.feed(&frames(
                    role,
                    &[(false, BINARY, &[byte]), (true, PONG, b""), (true, CONTINUATION, b"")],
                ));
            }
            assert_eq!(ok(Task::default().read(&mut stream, room)), (0..100).collect::<Vec<u8>>());
            assert_eq!(mock.state().reads, 1);
        }
    }
}

#[test]
fn read_with_4_kib_of_room_takes_from_the_transport_just_that_and_a_smaller_one_reads_ahead() {
    for role in ROLES {
        let payload = pattern(100_000);
        for room in [1, 4095, 4096, 8192, 65_536] {
            let (mut stream, mock) = stream(role, binary());
            let wire = wire::data(role, &payload);
            mock.feed(&wire);
            let read = ok(Task::default().read(&mut stream, room));
            assert!(payload.starts_with(&read));
            let taken = wire.len() - mock.state().input.len();
            if room < 4096 {
                assert_eq!(read.len(), room);
                assert!(taken > 4096);
                ok(Task::default().read(&mut stream, 1));
                assert_eq!(mock.state().reads, 1, "the second read comes from what was read ahead");
            } else {
                assert_eq!(taken, room);
                assert!(read.len() + 14 >= room);
            }
        }
    }
}

#[test]
fn read_leaves_what_its_buffer_holds_and_without_room_returns_at_once() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let mut bytes = vec![0; 8192];
        for (filled, room) in [(8192, 0), (8191, 1), (1, 8191)] {
            mock.feed(&wire::data(role, b"x"));
            let mut buf = ReadBuf::new(&mut bytes[..]);
            buf.put_slice(&pattern(8192)[..filled]);
            let reads = mock.state().reads;
            ok(Task::default().run(|cx| Pin::new(&mut stream).poll_read(cx, &mut buf)));
            assert_eq!(buf.filled()[..filled], pattern(8192)[..filled]);
            if room == 0 {
                assert_eq!((buf.filled().len(), mock.state().reads), (filled, reads));
            } else {
                assert!(
                    buf.filled()[filled..].iter().all(|byte| *byte == b'x') && buf.filled().len() > filled
                );
            }
        }
        let mut none = ReadBuf::new(&mut []);
        assert!(Task::default().run(|cx| Pin::new(&mut stream).poll_read(cx, &mut none)).is_ready());
    }
}

#[test]
fn empty_frames_and_control_frames_never_look_like_the_end_nor_show_in_the_data() {
    type Sequence<'a> = &'a [(bool, u8, &'a [u8])];
    let sequences: [(Sequence<'_>, &[u8]); 8] = [
        (&[(true, BINARY, b"")], b""),
        (&[(true, BINARY, b""), (true, BINARY, b"a"), (true, BINARY, b"")], b"a"),
        (&[(false, BINARY, b""), (false, CONTINUATION, b""), (true, CONTINUATION, b"")], b""),
        (&[(false, BINARY, b"a"), (false, CONTINUATION, b""), (true, CONTINUATION, b"")], b"a"),
        (&[(false, BINARY, b""), (true, CONTINUATION, b"b")], b"b"),
        (&[(true, PING, b"ping"), (true, PONG, b"pong")], b""),
        (
            &[
                (false, BINARY, b"a"),
                (true, PING, b"ping"),
                (true, CONTINUATION, b"b"),
                (true, PONG, b"pong"),
            ],
            b"ab",
        ),
        (&[(true, PING, &[b'x'; 125]), (true, BINARY, b"c"), (true, PONG, &[b'y'; 125])], b"c"),
    ];
    for role in ROLES {
        for (sequence, data) in sequences {
            let all = [frames(role, sequence), frames(role, sequence)].concat();
            for length in [1, 2, 3, usize::MAX] {
                for ask in [Ask::Read(1), Ask::Read(4096), Ask::Look(1), Ask::Look(99)] {
                    let (mut stream, mock) = stream(role, binary());
                    let (seen, end) = feed_pieces(&mut stream, &mock, pieces(&all, &[length]), &[ask]);
                    assert!(end.is_none(), "{} {sequence:?} {ask:?} {end:?}", name(role));
                    assert_eq!(seen, [data, data].concat());
                    mock.feed(&wire::close(role, Some(1000), "a reason that is no data"));
                    assert_eq!(read_all(&mut stream, 64).0, b"");
                }
            }
        }
    }
}

#[test]
fn frame_of_any_size_comes_out_whole_whatever_the_read_size() {
    for role in ROLES {
        for length in [0, 1, 125, 126, 4082, 4095, 4096, 4097, 16_383, 16_384, 0xffff, 0x1_0000, 70_000] {
            let payload = pattern(length);
            let wire =
                [wire::data(role, &payload), wire::data(role, b"tail"), wire::close(role, None, "")].concat();
            for room in [1, 2, 13, 14, 100, 4095, 4096, 4097, 4110, 16_384, 0xffff, 0x1_0000, 70_000] {
                let (mut stream, mock) = stream(role, binary());
                mock.feed(&wire);
                let (seen, end) = read_all(&mut stream, room);
                assert!(end.is_ok() && seen == [&payload[..], b"tail"].concat(), "{length} at {room}");
            }
        }
    }
}

#[test]
fn large_frame_in_small_reads_costs_few_reads_of_the_transport() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        mock.feed(&wire::data(role, &pattern(1 << 20)));
        mock.state().input_end = Answer::Zero;
        let (seen, _) = read_all(&mut stream, 16);
        assert!(seen == pattern(1 << 20));
        assert!(mock.state().reads <= (1 << 20) / 8192 + 2, "{}", mock.state().reads);
    }
}

#[test]
fn reads_and_looks_can_be_mixed_and_see_the_same_bytes() {
    let asks =
        [Ask::Look(1), Ask::Read(1), Ask::Look(5000), Ask::Read(4096), Ask::Look(3), Ask::Read(100_000)];
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let payload = pattern(50_000);
        mock.feed(&payload.chunks(777).flat_map(|chunk| wire::data(role, chunk)).collect::<Vec<_>>());
        let task = Task::default();
        // A look consumes nothing, and a small read after it takes just the start of what it has shown.
        let shown = ok(task.look(&mut stream));
        assert_eq!(ok(task.look(&mut stream)), shown);
        assert_eq!(ok(task.read(&mut stream, 3)), shown[..3]);
        assert_eq!(ok(task.look(&mut stream)), shown[3..]);
        // A large one does not overtake it.
        assert!(payload[3..].starts_with(&ok(task.read(&mut stream, 10))));
        let mut seen = payload[..13].to_vec();
        assert!(drain(&mut stream, &mut asks.into_iter().cycle(), &mut seen).is_none());
        assert!(seen == payload);
        // Consuming nothing is not the end, and more than there is does no harm.
        mock.feed(&wire::data(role, b"rest"));
        Pin::new(&mut stream).consume(0);
        assert_eq!(ok(task.look(&mut stream)), b"rest");
        Pin::new(&mut stream).consume(4);
        assert!(task.look(&mut stream).is_pending());
    }
}

#[test]
fn read_that_is_cancelled_at_any_octet_loses_nothing() {
    for role in ROLES {
        let wire = [wire::data(role, &pattern(200)), wire::ping(role, b"ping"), wire::close(role, None, "")]
            .concat();
        for cut in 0..wire.len() {
            for buffered in [false, true] {
                let (mut stream, mock) = stream(role, binary());
                let mut seen = Vec::new();
                for piece in [&wire[..cut], &wire[cut..]] {
                    mock.feed(piece);
                    loop {
                        let mut bytes = [0; 150];
                        let read = Task::default().run(|cx| {
                            // Both futures are dropped here, waiting or not.
                            if buffered {
                                let polled = pin!(stream.fill_buf()).poll(cx);
                                polled.map_ok(|shown| shown.to_vec())
                            } else {
                                let polled = pin!(stream.read(&mut bytes)).poll(cx);
                                polled.map_ok(|n| bytes[..n].to_vec())
                            }
                        });
                        let Poll::Ready(read) = read else { break };
                        let read = read.unwrap();
                        if buffered {
                            Pin::new(&mut stream).consume(read.len());
                        }
                        if read.is_empty() {
                            break;
                        }
                        seen.extend(read);
                    }
                }
                assert!(seen == pattern(200) && stream.is_closed(), "{} cut at {cut}", name(role));
                assert_eq!(wire::decode(&mock.take_written())[0].payload, b"ping");
            }
        }
    }
}
