//! Which Close is queued when (RFC 6455, section 7.1).

use std::io;
use std::num::NonZeroU16;

use super::writing::Tail;
use super::{Connection, Sink};
use crate::frame::close::ClosePayload;
use crate::frame::header::MAX_CONTROL_PAYLOAD;
use crate::protocol::Closing;
use crate::protocol::encoder::MAX_CONTROL_FRAME;
use crate::{CloseCode, CloseFrame, Error, OpCode};

impl Connection {
    /// Queues this end's Close, once.
    pub(super) fn queue_close(&mut self, payload: ClosePayload<'_>) {
        if self.closing.has_sent() {
            return;
        }
        // One that cannot leave has not been said.
        if !self.closing.has_received() && self.sink == Sink::Open {
            self.first_code = payload.code().and_then(NonZeroU16::new);
        }
        self.closing = self.closing.send();
        self.clock.stop_silence();
        if self.sink == Sink::Open {
            let mut body = [0; MAX_CONTROL_PAYLOAD];
            let n = payload.encode(&mut body);
            let mut frame = [0; MAX_CONTROL_FRAME];
            let n = self.encoder.control(OpCode::Close, &body[..n], &mut frame);
            self.output.push_control(&frame[..n]);
        }
    }

    /// Queues the Close that a broken rule makes this end send, with the rule as its reason.
    pub(super) fn queue_close_for(&mut self, error: &Error) {
        if let Some(code) = error.close_code() {
            self.queue_close(ClosePayload::cut(code, &error.to_string()));
        }
    }

    /// Answers the peer's Close.
    ///
    /// > When sending a Close frame in response, the endpoint typically echos the status code it received. (RFC 6455,
    /// > section 5.5.1)
    pub(super) fn queue_answer(&mut self) {
        let code = self.peer_close.as_ref().and_then(|frame| frame.code);
        self.queue_close(ClosePayload::bare(code));
    }

    /// The Close that a shutdown owes: the answer that half-close held back, or one of its own.
    pub(crate) fn shut_down(&mut self) {
        if !self.tail.is_empty() {
            self.queue_close_for(&Error::WriteIncompleteUtf8);
        } else if self.closing == Closing::CloseReceived {
            self.queue_answer();
        } else {
            self.queue_close(ClosePayload::bare(Some(CloseCode::NORMAL)));
        }
    }

    /// A Close of the program's own, if it may be sent and there was none.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) -> io::Result<()> {
        let payload = ClosePayload::checked(code, reason)?;
        if self.tail.is_empty() {
            self.queue_close(payload);
        }
        self.shut_down();
        Ok(())
    }

    /// The Close of a program that has panicked.
    pub(crate) fn close_for_panic(&mut self) {
        self.queue_close(ClosePayload::bare(Some(CloseCode::from(1011_u16))));
    }

    /// Somebody else has sent a Close on this connection; its code is not known.
    #[cfg(feature = "fastwebsockets")]
    pub(crate) fn close_was_sent(&mut self) {
        self.closing = self.closing.send();
        self.first_code = Some(super::UNKNOWN_CODE);
    }

    /// Whether the answer to the peer's Close waits until this end has nothing more to say.
    pub(super) fn waits_to_answer(&self) -> bool {
        self.config.half_close && self.peer_reads_on()
    }

    /// Whether the peer's Close ends only its own direction.
    pub(super) fn peer_reads_on(&self) -> bool {
        matches!(self.peer_close, Some(CloseFrame { code: None | Some(CloseCode::NORMAL), .. }))
    }

    /// Whether a shutdown of this end takes the transport along: unless the peer may have more to send.
    pub(crate) fn ends_transport(&self) -> bool {
        self.is_closed_both_ways() || self.end.is_failed() || self.sink == Sink::Failed
    }

    /// What a shutdown returns that has done all it could.
    pub(crate) fn end_text(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.tail) == Tail::default() {
            Ok(())
        } else {
            Err(Error::WriteIncompleteUtf8.into())
        }
    }

    /// What `close` returns: the peer's Close, `None` where the transport has ended instead. `told` is whether that is also how
    /// the reader learns of an error.
    pub(crate) fn how_it_ended(&mut self, told: bool) -> io::Result<Option<CloseFrame>> {
        if self.closing.has_received() {
            return Ok(self.peer_close.clone());
        }
        let error = if told { self.tell_end().err() } else { self.copy_error() };
        match error {
            Some(error) if !is_end_of_transport(error.kind()) => Err(error),
            _ => Ok(None),
        }
    }

    /// The closing handshake has taken too long: the connection has failed. Unless only the transport's own end is missing, which is
    /// not waited for any longer.
    pub(crate) fn give_up_closing(&mut self) -> io::Result<Option<CloseFrame>> {
        if self.is_closed_both_ways() && self.sink == Sink::Shut && self.unreported.is_none() {
            return Ok(self.peer_close.clone());
        }
        self.fail_writing();
        let error = Error::CloseTimedOut { all_sent: !self.has_lost_data() && self.tail.is_empty() };
        if self.is_reading() {
            self.fail_receiving_with(error.clone());
        }
        Err(error.into())
    }
}

/// Errors by which a transport says that the peer is gone.
fn is_end_of_transport(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}
