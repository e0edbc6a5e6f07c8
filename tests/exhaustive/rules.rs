//! The rules of RFC 6455 for what comes, as a table.

use std::io::ErrorKind;

use fastwebsockets_stream::{Error, PayloadType, Role};

use crate::kit::{Stream, control, rule, sent};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// > RSV1, RSV2, RSV3: MUST be 0 unless an extension is negotiated (5.2)
    Reserved,
    /// > If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_. (5.2)
    Opcode,
    /// > All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented. (5.5)
    ControlWhole,
    ControlShort,
    /// > followed by zero or more frames with the FIN bit clear and the opcode set to 0 (5.4)
    Continuation,
    /// > The fragments of one message MUST NOT be interleaved between the fragments of another message (5.4)
    Interleaved,
    /// A contract of this crate's: 1003, for "a type of data it cannot accept" (7.4.1).
    Type,
    /// > The server MUST close the connection upon receiving a frame that is not masked. […] A client MUST close a connection
    /// > if it detects a masked frame. (5.1)
    Mask,
    /// > in all cases, the minimal number of bytes MUST be used to encode the length (5.2)
    Minimal,
    /// > the most significant bit MUST be 0 (5.2)
    TopBit,
    /// > If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer (5.5.1)
    CloseLength,
    /// Section 7.4.
    CloseCode,
    /// > the body may contain UTF-8-encoded data (5.5.1)
    CloseReason,
    /// > that endpoint MUST _Fail the WebSocket Connection_ (8.1)
    Utf8,
}

impl Rule {
    /// Which rule an error says was broken.
    pub fn of(error: &Error) -> Option<Rule> {
        Some(match error {
            Error::ReservedBits { .. } => Rule::Reserved,
            Error::ReservedOpcode { .. } => Rule::Opcode,
            Error::FragmentedControlFrame { .. } => Rule::ControlWhole,
            Error::ControlFrameTooLong { .. } => Rule::ControlShort,
            Error::UnexpectedContinuation => Rule::Continuation,
            Error::UnfinishedMessage { .. } => Rule::Interleaved,
            Error::WrongPayloadType { .. } => Rule::Type,
            Error::UnmaskedFrame | Error::MaskedFrame => Rule::Mask,
            Error::LengthNotMinimal { .. } => Rule::Minimal,
            Error::LengthTooLarge { .. } => Rule::TopBit,
            Error::ClosePayloadTooShort => Rule::CloseLength,
            Error::CloseCodeInvalid { .. } => Rule::CloseCode,
            Error::CloseReasonNotUtf8 => Rule::CloseReason,
            Error::InvalidUtf8 | Error::IncompleteUtf8 => Rule::Utf8,
            _ => return None,
        })
    }

    /// The code of the Close that answers it (7.4.1).
    pub fn code(self) -> u16 {
        match self {
            Rule::Type => 1003,
            Rule::Utf8 | Rule::CloseReason => 1007,
            _ => 1002,
        }
    }
}

/// The rules that an input breaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules(u32);

impl Rules {
    pub fn add(&mut self, rule: Rule, is_broken: bool) {
        self.0 |= u32::from(is_broken) << rule as u32;
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, rule: Rule) -> bool {
        self.0 & 1 << rule as u32 != 0
    }
}

/// The rules that the first octet breaks, between messages or inside one of the stream's type.
pub fn of_first(first: u8, payload_type: PayloadType, inside: bool) -> Rules {
    let mut rules = Rules::default();
    let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
    let other = if payload_type == PayloadType::Text { 0x2 } else { 0x1 };
    rules.add(Rule::Reserved, first & 0x70 != 0);
    rules.add(Rule::Opcode, !matches!(opcode, 0x0 | 0x1 | 0x2 | 0x8 | 0x9 | 0xa));
    rules.add(Rule::ControlWhole, opcode >= 0x8 && !fin);
    rules.add(Rule::Continuation, opcode == 0x0 && !inside);
    rules.add(Rule::Interleaved, matches!(opcode, 0x1 | 0x2) && inside);
    rules.add(Rule::Type, opcode == other);
    rules
}

/// The same for the second octet.
pub fn of_second(first: u8, second: u8, role: Role) -> Rules {
    let mut rules = Rules::default();
    rules.add(Rule::Mask, (second & 0x80 != 0) != (role == Role::Server));
    rules.add(Rule::ControlShort, first & 0x08 != 0 && second & 0x7f > 125);
    rules
}

/// Asserts that a read has failed by one of these rules, and what the peer was told: that rule, unless this end has closed.
#[track_caller]
pub fn assert_broken(stream: &mut Stream<'_>, error: &std::io::Error, rules: Rules, has_closed: bool) {
    let role = stream.role();
    let broken = Rule::of(rule(error)).expect("a rule for what comes");
    assert!(rules.contains(broken), "{error}");
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert_eq!(rule(error).close_code().map(u16::from), Some(broken.code()));
    let sent = sent(stream);
    let Some((first, payload)) = control(role, sent) else {
        assert!(has_closed, "the peer was not told: {error}");
        return;
    };
    assert!(!has_closed, "a second Close was sent");
    assert_eq!((first, &payload[..2]), (0x88, &broken.code().to_be_bytes()[..]));
    let sentence = rule(error).to_string();
    let fits = sentence.len().min(123);
    assert_eq!(&payload[2..], &sentence.as_bytes()[..fits]);
}
