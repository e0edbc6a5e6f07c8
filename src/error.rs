//! Everything that can go wrong and is not the transport's own error.

use std::io;

use thiserror::Error;

use crate::{CloseCode, CloseFrame, OpCode, PayloadType};

/// A rule that was broken, by the peer or by the caller.
///
/// It stands inside the [`std::io::Error`]s of a [`WebSocketStream`](crate::WebSocketStream), whose kind is
/// [`kind`](Error::kind):
///
/// ```
/// # fn handle(error: std::io::Error) {
/// use fastwebsockets_stream::Error;
///
/// if let Some(rule) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
///     eprintln!("{rule}; for the peer it is {:?}", rule.close_code());
/// }
/// # }
/// ```
///
/// An error of the transport stays what it is: its kind, its source.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    // What a peer sent against the RFC.
    /// A client's frame came unmasked (RFC 6455, section 5.1).
    #[error("a frame from the client is not masked; clients must mask every frame")]
    UnmaskedFrame,
    /// A server's frame came masked (section 5.1).
    #[error("a frame from the server is masked; servers must not mask")]
    MaskedFrame,
    /// RSV bits were set though no extension was negotiated (section 5.2).
    #[error("the reserved bits are {bits:#05b}; without an extension they must be zero")]
    #[non_exhaustive]
    ReservedBits {
        /// RSV1, RSV2 and RSV3, RSV1 the highest.
        bits: u8,
    },
    /// An opcode that RFC 6455 does not define (section 5.2).
    #[error("opcode {opcode:#x} is reserved; 0x0 to 0x2 and 0x8 to 0xa are defined")]
    #[non_exhaustive]
    ReservedOpcode {
        /// The opcode.
        opcode: u8,
    },
    /// A payload length in a longer form than needed (section 5.2).
    #[error("length {length} is encoded in {bits} bits; the shortest form must be used")]
    #[non_exhaustive]
    LengthNotMinimal {
        /// The length.
        length: u64,
        /// The form used: 16 or 64.
        bits: u8,
    },
    /// A 64-bit payload length with its top bit set (section 5.2).
    #[error("length {length:#x} has its most significant bit set; it must be zero")]
    #[non_exhaustive]
    LengthTooLarge {
        /// The length.
        length: u64,
    },
    /// A control frame without FIN (section 5.5).
    #[error("a {opcode:?} frame is fragmented; control frames must be whole")]
    #[non_exhaustive]
    FragmentedControlFrame {
        /// Which control frame.
        opcode: OpCode,
    },
    /// A control frame whose payload is longer than 125 bytes (section 5.5).
    #[error("a {opcode:?} frame has a length beyond 7 bits; control frames carry at most 125 bytes")]
    #[non_exhaustive]
    ControlFrameTooLong {
        /// Which control frame.
        opcode: OpCode,
    },
    /// A continuation frame where no message is under way (section 5.4).
    #[error("a continuation frame came while no message is under way; expected Text or Binary")]
    UnexpectedContinuation,
    /// A new message inside a fragmented one (section 5.4).
    #[error("a {opcode:?} frame came inside a fragmented message; expected a continuation frame")]
    #[non_exhaustive]
    UnfinishedMessage {
        /// What came.
        opcode: OpCode,
    },
    /// A message of the other type than the stream's.
    #[error("a {received:?} message came on a {expected:?} stream")]
    #[non_exhaustive]
    WrongPayloadType {
        /// What came.
        received: PayloadType,
        /// What the stream carries.
        expected: PayloadType,
    },
    /// A Text message that is not UTF-8 (section 8.1).
    #[error("a text message is not valid UTF-8")]
    InvalidUtf8,
    /// A Text message that ends inside a code point (section 8.1).
    #[error("a text message ends inside a UTF-8 code point")]
    IncompleteUtf8,
    /// A Close frame whose payload is a single byte (section 5.5.1).
    #[error("a Close frame carries 1 byte; expected none, or a code of 2 bytes and a reason")]
    ClosePayloadTooShort,
    /// A Close code that must not be on the wire (section 7.4).
    #[error("a Close frame carries code {code}; allowed are 1000-1003, 1007-1014 and 3000-4999")]
    #[non_exhaustive]
    CloseCodeInvalid {
        /// The code.
        code: CloseCode,
    },
    /// A Close reason that is not UTF-8 (section 5.5.1).
    #[error("the reason of a Close frame is not valid UTF-8")]
    CloseReasonNotUtf8,

    // How a stream can end other than by the peer's Close.
    /// The transport ended without a Close: what came may be truncated.
    #[error("the transport ended without a Close frame from the peer")]
    Truncated,
    /// Nothing came for two keep-alive intervals, see [`Config::keep_alive`](crate::Config::keep_alive).
    #[error("nothing came from the peer for the keep-alive interval after a Ping")]
    KeepAliveTimedOut,
    /// The closing handshake took longer than [`Config::close_timeout`](crate::Config::close_timeout).
    #[error("the closing handshake did not finish in time; {}", match .all_sent {
        true => "all that was written had been sent",
        false => "not all that was written had been sent",
    })]
    #[non_exhaustive]
    CloseTimedOut {
        /// Whether all that was written had left: the transport had taken it, and had been flushed.
        all_sent: bool,
    },
    /// A write, flush or shutdown, or a read with bytes that had yet to leave, waited for
    /// [`Config::stall_timeout`](crate::Config::stall_timeout) while no byte moved.
    #[error("no byte moved in either direction within the stall timeout; the peer does not read, or is gone")]
    StallTimedOut,
    /// The peer closed with a code other than none, 1000 and 1001, and
    /// [`Config::abnormal_close_is_error`](crate::Config::abnormal_close_is_error) is on.
    #[error(
        "the peer closed the connection: {close}; with `Config::abnormal_close_is_error(false)` that is an end like any other"
    )]
    #[non_exhaustive]
    ClosedAbnormally {
        /// The peer's Close.
        close: CloseFrame,
    },
    /// The WebSocket that the stream was made of had taken the header of a frame beyond its own limit.
    #[error("the WebSocket had read the header of a frame of 64 MiB or more, which cannot be recovered")]
    AdoptedFrameTooLarge,
    /// The WebSocket that the stream was made of had read part of a Text frame that cannot be recovered.
    #[error("the WebSocket had read part of a Text frame, which cannot be recovered")]
    AdoptedTextCut,
    /// The WebSocket that the stream was made of had read a frame that it calls invalid.
    #[error("the WebSocket had read an invalid frame: {reason}")]
    #[non_exhaustive]
    AdoptedInvalid {
        /// What fastwebsockets says of it.
        reason: String,
    },

    // What the caller asked for and cannot have.
    /// A write on a Text stream is not UTF-8.
    #[error("a write on a Text stream is not valid UTF-8 at byte {at}")]
    #[non_exhaustive]
    WriteNotUtf8 {
        /// The first byte that fits no code point, counted from the start of that write.
        at: usize,
    },
    /// A Text stream was shut down inside a code point.
    #[error("the last write on a Text stream ends inside a UTF-8 code point")]
    WriteIncompleteUtf8,
    /// A write after this end closed, or began to.
    #[error("the stream has been shut down for writing")]
    WriteAfterShutdown,
    /// A write after the peer's Close was answered, which has ended both directions.
    #[error("the peer has closed the connection: {close}{}", match .half_close_is_off {
        true => "; with `Config::half_close(true)` writing goes on after such a Close",
        false => "",
    })]
    #[non_exhaustive]
    PeerClosed {
        /// The peer's Close.
        close: CloseFrame,
        /// It was answered at once only because [`Config::half_close`](crate::Config::half_close) is off.
        half_close_is_off: bool,
    },
    /// A write after the stream has failed, on the read side or in an earlier write.
    #[error("the stream has failed and takes no more writes")]
    WriteAfterFailure,
    /// The transport accepted 0 bytes of a non-empty write.
    #[error("the transport accepts no more bytes")]
    TransportFull,
    /// A Close code that may not be sent (section 7.4).
    #[error("close code {code} may not be sent; allowed are 1000-1003, 1007-1014 and 3000-4999")]
    #[non_exhaustive]
    CloseCodeNotSendable {
        /// The code.
        code: CloseCode,
    },
    /// A Close reason that does not fit into a control frame (section 5.5).
    #[error("the close reason has {length} bytes; at most 123 fit")]
    #[non_exhaustive]
    CloseReasonTooLong {
        /// Its length in bytes.
        length: usize,
    },
}

impl Error {
    /// The kind of the [`std::io::Error`] that carries this error.
    pub fn kind(&self) -> io::ErrorKind {
        use io::ErrorKind;
        match self {
            Error::UnmaskedFrame
            | Error::MaskedFrame
            | Error::ReservedBits { .. }
            | Error::ReservedOpcode { .. }
            | Error::LengthNotMinimal { .. }
            | Error::LengthTooLarge { .. }
            | Error::FragmentedControlFrame { .. }
            | Error::ControlFrameTooLong { .. }
            | Error::UnexpectedContinuation
            | Error::UnfinishedMessage { .. }
            | Error::WrongPayloadType { .. }
            | Error::InvalidUtf8
            | Error::IncompleteUtf8
            | Error::ClosePayloadTooShort
            | Error::CloseCodeInvalid { .. }
            | Error::CloseReasonNotUtf8
            | Error::AdoptedFrameTooLarge
            | Error::AdoptedTextCut
            | Error::AdoptedInvalid { .. }
            | Error::WriteNotUtf8 { .. }
            | Error::WriteIncompleteUtf8 => ErrorKind::InvalidData,
            Error::Truncated => ErrorKind::UnexpectedEof,
            Error::KeepAliveTimedOut | Error::CloseTimedOut { .. } | Error::StallTimedOut => {
                ErrorKind::TimedOut
            }
            Error::ClosedAbnormally { .. } => ErrorKind::ConnectionAborted,
            Error::WriteAfterShutdown | Error::PeerClosed { .. } | Error::WriteAfterFailure => {
                ErrorKind::BrokenPipe
            }
            Error::TransportFull => ErrorKind::WriteZero,
            Error::CloseCodeNotSendable { .. } | Error::CloseReasonTooLong { .. } => ErrorKind::InvalidInput,
        }
    }

    /// The code of the Close that this error makes the stream send (RFC 6455, section 7.4.1); `None` where
    /// it sends none of its own accord.
    ///
    /// This is the one place where an error becomes something on the wire.
    //= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7
    //# the endpoint SHOULD send a Close frame with an appropriate status code (Section 7.4)
    //= https://www.rfc-editor.org/rfc/rfc6455#section-10.7
    //# the endpoint SHOULD send a Close frame with an appropriate status code (Section 7.4)
    pub fn close_code(&self) -> Option<CloseCode> {
        match self {
            Error::WrongPayloadType { .. } => Some(CloseCode::UNSUPPORTED),
            Error::InvalidUtf8
            | Error::IncompleteUtf8
            | Error::CloseReasonNotUtf8
            | Error::WriteIncompleteUtf8 => Some(CloseCode::INVALID),
            Error::AdoptedFrameTooLarge => Some(CloseCode::SIZE),
            Error::AdoptedTextCut => Some(CloseCode::ERROR),
            Error::UnmaskedFrame
            | Error::MaskedFrame
            | Error::ReservedBits { .. }
            | Error::ReservedOpcode { .. }
            | Error::LengthNotMinimal { .. }
            | Error::LengthTooLarge { .. }
            | Error::FragmentedControlFrame { .. }
            | Error::ControlFrameTooLong { .. }
            | Error::UnexpectedContinuation
            | Error::UnfinishedMessage { .. }
            | Error::ClosePayloadTooShort
            | Error::CloseCodeInvalid { .. }
            | Error::AdoptedInvalid { .. } => Some(CloseCode::PROTOCOL),
            _ => None,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::new(error.kind(), error)
    }
}
