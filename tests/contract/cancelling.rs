//! Cancellation: PROMISES 2.11, 3.2, 4.3; pitfalls C2, C3. A future is dropped at every point where it can wait.

use std::future::Future;
use std::pin::pin;

use fastwebsockets_stream::{Config, PayloadType, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::transport::Answer;
use crate::support::{ROLES, Task, binary, name, ok, pattern, read_all, stream, text, wire};

/// Polls once and drops, as `select!` does with the branch that was not ready.
fn poll_and_drop<F: Future>(task: &Task, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match task.run(|cx| future.as_mut().poll(cx)) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

/// A conversation of the peer's that has everything in it.
fn conversation(role: Role, payload_type: PayloadType) -> (Vec<u8>, Vec<u8>) {
    let opcode = if payload_type == PayloadType::Text { wire::TEXT } else { wire::BINARY };
    let body = "häuser 😀 und ".repeat(40).into_bytes();
    let (first, second) = body.split_at(17);
    let wire = [
        wire::from_peer(role, false, opcode, first),
        wire::ping(role, b"in between"),
        wire::from_peer(role, true, wire::CONTINUATION, second),
        wire::from_peer(role, true, opcode, b""),
        wire::from_peer(role, true, wire::PONG, b"unasked"),
        wire::from_peer(role, true, opcode, &body),
        wire::close(role, Some(1000), "end"),
    ]
    .concat();
    (wire, [body.clone(), body].concat())
}

#[test]
fn read_that_is_dropped_after_every_byte_loses_nothing() {
    for role in ROLES {
        for config in [binary(), text(), binary().half_close(false)] {
            let (wire, expected) = conversation(role, payload_type(&config));
            for room in [1, 7, 5000] {
                let (mut stream, mock) = stream(role, config.clone());
                let (task, mut all) = (Task::default(), Vec::new());
                for octet in &wire {
                    mock.feed(&[*octet]);
                    let mut bytes = vec![0; room];
                    while let Some(result) = poll_and_drop(&task, stream.read(&mut bytes)) {
                        match result.unwrap() {
                            0 => break,
                            n => all.extend_from_slice(&bytes[..n]),
                        }
                    }
                }
                assert!(stream.is_closed());
                assert!(all == expected, "{} {room}", name(role));
                if config == binary().half_close(true) {
                    assert_eq!(wire::opcodes(&wire::decode(&mock.state().written)), [wire::PONG]);
                }
                ok(task.shutdown(&mut stream));
                let sent = wire::decode(&mock.take_written());
                assert_eq!(wire::opcodes(&sent), [wire::PONG, wire::CLOSE]);
                assert_eq!(sent[0].payload, b"in between");
            }
        }
    }
}

fn payload_type(config: &Config) -> PayloadType {
    stream(Role::Client, config.clone()).0.payload_type()
}

#[test]
fn write_that_is_dropped_at_every_fill_of_the_pipe_is_whole_or_absent() {
    for role in ROLES {
        for write_buffer in [0, 60] {
            for room in 0..200 {
                let (mut stream, mock) = stream(role, binary().write_buffer(write_buffer));
                let (task, mut accepted) = (Task::default(), Vec::new());
                mock.set_room(room);
                for i in 0..20 {
                    let bytes = pattern(20 + i);
                    if let Some(n) = poll_and_drop(&task, stream.write(&bytes)) {
                        let n = n.unwrap();
                        assert_eq!(n, bytes.len());
                        accepted.extend(bytes);
                    }
                    // Other data, and less, than the write that was dropped.
                    if let Some(n) = poll_and_drop(&task, stream.write(b"ab")) {
                        assert_eq!(n.unwrap(), 2);
                        accepted.extend(b"ab");
                    }
                }
                mock.set_room(usize::MAX);
                ok(task.flush(&mut stream));
                assert!(
                    wire::payload(&wire::decode(&mock.take_written())) == accepted,
                    "{} {room}",
                    name(role)
                );
            }
        }
    }
}

#[test]
fn dropped_write_then_a_shorter_write_all_stays_within_its_buffer() {
    let (mut stream, mock) = stream(Role::Client, binary());
    let task = Task::default();
    mock.set_room(0);
    assert!(poll_and_drop(&task, stream.write(&pattern(20))).is_none());
    mock.set_room(usize::MAX);
    assert!(poll_and_drop(&task, stream.write_all(b"ab")).is_some());
    assert_eq!(wire::payload(&wire::decode(&mock.take_written())), b"ab");
}

#[test]
fn flush_and_shutdown_that_are_dropped_at_every_step_go_on() {
    for role in ROLES {
        for step in 0..40 {
            let (mut stream, mock) = stream(role, binary().write_buffer(1000));
            let task = Task::default();
            ok(task.write(&mut stream, b"some data"));
            mock.state().flush = Some(Answer::Pending);
            mock.set_room(step);
            poll_and_drop(&task, stream.flush());
            poll_and_drop(&task, stream.shutdown());
            mock.state().flush = None;
            mock.set_room(usize::MAX);
            poll_and_drop(&task, stream.shutdown()).unwrap().unwrap();
            let frames = wire::decode(&mock.take_written());
            assert_eq!(wire::opcodes(&frames), [wire::BINARY, wire::CLOSE], "{} {step}", name(role));
        }
    }
}

#[test]
fn hesitant_transport_delivers_and_takes_the_same_bytes() {
    for role in ROLES {
        let (wire, expected) = conversation(role, PayloadType::Binary);
        for room in [1, 100, 10_000] {
            let (mut stream, mock) = stream(role, binary());
            {
                let mut state = mock.state();
                (state.hesitant, state.read_chunk, state.write_chunk) = (true, 1, 1);
            }
            mock.feed(&wire);
            let (all, end) = read_all(&mut stream, room);
            end.unwrap();
            assert!(all == expected);
        }
    }
}
