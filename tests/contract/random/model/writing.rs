//! What writes, flushes, shutdowns, `close` and the end of a stream may say and do.

use std::io::{self, ErrorKind};
use std::task::Poll;

use super::{Close, Model, Verdict, View, ensure};
use crate::random::dice::Dice;
use crate::support::wire::PING;

impl Model {
    /// Something to write: bytes that differ with the seed, on a Text stream what may come next.
    pub fn make(&self, seed: u64, len: usize) -> Vec<u8> {
        let mut dice = Dice::new(seed);
        if !self.setup.text {
            return dice.bytes(len);
        }
        let mut bytes = [&self.rest[..], dice.text(len).as_bytes()].concat();
        bytes.truncate(len);
        bytes
    }

    /// How much of so many bytes a write accepts.
    fn acceptable(&self, len: usize) -> usize {
        let most = self.setup.max_frame_len.unwrap_or(usize::MAX);
        len.min(if self.setup.text { most.max(4) - self.tail.len() } else { most })
    }

    /// A write of what [`make`](Self::make) has made of this seed.
    pub fn after_write(
        &mut self,
        seed: u64,
        bytes: &[u8],
        polled: &Poll<io::Result<usize>>,
        view: &View<'_>,
    ) -> Verdict {
        let refuses = self.must_refuse(view);
        self.write_waits = polled.is_pending();
        let n = match polled {
            Poll::Pending => {
                self.pushed = self.frames.len();
                return ensure("3.9 a write that is refused does not wait", !refuses, || {
                    format!("began {}, peer's Close {:?}", self.began, view.inn.got.close)
                });
            }
            Poll::Ready(Err(error)) => return self.after_write_error(error.kind(), view),
            Poll::Ready(Ok(n)) => *n,
        };
        ensure("3.9 no write is accepted after the end", !refuses, || {
            format!("accepted {n}, began {}, peer's Close {:?}", self.began, view.inn.got.close)
        })?;
        ensure("3.9 no write is accepted by a transport that has failed", !self.told_failure, || {
            format!("{:?}", view.out.write_failed)
        })?;
        let expected = self.acceptable(bytes.len());
        ensure("3.1 a write takes the whole buffer up to the limit", n == expected, || {
            format!("{n} of {}, expected {expected}", bytes.len())
        })?;
        self.accept(seed, &bytes[..n]);
        let gone = view.out.sent.data == self.frames.len();
        let excused = self.setup.write_buffer > 0 || view.out.refused || view.out.write_failed.is_some();
        ensure("3.3 a frame goes to the transport at once", gone || excused, || self.lost(view))
    }

    fn accept(&mut self, seed: u64, bytes: &[u8]) {
        // What follows one that waited when the end was read was written before, once it is flushed.
        self.written_since_end |= !self.waited_at_end;
        self.accepted.extend(bytes);
        if !self.setup.text {
            self.frames.push(bytes.to_vec());
            return;
        }
        let full = self.make(seed, bytes.len() + 4);
        let is_start = |byte: &u8| byte & 0xc0 != 0x80;
        let after = &full[bytes.len()..];
        let rest = after.iter().position(is_start).unwrap_or(after.len());
        let mut text = std::mem::take(&mut self.tail);
        text.extend(bytes);
        let whole = match std::str::from_utf8(&text) {
            Ok(_) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        self.tail = text.split_off(whole);
        if !bytes.is_empty() {
            self.rest = if self.tail.is_empty() { Vec::new() } else { after[..rest].to_vec() };
        }
        if !text.is_empty() {
            self.frames.push(text);
        }
    }

    fn after_write_error(&mut self, kind: ErrorKind, view: &View<'_>) -> Verdict {
        let because = self.must_refuse(view) || self.told_failure || view.out.write_failed.is_some();
        ensure("3.9 no write is refused without a cause", because, || {
            format!("{kind:?}; peer's Close {:?}, half-close {}", view.inn.got.close, self.setup.half_close)
        })?;
        self.after_failure("write", kind, view)
    }

    /// An error of write or flush: the transport's own once, else `BrokenPipe`.
    fn after_failure(&mut self, call: &str, kind: ErrorKind, view: &View<'_>) -> Verdict {
        let own = view.out.write_failed == Some(kind) && !self.own_told;
        self.own_told |= own;
        let fits = kind == ErrorKind::BrokenPipe || own;
        ensure("3.9 an error is told once as it is, then BrokenPipe", fits, || {
            format!("{call}: {kind:?}, the transport said {:?}", view.out.write_failed)
        })?;
        self.report(view);
        Ok(())
    }

    fn report(&mut self, view: &View<'_>) {
        self.reported |= view.out.write_failed.is_some() || view.out.shut_failed.is_some();
        self.reported |= view.inn.got.broken.is_some() || self.is_truncated(view);
    }

    /// A write on a Text stream that is no text.
    pub fn after_invalid(&mut self, polled: &Poll<io::Result<usize>>, view: &View<'_>) -> Verdict {
        self.write_waits = polled.is_pending();
        match polled {
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::InvalidData => Ok(()),
            Poll::Ready(Err(error)) => self.after_write_error(error.kind(), view),
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(_)) => ensure("3.8 text is UTF-8", false, || format!("{polled:?}")),
        }
    }

    pub fn after_flush(&mut self, polled: &Poll<io::Result<()>>, view: &View<'_>) -> Verdict {
        match polled {
            Poll::Pending => {
                self.pushed = self.frames.len();
                Ok(())
            }
            Poll::Ready(Ok(())) => {
                self.waited_at_end &= self.write_waits;
                ensure("3.9 a flush is Ok only if all has left", self.all_left(view), || self.lost(view))
            }
            Poll::Ready(Err(error)) => {
                let failed = view.inn.got.broken.is_some() || self.is_truncated(view) || self.has_timed_out();
                let because = failed || view.out.write_failed.is_some();
                ensure("3.9 no flush fails without a cause", because, || format!("{error:?}"))?;
                self.after_failure("flush", error.kind(), view)
            }
        }
    }

    /// What a shutdown and `close` have in common.
    fn after_end_of_writing(&mut self, result: Result<(), ErrorKind>, view: &View<'_>) -> Verdict {
        match result {
            Ok(()) => {
                let left = self.all_left(view) || self.reported;
                ensure("3.9 bytes that were accepted are not lost silently", left, || self.lost(view))?;
                let whole = self.tail.is_empty() || self.tail_reported || self.invalid_reported;
                ensure("3.8 a tail is reported", whole, || format!("tail {:02x?}", self.tail))?;
                let failed = view.out.write_failed.or(view.out.shut_failed);
                let closed = view.out.sent.close.is_some() && view.out.flushed == view.out.sent.bytes;
                let excused = failed.is_some() || self.has_timed_out();
                ensure("5.1 the Close has been sent and flushed", closed || excused, || {
                    format!("due {:?}, sent {:?}", self.due, view.out.sent.close)
                })
            }
            Err(ErrorKind::InvalidData) if !self.tail.is_empty() && !self.tail_reported => {
                self.tail_reported = true;
                Ok(())
            }
            Err(kind) => {
                self.own_told |= view.out.write_failed == Some(kind);
                let told = [view.out.write_failed, view.out.shut_failed].contains(&Some(kind));
                ensure("5.1 an error of the end has a cause", told, || {
                    format!("{kind:?}, the transport said {:?}", view.out.write_failed)
                })?;
                self.report(view);
                Ok(())
            }
        }
    }

    pub fn after_shutdown(&mut self, polled: &Poll<io::Result<()>>, view: &View<'_>) -> Verdict {
        let Poll::Ready(result) = polled else {
            self.pushed = self.frames.len();
            return Ok(());
        };
        self.after_end_of_writing(result.as_ref().copied().map_err(io::Error::kind), view)?;
        if result.is_ok() && (self.peer_seen || self.must_shut(view)) {
            ensure("5.1 the transport is shut after both Closes", view.out.shut_polled, String::new)?;
        }
        Ok(())
    }

    fn must_shut(&self, view: &View<'_>) -> bool {
        view.inn.got.broken.is_some() || self.is_truncated(view) || view.out.write_failed.is_some()
    }

    pub fn after_close(
        &mut self,
        result: io::Result<Option<Close>>,
        valid: bool,
        view: &View<'_>,
    ) -> Verdict {
        let got = &view.inn.got;
        let kind = result.as_ref().map(|_| ()).map_err(io::Error::kind);
        if let Err(ErrorKind::InvalidInput) = kind {
            return ensure("5.3 InvalidInput is for what may not be sent", !valid, String::new);
        }
        ensure("5.3 what may not be sent is InvalidInput", valid, || format!("{result:?}"))?;
        ensure("5.3 close shuts the transport", view.out.shut_polled, || format!("{result:?}"))?;
        match kind {
            Ok(()) => {
                let peer = result.unwrap_or_default();
                ensure("5.3 close returns the peer's Close", peer == got.close, || {
                    format!("{peer:?}, expected {:?}", got.close)
                })?;
                let ended = got.close.is_some() || view.inn.read_ended || view.inn.read_failed.is_some();
                ensure("5.3 close waits for the peer's end", ended, String::new)?;
                self.after_end_of_writing(Ok(()), view)
            }
            Err(ErrorKind::InvalidData) if got.broken.is_some() => {
                self.invalid_reported = true;
                Ok(())
            }
            Err(ErrorKind::TimedOut) => {
                if !self.end_is_known(view) {
                    self.read_end.get_or_insert(Err(ErrorKind::TimedOut));
                }
                (self.reported, self.close_timed_out) = (true, true);
                ensure("5.3 TimedOut is for a limit", self.may_time_out(), String::new)
            }
            Err(kind) if view.inn.read_failed == Some(kind) => {
                // Reading and writing may have failed alike: then this tells of both.
                if view.out.write_failed == Some(kind) {
                    self.report(view);
                }
                Ok(())
            }
            Err(kind) => self.after_end_of_writing(Err(kind), view),
        }
    }

    /// Whether a drop sends the answer (5.6); `None` where the contract leaves it open.
    pub fn before_drop(&mut self, view: &View<'_>) -> Option<bool> {
        let read = self.read_end == Some(Ok(())) && self.holds(Self::peer_code(view)) && !self.discarding;
        let waits = view.out.sent.data < self.frames.len()
            || view.out.sent.is_cut()
            || self.owes_pong(view)
            || self.write_waits
            || self.waited_at_end
            || !self.tail.is_empty();
        if !read || self.due.is_some() || self.written_since_end || waits || view.out.write_failed.is_some() {
            return Some(false);
        }
        self.due = Some((Self::peer_code(view), Some(String::new())));
        // The Pong to an empty Ping may wait, which is not known here where another may have stood for it; and so may a Ping of
        // its own.
        let may_wait = view.inn.got.of_kind(PING).nth(self.answered).is_some()
            || (self.setup.keep_alive && view.out.ever_refused);
        (view.out.flushed == view.out.sent.bytes && !may_wait).then_some(true)
    }

    pub fn after_drop(&self, answers: Option<bool>, sent_before: usize, view: &View<'_>) -> Verdict {
        let grown = view.out.sent.bytes - sent_before;
        match answers {
            Some(true) => {
                let excused = view.out.refused || view.out.write_failed.is_some();
                let closed = view.out.sent.close.is_some()
                    && view.out.flushed == view.out.sent.bytes
                    && view.out.shut_polled;
                ensure("5.6 a drop after the end sends the answer", closed || excused, || {
                    format!("{grown} bytes were sent, shut {}", view.out.shut_polled)
                })
            }
            Some(false) => ensure("5.6 a drop sends nothing", grown == 0, || format!("{grown} bytes")),
            None => Ok(()),
        }
    }

    /// An end of a read has been met: what is written from here on counts for a drop.
    pub fn note(&mut self, view: &View<'_>) {
        self.told_failure = view.out.write_failed.is_some();
        if self.read_end.is_none() {
            self.written_since_end = false;
        }
    }
}
