//! What a read does besides reading: PROMISES 2.12, 4.1. Pitfalls C12, C31, C34.

use std::pin::Pin;

use fastwebsockets_stream::Role;
use tokio::io::AsyncBufRead;

use crate::support::reader::{Ask, drain, feed_pieces};
use crate::support::wire::{self, BINARY, CONTINUATION, PING, PONG};
use crate::support::{Mock, ROLES, Task, binary, name, ok, pattern, stream};

/// How often the transport was written to and flushed, or should have been.
fn calls(mock: &Mock) -> (usize, usize) {
    let state = mock.state();
    (state.write_calls, state.flushes)
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2
//= type=test
//# an endpoint MUST send a Pong frame in response, unless it already received a Close frame.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2
//= type=test
//# It SHOULD respond with Pong frame as soon as is practical.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.3
//= type=test
//# A Pong frame sent in response to a Ping frame must have identical "Application data"
#[test]
fn pings_that_arrive_together_are_all_answered_in_order_at_any_cut() {
    for role in ROLES {
        let payloads: Vec<Vec<u8>> = (0..10).map(|n| vec![b'0' + n; 12 * usize::from(n)]).collect();
        let wire: Vec<u8> = payloads.iter().flat_map(|payload| wire::ping(role, payload)).collect();
        for cut in 0..wire.len() {
            let (mut stream, mock) = stream(role, binary());
            let (seen, end) = feed_pieces(
                &mut stream,
                &mock,
                [&wire[..cut], &wire[cut..]],
                &[Ask::Read(64), Ask::Read(9000)],
            );
            assert!(seen.is_empty() && end.is_none() && mock.is_flushed());
            assert!(mock.state().write_calls <= 4, "they leave together, 512 bytes or more at a time");
            let pongs = wire::decode(&mock.take_written());
            assert_eq!(wire::opcodes(&pongs), [PONG; 10]);
            assert!(pongs.iter().map(|pong| &pong.payload).eq(&payloads));
            assert!(pongs.iter().all(|pong| pong.fin && pong.key.is_some() == (role == Role::Client)));
        }
    }
}

#[test]
fn pongs_that_nobody_asked_for_are_dropped() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        mock.feed(&wire::from_peer(role, true, PONG, b"solicited by nobody").repeat(2));
        assert!(Task::default().read(&mut stream, 64).is_pending());
        assert_eq!(calls(&mock), (0, 0));
    }
}

#[test]
fn flood_of_pings_is_answered_whole_while_the_transport_takes_it() {
    for role in ROLES {
        for room in [64, 1 << 16] {
            let (mut stream, mock) = stream(role, binary());
            let numbers = 0..20_000_u32;
            mock.feed(&numbers.clone().flat_map(|n| wire::ping(role, &n.to_be_bytes())).collect::<Vec<_>>());
            assert!(drain(&mut stream, &mut std::iter::repeat(Ask::Read(room)), &mut Vec::new()).is_none());
            assert!(mock.is_flushed());
            let pongs = wire::decode(&mock.take_written());
            assert!(pongs.iter().map(|pong| &pong.payload[..]).eq(numbers.map(u32::to_be_bytes)));
        }
    }
}

#[test]
fn flood_of_pings_that_cannot_be_answered_costs_one_slot_and_the_latest_is_answered() {
    for role in ROLES {
        for begun in [0, 3] {
            let (mut stream, mock) = stream(role, binary());
            mock.set_room(begun);
            mock.feed(&wire::ping(role, b"first"));
            assert!(Task::default().read(&mut stream, 64).is_pending());
            for n in 0..1000_u32 {
                mock.feed(&wire::ping(role, &[b"....".as_slice(), &n.to_be_bytes()].concat()));
            }
            assert!(drain(&mut stream, &mut std::iter::repeat(Ask::Read(64)), &mut Vec::new()).is_none());
            mock.set_room(usize::MAX);
            assert!(Task::default().read(&mut stream, 64).is_pending());
            let pongs = wire::decode(&mock.take_written());
            // One that the transport has been offered cannot be replaced.
            assert_eq!(pongs.len(), 2, "{begun}");
            assert_eq!(pongs[0].payload, b"first");
            assert_eq!(pongs[1].payload[4..], 999_u32.to_be_bytes());
        }
    }
}

#[test]
fn flood_of_pings_behind_a_kept_frame_tries_the_transport_once_for_each_read() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        mock.set_room(5);
        let payload = pattern(20_000);
        ok(Task::default().write(&mut stream, &payload));
        mock.feed(&wire::ping(role, b"ping").repeat(100));
        mock.feed(&wire::data(role, b"data"));
        let before = mock.state().write_calls;
        assert_eq!(ok(Task::default().read(&mut stream, 8192)), b"data");
        assert_eq!(mock.state().write_calls - before, 1, "{}", name(role));
        assert!(stream.into_parts().unsent.len() < 20_000 + 300);
    }
}

#[test]
fn pong_leaves_between_the_frames_of_a_blocked_writer() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let (reader, writer, payload) = (Task::default(), Task::default(), pattern(3 << 20));
        mock.set_room(1000);
        assert_eq!(ok(writer.write(&mut stream, &payload)), 1 << 20);
        assert!(writer.write(&mut stream, &payload[1 << 20..]).is_pending());
        mock.feed(&wire::ping(role, b"between"));
        assert!(reader.read(&mut stream, 64).is_pending());
        mock.set_room(usize::MAX);
        assert_eq!(ok(writer.write(&mut stream, &payload[1 << 20..])), 1 << 20);
        assert_eq!(ok(writer.write(&mut stream, &payload[2 << 20..])), 1 << 20);
        let frames = wire::decode(&mock.take_written());
        assert_eq!(wire::opcodes(&frames), [BINARY, PONG, BINARY, BINARY]);
        assert!(wire::payload(&frames) == payload && frames[1].payload == b"between");
    }
}

#[test]
fn reads_of_the_transport_without_payload_yield_after_32_and_wake_the_reader() {
    for role in ROLES {
        for room in [64, 8192] {
            for (opcode, answers) in [(PING, 32), (PONG, 0)] {
                let (mut stream, mock) = stream(role, binary());
                let (task, frame) = (Task::default(), wire::from_peer(role, true, opcode, b"p"));
                mock.state().read_chunk = frame.len();
                mock.feed(&frame.repeat(63));
                // As long as the others.
                mock.feed(&wire::data(role, b"x"));
                assert!(task.read(&mut stream, room).is_pending());
                assert_eq!((mock.state().reads, task.wakes()), (32, 1));
                assert!(answers == 0 || mock.is_flushed());
                assert_eq!(wire::decode(&mock.take_written()).len(), answers);
                // The 32nd read brings payload.
                assert_eq!(ok(task.read(&mut stream, room)), b"x");
                assert_eq!((mock.state().reads, task.wakes()), (64, 0));
            }
        }
    }
}

#[test]
fn flood_of_frames_without_payload_waits_in_the_end_and_keeps_nothing() {
    for role in ROLES {
        for kind in [(true, PING), (true, PONG), (false, CONTINUATION), (true, BINARY)] {
            let (mut stream, mock) = stream(role, binary());
            if kind.1 == CONTINUATION {
                mock.feed(&wire::from_peer(role, false, BINARY, b""));
            }
            mock.feed(&wire::from_peer(role, kind.0, kind.1, b"").repeat(50_000));
            let mut none = Vec::new();
            assert!(drain(&mut stream, &mut std::iter::repeat(Ask::Read(1 << 16)), &mut none).is_none());
            assert!(none.is_empty() && mock.state().input.is_empty());
            let parts = stream.into_parts();
            assert!(parts.unsent.is_empty() && parts.unread.len() <= 6);
        }
    }
}

#[test]
fn read_that_finds_output_waiting_tries_it_once_and_flushes_it_ready_or_not() {
    for role in ROLES {
        for gathered in [false, true] {
            for data in [b"".as_slice(), b"data"] {
                for room in [64, 8192] {
                    let config = if gathered { binary().write_buffer(1024) } else { binary() };
                    let (mut stream, mock) = stream(role, config);
                    mock.set_room(if gathered { usize::MAX } else { 3 });
                    ok(Task::default().write(&mut stream, b"kept"));
                    mock.feed(&wire::data(role, data));
                    mock.set_room(usize::MAX);
                    let before = calls(&mock);
                    assert_eq!(Task::default().read(&mut stream, room).is_ready(), !data.is_empty());
                    assert_eq!(calls(&mock), (before.0 + 1, before.1 + 1));
                    assert!(mock.is_flushed());
                    assert_eq!(wire::payload(&wire::decode(&mock.take_written())), b"kept");
                }
            }
        }
    }
}

#[test]
fn read_of_what_was_read_ahead_pushes_too() {
    for role in ROLES {
        for looks in [false, true] {
            let (mut stream, mock) = stream(role, binary());
            mock.feed(&wire::data(role, b"ahead"));
            assert_eq!(ok(Task::default().read(&mut stream, 1)), b"a");
            mock.set_room(3);
            ok(Task::default().write(&mut stream, b"kept"));
            mock.set_room(usize::MAX);
            let before = calls(&mock);
            let reads = mock.state().reads;
            if looks {
                let look =
                    Task::default().run(|cx| Pin::new(&mut stream).poll_fill_buf(cx).map_ok(<[u8]>::len));
                assert_eq!(ok(look), 4);
            } else {
                assert_eq!(ok(Task::default().read(&mut stream, 2)), b"he");
            }
            assert_eq!(mock.state().reads, reads, "it comes from what was read ahead");
            assert_eq!(calls(&mock), (before.0 + 1, before.1 + 1));
            assert!(mock.is_flushed());
            assert_eq!(wire::payload(&wire::decode(&mock.take_written())), b"kept");
        }
    }
}
