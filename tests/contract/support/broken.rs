//! Rules that a test expects to be broken: the crate's variants with fields cannot be made outside of it.

use fastwebsockets_stream::{CloseCode, Error, OpCode, PayloadType};

/// The same as the variant of [`Error`] of this name.
#[derive(Clone, Debug, PartialEq)]
pub enum Broken {
    UnmaskedFrame,
    MaskedFrame,
    ReservedBits { bits: u8 },
    ReservedOpcode { opcode: u8 },
    LengthNotMinimal { length: u64, bits: u8 },
    LengthTooLarge { length: u64 },
    FragmentedControlFrame { opcode: OpCode },
    ControlFrameTooLong { opcode: OpCode },
    UnexpectedContinuation,
    UnfinishedMessage { opcode: OpCode },
    WrongPayloadType { received: PayloadType, expected: PayloadType },
    InvalidUtf8,
    IncompleteUtf8,
    ClosePayloadTooShort,
    CloseCodeInvalid { code: CloseCode },
    CloseReasonNotUtf8,
    Truncated,
    WriteNotUtf8 { at: usize },
    CloseCodeNotSendable { code: CloseCode },
    CloseReasonTooLong { length: usize },
}

/// Variant and fields, all of them.
impl PartialEq<Broken> for Error {
    fn eq(&self, broken: &Broken) -> bool {
        format!("{self:?}") == format!("{broken:?}")
    }
}
