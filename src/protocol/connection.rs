//! One connection after its handshake, without a transport, a task or a clock: all that RFC 6455 makes of the bytes that came,
//! of what the program wants, and of the time.
//!
//! Whoever has the transport asks before each step, and tells what came of it:
//!
//! ```text
//!  reading    wants ──▶ the transport's bytes ──▶ receive, receive_end or fail_receiving ──▶ is_reading, tell_end
//!  writing    admit_write ──▶ data_header ──▶ took_frame, keep, or refuse;  or gather
//!  pushing    transmit ──▶ Send, Flush or Shut ──▶ took or block, flushed, shut
//!  waiting    a read: silence, pushed ──▶ silence_deadline;  the writer: call_waits ──▶ Stalled
//! ```

mod clock;
mod closing;
mod departure;
mod receiving;
mod refusing;
mod rest;
mod silence;
mod stalling;
mod transmitting;
mod writing;

use std::fmt;
use std::io;
use std::num::NonZeroU16;

use self::clock::Clock;
use self::departure::Departure;
use self::transmitting::Taken;
use self::writing::Tail;
use super::{Closing, Decoder, Encoder, Output, Utf8};
use crate::{CloseFrame, Config, Role};

pub(crate) use receiving::Received;
pub(crate) use rest::{Carried, Written};
pub(crate) use stalling::Stalled;
pub(crate) use transmitting::Transmit;

/// All state of the protocol.
pub(crate) struct Connection {
    config: Config,
    decoder: Decoder,
    end: End,
    peer_close: Option<CloseFrame>,
    encoder: Encoder,
    /// What the transport has not taken.
    output: Output,
    tail: Tail,
    sink: Sink,
    /// An error of the transport's write side that the reader met.
    unreported: Option<io::Error>,
    taken: Taken,
    closing: Closing,
    /// The code of this end's Close, if it has come before the peer's; perhaps [`UNKNOWN_CODE`].
    first_code: Option<NonZeroU16>,
    clock: Clock,
    departure: Departure,
}

/// For a Close that somebody else has sent before.
const UNKNOWN_CODE: NonZeroU16 = NonZeroU16::MAX;

/// The transport's write side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sink {
    #[default]
    Open,
    /// It failed: nothing more goes out.
    Failed,
    /// It has been shut down.
    Shut,
}

/// The reading side.
#[derive(Debug)]
enum End {
    Open,
    /// `close` has begun: payload is thrown away.
    Discarding,
    /// The peer's Close: reads return 0 bytes.
    Closed,
    /// Reads fail: with `error` once, then with its kind.
    Failed {
        error: Option<io::Error>,
        kind: io::ErrorKind,
        ends_writes: bool,
    },
}

impl Connection {
    pub(crate) fn new(role: Role, config: Config) -> Self {
        Connection {
            decoder: Decoder::new(role, &config),
            end: End::Open,
            peer_close: None,
            encoder: Encoder::new(role),
            output: Output::default(),
            tail: Tail::default(),
            sink: Sink::Open,
            unreported: None,
            taken: Taken::default(),
            closing: Closing::Open,
            first_code: None,
            clock: Clock::default(),
            departure: Departure::default(),
            config,
        }
    }

    #[inline]
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn role(&self) -> Role {
        self.encoder.role()
    }

    /// Whether more may come.
    #[inline]
    pub(crate) fn is_reading(&self) -> bool {
        matches!(self.end, End::Open | End::Discarding)
    }

    /// Whether the peer has closed, and that is no error.
    pub(crate) fn ends_cleanly(&self) -> bool {
        matches!(self.end, End::Closed)
    }

    /// Whether the transport's write side takes anything, as far as is known.
    pub(crate) fn is_writing(&self) -> bool {
        self.sink == Sink::Open
    }

    /// The transport's write side has failed.
    pub(crate) fn has_failed_writing(&self) -> bool {
        self.sink == Sink::Failed
    }

    /// The transport's write side has been shut down.
    #[cfg(test)]
    pub(crate) fn is_shut(&self) -> bool {
        self.sink == Sink::Shut
    }

    /// The peer's Close has come.
    pub(crate) fn is_closed(&self) -> bool {
        self.closing.has_received()
    }

    /// Both ends have said that they are done.
    pub(crate) fn is_closed_both_ways(&self) -> bool {
        self.closing == Closing::Closed
    }

    pub(crate) fn peer_close(&self) -> Option<&CloseFrame> {
        self.peer_close.as_ref()
    }

    /// What shows of it in the stream's `Debug`.
    pub(crate) fn debug(&self, f: &mut fmt::DebugStruct<'_, '_>) {
        f.field("role", &self.role())
            .field("config", &self.config)
            .field("closing", &self.closing)
            .field("peer_close", &self.peer_close)
            .field("reading", &self.end)
            .field("writing", &self.sink)
            .field("unsent", &self.output.len());
    }
}

impl End {
    fn failed(error: io::Error, ends_writes: bool) -> Self {
        End::Failed { kind: error.kind(), error: Some(error), ends_writes }
    }

    fn is_failed(&self) -> bool {
        matches!(self, End::Failed { .. })
    }

    #[inline]
    fn ends_writes(&self) -> bool {
        matches!(self, End::Failed { ends_writes: true, .. })
    }
}

#[cfg(test)]
mod orders;
