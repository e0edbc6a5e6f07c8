//! Any writes over any transport, read by the other end: PROMISES 3.1, 3.2, 3.4, 3.6 to 3.8, 4.1, 4.4, 5.1 as a property.

use std::io::IoSlice;
use std::task::Poll;

use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{asks, cuts, data, is_boundary, kind, lengths, runs, types};
use crate::support::hesitant::Hesitant;
use crate::support::reader::{Ask, drain, feed_pieces, pieces};
use crate::support::wire::{self, BINARY, CLOSE, PONG, TEXT};
use crate::support::{Mock, ROLES, Task, ok, stream};

/// A transport that makes trouble for a writer.
#[derive(Clone, Debug)]
struct Hostile {
    /// What it takes before each `Pending`.
    rooms: Vec<usize>,
    chunk: usize,
    hesitant: bool,
    vectored: bool,
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let chunk = prop_oneof![1 => Just(1_usize), 2 => 1_usize..100, 3 => Just(usize::MAX)];
    (cuts(), chunk, any::<bool>(), any::<bool>()).prop_map(|(rooms, chunk, hesitant, vectored)| Hostile {
        rooms,
        chunk,
        hesitant,
        vectored,
    })
}

/// What a writer does next.
#[derive(Clone, Copy, Debug)]
enum Act {
    Write(usize),
    /// A vectored write of slices of this length.
    Slices(usize, usize),
    Flush,
    /// A Ping comes, and a reader answers it.
    Ping,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => lengths().prop_map(Act::Write),
        2 => (lengths(), 1_usize..2000).prop_map(|(len, slice)| Act::Slices(len, slice)),
        1 => Just(Act::Flush),
        1 => Just(Act::Ping),
    ];
    vec(act, 0..10)
}

/// Lets the transport take more, once the stream waits for that: whoever waits has left a waker.
fn relieve(mock: &Mock, task: &Task, rooms: &mut impl Iterator<Item = usize>) {
    if task.wakes() == 0 {
        mock.set_room(rooms.next().unwrap());
        assert!(mock.wake_writer(), "a waiting writer has left no waker");
    }
}

proptest! {
    #![proptest_config(runs(150))]

    #[test]
    fn what_one_end_writes_in_any_way_the_other_reads(
        server in any::<bool>(),
        payload_type in types(),
        acts in acts(),
        write_buffer in prop_oneof![Just(0_usize), Just(64), Just(4096), Just(usize::MAX)],
        max_frame_len in prop_oneof![Just(None), (1_usize..300).prop_map(Some), Just(Some(65_536))],
        hostile in hostile(),
        cuts in cuts(),
        asks in asks(),
    ) {
        let role = ROLES[usize::from(server)];
        let config = Config::new(payload_type).write_buffer(write_buffer).max_frame_len(max_frame_len);
        let (mock, transport) = Mock::new();
        let mut writer =
            WebSocketStream::from_transport(Hesitant::new(transport, hostile.hesitant), role, [], config);
        {
            let mut state = mock.state();
            state.room = 0;
            state.write_chunk = hostile.chunk;
            state.vectored = hostile.vectored;
        }
        let (task, mut rooms) = (Task::default(), hostile.rooms.iter().copied().cycle());
        let all = data(payload_type, acts.len() * 70_000);
        let (mut done, mut writes, mut pings) = (0, Vec::new(), 0_u32);
        for act in acts {
            let (len, slice) = match act {
                Act::Write(len) => (len, usize::MAX),
                Act::Slices(len, slice) => (len, slice),
                Act::Flush => {
                    while task.flush(&mut writer).map(|flushed| flushed.unwrap()).is_pending() {
                        relieve(&mock, &task, &mut rooms);
                    }
                    prop_assert!(mock.is_flushed() || mock.state().written.is_empty());
                    continue;
                }
                Act::Ping => {
                    pings += 1;
                    mock.feed(&wire::ping(role, &pings.to_be_bytes()));
                    let end = drain(&mut writer, &mut std::iter::repeat(Ask::Read(64)), &mut Vec::new());
                    prop_assert!(end.is_none());
                    continue;
                }
            };
            let (to, mut attempt, mut offered_nothing) = (done + len, 0, len == 0);
            while done < to || offered_nothing {
                // A write that waits may be followed by one of other bytes.
                attempt += 1;
                let part = &all[done..to - if attempt % 3 == 1 { (to - done) / 2 } else { 0 }];
                let polled = if slice == usize::MAX {
                    task.write(&mut writer, part)
                } else {
                    let slices: Vec<_> = part.chunks(slice).map(IoSlice::new).collect();
                    task.write_vectored(&mut writer, &slices)
                };
                match polled {
                    Poll::Pending => relieve(&mock, &task, &mut rooms),
                    Poll::Ready(n) => {
                        let n = n.unwrap();
                        prop_assert!(n <= part.len() && (n > 0 || part.is_empty()));
                        prop_assert!(n <= max_frame_len.unwrap_or(usize::MAX).max(4));
                        writes.push(n);
                        done += n;
                        offered_nothing = false;
                    }
                }
            }
        }
        // The last code point is finished.
        let end = (done..).find(|at| is_boundary(payload_type, *at)).unwrap();
        while done < end {
            match task.write(&mut writer, &all[done..end]) {
                Poll::Pending => relieve(&mock, &task, &mut rooms),
                Poll::Ready(n) => {
                    writes.push(n.unwrap());
                    done += writes.last().unwrap();
                }
            }
        }
        while task.shutdown(&mut writer).map(|shut| shut.unwrap()).is_pending() {
            relieve(&mock, &task, &mut rooms);
        }
        prop_assert!(mock.is_flushed());

        let bytes = mock.take_written();
        let mut frames = wire::decode(&bytes);
        let close = frames.pop().unwrap();
        prop_assert_eq!((close.opcode, &close.payload[..]), (CLOSE, &1000_u16.to_be_bytes()[..]));
        let opcode = if payload_type == PayloadType::Text { TEXT } else { BINARY };
        let masked = role == Role::Client;
        prop_assert!(frames.iter().all(|frame| frame.fin && frame.key.is_some() == masked));
        // Pongs in order, the latest always; data frames of this type, one for each write.
        let (pongs, frames): (Vec<_>, Vec<_>) = frames.into_iter().partition(|frame| frame.opcode == PONG);
        prop_assert!(pongs.windows(2).all(|two| two[0].payload < two[1].payload));
        let latest = (pings > 0).then(|| pings.to_be_bytes().to_vec());
        prop_assert_eq!(pongs.last().map(|pong| &pong.payload), latest.as_ref());
        prop_assert!(frames.iter().all(|frame| frame.opcode == opcode));
        if payload_type == PayloadType::Binary {
            prop_assert!(frames.iter().map(|frame| frame.payload.len()).eq(writes));
        } else {
            prop_assert!(frames.len() <= writes.len());
            prop_assert!(frames.iter().all(|frame| std::str::from_utf8(&frame.payload).is_ok()));
            prop_assert!(frames.iter().all(|frame| !frame.payload.is_empty()));
        }

        let other = if masked { Role::Server } else { Role::Client };
        let (mut reader, mock) = stream(other, Config::new(payload_type));
        let (seen, end) = feed_pieces(&mut reader, &mock, pieces(&bytes, &cuts), &asks);
        prop_assert!(seen == all[..done], "{} bytes of {done}", seen.len());
        prop_assert_eq!(kind(&end), Some(None));
        ok(Task::default().shutdown(&mut reader));
    }
}
