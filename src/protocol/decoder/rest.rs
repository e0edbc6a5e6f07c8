//! Where a decoder stands, written down and taken up again: for streams that are taken apart, and for sockets that
//! another reader has begun.

use super::{Decoder, Message, Place};
use crate::frame::header::{self, Masking};
use crate::frame::{Header, Key, mask};
use crate::protocol::Utf8;
use crate::{CloseFrame, OpCode, PayloadType};

impl Decoder {
    /// Whether a frame and a message have just ended, or none has begun.
    #[cfg(feature = "fastwebsockets")]
    pub(crate) fn is_between_messages(&self) -> bool {
        self.place == Place::Header && self.head_len == 0 && self.message != Message::Open
    }

    /// Goes on where another reader has stopped, perhaps inside a message, and inside a code point of it: whether one is
    /// open is not known.
    #[cfg(feature = "fastwebsockets")]
    pub(crate) fn resume_message(&mut self) {
        self.message = Message::Unknown;
        self.utf8 = Utf8::somewhere();
    }

    /// Goes on with a data frame of which only the end of the header is still to come: `octets` is what follows
    /// the first one, which is not known. Whether it ends its message, and whether it begins one, stays open.
    #[cfg(feature = "fastwebsockets")]
    pub(crate) fn resume_hidden(&mut self, octets: &[u8]) {
        self.hidden = true;
        self.resume_message();
        self.head[0] = OpCode::Continuation as u8;
        self.head[1..=octets.len()].copy_from_slice(octets);
        // At most 2 + 4, see `stream::adopt`.
        self.head_len = u8::try_from(1 + octets.len()).unwrap_or(u8::MAX);
    }

    /// Writes wire bytes that make a new decoder deliver `unread`, which this one has decoded already, and then
    /// go on exactly where this one stands.
    ///
    /// What does not show on the wire is returned, for [`Decoder::end_rest`].
    ///
    /// After an error there is no going on: then `unread` is all there is.
    pub(crate) fn encode_rest(&self, unread: &[u8], failed: bool, out: &mut Vec<u8>) -> Carried {
        let opcode = OpCode::from(self.payload_type);
        let plain = self.plain_key();
        let in_frame = matches!(self.place, Place::Data { .. }) && !failed;
        let in_message = failed
            || in_frame
            || match self.message {
                Message::None => false,
                Message::Open => true,
                Message::Unknown => self.head_len > 0 && self.head[0] & 0x0f == OpCode::Continuation as u8,
            };
        if !unread.is_empty() || (in_message && !in_frame) {
            let length = unread.len() as u64;
            push_header(Header { fin: !in_message, opcode, key: plain, length }, out);
            out.extend_from_slice(unread);
        }
        let carried =
            Carried { utf8: self.utf8, hidden: self.hidden, either_next: self.message == Message::Unknown };
        if failed {
            return carried;
        }
        let key = self.masked.then_some(self.key);
        match self.place {
            Place::Header => out.extend_from_slice(&self.head[..self.head_len.into()]),
            Place::Data { .. } => {
                let opcode = if unread.is_empty() { opcode } else { OpCode::Continuation };
                push_header(Header { fin: self.fin, opcode, key, length: self.remaining }, out);
            }
            Place::Control => {
                let kept = &self.control[..self.control_len.into()];
                let key = key.map(|key| key.rotate(4 - (kept.len() & 3)));
                let length = kept.len() as u64 + self.remaining;
                push_header(Header { fin: true, opcode: self.opcode, key, length }, out);
                let from = out.len();
                out.extend_from_slice(kept);
                mask::shift(out, from, from, kept.len(), key.unwrap_or_default());
            }
        }
        carried
    }

    /// Writes the peer's Close again.
    pub(crate) fn encode_close(&self, frame: &CloseFrame, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        if let Some(code) = frame.code {
            payload.extend_from_slice(&u16::from(code).to_be_bytes());
            payload.extend_from_slice(frame.reason.as_bytes());
        }
        let length = payload.len() as u64;
        push_header(Header { fin: true, opcode: OpCode::Close, key: self.plain_key(), length }, out);
        out.extend_from_slice(&payload);
    }

    /// A key of zeros masks nothing: what has been unmasked can be written down as it is.
    fn plain_key(&self) -> Option<Key> {
        (self.masking != Masking::Forbidden).then_some(Key::default())
    }

    /// Before the bytes of [`Decoder::encode_rest`] are decoded: they are valid, and may begin inside a code point.
    pub(crate) fn begin_rest(&mut self) {
        if self.payload_type == PayloadType::Text {
            self.utf8 = Utf8::somewhere();
        }
    }

    /// After they were decoded: takes over what they do not say.
    pub(crate) fn end_rest(&mut self, carried: Carried) {
        self.utf8 = carried.utf8;
        self.hidden = carried.hidden;
        if carried.either_next {
            self.message = Message::Unknown;
        }
    }
}

/// What a decoder knows and the wire does not say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carried {
    /// The code point that the bytes received have stopped in.
    utf8: Utf8,
    /// FIN and opcode of the current frame are not known.
    hidden: bool,
    /// Either a continuation or a new message may come next.
    either_next: bool,
}

fn push_header(header: Header, out: &mut Vec<u8>) {
    let mut head = [0; header::MAX_LEN];
    let n = header.encode(&mut head);
    out.extend_from_slice(&head[..n]);
}
