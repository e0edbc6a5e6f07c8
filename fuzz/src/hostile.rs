//! One stream, whole or in halves, between a peer that sends what it likes and a transport that does what it likes; and two tasks that
//! use it in any order. It is held against what the contract says.

mod checks;

use std::cell::RefCell;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
use kit::input::{self, Input};
use kit::line::{After, Fault, Line, Pipe};
use kit::oracle::{self, Mask, Oracle};
use kit::script;
use kit::task::Task;
use tokio::runtime::Runtime;

use crate::user::{Closing, User};

/// What a task waits for.
pub enum Op {
    Read(usize),
    Look(usize),
    /// Slices of these lengths; one alone is an ordinary write.
    Write(Vec<usize>),
    Flush,
    Shutdown,
    Close(Closing),
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Read(room) => write!(f, "read {room}"),
            Op::Look(most) => write!(f, "look, {most} taken"),
            Op::Write(lengths) => write!(f, "write {lengths:?}"),
            Op::Flush => f.write_str("flush"),
            Op::Shutdown => f.write_str("shutdown"),
            Op::Close(_) => f.write_str("close"),
        }
    }
}

/// The reading task, and the writing one.
const READER: usize = 0;
const WRITER: usize = 1;

pub struct Setup {
    is_server: bool,
    is_text: bool,
    most: usize,
    write_buffer: usize,
    half_close: bool,
    abnormal_is_error: bool,
    /// Timers: keep-alive, a stall, and the time for a `close`.
    keep_alive: bool,
    stall: bool,
    close_limit: bool,
}

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
    own_code: Option<u16>,
    discards: bool,
    /// The writing half has gone without a word.
    forgot: bool,
    /// The writer has been told that something went wrong.
    write_told: bool,
    /// And what the transport itself has said.
    own_told: bool,
    timed_out: bool,
}

thread_local! {
    static CLOCK: Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O");
}

/// Draws a run, and checks it from its first poll to its last.
pub fn check(input: &mut Input<'_>) {
    CLOCK.with(|clock| {
        let _inside = clock.enter();
        let mut run = Run::draw(input);
        // Ends with the input.
        while !input.is_over() {
            run.act(input, clock);
        }
        run.finish();
    });
}

impl Setup {
    fn draw(input: &mut Input<'_>) -> Self {
        let flags = [input.byte(), input.byte()];
        let flag = |bit: usize| flags[bit / 8] >> (bit % 8) & 1 == 1;
        Setup {
            is_server: flag(0),
            is_text: flag(1),
            most: if flag(2) { 4 + input.below(60) } else { 1 << 20 },
            write_buffer: if flag(3) { 1 + input.below(300) } else { 0 },
            half_close: !flag(4),
            abnormal_is_error: !flag(5),
            keep_alive: flag(6) && flag(7),
            stall: flag(6) && flag(8),
            close_limit: flag(6),
        }
    }

    fn config(&self) -> Config {
        let mut config = Config::new(if self.is_text { PayloadType::Text } else { PayloadType::Binary })
            .max_frame_len(Some(self.most))
            .write_buffer(self.write_buffer)
            .half_close(self.half_close)
            .abnormal_close_is_error(self.abnormal_is_error)
            .close_timeout(if self.close_limit { Duration::from_secs(10) } else { Duration::MAX });
        if self.keep_alive {
            config = config.keep_alive(Duration::from_secs(5));
        }
        if self.stall { config.stall_timeout(Duration::from_secs(7)) } else { config }
    }
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

    fn act(&mut self, input: &mut Input<'_>, clock: &Runtime) {
        use ErrorKind::{BrokenPipe, ConnectionReset, PermissionDenied};
        let kind = input.pick(&[ConnectionReset, BrokenPipe, PermissionDenied]);
        let what = input.byte();
        self.trace(|| format!("act {what}"));
        match what {
            0..=89 => self.run_one(usize::from(what & 1), input),
            90..=99 => self.poll(usize::from(what & 1)),
            100..=107 => self.cancel(usize::from(what & 1)),
            108..=139 => {
                let n = (1 + input.length()).min(self.script.len());
                let bytes: Vec<u8> = self.script.drain(..n).collect();
                if self.line.borrow().after == After::More {
                    self.line.borrow_mut().arrive(&bytes);
                }
            }
            140..=144 => self.line.borrow_mut().end(After::End),
            145..=147 => self.line.borrow_mut().end(After::Error(kind)),
            148..=163 => {
                let mut line = self.line.borrow_mut();
                line.window = input.length();
                line.wake_writer();
            }
            164..=171 => {
                let mut line = self.line.borrow_mut();
                line.flush_blocked = what & 1 == 0;
                line.shut_blocked = what & 2 == 0;
                line.wake_writer();
            }
            172..=179 => {
                let n = input.below(24);
                self.line.borrow_mut().steps.extend(input.take(n));
            }
            180..=183 => {
                let fault = input.pick(&[Fault::Write(kind), Fault::Zero, Fault::Flush(kind), Fault::Shutdown(kind)]);
                let mut line = self.line.borrow_mut();
                line.fault.get_or_insert(fault);
                line.wake_writer();
            }
            184..=195 => self.line.borrow_mut().wake_due(),
            196..=215 => self.settle(),
            216..=223 => self.reshape(|user| user.rebuild()),
            224..=235 => self.reshape(|user| user.split_or_unite()),
            236..=239 => self.drop_half(READER, what),
            240..=243 => self.drop_half(WRITER, what),
            _ => {
                let ms = input.pick(&[1, 1000, 2500, 4999, 5001, 7001, 10_001]);
                clock.block_on(tokio::time::advance(Duration::from_millis(ms)));
            }
        }
        self.look_at_the_wire();
    }

    /// Says what happens, where `FUZZ_TRACE` is set: to see what a finding is about.
    fn trace(&self, line: impl FnOnce() -> String) {
        static TRACES: LazyLock<bool> = LazyLock::new(|| std::env::var_os("FUZZ_TRACE").is_some());
        if *TRACES {
            eprintln!("{}", line());
        }
    }

    /// Goes on with a task, if it has been woken, or begins something new.
    fn run_one(&mut self, task: usize, input: &mut Input<'_>) {
        self.note_wakes();
        if self.ops[task].is_none() && self.may_begin(task) {
            self.ops[task] = Some(self.draw_op(task, input));
            self.runnable[task] = true;
        }
        if self.runnable[task] {
            self.poll(task);
        }
    }

    fn may_begin(&self, task: usize) -> bool {
        match task {
            READER => self.user.can_read(),
            _ => self.user.can_write(),
        }
    }

    fn draw_op(&mut self, task: usize, input: &mut Input<'_>) -> Op {
        let what = input.byte();
        if task == READER {
            return match what {
                0..=159 => Op::Read(input.length().min(20_000)),
                160..=223 => Op::Look(input.length()),
                _ => Op::Read(4096 + usize::from(what)),
            };
        }
        match what {
            0..=149 => {
                let slices = if what % 4 == 0 { input.below(5) } else { 1 };
                let lengths = (0..slices).map(|_| {
                    let length = input.length().min(self.budget);
                    self.budget -= length;
                    length
                });
                Op::Write(lengths.collect())
            }
            150..=209 => Op::Flush,
            210..=231 => {
                self.seen.began = true;
                self.note_own_code(Some(1000));
                Op::Shutdown
            }
            _ => self.begin_close(input),
        }
    }

    fn begin_close(&mut self, input: &mut Input<'_>) -> Op {
        let code = input.pick(&[1000, 1000, 1001, 1008, 1011, 3000, 4999, 1005, 999]);
        let reason = "x".repeat(input.pick(&[0, 0, 3, 123, 124]));
        let is_whole = self.user.is_whole();
        if oracle::is_on_the_wire(code) && reason.len() <= 123 {
            self.seen.began = true;
            self.note_own_code(Some(code));
            self.seen.discards |= is_whole || !self.user.can_read();
        }
        if is_whole {
            // It is alone with the stream.
            self.cancel(READER);
        }
        Op::Close(self.user.close(code, reason))
    }

    /// The code of this end's Close, if it is the first one on the way.
    fn note_own_code(&mut self, code: Option<u16>) {
        if self.inn.close.is_none() && self.seen.own_code.is_none() {
            self.seen.own_code = code;
        }
    }

    fn cancel(&mut self, task: usize) {
        self.ops[task] = None;
        self.runnable[task] = true;
    }

    /// The stream takes another shape; whoever waited has to ask again.
    fn reshape(&mut self, change: impl FnOnce(&User)) {
        // A call of `close` has borrowed it.
        if matches!(self.ops[WRITER], Some(Op::Close(_))) {
            self.cancel(WRITER);
        }
        change(&self.user);
        self.runnable = [true, true];
    }

    fn drop_half(&mut self, task: usize, what: u8) {
        if !self.user.has_both_halves() {
            return;
        }
        self.cancel(task);
        if task == READER {
            self.seen.discards = true;
            self.user.drop_reader();
        } else {
            let forgets = what & 2 == 0;
            if !forgets {
                self.seen.began = true;
                self.note_own_code(Some(if self.seen.tail.is_empty() { 1000 } else { 1007 }));
            }
            self.seen.forgot = forgets;
            self.user.drop_writer(forgets);
        }
    }

    fn note_wakes(&mut self) {
        for (task, runnable) in self.tasks.iter().zip(&mut self.runnable) {
            *runnable |= task.was_woken();
        }
    }

    /// Polls a task once, woken or not.
    fn poll(&mut self, task: usize) {
        if !self.may_begin(task) && !matches!(self.ops[task], Some(Op::Close(_))) {
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
            Op::Close(closing) => {
                let polled = closing.as_mut().poll(cx);
                self.after_close(polled)
            }
        };
        self.trace(|| format!("  {}: {op:?}, {}", ["reader", "writer"][task], if is_ready { "ready" } else { "pending" }));
        if is_ready {
            self.runnable[task] = true;
        } else {
            self.ops[task] = Some(op);
        }
        self.note_wakes();
        self.check_memory();
        if !knew && self.knows_the_end() {
            // 4.3
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
        let mut utf8 = kit::utf8::Utf8::default();
        self.seen.tail.iter().for_each(|octet| assert!(utf8.take(*octet)));
        let mut bytes = Vec::new();
        while utf8.unfinished() > 0 {
            bytes.extend((0x80..=0xbf).find(|octet| utf8.take(*octet)));
        }
        bytes.extend(input::text(self.serial, len));
        bytes.truncate(len);
        bytes
    }

    /// Everything opens. What has begun goes on as far as it can; what waits then must wait for the peer, or for time to pass.
    fn settle(&mut self) {
        let closed = {
            let mut line = self.line.borrow_mut();
            let closed = (line.window, line.flush_blocked, line.shut_blocked);
            (line.window, line.flush_blocked, line.shut_blocked) = (usize::MAX, false, false);
            line.steps.clear();
            line.wake_writer();
            line.wake_due();
            closed
        };
        self.drive();
        self.check_rest();
        for task in [READER, WRITER] {
            if self.ops[task].is_some() {
                self.poll(task);
                assert!(self.ops[task].is_some(), "task {task} slept while there was something to do");
                self.look_at_the_wire();
            }
        }
        // What that has moved is nobody's to wait for.
        self.drive();
        let mut line = self.line.borrow_mut();
        (line.window, line.flush_blocked, line.shut_blocked) = closed;
    }

    /// Polls whoever has been woken, until nobody is.
    fn drive(&mut self) {
        for turn in 0.. {
            assert!(turn < 4000, "tasks wake each other without end");
            self.note_wakes();
            let due = [turn % 2, 1 - turn % 2];
            let Some(task) = due.into_iter().find(|task| self.runnable[*task] && self.ops[*task].is_some()) else {
                return;
            };
            self.poll(task);
            self.look_at_the_wire();
        }
    }

    /// Everything opens, the peer sends the rest and ends, and both directions are brought to their ends.
    fn finish(&mut self) {
        {
            let mut line = self.line.borrow_mut();
            (line.window, line.flush_blocked, line.shut_blocked) = (usize::MAX, false, false);
            line.steps.clear();
            if line.after == After::More {
                let rest = std::mem::take(&mut self.script);
                line.arrive(&rest);
            }
            line.end(After::End);
            line.wake_writer();
            line.wake_due();
        }
        self.drive();
        // A half that closes may have to wait until the other one has read.
        self.read_to_the_end();
        let waits = self.ops.iter().flatten().next();
        assert!(waits.is_none(), "{waits:?} waits for ever");
        self.shut_down();
        self.read_to_the_end();
        self.user.drop_all();
        self.look_at_the_wire();
        self.check_end();
    }

    fn shut_down(&mut self) {
        if !self.user.can_write() {
            return;
        }
        self.seen.began = true;
        self.note_own_code(Some(1000));
        // The second: what is left of an error that the first has told.
        for _ in 0..2 {
            self.ops[WRITER] = Some(Op::Shutdown);
            self.runnable[WRITER] = true;
            self.drive();
            assert!(self.ops[WRITER].is_none(), "a shutdown waits for ever");
        }
    }

    /// Ends: each read takes a byte, or is the end.
    fn read_to_the_end(&mut self) {
        while self.user.can_read() {
            self.ops[READER] = Some(Op::Read(5000));
            self.runnable[READER] = true;
            self.drive();
            assert!(self.ops[READER].is_none(), "a read waits for ever");
            if self.seen.end.is_some() {
                return;
            }
        }
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
    let mut left = bytes;
    let slices = lengths.iter().map(|length| {
        let (slice, rest) = left.split_at(*length);
        left = rest;
        IoSlice::new(slice)
    });
    let slices: Vec<IoSlice<'_>> = slices.collect();
    stream.poll_write_vectored(cx, &slices)
}
