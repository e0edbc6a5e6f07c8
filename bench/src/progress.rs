//! A line that says how far it is, where somebody may be watching.

use std::io::{IsTerminal, Write, stderr};

pub struct Progress {
    what: &'static str,
    done: usize,
    total: usize,
    shown: bool,
}

impl Progress {
    pub fn new(what: &'static str, total: usize) -> Self {
        Progress { what, done: 0, total, shown: stderr().is_terminal() }
    }

    pub fn step(&mut self, now: &str) {
        if self.shown {
            eprint!("\r\x1b[K{}: {}/{} {now}", self.what, self.done, self.total);
            let _ = stderr().flush();
        }
        self.done += 1;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}
