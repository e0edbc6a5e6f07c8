//! Bytes from the wire, decoded where they lie: headers squeezed out, payload unmasked and moved together.

mod rest;

use super::Utf8;
use crate::buffer::{Buffer, SMALL};
use crate::frame::header::{self, MAX_CONTROL_PAYLOAD, Masking};
use crate::frame::{Header, Key, mask};
use crate::{CloseFrame, Config, Error, OpCode, PayloadType, Role};

pub(crate) use rest::Carried;

/// Bytes that have arrived and are being decoded in place.
///
/// ```text
///   ┌───────────────┬──────────────┬────────────────┐
///   │ payload, done │ meaningless  │ not looked at  │
///   └───────────────┴──────────────┴────────────────┘
///                 written        read
/// ```
pub(crate) struct Region<'a> {
    bytes: &'a mut [u8],
    written: usize,
    read: usize,
}

impl<'a> Region<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Region { bytes, written: 0, read: 0 }
    }

    /// The length of the decoded payload at the start of the bytes.
    #[inline]
    pub(crate) fn written(&self) -> usize {
        self.written
    }

    #[inline]
    fn unread(&self) -> &[u8] {
        &self.bytes[self.read..]
    }
}

/// A whole control frame (RFC 6455, section 5.5).
pub(crate) enum Control {
    Close(CloseFrame),
    Ping(ControlPayload),
    Pong,
}

/// The payload of a control frame.
pub(crate) struct ControlPayload {
    bytes: [u8; MAX_CONTROL_PAYLOAD],
    len: usize,
}

impl ControlPayload {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A frame with this much payload is worth a call of the transport more, see [`Decoder::wants`].
const LARGE_FRAME: u64 = 16 * 1024;

/// Where in a frame the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Header,
    Data { large: bool },
    Control,
}

/// Where in a message the next frame is (section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
//# Clients and servers MUST support receiving both fragmented and unfragmented messages.
enum Message {
    /// Between messages: Text or Binary must come.
    None,
    /// Inside a fragmented one: a continuation must come.
    Open,
    /// Not known, see [`Decoder::resume_message`] and [`Decoder::resume_hidden`]: either may come.
    Unknown,
}

/// The receiving half of the protocol. The rules of RFC 6455, sections 5.1 to 5.5, are applied here.
//= https://www.rfc-editor.org/rfc/rfc6455#section-10.4
//# MUST protect themselves against exceeding those limits.
pub(crate) struct Decoder {
    /// Payload bytes of the current frame that are still to come.
    remaining: u64,
    /// A half-received control frame's payload.
    control: Buffer,
    control_len: u8,
    /// A half-received header.
    head: [u8; header::MAX_LEN],
    head_len: u8,
    place: Place,
    message: Message,
    fin: bool,
    opcode: OpCode,
    masked: bool,
    /// FIN and opcode of the current frame are not known, see [`Decoder::resume_hidden`].
    hidden: bool,
    /// The current frame's masking key, rotated to the next byte of payload.
    key: Key,
    masking: Masking,
    payload_type: PayloadType,
    utf8: Utf8,
}

impl Decoder {
    pub(crate) fn new(role: Role, config: &Config) -> Self {
        Decoder {
            remaining: 0,
            control: Buffer::default(),
            control_len: 0,
            head: [0; header::MAX_LEN],
            head_len: 0,
            place: Place::Header,
            message: Message::None,
            fin: false,
            opcode: OpCode::Continuation,
            masked: false,
            hidden: false,
            key: Key::default(),
            masking: Masking::of(role, config.allow_unmasked),
            payload_type: config.payload_type,
            utf8: Utf8::default(),
        }
    }

    /// How many bytes the next region should have at the most.
    ///
    /// Inside a large frame that is not masked: what is left of it, and the next header. Then all of its payload is
    /// where it belongs when it arrives. With more behind the header, that would all have to be moved.
    #[inline]
    pub(crate) fn wants(&self) -> usize {
        match self.place {
            Place::Data { large: true } if !self.masked => {
                usize::try_from(self.remaining).unwrap_or(usize::MAX).saturating_add(header::MAX_LEN)
            }
            _ => usize::MAX,
        }
    }

    /// Decodes up to the end of the region (`None`), or up to the end of the next control frame.
    ///
    /// After an error the region holds what came before it, and there is no going on.
    #[inline]
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
    //# senders and receivers must not depend on the presence of specific frame boundaries.
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
    //# Message fragments MUST be delivered to the recipient in the order sent by the sender.
    pub(crate) fn decode(&mut self, region: &mut Region<'_>) -> Result<Option<Control>, Error> {
        loop {
            match self.place {
                Place::Header => {
                    if !self.read_header(region)? {
                        return Ok(None);
                    }
                }
                Place::Data { .. } => {
                    self.read_data(region)?;
                    if self.remaining > 0 {
                        return Ok(None);
                    }
                    self.place = Place::Header;
                    self.end_data_frame()?;
                }
                Place::Control => {
                    let Some(payload) = self.read_control(region) else { return Ok(None) };
                    self.place = Place::Header;
                    return self.end_control_frame(payload).map(Some);
                }
            }
        }
    }

    /// Reads a header; false if there are too few bytes.
    #[inline]
    fn read_header(&mut self, region: &mut Region<'_>) -> Result<bool, Error> {
        if self.head_len == 0
            && let Some((header, n)) = self.parse(region.unread())?
        {
            region.read += n;
            self.start_frame(header);
            return Ok(true);
        }
        self.gather_header(region)
    }

    /// The slow way: a header that arrives in pieces. At most [`header::MAX_LEN`] turns.
    #[cold]
    fn gather_header(&mut self, region: &mut Region<'_>) -> Result<bool, Error> {
        loop {
            let head = self.head;
            if let Some((header, _)) = self.parse(&head[..self.head_len.into()])? {
                self.head_len = 0;
                // As a client, the MASK bit of the lost octets shows only in this: its key was taken for a length.
                if self.hidden && header.length > u64::from(u32::MAX) {
                    return Err(Error::AdoptedFrameTooLarge);
                }
                self.start_frame(header);
                return Ok(true);
            }
            let Some(&octet) = region.unread().first() else { return Ok(false) };
            region.read += 1;
            self.head[usize::from(self.head_len)] = octet;
            self.head_len += 1;
        }
    }

    #[inline]
    fn parse(&self, bytes: &[u8]) -> Result<Option<(Header, usize)>, Error> {
        Header::parse(bytes, self.masking, |opcode| self.admit(opcode))
    }

    /// Whether a frame of this kind may come now (section 5.4), and is of the stream's type.
    #[inline]
    fn admit(&self, opcode: OpCode) -> Result<(), Error> {
        let received = match opcode {
            OpCode::Text => PayloadType::Text,
            OpCode::Binary => PayloadType::Binary,
            // > A fragmented message consists of a single frame with the FIN bit clear and an opcode other than
            // > 0, followed by zero or more frames with the FIN bit clear and the opcode set to 0, and
            // > terminated by a single frame with the FIN bit set and an opcode of 0.
            OpCode::Continuation if self.message == Message::None => {
                return Err(Error::UnexpectedContinuation);
            }
            //= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
            //# An endpoint MUST be capable of handling control frames in the middle of a fragmented message.
            _ => return Ok(()),
        };
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
        //# The fragments of one message MUST NOT be interleaved between the fragments of another message
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
        //# the type for all fragments in a message MUST be either text, binary, or one of the reserved opcodes.
        if self.message == Message::Open {
            return Err(Error::UnfinishedMessage { opcode });
        }
        if received != self.payload_type {
            return Err(Error::WrongPayloadType { received, expected: self.payload_type });
        }
        Ok(())
    }

    #[inline]
    fn start_frame(&mut self, header: Header) {
        self.remaining = header.length;
        self.masked = header.key.is_some();
        self.key = header.key.unwrap_or_default();
        self.opcode = header.opcode;
        if header.opcode.is_control() {
            self.place = Place::Control;
            return;
        }
        self.place = Place::Data { large: header.length >= LARGE_FRAME };
        self.fin = header.fin;
        if self.message == Message::Unknown && header.opcode != OpCode::Continuation {
            self.utf8 = Utf8::default();
        }
    }

    #[inline]
    fn read_data(&mut self, region: &mut Region<'_>) -> Result<(), Error> {
        let n = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(region.unread().len());
        let (from, to) = (region.read, region.written);
        if self.masked {
            mask::shift(region.bytes, from, to, n, self.key);
            self.key = self.key.rotate(n);
        } else if from != to {
            mask::shift_plain(region.bytes, from, to, n);
        }
        region.read += n;
        region.written += n;
        self.remaining -= n as u64;
        if self.payload_type == PayloadType::Text {
            //= https://www.rfc-editor.org/rfc/rfc6455#section-8.1
            //# finds that the byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the
            //# WebSocket Connection_.
            self.utf8.check(&region.bytes[to..to + n]).map_err(|valid| {
                region.written = to + valid;
                Error::InvalidUtf8
            })?;
        }
        Ok(())
    }

    #[inline]
    fn end_data_frame(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.hidden) {
            self.message = Message::Unknown;
            return Ok(());
        }
        self.message = if self.fin { Message::None } else { Message::Open };
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.6
        //# the whole message MUST contain valid UTF-8.
        if self.message == Message::None && !self.utf8.is_boundary() {
            return Err(Error::IncompleteUtf8);
        }
        Ok(())
    }

    /// Reads a control frame's payload, unmasked; `None` if there are too few bytes.
    fn read_control(&mut self, region: &mut Region<'_>) -> Option<ControlPayload> {
        let kept = usize::from(self.control_len);
        let n = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(region.unread().len());
        let mut payload = ControlPayload { bytes: [0; MAX_CONTROL_PAYLOAD], len: kept + n };
        payload.bytes[..kept].copy_from_slice(&self.control[..kept]);
        mask::copy(&region.unread()[..n], &mut payload.bytes[kept..kept + n], self.key);
        region.read += n;
        self.remaining -= n as u64;
        self.key = self.key.rotate(n);
        if self.remaining == 0 {
            self.control = Buffer::default();
            self.control_len = 0;
            return Some(payload);
        }
        if self.control.is_empty() {
            self.control = Buffer::take(SMALL);
        }
        self.control[..payload.len].copy_from_slice(payload.as_slice());
        // At most 125, checked with the header.
        self.control_len = u8::try_from(payload.len).unwrap_or(u8::MAX);
        None
    }

    fn end_control_frame(&mut self, payload: ControlPayload) -> Result<Control, Error> {
        Ok(match self.opcode {
            OpCode::Close => Control::Close(CloseFrame::parse(payload.as_slice())?),
            OpCode::Ping => Control::Ping(payload),
            _ => Control::Pong,
        })
    }
}
