//! What a write, flush or shutdown is told that cannot be carried out: which error, and whether it is one.

use std::io;

use super::transmitting::forgive;
use super::{Connection, Sink};
use crate::Error;
use crate::protocol::Closing;

impl Connection {
    /// Whether a write may be tried, and if not, why.
    pub(crate) fn admit_write(&mut self) -> io::Result<()> {
        if !self.is_closed_both_ways()
            && let Some(error) = self.unreported.take()
        {
            return Err(error);
        }
        Err(match (self.closing, &self.peer_close) {
            _ if self.end.ends_writes() => Error::WriteAfterFailure,
            (Closing::CloseSent, _) => Error::WriteAfterShutdown,
            (Closing::Closed, Some(close)) => Error::PeerClosed {
                close: close.clone(),
                // Where this end had closed before, no option would have kept its writing open.
                half_close_is_off: !self.config.half_close
                    && self.peer_reads_on()
                    && self.first_code.is_none(),
            },
            _ if self.sink == Sink::Open => return Ok(()),
            _ => Error::WriteAfterFailure,
        }
        .into())
    }

    /// A flush fails where bytes that were written are lost, or may be.
    #[inline(always)]
    pub(crate) fn admit_flush(&mut self) -> io::Result<()> {
        if let Some(error) = self.unreported.take() {
            self.excuse_flush(error)?;
        }
        let failed = self.sink == Sink::Failed && !self.is_closed_both_ways();
        if failed || self.has_lost_data() || self.end.ends_writes() {
            return Err(Error::WriteAfterFailure.into());
        }
        Ok(())
    }

    /// What the writer is told of an error that the transport's write side had: if nothing is owed to anybody, it is none.
    pub(crate) fn excuse(&self, error: io::Error) -> io::Result<()> {
        if self.has_lost_data() {
            Err(error)
        } else if self.is_closed_both_ways() && self.first_code.is_none() && !self.waits_to_answer() {
            // It has taken along the answer to a peer that reads no more.
            Ok(())
        } else if self.is_closed_both_ways() || self.end.ends_writes() {
            forgive(error)
        } else {
            Err(error)
        }
    }

    /// After both Closes a flush tells of bytes that are lost, and leaves the rest to the shutdown.
    pub(crate) fn excuse_flush(&mut self, error: io::Error) -> io::Result<()> {
        if self.is_closed_both_ways() && !self.has_lost_data() {
            self.owe(error);
            return Ok(());
        }
        self.excuse(error)
    }

    /// Somebody has met an error that the writer is to hear of, unless it can be excused.
    pub(crate) fn owe_unless_excused(&mut self, error: io::Error) {
        if let Err(error) = self.excuse(error) {
            self.owe(error);
        }
    }

    /// The writer is to hear of this error: the first one counts.
    pub(crate) fn owe(&mut self, error: io::Error) {
        self.unreported.get_or_insert(error);
    }

    /// Whether there is an error that the writer has not heard of.
    pub(crate) fn owes_error(&self) -> bool {
        self.unreported.is_some()
    }

    /// Tells it, unless it can be excused.
    pub(crate) fn tell_owed(&mut self) -> io::Result<()> {
        self.unreported.take().map_or(Ok(()), |error| self.excuse(error))
    }
}
