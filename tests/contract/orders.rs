//! Random orders of reader, writer, cancellation and transport, with a fixed seed: PROMISES 3.3, 4.3; pitfall C4.
//!
//! Whenever something could go on, somebody has been woken who will go on with it.

use std::io;
use std::task::Poll;

use fastwebsockets_stream::WebSocketStream;

use crate::support::transport::Answer;
use crate::support::{ROLES, Task, Transport, binary, stream, wire};

/// What the writer is about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Op {
    Write(usize),
    Flush,
    Shutdown,
}

fn poll_op(task: &Task, stream: &mut WebSocketStream<Transport>, op: Op) -> Poll<io::Result<()>> {
    match op {
        Op::Write(n) => task.write(stream, &vec![7; n]).map_ok(|_| ()),
        Op::Flush => task.flush(stream),
        Op::Shutdown => task.shutdown(stream),
    }
}

/// One order of events, of 40 steps; then everything opens, and nothing may be left undone.
fn fuzz(seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut pick = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) as usize % below
    };
    let role = ROLES[pick(2)];
    let gather = if pick(4) == 0 { 100 } else { 0 };
    let half = pick(2) == 0;
    let (mut stream, mock) = stream(role, binary().write_buffer(gather).half_close(half));
    let (reader, writer) = (Task::default(), Task::default());
    let mut reads = false;
    let mut over = false;
    let mut op: Option<Op> = None;
    let mut log = Vec::new();
    let mut closed = false;
    let mut spins = 0;
    let steps = 40;
    for step in 0..=steps {
        if step == steps {
            mock.set_room(usize::MAX);
            mock.state().flush = None;
            mock.state().shutdown = None;
            log.push("open all".into());
            mock.wake_writer();
        } else {
            match pick(14) {
                0 => {
                    mock.set_room(0);
                    log.push("room 0".into());
                }
                1 | 2 => {
                    let n = 1 + pick(10);
                    mock.set_room(n);
                    log.push(format!("room {n}"));
                    mock.wake_writer();
                }
                3 => {
                    mock.set_room(usize::MAX);
                    log.push("room max".into());
                    mock.wake_writer();
                }
                4 => {
                    mock.state().flush = Some(Answer::Pending);
                    log.push("block flush".into());
                }
                5 => {
                    mock.state().flush = None;
                    log.push("unblock flush".into());
                    mock.wake_writer();
                }
                6 => {
                    mock.state().shutdown = Some(Answer::Pending);
                    log.push("block shut".into());
                }
                7 => {
                    mock.feed(&wire::ping(role, b"pi"));
                    log.push("ping".into());
                    mock.wake_reader();
                }
                8 => {
                    mock.feed(&wire::data(role, b"da"));
                    log.push("data".into());
                    mock.wake_reader();
                }
                9 if pick(6) == 0 && !closed => {
                    closed = true;
                    // Either ends the reading, and the second one the writing too.
                    mock.feed(&wire::close(role, Some([1000, 1001][pick(2)]), ""));
                    log.push("close".into());
                    mock.wake_reader();
                }
                10 if !over && !reads => {
                    reads = true;
                    log.push("read starts".into());
                    reader.waker().wake();
                }
                11 if pick(3) == 0 && reads => {
                    reads = false;
                    log.push("read cancelled".into());
                }
                12 if op.is_none() => {
                    let new = match pick(8) {
                        0..=4 => Op::Write(pick(40)),
                        5 | 6 => Op::Flush,
                        _ if pick(4) == 0 => Op::Shutdown,
                        _ => Op::Flush,
                    };
                    op = Some(new);
                    log.push(format!("{new:?}"));
                    writer.waker().wake();
                }
                13 if pick(3) == 0 && op.is_some() => {
                    op = None;
                    log.push("op cancelled".into());
                }
                _ => {}
            }
        }
        if step < steps && pick(3) == 0 {
            continue;
        }
        let mut turns = 0;
        let (mut r_woken, mut w_woken) = (false, false);
        loop {
            r_woken |= reader.wakes() > 0;
            w_woken |= writer.wakes() > 0;
            if !(r_woken && reads || w_woken && op.is_some()) {
                break;
            }
            turns += 1;
            assert!(turns < 60, "seed {seed} spins: {log:?}");
            let first_reader = pick(2) == 0;
            if r_woken && reads && (first_reader || !(w_woken && op.is_some())) {
                r_woken = false;
                log.push("  poll read".into());
                match reader.read(&mut stream, 100) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(b)) if b.is_empty() => {
                        over = true;
                        reads = false;
                        log.push("  eof".into());
                    }
                    Poll::Ready(Ok(_)) => r_woken = true,
                    Poll::Ready(Err(e)) => panic!("seed {seed}: {e} {log:?}"),
                }
            } else if w_woken && let Some(now) = op {
                w_woken = false;
                match poll_op(&writer, &mut stream, now) {
                    Poll::Pending => log.push("  op pending".into()),
                    Poll::Ready(r) => {
                        op = None;
                        log.push(format!("  op {:?}", r.map_err(|e| e.kind())));
                    }
                }
            }
            spins += 1;
        }
        if step == steps {
            assert!(op.is_none(), "seed {seed}: writer lost: {log:?}");
            if reads {
                let written = mock.state().written.clone();
                let cut = !wire::decode_prefix(&written).1.is_empty();
                let d = format!("{stream:?}");
                assert!(
                    gather > 0 && !cut || d.contains("unsent: 0"),
                    "seed {seed}: reader lost: {d} {log:?}"
                );
            }
        }
    }
    let _ = spins;
    drop(stream);
    let _ = wire::decode_prefix(&mock.take_written());
}

#[test]
fn no_order_of_reader_writer_and_cancellation_loses_a_wake_up() {
    for seed in 1..150_000 {
        fuzz(seed);
    }
}
