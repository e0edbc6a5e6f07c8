//! What a write, flush or shutdown is told that cannot be carried out: which error, and whether it is one.

use std::io;

use super::WebSocketStream;
use super::push::{Sink, forgive};
use crate::Error;
use crate::protocol::Closing;

impl<S> WebSocketStream<S> {
    /// Whether a write may be tried, and if not, why.
    pub(super) fn check_write(&mut self) -> io::Result<()> {
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
    pub(super) fn check_flush(&mut self) -> io::Result<()> {
        if let Some(error) = self.unreported.take() {
            self.excuse_flush(error)?;
        }
        let failed = self.sink == Sink::Failed && !self.is_closed_both_ways();
        if failed || self.data_lost || self.end.ends_writes() {
            return Err(Error::WriteAfterFailure.into());
        }
        Ok(())
    }

    /// A transport that fails when nothing is owed to anybody is no error.
    pub(super) fn excuse(&self, error: io::Error) -> io::Result<()> {
        if self.data_lost {
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
    pub(super) fn excuse_flush(&mut self, error: io::Error) -> io::Result<()> {
        if self.is_closed_both_ways() && !self.data_lost {
            self.unreported.get_or_insert(error);
            return Ok(());
        }
        self.excuse(error)
    }
}
