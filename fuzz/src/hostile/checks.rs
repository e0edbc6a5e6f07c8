//! What each call may say, and what may be on the wire. The numbers are the contract's lines, see PROMISES.md.

use std::io::{self, ErrorKind};
use std::task::Poll;

use fastwebsockets_stream::CloseFrame;
use kit::rules;

use super::{Op, READER, Run};

type Polled<T> = Poll<io::Result<T>>;

impl Run {
    /// Follows what has come in to where it is.
    fn look_in(&mut self) {
        let line = self.line.borrow();
        self.inn.push(&line.read[self.read_seen..]);
        self.read_seen = line.read.len();
    }

    /// Follows both directions to where they are.
    pub fn look_at_the_wire(&mut self) {
        self.look_in();
        let line = self.line.borrow();
        let pongs = self.out.of_kind(10).count();
        let frames = self.out.frames.len();
        let payload = self.out.payload.len();
        self.out.push(&line.written[self.written_seen..]);
        self.written_seen = line.written.len();
        assert_eq!(self.out.broken, None, "what is sent breaks a rule");
        // 3.2, 2.1
        let accepted = self.seen.accepted.get(payload..self.out.payload.len());
        assert!(accepted == Some(&self.out.payload[payload..]), "other bytes than a write has accepted");
        for (at, frame) in self.out.frames.iter().enumerate().skip(frames) {
            let is_last = self.out.frames[..at].iter().any(|frame| frame.opcode == 8);
            // 4.4
            assert!(!is_last || frame.opcode == 10, "{} after the Close", frame.opcode);
            assert!(frame.fin, "3.1: a write is one frame");
            assert!(frame.opcode != 9 || self.setup.keep_alive, "5.5: a Ping that nobody asked for");
        }
        if self.out.of_kind(10).count() > pongs {
            // 4.1
            let mut pings = self.inn.of_kind(9);
            let mut sent = self.out.of_kind(10);
            assert!(sent.all(|pong| pings.any(|ping| ping.payload == pong.payload)), "Pongs out of order");
        }
    }

    /// The peer's Close may be an end because this end has said the same before (2.4).
    fn may_repeat(&self, code: u16) -> bool {
        self.seen.own_code.is_some_and(|own| own == code || code == 1007)
    }

    fn is_clean(&self) -> bool {
        matches!(self.inn.close, Some((None | Some(1000 | 1001), _)))
    }

    /// The peer's Close, if it has come, ends the writing too (5.4).
    fn is_answered(&self) -> bool {
        let holds = |code| self.setup.half_close && matches!(code, None | Some(1000));
        self.inn.close.as_ref().is_some_and(|(code, _)| !holds(*code))
    }

    fn is_truncated(&self) -> bool {
        self.line.borrow().told_end && self.inn.close.is_none()
    }

    /// Whether so much time has passed that a read or a `close` may have timed out: two intervals of keep-alive are as long as a
    /// `close` may take.
    fn may_end_by_time(&self) -> bool {
        let has_limit = self.setup.keep_alive || (self.setup.close_limit && self.seen.closes);
        has_limit && self.seen.passed >= 10_000
    }

    fn may_have_stalled(&self) -> bool {
        self.setup.stall && self.seen.passed >= 7000
    }

    /// What the transport has said to a write, flush or shutdown.
    pub fn has_failed(&self) -> bool {
        let line = self.line.borrow();
        line.failed.is_some() || line.shut_failed.is_some()
    }

    pub fn after_read(&mut self, room: usize, polled: Polled<(Vec<u8>, usize)>) -> bool {
        self.look_at_the_wire();
        match polled {
            Poll::Pending => {
                assert!(self.seen.end.is_none(), "2.6: a read waits after the end");
                return false;
            }
            Poll::Ready(Ok((bytes, _))) if bytes.is_empty() => {
                if room > 0 {
                    self.after_end();
                }
            }
            Poll::Ready(Ok((bytes, taken))) => {
                assert!(self.seen.end.is_none(), "2.6: bytes after the end");
                assert!(!self.seen.discards, "5.3: bytes after a close has begun");
                let due = &self.inn.payload[self.seen.delivered..];
                assert!(due.starts_with(&bytes), "2.1: other bytes than were sent");
                self.seen.delivered += taken;
            }
            Poll::Ready(Err(error)) => self.after_error(&error),
        }
        true
    }

    fn after_end(&mut self) {
        self.seen.waited_at_end |= self.seen.end.is_none() && self.seen.write_waits;
        let first = *self.seen.end.get_or_insert(Ok(()));
        assert_eq!(first, Ok(()), "2.6: an end after an error");
        let (code, _) = self.inn.close.as_ref().expect("2.5: an end without a Close");
        let may_be = self.is_clean()
            || !self.setup.abnormal_is_error
            || code.is_some_and(|code| self.may_repeat(code));
        assert!(may_be, "2.4: {code:?} passes for a clean end");
        let all = self.seen.delivered == self.inn.payload.len();
        assert!(all || self.seen.discards, "2.6: bytes are missing before the end");
    }

    fn after_error(&mut self, error: &io::Error) {
        let kind = error.kind();
        self.seen.timed_out |= kind == ErrorKind::TimedOut;
        if let Some(first) = self.seen.end {
            assert_eq!(first, Err(kind), "2.6: errors stay");
            return;
        }
        self.seen.end = Some(Err(kind));
        let delivered = self.seen.delivered >= self.inn.whole_points();
        assert!(delivered || self.seen.discards, "2.6: bytes are missing before {error}");
        if let Some(rule) = rules::inside(error).and_then(rules::broken) {
            assert_eq!(Some(rule), self.inn.broken, "2.9");
        }
        let line = self.line.borrow();
        let ended = self.inn.close.is_none() && self.inn.broken.is_none();
        let because = match kind {
            ErrorKind::InvalidData => self.inn.broken.is_some(),
            ErrorKind::UnexpectedEof => line.told_end && ended,
            ErrorKind::ConnectionAborted => {
                self.inn.close.is_some() && !self.is_clean() && self.setup.abnormal_is_error
            }
            ErrorKind::TimedOut => self.may_end_by_time(),
            kind => line.told_error == Some(kind),
        };
        assert!(because, "a read fails without a cause: {error:?}");
    }

    /// Whether what was accepted may never leave, for another reason than an end that this side has asked for.
    fn may_lose(&self) -> bool {
        self.seen.timed_out || self.has_failed() || self.inn.broken.is_some() || self.is_truncated()
    }

    /// The reading has ended in a way that ends the writing (3.9).
    fn must_refuse(&self) -> bool {
        use ErrorKind::{ConnectionAborted, InvalidData, TimedOut, UnexpectedEof};
        match self.seen.end {
            Some(Err(kind)) => [ConnectionAborted, InvalidData, TimedOut, UnexpectedEof].contains(&kind),
            Some(Ok(())) => self.is_answered(),
            None => false,
        }
    }

    /// 3.9: the transport's own error once, else `BrokenPipe`.
    fn after_failure(&mut self, call: &str, error: &io::Error) {
        let kind = error.kind();
        let stalled = kind == ErrorKind::TimedOut && self.may_have_stalled();
        self.seen.timed_out |= stalled;
        let may_fail = self.may_lose() || self.seen.began || self.is_answered();
        assert!(may_fail, "a {call} fails without a cause: {error:?}");
        if kind != ErrorKind::BrokenPipe && !stalled {
            assert_eq!(self.line.borrow().failed, Some(kind), "{call}: {error:?}");
            assert!(!self.seen.own_told, "{call}: {error:?}, a second time");
            self.seen.own_told = true;
        }
        self.seen.write_told |= self.may_lose();
    }

    pub fn after_write(&mut self, bytes: &[u8], polled: Polled<usize>) -> bool {
        // Where nobody reads any more, the writer does.
        self.look_in();
        self.seen.write_waits = polled.is_pending();
        match polled {
            Poll::Pending => return false,
            Poll::Ready(Ok(n)) => {
                assert!(!self.seen.began, "3.9: a write after the end");
                assert!(!self.must_refuse(), "3.9: a write after the reading has ended: {:?}", self.seen.end);
                assert!(self.line.borrow().failed.is_none(), "3.9: a write after the transport has failed");
                // 3.1
                assert_eq!(n, bytes.len().min(self.setup.most - self.seen.tail.len()));
                self.seen.largest = self.seen.largest.max(n);
                self.seen.accepted.extend(&bytes[..n]);
                self.seen.wrote_since |= self.seen.end.is_some();
                if self.setup.is_text {
                    self.keep_tail(&bytes[..n]);
                }
            }
            Poll::Ready(Err(error)) => self.after_failure("write", &error),
        }
        true
    }

    /// What no code point is of yet (3.8).
    fn keep_tail(&mut self, bytes: &[u8]) {
        let mut utf8 = kit::utf8::Utf8::default();
        self.seen.tail.extend(bytes);
        self.seen.tail.iter().for_each(|octet| assert!(utf8.take(*octet)));
        let whole = self.seen.tail.len() - utf8.unfinished();
        self.seen.tail.drain(..whole);
    }

    /// Whether all that was accepted is on the wire.
    fn all_left(&self) -> bool {
        self.out.payload.len() + self.seen.tail.len() + self.seen.lost_tail == self.seen.accepted.len()
    }

    pub fn after_flush(&mut self, polled: Polled<()>) -> bool {
        self.look_at_the_wire();
        match polled {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) => {
                let end = self.out.data().last().map_or(0, |frame| frame.end);
                assert!(self.all_left(), "3.9: a flush is Ok, and not all has left");
                assert!(self.line.borrow().flushed >= end, "3.9: a flush is Ok, and not all is flushed");
            }
            Poll::Ready(Err(error)) => self.after_failure("flush", &error),
        }
        true
    }

    pub fn after_shutdown(&mut self, polled: Polled<()>) -> bool {
        self.look_at_the_wire();
        match polled {
            Poll::Pending => return false,
            Poll::Ready(result) => self.after_last(result.err()),
        }
        true
    }

    /// What a shutdown and a `close` say of the writing.
    fn after_last(&mut self, error: Option<io::Error>) {
        let line = self.line.borrow();
        let Some(error) = error else {
            assert!(self.all_left() || self.seen.write_told, "3.9: bytes are lost without a word");
            assert!(
                self.seen.tail.is_empty() || self.seen.write_told,
                "3.8: a code point is lost without a word"
            );
            let excused = line.failed.is_some() || self.seen.timed_out;
            assert!(self.out.close.is_some() || excused, "5.1: no Close was sent");
            assert!(line.flushed == line.written.len() || excused, "5.1: not all is flushed");
            let is_over = self.inn.close.is_some() || self.inn.broken.is_some();
            assert!(
                !is_over || line.shut || line.shut_failed.is_some(),
                "5.1: the transport is not shut down"
            );
            return;
        };
        let kind = error.kind();
        let own = [line.failed, line.shut_failed].contains(&Some(kind));
        let stalled = kind == ErrorKind::TimedOut && self.may_have_stalled();
        let cut = kind == ErrorKind::InvalidData && !self.seen.tail.is_empty();
        assert!(own || stalled || cut, "5.1: a shutdown fails without a cause: {error:?}");
        drop(line);
        self.seen.timed_out |= stalled;
        if cut {
            self.seen.lost_tail += std::mem::take(&mut self.seen.tail).len();
        } else {
            self.seen.write_told = true;
        }
    }

    pub fn after_close(&mut self, is_legal: bool, polled: Polled<Option<CloseFrame>>) -> bool {
        self.look_at_the_wire();
        let result = match polled {
            Poll::Pending => {
                assert!(is_legal, "5.3: a close that may not be sent waits");
                return false;
            }
            Poll::Ready(result) => result,
        };
        let invalid = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::InvalidInput);
        assert_eq!(invalid, !is_legal, "5.3: {result:?}");
        if invalid {
            return true;
        }
        let line = self.line.borrow();
        match result {
            Ok(close) => {
                let close = close.map(|close| (close.code.map(u16::from), close.reason));
                assert_eq!(close, self.inn.close, "5.3: not the peer's Close");
                let ended = close.is_some() || line.told_end || line.told_error.is_some();
                assert!(ended || line.failed.is_some(), "5.3: close does not wait for the peer's end");
                let tried = line.shut || line.shut_failed.is_some();
                assert!(tried, "5.3: the transport is not shut down");
                drop(line);
                self.after_last(None);
            }
            Err(error) => {
                let (kind, broken) = (error.kind(), self.inn.broken.is_some());
                let because = match kind {
                    ErrorKind::InvalidData => broken || !self.seen.tail.is_empty(),
                    ErrorKind::TimedOut => self.may_end_by_time() || self.may_have_stalled(),
                    kind => [line.failed, line.shut_failed, line.told_error].contains(&Some(kind)),
                };
                assert!(because, "5.3: a close fails without a cause: {error:?}");
                drop(line);
                self.seen.timed_out |= kind == ErrorKind::TimedOut;
                if kind == ErrorKind::InvalidData {
                    self.seen.lost_tail += std::mem::take(&mut self.seen.tail).len();
                }
                self.seen.write_told |= self.may_lose();
            }
        }
        true
    }

    /// Whether something has come after which nothing does.
    pub fn knows_the_end(&self) -> bool {
        let line = self.line.borrow();
        self.inn.close.is_some() || self.inn.broken.is_some() || line.told_end || line.told_error.is_some()
    }

    /// Whether a time limit has ended the writing, perhaps while nothing but a read waited: then the next call of the writer is
    /// the first to hear of it.
    fn may_have_timed_out(&self) -> bool {
        self.seen.timed_out || self.may_have_stalled()
    }

    /// A reader waits, and all is open: it has pushed out what waited (3.3), and answered (4.2).
    pub fn check_rest(&self) {
        let line = self.line.borrow();
        let over = self.has_failed() || self.may_have_timed_out() || line.shut;
        if over || !matches!(self.ops[READER], Some(Op::Read(1..) | Op::Look(_))) {
            return;
        }
        assert!(self.out.close.is_some() || !self.seen.writer_left, "1.8: the Close of a dropped half waits");
        assert!(self.out.is_between_frames(), "3.3: the rest of a frame waits for nobody");
        assert!(self.setup.write_buffer > 0 || self.all_left(), "3.3: a frame waits for nobody");
        let (ping, pong) = (self.inn.of_kind(9).last(), self.out.of_kind(10).last());
        assert!(
            ping.map(|ping| &ping.payload) == pong.map(|pong| &pong.payload),
            "4.2: a Ping is not answered"
        );
        let answers = self.out.frames.iter().rfind(|frame| frame.opcode >= 8).map_or(0, |frame| frame.end);
        assert!(line.flushed >= answers, "4.2: an answer is not flushed");
    }

    /// 4.1 and 7.2: a flood of Pings costs one slot; what waits is a frame, or the write buffer, and control frames.
    pub fn check_memory(&self) {
        // To ask costs as much as a poll.
        if self.inn.of_kind(9).nth(20).is_none() {
            return;
        }
        // A call of `close` has borrowed it.
        let Some(shown) = self.user.show() else { return };
        let unsent = shown.split("unsent: ").nth(1).and_then(|rest| rest.split([',', ' ', '}']).next());
        let unsent: usize = unsent.and_then(|unsent| unsent.parse().ok()).expect("Debug says what is unsent");
        // What was read ahead was decoded where nothing could be sent.
        let most = self.seen.largest + self.setup.write_buffer + 1024 + (3 * self.ahead).min(64 << 10);
        assert!(unsent <= most, "{unsent} bytes wait to be sent");
    }

    /// A stream is about to be dropped as it is, while all is open: whether that is an orderly end (5.6). `None` where this model
    /// does not know.
    pub fn may_answer(&self) -> Option<bool> {
        let seen = &self.seen;
        // What a write that waited then has still to say counts as said before, once it is flushed.
        let says_more = seen.began || (seen.wrote_since && !seen.waited_at_end) || !seen.tail.is_empty();
        let is_orderly = seen.end == Some(Ok(())) && !says_more;
        if !is_orderly || self.is_answered() {
            return Some(false);
        }
        let line = self.line.borrow();
        let may_wait = self.may_lose() || self.may_have_timed_out() || seen.write_waits || seen.waited_at_end;
        let may_ping = self.setup.keep_alive || self.inn.of_kind(9).count() > self.out.of_kind(10).count();
        (self.all_left() && line.flushed == line.written.len() && !may_wait && !may_ping).then_some(true)
    }

    /// All is open, and both directions have been brought to their ends.
    pub fn check_end(&self) {
        if self.has_failed() || self.may_have_timed_out() {
            return;
        }
        assert!(self.out.is_between_frames(), "3.2: a frame is torn");
        let (ping, pong) = (self.inn.of_kind(9).last(), self.out.of_kind(10).last());
        let same = ping.map(|ping| &ping.payload) == pong.map(|pong| &pong.payload);
        assert!(same, "4.1: the latest Ping is not answered");
        assert!(self.seen.write_told || self.all_left(), "bytes are lost without a word");
        assert!(self.out.close.is_some() || self.seen.forgot, "5.1: no Close was sent");
    }
}
