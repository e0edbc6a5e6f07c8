//! What the programs at the two ends do with their streams, and what they come to know.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use fastwebsockets_stream::WebSocketStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use crate::network::Link;

/// What a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// Writes so many bytes, shuts down, and reads to the end.
    Asks(usize),
    /// Reads to the end, writes so many bytes, and shuts down.
    Answers(usize),
    /// Does both at once, in two tasks: with `into_split` or `tokio::io::split`.
    Talks { bytes: usize, owned: bool },
    /// Writes back what it reads, up to the end.
    Echoes,
    /// Writes so many bytes, and closes.
    Closes(usize, u16),
    /// Writes so many bytes, flushes, and is gone.
    Leaves(usize),
    /// Reads a few bytes, and nothing more for a long time; then it is gone.
    Stalls,
}

/// How a program writes and reads.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// The length of a write, and of a read.
    pub piece: usize,
    /// It rests for so many milliseconds before the first read and two more.
    pub rest: u64,
}

/// What a program knows in the end.
#[derive(Debug, Default)]
pub struct Report {
    pub opened: bool,
    pub accepted: Vec<u8>,
    /// What was offered to the write that failed: part of it may have left.
    pub refused: Vec<u8>,
    pub got: Vec<u8>,
    /// The reading ended as it should.
    pub clean: bool,
    pub errors: Vec<(&'static str, ErrorKind)>,
    /// This end's Close has been asked for.
    pub ended: bool,
    /// The program's own patience was over, not a limit of the stream's.
    pub gave_up: bool,
    pub finished: bool,
}

pub type Told = Rc<RefCell<Report>>;

/// A program's own patience with a peer that has gone silent, where no limit of the stream's holds: after this end's Close.
const PATIENCE: Duration = Duration::from_secs(90);

/// The same with a peer that takes nothing. More than the slowest network takes for all bytes of a run, one by one.
const WRITE_PATIENCE: Duration = Duration::from_secs(400);

/// The result of a call of the writer, which a limit of the stream's should have ended.
async fn patiently<T>(told: &Told, call: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(WRITE_PATIENCE, call).await.unwrap_or_else(|_| {
        told.borrow_mut().gave_up = true;
        Err(ErrorKind::WouldBlock.into())
    })
}

/// The bytes of each end, never the same twice in a row.
pub fn byte(end: usize, at: usize) -> u8 {
    u8::try_from((at * 7 + at / 251 + end * 101) % 256).unwrap_or(0)
}

pub fn failed(told: &Told, what: &'static str, error: &io::Error) {
    told.borrow_mut().errors.push((what, error.kind()));
}

/// The program at one end, over a stream that is open.
pub async fn run(user: User, manner: Manner, end: usize, mut stream: WebSocketStream<Link>, told: Told) {
    match user {
        User::Asks(bytes) => {
            if send(&mut stream, bytes, manner, end, &told).await {
                shut(&mut stream, &told).await;
            }
            receive(&mut stream, manner, &told).await;
        }
        User::Answers(bytes) => {
            receive(&mut stream, manner, &told).await;
            if send(&mut stream, bytes, manner, end, &told).await {
                shut(&mut stream, &told).await;
            }
        }
        User::Talks { bytes, owned: true } => {
            let (reader, writer) = stream.into_split();
            talk(reader, writer, bytes, manner, end, &told).await;
        }
        User::Talks { bytes, owned: false } => {
            let (reader, writer) = tokio::io::split(stream);
            talk(reader, writer, bytes, manner, end, &told).await;
        }
        User::Echoes => echo(&mut stream, manner, &told).await,
        User::Closes(bytes, code) => {
            send(&mut stream, bytes, manner, end, &told).await;
            told.borrow_mut().ended = true;
            match patiently(&told, stream.close(code, "enough")).await {
                Ok(Some(_)) => told.borrow_mut().clean = true,
                Ok(None) => failed(&told, "close", &ErrorKind::UnexpectedEof.into()),
                Err(error) => failed(&told, "close", &error),
            }
        }
        User::Leaves(bytes) => {
            send(&mut stream, bytes, manner, end, &told).await;
        }
        User::Stalls => {
            let mut few = [0; 3];
            match timeout(PATIENCE, stream.read(&mut few)).await {
                Ok(Ok(n)) => told.borrow_mut().got.extend(&few[..n]),
                Ok(Err(error)) => failed(&told, "read", &error),
                Err(_) => told.borrow_mut().gave_up = true,
            }
            sleep(Duration::from_secs(300)).await;
        }
    }
    told.borrow_mut().finished = true;
}

/// Both at once; each task is woken only for itself.
async fn talk<R, W>(mut reader: R, mut writer: W, bytes: usize, manner: Manner, end: usize, told: &Told)
where
    R: AsyncRead + Unpin + 'static,
    W: AsyncWrite + Unpin + 'static,
{
    let reading = {
        let told = told.clone();
        spawn_local(async move {
            receive(&mut reader, manner, &told).await;
            reader
        })
    };
    if send(&mut writer, bytes, manner, end, told).await {
        shut(&mut writer, told).await;
    }
    // The half that is dropped first has nothing left to say.
    let _reader = reading.await.expect("the reading task ends");
}

async fn send(
    writer: &mut (impl AsyncWrite + Unpin),
    bytes: usize,
    manner: Manner,
    end: usize,
    told: &Told,
) -> bool {
    let all: Vec<u8> = (0..bytes).map(|at| byte(end, at)).collect();
    let mut at = 0;
    while at < all.len() {
        match patiently(told, writer.write(&all[at..all.len().min(at + manner.piece)])).await {
            Ok(n) => {
                told.borrow_mut().accepted.extend(&all[at..at + n]);
                at += n;
            }
            Err(error) => {
                told.borrow_mut().refused = all[at..all.len().min(at + manner.piece)].to_vec();
                failed(told, "write", &error);
                return false;
            }
        }
    }
    let flushed = patiently(told, writer.flush()).await;
    flushed.inspect_err(|error| failed(told, "flush", error)).is_ok()
}

async fn shut(writer: &mut (impl AsyncWrite + Unpin), told: &Told) {
    told.borrow_mut().ended = true;
    if let Err(error) = patiently(told, writer.shutdown()).await {
        failed(told, "shutdown", &error);
    }
}

async fn receive(reader: &mut (impl AsyncRead + Unpin), manner: Manner, told: &Told) {
    let mut piece = vec![0; manner.piece];
    for turn in 0_usize.. {
        if manner.rest > 0 && turn < 9 && turn.is_multiple_of(3) {
            sleep(Duration::from_millis(manner.rest)).await;
        }
        match timeout(PATIENCE, reader.read(&mut piece)).await {
            Err(_) => {
                told.borrow_mut().gave_up = true;
                return;
            }
            Ok(Ok(0)) => {
                told.borrow_mut().clean = true;
                return;
            }
            Ok(Ok(n)) => told.borrow_mut().got.extend(&piece[..n]),
            Ok(Err(error)) => return failed(told, "read", &error),
        }
    }
}

async fn echo(stream: &mut WebSocketStream<Link>, manner: Manner, told: &Told) {
    let mut piece = vec![0; manner.piece];
    loop {
        let n = match timeout(PATIENCE, stream.read(&mut piece)).await {
            Err(_) => {
                told.borrow_mut().gave_up = true;
                return;
            }
            Ok(Ok(n)) => n,
            Ok(Err(error)) => return failed(told, "read", &error),
        };
        if n == 0 {
            told.borrow_mut().clean = true;
            return shut(stream, told).await;
        }
        told.borrow_mut().got.extend(&piece[..n]);
        let mut at = 0;
        while at < n {
            match patiently(told, stream.write(&piece[at..n])).await {
                Ok(written) => {
                    told.borrow_mut().accepted.extend(&piece[at..at + written]);
                    at += written;
                }
                Err(error) => {
                    told.borrow_mut().refused = piece[at..n].to_vec();
                    return failed(told, "write", &error);
                }
            }
        }
    }
}
