//! What a byte stream over WebSocket does where TCP is clear: each peer as a server, over a transport in memory, with a peer that is
//! written down. README.md has some of the rows, and this section says whether they are true.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use fastwebsockets_stream::Role;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};

use crate::options::Options;
use crate::peers::duplex::{Duplex, DuplexVisitor, visit_all};
use crate::peers::{AsyncTungstenite, Ours, Peer, TokioTungstenite, WsStreamTungstenite};
use crate::results::Results;
use crate::script::frame;
use crate::table::Table;

/// The columns of the table in README.md, in their order. The last is in another language.
const README_PEERS: [&str; 4] =
    [Ours::NAME, WsStreamTungstenite::NAME, AsyncTungstenite::NAME, TokioTungstenite::NAME];

const README: &str = include_str!("../../README.md");

trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// What is asked, and whether the answer of a stream and of what its peer sees is yes.
type Question = (&'static str, fn(&mut dyn Stream, DuplexStream) -> bool);

const QUESTIONS: [Question; 8] = [
    ("payload before its frame is complete", |near, mut far| {
        let whole = frame(2, true, 100, &[7; 100]);
        send(&mut far, &whole[..whole.len() - 50]);
        matches!(read(near), Some(Ok(bytes)) if bytes.len() == 50)
    }),
    ("a missing Close is an error", |near, mut far| {
        send(&mut far, &frame(2, true, 4, b"data"));
        drop(far);
        read_to_end(near).1.is_err()
    }),
    ("a Close that says failure is an error", |near, mut far| {
        send(&mut far, &frame(8, true, 2, &1011_u16.to_be_bytes()));
        read_to_end(near).1.is_err()
    }),
    ("an empty message is not the end", |near, mut far| {
        send(&mut far, &frame(2, true, 0, b""));
        send(&mut far, &frame(2, true, 4, b"data"));
        matches!(read(near), Some(Ok(bytes)) if bytes == b"data")
    }),
    ("Pings stay out of the data", |near, mut far| {
        send(&mut far, &frame(9, true, 4, b"ping"));
        send(&mut far, &frame(2, true, 4, b"data"));
        matches!(read(near), Some(Ok(bytes)) if bytes == b"data")
    }),
    ("Pongs leave while nothing else is done than reading", |near, mut far| {
        send(&mut far, &frame(9, true, 4, b"ping"));
        read(near);
        seen(&mut far).contains(&10)
    }),
    ("half-close", |near, mut far| {
        send(&mut far, &frame(2, true, 4, b"data"));
        send(&mut far, &frame(8, true, 2, &1000_u16.to_be_bytes()));
        let request = read_to_end(near);
        let written = soon(async {
            near.write_all(b"answer").await?;
            near.flush().await
        });
        request.0 == b"data" && matches!(written, Some(Ok(()))) && seen(&mut far).first() == Some(&2)
    }),
    ("reading goes on after shutdown", |near, mut far| {
        soon(near.shutdown());
        send(&mut far, &frame(2, true, 4, b"data"));
        matches!(read(near), Some(Ok(bytes)) if bytes == b"data")
    }),
];

/// What becomes of it without anybody else's doing.
fn soon<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    // Some have themselves woken once or twice before they wait for others.
    (0..64).find_map(|_| match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

fn send(far: &mut DuplexStream, bytes: &[u8]) {
    soon(far.write_all(bytes)).expect("there is room").expect("it is open");
}

fn read(near: &mut dyn Stream) -> Option<std::io::Result<Vec<u8>>> {
    let mut bytes = vec![0; 1000];
    soon(async { near.read(&mut bytes).await }).map(|read| read.map(|n| bytes[..n].to_vec()))
}

fn read_to_end(near: &mut dyn Stream) -> (Vec<u8>, std::io::Result<()>) {
    let mut all = Vec::new();
    loop {
        match read(near) {
            Some(Ok(bytes)) if !bytes.is_empty() => all.extend(bytes),
            Some(Err(error)) => return (all, Err(error)),
            _ => return (all, Ok(())),
        }
    }
}

/// The opcodes of the short frames that have come.
fn seen(far: &mut DuplexStream) -> Vec<u8> {
    let mut bytes = vec![0; 1000];
    let n = soon(far.read(&mut bytes)).and_then(Result::ok).unwrap_or(0);
    let (mut opcodes, mut rest) = (Vec::new(), &bytes[..n]);
    while let [first, length, ..] = rest {
        opcodes.push(first & 0x0f);
        rest = rest.get(2 + usize::from(*length)..).unwrap_or_default();
    }
    opcodes
}

struct Columns<'a> {
    options: &'a Options,
    /// A peer, and its answers.
    found: Vec<(&'static str, Vec<bool>)>,
}

impl DuplexVisitor for Columns<'_> {
    fn visit<P: Duplex>(&mut self) {
        if !P::FRAMES || !self.options.wants_peer(P::NAME) {
            return;
        }
        let answers = QUESTIONS.iter().map(|(_, ask)| {
            let (near, far) = duplex(1 << 16);
            ask(&mut P::duplex(near, Role::Server), far)
        });
        self.found.push((P::NAME, answers.collect()));
    }
}

pub fn run(options: &Options, results: &mut Results) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("no sockets");
    let _inside = runtime.enter();
    let mut columns = Columns { options, found: Vec::new() };
    visit_all(&mut columns);
    let found = columns.found;
    let head = [""].into_iter().chain(found.iter().map(|(name, _)| *name));
    let mut table = Table::new(head).left(1);
    let word = |yes: bool| if yes { "yes" } else { "no" };
    for (at, (question, _)) in QUESTIONS.iter().enumerate() {
        let answers = found.iter().map(|(_, answers)| word(answers[at]));
        table.row([*question].into_iter().chain(answers));
        if let Some((_, ours)) = found.iter().find(|(name, _)| *name == Ours::NAME) {
            results.check(format!("behaviour: {question}"), ours[at], "");
        }
        let row = README.lines().find_map(|line| line.strip_prefix(&format!("| {question} |")));
        let said: Vec<&str> = row.into_iter().flat_map(|row| row.split('|')).map(str::trim).collect();
        for (said, peer) in said.iter().zip(README_PEERS) {
            let Some((_, answers)) = found.iter().find(|(name, _)| *name == peer) else { continue };
            let is_true = said.trim_matches('*') == word(answers[at]);
            results.check(format!("README: {question}, {peer}"), is_true, format!("says {said}"));
        }
    }
    table.print("Behaviour, where TCP is clear");
}
