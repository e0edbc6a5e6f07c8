//! What reads may return.

use std::io::{self, ErrorKind};
use std::task::Poll;

use super::{Model, Verdict, View, ensure};

impl Model {
    /// A read with room for `room` bytes, or a look (`None`).
    pub fn after_read(
        &mut self,
        room: Option<usize>,
        polled: &Poll<io::Result<Vec<u8>>>,
        view: &View<'_>,
    ) -> Verdict {
        let got = &view.inn.got;
        if room == Some(0) {
            let is_nothing = matches!(polled, Poll::Ready(Ok(bytes)) if bytes.is_empty());
            return ensure("2.2 a read without room returns at once", is_nothing, || format!("{polled:?}"));
        }
        let at = self.delivered.len();
        let missing = || format!("{at} of {} bytes were delivered, then {polled:?}", got.payload.len());
        match polled {
            Poll::Pending => {
                let held_back = !self.discarding && at < got.payload.len();
                ensure("2.1 payload is delivered as it arrives", !held_back, missing)?;
                ensure("2.4 the end does not wait", !self.end_is_known(view), || {
                    format!("pending, though {:?}", (&got.close, got.broken))
                })?;
            }
            Poll::Ready(Ok(bytes)) if !bytes.is_empty() => {
                ensure("5.3 nothing is delivered once close has begun", !self.discarding, missing)?;
                ensure("2.4 the end is for ever", self.read_end.is_none(), missing)?;
                let is_next = got.payload[at..].starts_with(bytes);
                ensure("2.1 payload is delivered in order", is_next, || {
                    format!("at {at}: {bytes:02x?}, expected {:02x?}", &got.payload[at..])
                })?;
                if room.is_some() {
                    self.delivered.extend(bytes);
                }
            }
            Poll::Ready(ended) => {
                let ended = ended.as_ref().map(|_| ()).map_err(io::Error::kind);
                self.after_end(ended, view)?;
            }
        }
        Ok(())
    }

    fn after_end(&mut self, ended: Result<(), ErrorKind>, view: &View<'_>) -> Verdict {
        let (got, at) = (&view.inn.got, self.delivered.len());
        let said = || format!("{ended:?}; Close {:?}, broken {:?}", got.close, got.broken);
        if let Some(before) = self.read_end {
            return ensure("2.6 the end stays what it is", before == ended, || {
                format!("{ended:?}, before {before:?}")
            });
        }
        self.read_end = Some(ended);
        self.waited_at_end = self.write_waits;
        let all = if got.broken.is_some() { at >= got.valid_len() } else { at == got.payload.len() };
        ensure("2.6 what has arrived comes before the end", self.discarding || all, || {
            format!("{at} of {} bytes were delivered, then {}", got.payload.len(), said())
        })?;
        let code = got.close.as_ref().map(|(code, _)| *code);
        let abnormal = matches!(code, Some(Some(code)) if code != 1000 && code != 1001);
        // Where this end's own Close may not have left, it is open whether the peer's repeats it.
        let (may_repeat, failed) = (self.repeats, view.out.write_failed.is_some());
        let is_error =
            abnormal && self.setup.abnormal_is_error && (!may_repeat || (failed && ended.is_err()));
        match ended {
            Ok(()) => {
                ensure("2.5 truncation never looks clean", code.is_some(), said)?;
                ensure("2.4 an abnormal Close is an error", !is_error, said)?;
            }
            Err(ErrorKind::ConnectionAborted) => {
                ensure("2.4 ConnectionAborted is for an abnormal Close", is_error, said)?;
            }
            Err(ErrorKind::UnexpectedEof) => {
                ensure("2.5 UnexpectedEof is for truncation", view.inn.read_ended && code.is_none(), said)?;
            }
            Err(ErrorKind::InvalidData) => {
                ensure("2.9 InvalidData is for a broken rule", got.broken.is_some(), said)?;
            }
            Err(ErrorKind::TimedOut) => {
                ensure("5.5 TimedOut is for a limit", self.may_time_out() && code.is_none(), said)?;
            }
            Err(kind) => {
                ensure("2.6 a transport's error keeps its kind", view.inn.read_failed == Some(kind), said)?;
            }
        }
        self.after_answer(view)
    }

    /// The first end comes after one attempt to send the answer that is due, and to flush it (2.4).
    fn after_answer(&self, view: &View<'_>) -> Verdict {
        // A close whose time was over has tried it until then.
        let tried = view.out.refused
            || view.out.write_failed.is_some()
            || view.out.shut_failed.is_some()
            || self.close_timed_out;
        if self.due.is_none() || (!self.peer_seen && view.inn.got.broken.is_none()) || tried {
            return Ok(());
        }
        let sent = view.out.sent.close.is_some() && view.out.flushed == view.out.sent.bytes;
        ensure("2.4 the answer that is due has been tried before the end", sent, || {
            format!(
                "due is {:?}, {} bytes of {} are flushed",
                self.due, view.out.flushed, view.out.sent.bytes
            )
        })
    }

    /// So much of what a look has shown is taken.
    pub fn consume(&mut self, bytes: &[u8]) {
        self.delivered.extend(bytes);
    }
}
