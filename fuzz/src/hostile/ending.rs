//! Moments at which all is open: what can go on goes on, and at the end everything ends.

use kit::line::After;

use super::{Op, READER, Run, WRITER};

impl Run {
    /// Everything opens. What has begun goes on as far as it can; what waits then must wait for the peer, or for time to pass.
    pub fn settle(&mut self) {
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
    pub fn drive(&mut self) {
        for turn in 0.. {
            assert!(turn < 4000, "tasks wake each other without end");
            self.note_wakes();
            let due = [turn % 2, 1 - turn % 2];
            let Some(task) = due.into_iter().find(|task| self.runnable[*task] && self.ops[*task].is_some())
            else {
                return;
            };
            self.poll(task);
            self.look_at_the_wire();
        }
    }

    /// Everything opens, the peer sends the rest and ends, and both directions are brought to their ends.
    pub fn finish(&mut self) {
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
        if self.setup.abandons && self.user.is_whole() {
            return self.abandon();
        }
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

    /// The stream is dropped as it is.
    fn abandon(&mut self) {
        self.cancel(READER);
        self.cancel(WRITER);
        let before = self.line.borrow().written.len();
        let answers = self.may_answer();
        self.user.drop_all();
        self.look_at_the_wire();
        let after = self.line.borrow().written.len();
        assert!(answers != Some(false) || after == before, "5.6: a drop sends {} bytes", after - before);
        let answered = self.out.close.is_some() || self.has_failed();
        assert!(answers != Some(true) || answered, "5.6: an orderly end is not answered");
    }

    pub fn shut_down(&mut self) {
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
    pub fn read_to_the_end(&mut self) {
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
