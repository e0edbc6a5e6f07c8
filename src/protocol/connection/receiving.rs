//! What came from the transport, and how the reading ends.

use std::io;

use super::{Connection, End, Sink, UNKNOWN_CODE};
use crate::protocol::encoder::MAX_CONTROL_FRAME;
use crate::protocol::{Control, Region};
use crate::{CloseCode, CloseFrame, Error, OpCode};

/// How far [`Connection::receive`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "there may be more in the region"]
pub(crate) enum Received {
    /// To the end of the region, or of the reading.
    All,
    /// So many answers are waiting that they should leave before it is called again.
    Part,
}

impl Connection {
    /// How many bytes the next region should have at the most, see [`Decoder::wants`](crate::protocol::Decoder::wants).
    #[inline]
    pub(crate) fn wants(&self) -> usize {
        self.decoder.wants()
    }

    /// Decodes bytes of the wire in place, and acts on the control frames.
    ///
    /// If it ends the reading ([`is_reading`](Self::is_reading)), a writer that waits has to look again.
    #[inline]
    pub(crate) fn receive(&mut self, region: &mut Region<'_>) -> Received {
        loop {
            match self.decoder.decode(region) {
                Ok(None) => return Received::All,
                Ok(Some(Control::Pong)) => {}
                Ok(Some(Control::Ping(payload))) => {
                    self.answer_ping(payload.as_slice());
                    if self.output.is_full() && !self.output.is_blocked() {
                        return Received::Part;
                    }
                }
                Ok(Some(Control::Close(frame))) => {
                    self.receive_close(frame);
                    return Received::All;
                }
                Err(error) => {
                    self.fail_receiving_with(error);
                    return Received::All;
                }
            }
        }
    }

    /// Bytes have come from the peer.
    #[inline]
    pub(crate) fn heard(&mut self) {
        self.clock.heard();
    }

    /// The transport has ended.
    pub(crate) fn receive_end(&mut self) {
        self.fail_receiving_with(Error::Truncated);
    }

    /// The transport cannot be read.
    pub(crate) fn fail_receiving(&mut self, error: io::Error) {
        self.end_reading(End::failed(error, false));
    }

    /// Ends the reading with an error of this crate, and tells the peer if there is a code for it.
    pub(crate) fn fail_receiving_with(&mut self, error: Error) {
        self.queue_close_for(&error);
        self.end_reading(End::failed(error.into(), true));
    }

    fn end_reading(&mut self, end: End) {
        self.end = end;
        self.clock.stop_silence();
    }

    /// > Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless it already received a
    /// > Close frame. […] A Pong frame sent in response to a Ping frame must have identical "Application data"
    /// > (RFC 6455, sections 5.5.2 and 5.5.3)
    fn answer_ping(&mut self, payload: &[u8]) {
        let mut frame = [0; MAX_CONTROL_FRAME];
        let n = self.encoder.control(OpCode::Pong, payload, &mut frame);
        if self.sink == Sink::Open {
            self.output.push_pong(&frame[..n]);
        }
    }

    /// The peer's Close ends the reading, and is answered:
    ///
    /// > If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST send a
    /// > Close frame in response. (RFC 6455, section 5.5.1)
    fn receive_close(&mut self, frame: CloseFrame) {
        let repeats = self.first_code.is_some_and(|first| {
            first == UNKNOWN_CODE || frame.code.is_some_and(|code| u16::from(code) == first.get())
        });
        self.closing = self.closing.receive();
        let is_clean = matches!(frame.code, None | Some(CloseCode::NORMAL | CloseCode::AWAY))
            // What this end has said itself is no news.
            || repeats;
        self.end = if is_clean || !self.config.abnormal_close_is_error {
            End::Closed
        } else {
            End::failed(Error::ClosedAbnormally { close: frame.clone() }.into(), false)
        };
        self.peer_close = Some(frame);
        // Any other code says that the peer will not read what this end still has to say.
        if !self.waits_to_answer() {
            self.queue_answer();
        }
    }

    /// Payload is thrown away from now on.
    pub(crate) fn discard(&mut self) {
        if matches!(self.end, End::Open) {
            self.end = End::Discarding;
        }
    }

    #[inline]
    pub(crate) fn is_discarding(&self) -> bool {
        matches!(self.end, End::Discarding)
    }

    /// What a read is told that finds nothing left: the error, once, then its kind; or the end.
    pub(crate) fn tell_end(&mut self) -> io::Result<()> {
        match &mut self.end {
            End::Open | End::Discarding => Ok(()),
            End::Closed => {
                self.departure.end_was_seen();
                Ok(())
            }
            End::Failed { error, kind, .. } => Err(error.take().unwrap_or_else(|| io::Error::from(*kind))),
        }
    }

    /// The same for somebody who is told beside the reader.
    pub(crate) fn copy_error(&self) -> Option<io::Error> {
        let End::Failed { error, kind, .. } = &self.end else { return None };
        let rule = error.as_ref().and_then(|error| error.get_ref()?.downcast_ref::<Error>());
        Some(match (rule, error) {
            (Some(rule), _) => rule.clone().into(),
            // An error of the transport's cannot be had twice.
            (None, Some(error)) => io::Error::new(*kind, error.to_string()),
            (None, None) => io::Error::from(*kind),
        })
    }

    /// Whether the program has been told how the reading ended.
    pub(crate) fn has_told_end(&self) -> bool {
        self.departure.has_seen_end() || matches!(self.end, End::Failed { error: None, .. })
    }
}
