//! What happens next, drawn from the input: to the transport, to the stream, in the tasks.

use std::io::ErrorKind;
use std::time::Duration;

use kit::input::Input;
use kit::line::{After, Fault};
use kit::oracle;
use tokio::runtime::Runtime;

use super::{Op, READER, Run, WRITER};
use crate::user::User;

impl Run {
    pub fn act(&mut self, input: &mut Input<'_>, clock: &Runtime) {
        use ErrorKind::{BrokenPipe, ConnectionReset, PermissionDenied};
        let kind = input.pick(&[ConnectionReset, BrokenPipe, PermissionDenied]);
        let what = input.byte();
        self.trace(|| format!("act {what}"));
        if matches!(what, 140..=147 | 180..=183 | 236..=243) && self.goes_on(input) {
            return;
        }
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
                let fault =
                    input.pick(&[Fault::Write(kind), Fault::Zero, Fault::Flush(kind), Fault::Shutdown(kind)]);
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
                self.seen.passed += ms;
            }
        }
        self.look_at_the_wire();
    }

    /// Whether something that ends a direction is put off.
    fn goes_on(&self, input: &mut Input<'_>) -> bool {
        self.setup.lasts && input.byte() >= 16
    }

    /// Goes on with a task, if it has been woken, or begins something new.
    pub fn run_one(&mut self, task: usize, input: &mut Input<'_>) {
        self.note_wakes();
        if self.ops[task].is_none() && self.may_begin(task) {
            self.ops[task] = Some(self.draw_op(task, input));
            self.runnable[task] = true;
        }
        if self.runnable[task] {
            self.poll(task);
        }
    }

    pub fn may_begin(&self, task: usize) -> bool {
        match task {
            READER => self.user.can_read(),
            _ => self.user.can_write(),
        }
    }

    pub fn draw_op(&mut self, task: usize, input: &mut Input<'_>) -> Op {
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
                let slices = if what.is_multiple_of(4) { input.below(5) } else { 1 };
                let lengths = (0..slices).map(|_| {
                    let length = input.length().min(self.budget);
                    self.budget -= length;
                    length
                });
                Op::Write(lengths.collect())
            }
            150..=209 => Op::Flush,
            _ if self.goes_on(input) => Op::Flush,
            210..=231 => {
                self.seen.began = true;
                self.note_own_code(Some(1000));
                Op::Shutdown
            }
            _ => self.begin_close(input),
        }
    }

    pub fn begin_close(&mut self, input: &mut Input<'_>) -> Op {
        let code = input.pick(&[1000, 1000, 1001, 1008, 1011, 3000, 4999, 1005, 999]);
        let reason = "x".repeat(input.pick(&[0, 0, 3, 123, 124]));
        let is_whole = self.user.is_whole();
        let is_legal = oracle::is_on_the_wire(code) && reason.len() <= 123;
        if is_legal {
            (self.seen.began, self.seen.closes) = (true, true);
            self.note_own_code(Some(code));
            self.seen.discards |= is_whole || !self.user.can_read();
        }
        if is_whole {
            // It is alone with the stream.
            self.cancel(READER);
        }
        Op::Close(self.user.close(code, reason), is_legal)
    }

    /// The code of this end's Close, if it is the first one on the way.
    pub fn note_own_code(&mut self, code: Option<u16>) {
        if self.inn.close.is_none() && self.seen.own_code.is_none() {
            self.seen.own_code = code;
        }
    }

    pub fn cancel(&mut self, task: usize) {
        self.ops[task] = None;
        self.runnable[task] = true;
    }

    /// The stream takes another shape; whoever waited has to ask again.
    pub fn reshape(&mut self, change: impl FnOnce(&User)) {
        // A call of `close` has borrowed it.
        if matches!(self.ops[WRITER], Some(Op::Close(..))) {
            self.cancel(WRITER);
        }
        change(&self.user);
        self.runnable = [true, true];
    }

    pub fn drop_half(&mut self, task: usize, what: u8) {
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
                (self.seen.began, self.seen.writer_left) = (true, true);
                self.note_own_code(Some(if self.seen.tail.is_empty() { 1000 } else { 1007 }));
            }
            self.seen.forgot = forgets;
            self.user.drop_writer(forgets);
        }
    }
}
