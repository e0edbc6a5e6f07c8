//! One stream, whole or in halves, between a peer that sends what it likes and a transport that does what it likes; and two tasks that
//! use it in any order. It is held against what the contract says.

mod acts;
mod checks;
mod ending;
mod setup;

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use fastwebsockets_stream::{Role, WebSocketStream};
use kit::input::{self, Input};
use kit::line::{Line, Pipe};
use kit::oracle::{Mask, Oracle};
use kit::script;
use kit::task::Task;

use crate::clock;
use crate::user::User;
use setup::{Op, Setup};

/// The reading task, and the writing one.
const READER: usize = 0;
const WRITER: usize = 1;

/// A run.
pub struct Run {
    setup: Setup,
    user: User,
    line: Rc<RefCell<Line>>,
    tasks: [Task; 2],
    ops: [Option<Op>; 2],
    runnable: [bool; 2],
    /// What the peer has yet to send.
    script: Vec<u8>,
    /// How much was read ahead of the stream.
    ahead: usize,
    /// What has been read of the transport, and what has been written to it, as the oracle sees it.
    inn: Oracle,
    out: Oracle,
    seen: Seen,
    read_seen: usize,
    written_seen: usize,
    serial: usize,
    budget: usize,
}

/// What the user has been told, and has asked for.
#[derive(Default)]
pub struct Seen {
    delivered: usize,
    /// How reading ended, the first time.
    end: Option<Result<(), ErrorKind>>,
    accepted: Vec<u8>,
    /// So much of the last write waits for the rest of its code point.
    tail: Vec<u8>,
    /// And so much has waited for it in vain, which was told.
    lost_tail: usize,
    /// A shutdown or a `close` has begun; and what that close says.
    began: bool,
    /// It was a `close`.
    closes: bool,
    own_code: Option<u16>,
    discards: bool,
    /// The longest write that was accepted.
    largest: usize,
    /// The writing half was dropped, and has left its Close to the reading one.
    writer_left: bool,
    /// The writing half has gone without a word.
    forgot: bool,
    /// The writer has been told that something went wrong.
    write_told: bool,
    /// And what the transport itself has said.
    own_told: bool,
    /// Something was written since the reading has ended.
    wrote_since: bool,
    /// A write has waited, and none was ready since; it may have been cancelled.
    write_waits: bool,
    /// And so it was when the reading ended.
    waited_at_end: bool,
    timed_out: bool,
    /// How many milliseconds have passed.
    passed: u64,
}

/// Draws a run, and checks it from its first poll to its last.
pub fn check(input: &mut Input<'_>) {
    clock::stopped(|clock| {
        let mut run = Run::draw(input);
        // Ends with the input, and soon after all that can happen.
        let mut after = 8;
        while !input.is_over() && after > 0 {
            run.act(input, clock);
            after -= usize::from(run.is_over());
        }
        run.finish();
    });
}

impl Run {
    fn draw(input: &mut Input<'_>) -> Self {
        let setup = Setup::draw(input);
        let line = Line::open();
        line.borrow_mut().vectored = input.flag();
        let mut script = script::draw(input, setup.is_server, setup.is_text);
        let ahead = if input.flag() { input.length().min(script.len()) } else { 0 };
        let ahead: Vec<u8> = script.drain(..ahead).collect();
        let role = if setup.is_server { Role::Server } else { Role::Client };
        let stream = WebSocketStream::from_transport(Pipe(line.clone()), role, &ahead, setup.config());
        let (theirs, ours) =
            if setup.is_server { (Mask::Always, Mask::Never) } else { (Mask::Never, Mask::Always) };
        let mut inn = Oracle::new(theirs, setup.is_text);
        inn.push(&ahead);
        Run {
            user: User::new(stream),
            line,
            tasks: Default::default(),
            ops: [None, None],
            runnable: [true, true],
            script,
            ahead: ahead.len(),
            inn,
            out: Oracle::of_sender(ours, setup.is_text),
            seen: Seen::default(),
            read_seen: 0,
            written_seen: 0,
            serial: 0,
            budget: 300_000,
            setup,
        }
    }

    /// Says what happens, where `FUZZ_TRACE` is set: to see what a finding is about.
    fn trace(&self, line: impl FnOnce() -> String) {
        static TRACES: LazyLock<bool> = LazyLock::new(|| std::env::var_os("FUZZ_TRACE").is_some());
        if *TRACES {
            eprintln!("{}", line());
        }
    }

    /// Both directions have ended, and whoever asks again is told so again.
    fn is_over(&self) -> bool {
        self.seen.end.is_some() && self.line.borrow().shut
    }

    fn note_wakes(&mut self) {
        for (task, runnable) in self.tasks.iter().zip(&mut self.runnable) {
            *runnable |= task.was_woken();
        }
    }

    /// Polls a task once, woken or not.
    fn poll(&mut self, task: usize) {
        if !self.may_begin(task) && !matches!(self.ops[task], Some(Op::Close(..))) {
            self.ops[task] = None;
        }
        let Some(mut op) = self.ops[task].take() else { return };
        self.runnable[task] = false;
        let knew = self.knows_the_end();
        let waker = self.tasks[task].waker();
        let cx = &mut Context::from_waker(&waker);
        let is_ready = match &mut op {
            Op::Read(room) => {
                let polled = self.user.read(cx, *room);
                self.after_read(*room, polled.map_ok(|bytes| (bytes.clone(), bytes.len())))
            }
            Op::Look(most) => {
                let polled = self.user.look(cx, *most);
                self.after_read(1, polled)
            }
            Op::Write(lengths) => {
                let bytes = self.make(lengths.iter().sum());
                let polled = self.user.write(|stream| write(stream, cx, lengths, &bytes));
                self.after_write(&bytes, polled)
            }
            Op::Flush => {
                let polled = self.user.write(|stream| stream.poll_flush(cx));
                self.after_flush(polled)
            }
            Op::Shutdown => {
                let polled = self.user.write(|stream| stream.poll_shutdown(cx));
                self.after_shutdown(polled)
            }
            Op::Close(closing, is_legal) => {
                let polled = closing.as_mut().poll(cx);
                self.after_close(*is_legal, polled)
            }
        };
        self.trace(|| {
            format!(
                "  {}: {op:?}, {}",
                ["reader", "writer"][task],
                if is_ready { "ready" } else { "pending" }
            )
        });
        if is_ready {
            self.runnable[task] = true;
        } else {
            self.ops[task] = Some(op);
        }
        self.note_wakes();
        self.check_memory();
        // 4.3. A writer that is alone has met it itself.
        if task == READER && !knew && self.knows_the_end() {
            let waits = matches!(self.ops[WRITER], Some(Op::Write(_) | Op::Flush | Op::Shutdown));
            assert!(!waits || self.runnable[WRITER], "the end of the reading does not wake a waiting writer");
        }
    }

    /// Bytes to write: on a Text stream, what may come next.
    fn make(&mut self, len: usize) -> Vec<u8> {
        self.serial += 1;
        if !self.setup.is_text {
            return input::pattern(self.serial, len);
        }
        input::text_behind(&self.seen.tail, self.serial, len)
    }
}

fn write(
    stream: Pin<&mut (dyn tokio::io::AsyncWrite + Unpin)>,
    cx: &mut Context<'_>,
    lengths: &[usize],
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    if lengths.len() == 1 {
        return stream.poll_write(cx, bytes);
    }
    stream.poll_write_vectored(cx, &input::slices(bytes, lengths))
}
