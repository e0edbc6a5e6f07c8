/// What a frame is: the opcodes of RFC 6455 (sections 5.2 and 11.8).
///
/// # Examples
///
/// ```
/// use fastwebsockets_stream::{OpCode, PayloadType};
///
/// assert_eq!(OpCode::from(PayloadType::Text), OpCode::Text);
/// assert_eq!(u8::from(OpCode::Ping), 0x9);
/// assert!(OpCode::Ping.is_control());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum OpCode {
    /// Goes on with a fragmented message (0x0).
    Continuation = 0x0,
    /// Begins a Text message (0x1).
    Text = 0x1,
    /// Begins a Binary message (0x2).
    Binary = 0x2,
    /// Ends the connection (0x8).
    Close = 0x8,
    /// Asks for a Pong (0x9).
    Ping = 0x9,
    /// Answers a Ping (0xA).
    Pong = 0xa,
}

impl OpCode {
    /// The opcode with this number, 0x0 to 0xF; `None` for those that are reserved.
    #[inline]
    pub(crate) fn from_octet(octet: u8) -> Option<Self> {
        Some(match octet {
            0x0 => OpCode::Continuation,
            0x1 => OpCode::Text,
            0x2 => OpCode::Binary,
            0x8 => OpCode::Close,
            0x9 => OpCode::Ping,
            0xa => OpCode::Pong,
            _ => return None,
        })
    }

    /// Whether a frame with this opcode is a control frame: Close, Ping or Pong.
    ///
    /// > Control frames are identified by opcodes where the most significant bit of the opcode is 1. (RFC 6455, section
    /// > 5.5)
    #[inline]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// The number on the wire, 0x0 to 0xA.
impl From<OpCode> for u8 {
    #[inline]
    fn from(opcode: OpCode) -> Self {
        opcode as u8
    }
}
