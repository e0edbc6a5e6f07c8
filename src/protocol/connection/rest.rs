//! A connection written down as wire bytes, and taken up again from them.

use super::{Connection, End};
use crate::protocol::closing::Closing;
use crate::protocol::decoder::{self, Decoder};
use crate::protocol::encoder::Encoder;
use crate::protocol::output::{Nature, Output};
use crate::{Config, Role};

/// What the wire bytes do not say. The connection in here is not to be used: some of it will be made anew.
pub(crate) struct Carried {
    connection: Connection,
    decoder: decoder::Carried,
    nature: Nature,
}

impl Carried {
    pub(crate) fn config(&self) -> &Config {
        &self.connection.config
    }
}

/// A connection taken apart.
pub(crate) struct Written {
    /// Makes a new connection deliver what this one has received and not delivered, and go on where it stood.
    pub(crate) unread: Vec<u8>,
    pub(crate) unsent: Vec<u8>,
    pub(crate) carried: Carried,
}

impl Connection {
    /// Writes it down, and leaves one that has seen nothing. `payload` is what it has decoded and nobody has taken.
    pub(crate) fn write_down(&mut self, payload: &[u8]) -> Written {
        let mut unread = Vec::new();
        let decoder = self.decoder.encode_rest(payload, self.end.is_failed(), &mut unread);
        if let Some(frame) = &self.peer_close {
            self.decoder.encode_close(frame, &mut unread);
        }
        let unsent = self.output.as_slice().to_vec();
        let nature = self.output.nature();
        let unused = Connection::new(self.role(), self.config.clone());
        let connection = std::mem::replace(self, unused);
        Written { unread, unsent, carried: Carried { connection, decoder, nature } }
    }

    /// Goes on where another one has stopped. `ingest` has it receive the bytes that were unread.
    pub(crate) fn take_up<T>(
        carried: Carried,
        role: Role,
        unsent: &[u8],
        ingest: impl FnOnce(&mut Self) -> T,
    ) -> (Self, T) {
        let Carried { mut connection, decoder, nature } = carried;
        let this = &mut connection;
        // Shows in what was unread.
        this.peer_close = None;
        this.closing = if this.closing.has_sent() { Closing::Open.send() } else { Closing::Open };
        let failed = match this.end {
            End::Failed { .. } => Some(std::mem::replace(&mut this.end, End::Open)),
            End::Closed => {
                this.end = End::Open;
                None
            }
            End::Open | End::Discarding => None,
        };
        let refused = this.encoder.refused();
        this.encoder = Encoder::new(role);
        this.encoder.restore(refused);
        this.output = Output::default();
        this.output.push_unsent(unsent, nature);
        this.decoder = Decoder::new(role, &this.config);
        this.decoder.begin_rest();
        let ingested = ingest(this);
        this.decoder.end_rest(decoder);
        if let Some(end) = failed {
            this.end = end;
        }
        (connection, ingested)
    }
}

#[cfg(feature = "fastwebsockets")]
impl Connection {
    /// Whether nothing of it would be missed: it stands between messages, nothing waits, nothing has ended.
    pub(crate) fn is_untouched(&self) -> bool {
        self.decoder.is_between_messages()
            && self.output.is_empty()
            && !self.taken.has_control()
            && self.tail.is_empty()
            && self.closing == Closing::Open
            && matches!(self.end, End::Open)
            && self.is_writing()
    }

    /// Goes on where another reader has stopped, see [`Decoder::resume_message`].
    pub(crate) fn resume_message(&mut self) {
        self.decoder.resume_message();
    }

    /// Goes on inside a header, see [`Decoder::resume_hidden`].
    pub(crate) fn resume_hidden(&mut self, octets: &[u8]) {
        self.decoder.resume_hidden(octets);
    }
}
