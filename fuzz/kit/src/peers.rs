//! What two other implementations make of the same bytes, and where they are known to differ.

use std::io::{self, Read, Write};

use bytes::BytesMut;

use crate::oracle::{Oracle, Rule};

/// What a receiver says of all bytes of a direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They keep the rules, as far as they go.
    Legal,
    /// Up to a Close, with this code.
    Closed(Option<u16>),
    Illegal(String),
    /// A limit that is not the protocol's.
    Limit,
}

/// The messages that were whole, and the verdict.
#[derive(Debug)]
pub struct Seen {
    pub payload: Vec<u8>,
    pub verdict: Verdict,
}

/// The most of a frame or message that a peer takes: both allocate what is announced.
const LIMIT: usize = 1 << 20;

/// How the bytes break the rules, for whoever looks at whole frames alone.
pub struct Fault {
    pub rule: Rule,
    /// How long the payload of the frame at fault is, if all of it is on the wire.
    pub payload: Option<usize>,
}

impl Fault {
    /// Of an oracle that has met one in these bytes.
    pub fn of(oracle: &Oracle, wire: &[u8]) -> Option<Fault> {
        let rule = oracle.broken?;
        Some(Fault { rule, payload: whole_payload(&wire[oracle.start..]) })
    }
}

/// How long the payload of the frame at the start of these bytes is, if all of it is there, whatever rules it breaks.
fn whole_payload(frame: &[u8]) -> Option<usize> {
    let second = *frame.get(1)?;
    let wide = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let octets = frame.get(2..2 + wide)?;
    let length = match wide {
        0 => u64::from(second & 0x7f),
        _ => octets.iter().fold(0, |length, octet| length << 8 | u64::from(*octet)),
    };
    let head = 2 + wide + if second & 0x80 == 0 { 0 } else { 4 };
    let length = usize::try_from(length).ok()?;
    (length.checked_add(head)? <= frame.len()).then_some(length)
}

/// Known differences: where tungstenite 0.30 lets pass what breaks this rule. `None`: it does not.
pub fn tungstenite_lets_pass(fault: &Fault) -> Option<&'static str> {
    match fault.rule {
        _ if fault.payload.is_none() => Some("it looks at a frame once all of it is there"),
        Rule::LengthNotMinimal { .. } => Some("it does not ask for the shortest form"),
        Rule::ControlTooLong(_) if fault.payload <= Some(125) => Some("the same"),
        Rule::CloseCode(_) => Some("it takes any code, and answers one that may not be sent with 1002"),
        Rule::WrongType => Some("the other type is against the stream's own promise, not against the RFC"),
        _ => None,
    }
}

/// Known differences: where sockudo-ws 3.1 lets pass what breaks this rule. `None`: it does not.
pub fn sockudo_lets_pass(fault: &Fault) -> Option<&'static str> {
    match fault.rule {
        _ if fault.payload.is_none() => Some("it looks at a frame once all of it is there"),
        Rule::WrongType => Some("the other type is against the stream's own promise, not against the RFC"),
        _ => None,
    }
}

/// A stream of bytes that ends, and takes whatever is written.
struct Whole<'a>(&'a [u8]);

impl Read for Whole<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Whole<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn tungstenite(wire: &[u8], is_server: bool, allow_unmasked: bool) -> Seen {
    use tungstenite::error::{Error, ProtocolError};
    use tungstenite::protocol::{Role, WebSocketConfig};
    use tungstenite::{Message, WebSocket};

    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_frame_size(Some(LIMIT))
        .max_message_size(Some(LIMIT))
        .accept_unmasked_frames(allow_unmasked);
    let role = if is_server { Role::Server } else { Role::Client };
    let mut socket = WebSocket::from_raw_socket(Whole(wire), role, Some(config));
    let mut payload = Vec::new();
    // Ends: each turn takes a frame.
    let verdict = loop {
        match socket.read() {
            Ok(Message::Close(close)) => break Verdict::Closed(close.map(|close| close.code.into())),
            Ok(message) if message.is_text() || message.is_binary() => payload.extend(message.into_data()),
            Ok(_) => {}
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => break Verdict::Legal,
            Err(Error::Capacity(_)) => break Verdict::Limit,
            Err(error) => break Verdict::Illegal(error.to_string()),
        }
    };
    Seen { payload, verdict }
}

pub fn sockudo(wire: &[u8], is_server: bool) -> Seen {
    use sockudo_ws::error::Error;
    use sockudo_ws::protocol::{Message, Protocol, Role};

    let role = if is_server { Role::Server } else { Role::Client };
    let mut protocol = Protocol::new(role, LIMIT, LIMIT);
    let (mut payload, mut messages) = (Vec::new(), Vec::new());
    // It keeps what came before a fault in the same call.
    let result = protocol.process_into(&mut BytesMut::from(wire), &mut messages);
    for message in messages {
        match message {
            Message::Close(close) => {
                return Seen { payload, verdict: Verdict::Closed(close.map(|close| close.code)) };
            }
            Message::Text(bytes) | Message::Binary(bytes) => payload.extend_from_slice(&bytes),
            _ => {}
        }
    }
    let verdict = match result {
        Ok(()) => Verdict::Legal,
        Err(Error::FrameTooLarge | Error::MessageTooLarge) => Verdict::Limit,
        Err(error) => Verdict::Illegal(error.to_string()),
    };
    Seen { payload, verdict }
}
