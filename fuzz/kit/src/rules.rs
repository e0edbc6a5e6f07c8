//! The library's errors, as the oracle calls them.

use std::io;

use fastwebsockets_stream::{Error, OpCode};

use crate::oracle::Rule;

/// The library's own error inside.
pub fn inside(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// The rule that the peer broke, if that is what the error says.
pub fn broken(error: &Error) -> Option<Rule> {
    let number = |opcode: &OpCode| *opcode as u8;
    Some(match error {
        Error::UnmaskedFrame => Rule::Unmasked,
        Error::MaskedFrame => Rule::Masked,
        Error::ReservedBits { bits, .. } => Rule::ReservedBits(*bits),
        Error::ReservedOpcode { opcode, .. } => Rule::ReservedOpcode(*opcode),
        Error::LengthNotMinimal { length, bits, .. } => {
            Rule::LengthNotMinimal { length: *length, bits: *bits }
        }
        Error::LengthTooLarge { length, .. } => Rule::LengthTooLarge(*length),
        Error::FragmentedControlFrame { opcode, .. } => Rule::FragmentedControl(number(opcode)),
        Error::ControlFrameTooLong { opcode, .. } => Rule::ControlTooLong(number(opcode)),
        Error::UnexpectedContinuation => Rule::UnexpectedContinuation,
        Error::UnfinishedMessage { opcode, .. } => Rule::UnfinishedMessage(number(opcode)),
        Error::WrongPayloadType { .. } => Rule::WrongType,
        Error::InvalidUtf8 => Rule::InvalidUtf8,
        Error::IncompleteUtf8 => Rule::IncompleteUtf8,
        Error::ClosePayloadTooShort => Rule::CloseTooShort,
        Error::CloseCodeInvalid { code, .. } => Rule::CloseCode((*code).into()),
        Error::CloseReasonNotUtf8 => Rule::CloseReason,
        _ => return None,
    })
}

/// As much of a sentence as fits into a Close beside the code, cut at a code point.
pub fn reason(sentence: &str) -> &str {
    let mut end = sentence.len().min(123);
    while !sentence.is_char_boundary(end) {
        end -= 1;
    }
    &sentence[..end]
}
