//! The transport between the ends, which does its worst: two pipes, and a [`Link`] for each end.
//!
//! Each direction keeps one waker at each side, the last. Nothing moves by itself: windows open, bytes arrive and
//! wakers are woken when the schedule says so.

mod link;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::dice::Dice;
use super::tap::Tap;

/// What a direction is like.
#[derive(Clone, Debug)]
pub struct Traits {
    /// Writes go to a buffer of so many bytes, and on from there when it is full, or flushed.
    pub buffered: Option<usize>,
    pub vectored: bool,
    /// One poll in so many is `Pending` without a reason; 0: none.
    pub hesitant: usize,
    /// Gives and takes less than it could.
    pub nibbles: bool,
}

/// How a direction dies.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    Write(ErrorKind),
    WriteZero,
    Flush(ErrorKind),
    Shutdown(ErrorKind),
    /// What has not arrived is lost, and reads fail.
    Read(ErrorKind),
    /// What has not been read is lost, and reads fail.
    Reset(ErrorKind),
    /// What has not arrived is lost.
    Eof,
}

/// One direction.
pub struct Pipe {
    pub traits: Traits,
    /// So many bytes are taken.
    pub window: usize,
    pub flush_blocked: bool,
    pub shut_blocked: bool,
    fate: Option<Fate>,
    /// Bytes that wait for a flush, are under way, and can be read.
    pub hold: VecDeque<u8>,
    pub flight: VecDeque<u8>,
    pub arrived: VecDeque<u8>,
    /// Nothing follows what is in flight; and that is known to the reader.
    pub ended: bool,
    pub end_arrived: bool,
    reader_gone: bool,
    gone_noticed: bool,
    pub sent: Tap,
    pub got: Tap,
    writer: Option<Waker>,
    reader: Option<Waker>,
    writer_due: bool,
    reader_due: bool,
    /// A poll of the write side was `Pending`: since the stream's poll has begun, and ever.
    pub refused: bool,
    /// How many bytes had been taken when the last flush succeeded.
    pub flushed: usize,
    pub ever_refused: bool,
    /// What the streams were told.
    pub write_failed: Option<ErrorKind>,
    pub read_failed: Option<ErrorKind>,
    pub read_ended: bool,
    pub shut_failed: Option<ErrorKind>,
    pub shut_polled: bool,
    pub shut: bool,
    pub wrote_after_shut: bool,
}

/// Both directions; `pipes[i]` leads from end `i` to the other one.
pub struct Net {
    pub pipes: [Pipe; 2],
    dice: Dice,
    /// Dropping an end with unread bytes destroys what it has sent and what has not arrived.
    resets: bool,
    pub trace: Option<Vec<String>>,
}

/// An end's transport.
pub struct Link {
    pub net: Rc<RefCell<Net>>,
    pub end: usize,
}

impl Pipe {
    pub fn new(traits: Traits, window: usize, sent: Tap, got: Tap) -> Self {
        Pipe {
            traits,
            window,
            flush_blocked: false,
            shut_blocked: false,
            fate: None,
            hold: VecDeque::new(),
            flight: VecDeque::new(),
            arrived: VecDeque::new(),
            ended: false,
            end_arrived: false,
            reader_gone: false,
            gone_noticed: false,
            sent,
            got,
            writer: None,
            reader: None,
            writer_due: false,
            reader_due: false,
            refused: false,
            flushed: 0,
            ever_refused: false,
            write_failed: None,
            read_failed: None,
            read_ended: false,
            shut_failed: None,
            shut_polled: false,
            shut: false,
            wrote_after_shut: false,
        }
    }

    pub fn wake_writer(&mut self) {
        self.writer_due = false;
        self.writer.take().into_iter().for_each(Waker::wake);
    }

    pub fn wake_reader(&mut self) {
        self.reader_due = false;
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    fn forget_writer(&mut self) {
        (self.writer, self.writer_due) = (None, false);
    }

    fn forget_reader(&mut self) {
        (self.reader, self.reader_due) = (None, false);
    }

    /// Moves up to `n` bytes on to the reader.
    pub fn deliver(&mut self, n: usize) {
        let n = n.min(self.flight.len());
        self.arrived.extend(self.flight.drain(..n));
        self.end_arrived |= self.ended && self.flight.is_empty();
        if n > 0 || self.end_arrived {
            self.wake_reader();
        }
    }

    /// Only the first death counts.
    pub fn kill(&mut self, fate: Fate) {
        if self.fate.is_some() {
            return;
        }
        self.fate = Some(fate);
        match fate {
            Fate::Read(_) | Fate::Reset(_) | Fate::Eof => {
                self.flight.clear();
                if matches!(fate, Fate::Reset(_)) {
                    self.arrived.clear();
                }
                (self.ended, self.end_arrived) = (true, true);
                self.wake_reader();
            }
            Fate::Flush(_) | Fate::Shutdown(_) | Fate::Write(_) | Fate::WriteZero => self.wake_writer(),
        }
    }

    /// The far end hears of what the writer knows already: the direction is dead.
    pub fn tell_reader(&mut self) {
        if matches!(self.fate, Some(Fate::Write(_) | Fate::WriteZero | Fate::Flush(_))) {
            self.ended = true;
        }
    }

    /// All that will happen by itself, sooner or later; false if that is nothing.
    pub fn settle(&mut self) -> bool {
        let news = !self.flight.is_empty() || (self.ended && !self.end_arrived);
        let notice = self.reader_gone && !self.gone_noticed;
        if news {
            self.deliver(usize::MAX);
        }
        if notice {
            self.gone_noticed = true;
            self.wake_writer();
        }
        let due = self.writer_due || self.reader_due;
        if self.writer_due {
            self.wake_writer();
        }
        if self.reader_due {
            self.wake_reader();
        }
        news || notice || due
    }

    /// Whether a read would get something, be it an error or the end.
    pub fn is_readable(&self) -> bool {
        !self.arrived.is_empty() || self.end_arrived
    }

    /// A poll of the write side is `Pending`; if something is due, the waker is woken without a cause.
    fn wait_to_write<T>(&mut self, cx: &mut Context<'_>, due: bool) -> Poll<T> {
        (self.refused, self.ever_refused, self.writer_due) = (true, true, due);
        self.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn write_error<T>(&mut self, kind: ErrorKind) -> Poll<io::Result<T>> {
        self.write_failed = Some(kind);
        Poll::Ready(Err(kind.into()))
    }

    /// Bytes leave the writer's side.
    fn pass(&mut self, bytes: impl IntoIterator<Item = u8>) {
        let before = self.flight.len();
        self.flight.extend(bytes);
        if self.reader_gone || self.ended {
            self.flight.truncate(before);
        }
    }

    /// Sends on what is held, as far as the window is open.
    fn pass_held(&mut self) {
        let n = self.hold.len().min(self.window);
        self.window -= if self.window == usize::MAX { 0 } else { n };
        let bytes: Vec<u8> = self.hold.drain(..n).collect();
        self.pass(bytes);
    }
}
