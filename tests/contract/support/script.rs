//! A stream's life, written down: run with and without being taken apart, it must come out the same.

use std::io;
use std::task::Poll;

use fastwebsockets_stream::{Config, Role, WebSocketStream};

use super::transport::Answer;
use super::{Task, stream, wire};

/// A call of the stream, or what its transport does from then on.
#[derive(Clone, Debug)]
pub enum Act {
    Feed(Vec<u8>),
    EndInput(Answer),
    Read(usize),
    Write(&'static [u8]),
    Flush,
    Shutdown,
    /// The transport takes so many bytes more.
    Room(usize),
    EndOutput(Answer),
    BlockFlush(bool),
}

/// Runs a script, taking the stream apart before each act of which `apart` is true. What comes of it: the result
/// of each call with what the transport has been given until then, and the frames on the wire.
pub fn run(role: Role, config: &Config, script: &[Act], apart: impl Fn(usize) -> bool) -> Vec<String> {
    let (mut stream, mock) = stream(role, config.clone());
    let (task, mut log) = (Task::default(), Vec::new());
    for (i, act) in script.iter().enumerate() {
        if apart(i) {
            stream = WebSocketStream::from_parts(stream.into_parts());
        }
        let result = match act {
            Act::Read(room) => show(task.read(&mut stream, *room)),
            Act::Write(bytes) => show(task.write(&mut stream, bytes)),
            Act::Flush => show(task.flush(&mut stream)),
            Act::Shutdown => show(task.shutdown(&mut stream)),
            Act::Feed(bytes) => {
                mock.feed(bytes);
                continue;
            }
            transport => {
                let mut state = mock.state();
                match transport {
                    Act::EndInput(end) => state.input_end = *end,
                    Act::EndOutput(end) => (state.output_end, state.room) = (*end, 0),
                    Act::BlockFlush(block) => state.flush = block.then_some(Answer::Pending),
                    Act::Room(room) => state.room = *room,
                    _ => {}
                }
                continue;
            }
        };
        let state = mock.state();
        let (written, flushed, shut) = (state.written.len(), state.flushed, state.is_shut);
        log.push(format!("{i} {act:?}: {result}, {written} written, {flushed} flushed, shut {shut}"));
    }
    let written = mock.take_written();
    let (frames, rest) = wire::decode_prefix(&written);
    log.extend(frames.iter().map(|frame| format!("{:#x} {:?}", frame.opcode, frame.payload)));
    log.push(format!("{} bytes more, closed {}, {:?}", rest.len(), stream.is_closed(), stream.peer_close()));
    log
}

fn show<T: std::fmt::Debug>(polled: Poll<io::Result<T>>) -> String {
    match polled {
        Poll::Pending => "pending".into(),
        Poll::Ready(Ok(value)) => format!("{value:?}"),
        Poll::Ready(Err(error)) => format!("{:?}: {error}", error.kind()),
    }
}

/// A script that feeds `input`, in any order of calls that the seed gives.
pub fn random(seed: u64, input: Vec<u8>) -> Vec<Act> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut pick = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) as usize % below
    };
    let texts: [&[u8]; 7] = [b"", b"hello", b"\xc3", b"\xa9", "€".as_bytes(), b"a\xf0\x9f", b"\x98\x80b"];
    let (mut script, mut at) = (Vec::new(), 0);
    while at < input.len() || script.len() < 60 {
        script.push(match pick(24) {
            0..=6 => Act::Read([1, 2, 7, 64, 5000][pick(5)]),
            7..=10 => Act::Write(texts[pick(7)]),
            11 | 12 => Act::Flush,
            13 => Act::Room([0, 1, 3, 8][pick(4)]),
            14 => Act::Room(usize::MAX),
            15 => Act::BlockFlush(pick(2) == 0),
            16 if pick(8) == 0 => Act::Shutdown,
            17 if pick(20) == 0 => Act::EndOutput(Answer::Error(io::ErrorKind::BrokenPipe)),
            _ => {
                let n = pick(9).min(input.len() - at);
                at += n;
                Act::Feed(input[at - n..at].to_vec())
            }
        });
    }
    script.extend([Act::EndInput(Answer::Zero), Act::Read(5000), Act::Write(b"x"), Act::Room(usize::MAX)]);
    script.extend([Act::Read(5000), Act::BlockFlush(false), Act::Shutdown, Act::Read(64), Act::Shutdown]);
    script
}
