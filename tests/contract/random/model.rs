//! What an end may say and send, by the contract: kept beside the stream, and held against it after each poll.

mod reading;
mod writing;

use std::cell::RefCell;
use std::io::ErrorKind;
use std::time::Duration;

use super::net::Pipe;
use super::plan::Setup;
use super::tap::{Close, Tap};
use crate::support::wire::{PING, PONG};

/// A promise that was not kept.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The line of the contract, and its sense.
    pub rule: &'static str,
    pub text: String,
}

pub type Verdict = Result<(), Failure>;

thread_local! {
    /// The rules that are not looked at, by their beginnings.
    pub static SKIPPED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

pub fn ensure(rule: &'static str, holds: bool, text: impl FnOnce() -> String) -> Verdict {
    if holds || SKIPPED.with_borrow(|skipped| skipped.iter().any(|start| rule.starts_with(start))) {
        return Ok(());
    }
    Err(Failure { rule, text: text() })
}

/// An end's two directions.
pub struct View<'a> {
    pub out: &'a Pipe,
    pub inn: &'a Pipe,
}

/// What is known of an end.
pub struct Model {
    setup: Setup,
    /// All that reads have returned.
    pub delivered: Vec<u8>,
    /// `close` has begun: nothing more is delivered.
    pub discarding: bool,
    /// What the first read without payload said.
    pub read_end: Option<Result<(), ErrorKind>>,
    /// All that writes have accepted, and the frames that it makes.
    pub accepted: Vec<u8>,
    frames: Vec<Vec<u8>>,
    /// So many of them a writer has begun to push: a parked reader goes on with it, if the writer is cancelled.
    pushed: usize,
    /// Of a Text stream: what waits for the rest of its code point, and that rest.
    pub tail: Vec<u8>,
    rest: Vec<u8>,
    /// How many frames and Pongs on the wire have been looked at, and the Pings that these have answered.
    checked: usize,
    answered: usize,
    /// A shutdown, or `close`, has begun.
    pub began: bool,
    /// How much time has passed.
    pub passed: Duration,
    close_timed_out: bool,
    /// The Close that is due, with its reason if that is known.
    due: Option<(Option<u16>, Option<String>)>,
    peer_seen: bool,
    /// The peer's Close repeats the code of this end's earlier one.
    repeats: bool,
    /// The stream has been told that the transport's write side has failed.
    told_failure: bool,
    /// An error has told of a loss, and the transport's own has been told.
    reported: bool,
    own_told: bool,
    written_since_end: bool,
    /// The last write was pending, perhaps to be cancelled; and so it was when the end was read.
    pub write_waits: bool,
    waited_at_end: bool,
    /// A tail has been reported; or perhaps that, perhaps the peer's text.
    tail_reported: bool,
    invalid_reported: bool,
}

impl Model {
    pub fn new(setup: Setup) -> Self {
        Model {
            setup,
            delivered: Vec::new(),
            discarding: false,
            read_end: None,
            accepted: Vec::new(),
            frames: Vec::new(),
            pushed: 0,
            tail: Vec::new(),
            rest: Vec::new(),
            checked: 0,
            answered: 0,
            began: false,
            passed: Duration::ZERO,
            close_timed_out: false,
            due: None,
            peer_seen: false,
            repeats: false,
            told_failure: false,
            reported: false,
            own_told: false,
            written_since_end: false,
            write_waits: false,
            waited_at_end: false,
            tail_reported: false,
            invalid_reported: false,
        }
    }

    /// Whether a Close with this code leaves the other direction open (5.4).
    fn holds(&self, code: Option<u16>) -> bool {
        self.setup.half_close && matches!(code, None | Some(1000))
    }

    fn peer_code(view: &View<'_>) -> Option<u16> {
        view.inn.got.close.as_ref().and_then(|(code, _)| *code)
    }

    /// Whether the stream knows how the reading has ended.
    pub fn end_is_known(&self, view: &View<'_>) -> bool {
        let got = &view.inn.got;
        got.close.is_some() || got.broken.is_some() || view.inn.read_ended || view.inn.read_failed.is_some()
    }

    /// Whether a write must be refused.
    pub fn must_refuse(&self, view: &View<'_>) -> bool {
        let answered = self.peer_seen && !self.holds(Self::peer_code(view));
        self.began
            || answered
            || self.has_timed_out()
            || view.inn.got.broken.is_some()
            || self.is_truncated(view)
    }

    /// Whether a time limit may have been reached: two intervals of keep-alive are as long as a `close` may take.
    fn may_time_out(&self) -> bool {
        let has_limit = self.setup.keep_alive || (self.setup.limit && self.discarding);
        has_limit && self.passed >= Duration::from_secs(10)
    }

    fn has_timed_out(&self) -> bool {
        self.close_timed_out || self.read_end == Some(Err(ErrorKind::TimedOut))
    }

    fn is_truncated(&self, view: &View<'_>) -> bool {
        view.inn.read_ended && view.inn.got.close.is_none()
    }

    /// Whether all that writes have accepted has left, but for a tail.
    fn all_left(&self, view: &View<'_>) -> bool {
        view.out.sent.data == self.frames.len()
            && view.out.flushed >= view.out.sent.end_of(|opcode| opcode < 8)
    }

    fn lost(&self, view: &View<'_>) -> String {
        let Pipe { sent, flushed, .. } = view.out;
        let frames = self.frames.len();
        format!(
            "{frames} frames were accepted, {} sent, {flushed} bytes of {} flushed",
            sent.data, sent.bytes
        )
    }

    /// What follows from what the stream has received in the poll that has just ended.
    pub fn receive(&mut self, view: &View<'_>) {
        if let (Some((code, _)), false) = (&view.inn.got.close, self.peer_seen) {
            self.peer_seen = true;
            self.repeats = code.is_some() && self.due.as_ref().is_some_and(|(due, _)| due == code);
            if !self.holds(*code) {
                self.due.get_or_insert((*code, Some(String::new())));
            }
        }
        if let Some((code, _)) = view.inn.got.broken {
            self.due.get_or_insert((Some(code), None));
        }
    }

    /// A shutdown is about to be polled, or `close` with a Close of its own.
    pub fn begin(&mut self, close: Option<(u16, &str)>, view: &View<'_>) {
        self.began = true;
        self.discarding |= close.is_some();
        let answer = view.inn.got.close.as_ref().map(|(code, _)| (*code, Some(String::new())));
        let due = match close {
            _ if !self.tail.is_empty() => (Some(1007), None),
            Some((code, reason)) => (Some(code), Some(reason.to_owned())),
            None => answer.unwrap_or((Some(1000), Some(String::new()))),
        };
        self.due.get_or_insert(due);
    }

    /// What is on the wire, after any poll; and whether that has `read`.
    pub fn observe(&mut self, view: &View<'_>, peer_close: Option<Option<Close>>, read: bool) -> Verdict {
        let Pipe { sent, .. } = view.out;
        ensure("2.9 what is sent follows RFC 6455", sent.broken.is_none(), || format!("{:?}", sent.broken))?;
        let is_whole =
            sent.data <= self.frames.len() && !(sent.is_in_data() && sent.data == self.frames.len());
        ensure("3.2 a frame is accepted whole or not at all", is_whole, || {
            format!("{} writes were accepted, {} frames are on the wire", self.frames.len(), sent.data)
        })?;
        self.observe_frames(sent, &view.inn.got)?;
        if read && view.out.write_failed.is_none() && !view.out.shut {
            let answered = view.out.ever_refused || !self.owes_pong(view);
            ensure("4.1 every Ping is answered by the poll that reads it", answered, || {
                format!("{} Pings were answered", self.answered)
            })?;
            let waits = sent.data < self.frames.len() || sent.is_cut() || view.out.flushed < sent.bytes;
            let excused = view.out.refused || self.close_timed_out;
            ensure("2.12 a read tries what waits, and flushes it", excused || !waits, || self.lost(view))?;
        }
        if let Some((code, reason)) = &sent.close {
            let due = self.due.as_ref();
            let is_due =
                due.is_some_and(|due| due.0 == *code && due.1.as_ref().is_none_or(|text| text == reason));
            ensure("5.2 the Close is the one that is due", is_due, || {
                format!("sent {code:?} {reason:?}, due is {due:?}")
            })?;
            ensure("5.1 what was accepted goes before the Close", sent.data == self.frames.len(), || {
                self.lost(view)
            })?;
        }
        ensure(
            "5.1 nothing is written to a transport that is shut",
            !view.out.wrote_after_shut,
            String::new,
        )?;
        if let Some(peer_close) = peer_close {
            let expected = view.inn.got.close.as_ref();
            ensure("1.6 the peer's Close can be asked for", peer_close.as_ref() == expected, || {
                format!("{peer_close:?}, expected {expected:?}")
            })?;
        }
        Ok(())
    }

    fn observe_frames(&mut self, sent: &Tap, got: &Tap) -> Verdict {
        let mut data = sent.frames[..self.checked].iter().filter(|frame| frame.opcode < 8).count();
        while let Some(frame) = sent.frames.get(self.checked) {
            self.checked += 1;
            match frame.opcode {
                0..=7 => {
                    let expected = &self.frames[data];
                    data += 1;
                    ensure("3.1 a frame holds the bytes of its write", frame.payload == *expected, || {
                        format!("{:02x?}, expected {expected:02x?}", frame.payload)
                    })?;
                }
                PONG => {
                    let ping = got.of_kind(PING).skip(self.answered).position(|ping| ping == frame.payload);
                    ensure("4.1 Pings are answered in order", ping.is_some(), || {
                        format!("Pong {:02x?}, {} Pings were answered before", frame.payload, self.answered)
                    })?;
                    self.answered += ping.map_or(0, |ping| ping + 1);
                }
                PING => ensure("5.5 Pings are sent only if asked for", self.setup.keep_alive, String::new)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the last Ping waits for its answer. Of empty Pings it is not known which was answered.
    pub fn owes_pong(&self, view: &View<'_>) -> bool {
        let mut left = view.inn.got.of_kind(PING).skip(self.answered);
        left.next().is_some_and(|ping| !ping.is_empty() || !view.out.ever_refused)
    }

    /// Whether there may be a reason to keep the stream that is not known here: a flush of the transport, a Ping of its
    /// own, the answer to an empty one.
    pub fn may_owe(&self, view: &View<'_>) -> bool {
        let empty = view.inn.got.of_kind(PING).any(<[u8]>::is_empty);
        view.out.flushed < view.out.sent.bytes || self.setup.keep_alive || empty
    }

    /// Nobody is awake, the transport is open, and a reader waits: what it has to push has left.
    pub fn at_rest(&self, view: &View<'_>) -> Verdict {
        let Pipe { sent, flushed, .. } = view.out;
        ensure("3.3 a parked reader pushes the rest of a frame", !sent.is_cut(), String::new)?;
        ensure("4.1 a parked reader answers the last Ping", !self.owes_pong(view), String::new)?;
        let control = sent.end_of(|opcode| opcode >= 8);
        ensure("4.2 what a reader sends is flushed", *flushed >= control, || {
            format!("{flushed} bytes of {control} are flushed")
        })?;
        ensure("4.3 a parked reader takes over from a writer", sent.data >= self.pushed, || self.lost(view))?;
        let closed = self.due.is_none() || sent.close.is_some();
        ensure("4.3 a parked reader sends the Close that is due", closed, || format!("{:?}", self.due))
    }

    /// The stream can be given up without a loss (1.4).
    pub fn is_clean(&self, view: &View<'_>) -> bool {
        let read = view.inn.got.is_idle() && self.delivered.len() == view.inn.got.payload.len();
        let written = view.out.sent.data == self.frames.len() && !view.out.sent.is_cut();
        let open = self.due.is_none() && !self.peer_seen && self.read_end.is_none();
        let failed = view.out.write_failed.is_some() || view.inn.read_ended || view.inn.read_failed.is_some();
        read && written && open && self.tail.is_empty() && !self.owes_pong(view) && !failed
    }
}
