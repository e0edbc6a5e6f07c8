//! Transports that put aside what they refused: PROMISES 3.2, 4.1.
//!
//! This one behaves like `SSL_write`: what met a full socket has been encrypted, so the next call sends that, whatever
//! it is given; and to be given less, or something else, is an error.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use fastwebsockets_stream::{Role, WebSocketStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::support::{ROLES, Task, binary, name, ok, pattern, wire};

#[derive(Default)]
struct State {
    record: Vec<u8>,
    is_blocked: bool,
    wire: Vec<u8>,
    input: Vec<u8>,
}

struct Encrypted(Arc<Mutex<State>>);

impl AsyncWrite for Encrypted {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let state = &mut *self.0.lock().unwrap();
        if state.record.is_empty() {
            state.record = buf[..buf.len().min(16 * 1024)].to_vec();
        } else if !buf.starts_with(&state.record) {
            return Poll::Ready(Err(io::Error::other("bad write retry")));
        }
        if state.is_blocked {
            return Poll::Pending;
        }
        let record = std::mem::take(&mut state.record);
        state.wire.extend_from_slice(&record);
        Poll::Ready(Ok(record.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.0.lock().unwrap();
        if state.input.is_empty() {
            return Poll::Pending;
        }
        buf.put_slice(&std::mem::take(&mut state.input));
        Poll::Ready(Ok(()))
    }
}

fn stream(role: Role) -> (WebSocketStream<Encrypted>, Arc<Mutex<State>>) {
    let state = Arc::new(Mutex::new(State { is_blocked: true, ..State::default() }));
    (WebSocketStream::from_transport(Encrypted(state.clone()), role, [], binary()), state)
}

#[test]
fn write_that_was_refused_and_is_tried_again_is_the_same_to_the_last_byte() {
    for role in ROLES {
        for size in [10, 1000, 5000, 40_000, 100_000] {
            let (mut stream, state) = stream(role);
            let (task, data) = (Task::default(), pattern(size));
            for _ in 0..3 {
                assert!(task.write(&mut stream, &data).is_pending());
            }
            state.lock().unwrap().is_blocked = false;
            assert_eq!(ok(task.write(&mut stream, &data)), size);
            ok(task.flush(&mut stream));
            let wire = state.lock().unwrap().wire.clone();
            assert!(wire::payload(&wire::decode(&wire)) == data, "{} {size}", name(role));
        }
    }
}

#[test]
fn write_that_was_refused_is_the_same_to_the_last_byte_in_a_stream_that_was_taken_apart() {
    for role in ROLES {
        for size in [1, 10, 1000, 40_000] {
            let (mut stream, state) = stream(role);
            let (task, data) = (Task::default(), pattern(size));
            for _ in 0..3 {
                assert!(task.write(&mut stream, &data).is_pending());
                stream = WebSocketStream::from_parts(stream.into_parts());
            }
            // What was put aside is sent, and what is offered then must begin with the very same.
            let refused = state.lock().unwrap().record.clone();
            state.lock().unwrap().is_blocked = false;
            assert_eq!(ok(task.write(&mut stream, &data)), size);
            ok(task.flush(&mut stream));
            let wire = state.lock().unwrap().wire.clone();
            assert!(wire.starts_with(&refused), "{} {size}", name(role));
            assert!(wire::payload(&wire::decode(&wire)) == data, "{} {size}", name(role));
        }
    }
}

#[test]
fn pong_that_was_refused_is_not_replaced_by_a_newer_one() {
    for role in ROLES {
        let (mut stream, state) = stream(role);
        let task = Task::default();
        for ping in [b"1".as_slice(), b"a longer one", b"2", b"the last"] {
            state.lock().unwrap().input = wire::ping(role, ping);
            assert!(task.read(&mut stream, 100).is_pending());
        }
        state.lock().unwrap().is_blocked = false;
        assert!(task.read(&mut stream, 100).is_pending());
        let wire = state.lock().unwrap().wire.clone();
        let pongs: Vec<Vec<u8>> = wire::decode(&wire).into_iter().map(|frame| frame.payload).collect();
        assert_eq!(pongs, [b"1".as_slice(), b"the last"]);
    }
}
