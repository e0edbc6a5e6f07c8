//! The program's bytes: one frame for each write, whole or not at all.

use std::io;

use super::{Connection, Sink, Utf8};
use crate::buffer::Buffer;
use crate::frame::Header;
use crate::protocol::Closing;
use crate::protocol::encoder::{Body, Slices, write_frame};
use crate::{Error, PayloadType};

/// Text that a write has accepted and that waits for the rest of its last code point. None of its bytes is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail([u8; 3]);

impl Connection {
    /// Whether nothing stands in the way of a Binary frame: nothing has ended or failed, no call of the writer was pending, and
    /// nothing waits that must go first. Then nothing is lost either, there is no error to report, and a call that is ready
    /// changes nothing beside what it does.
    #[inline]
    pub(crate) fn writes_freely(&self) -> bool {
        self.config.payload_type == PayloadType::Binary && self.is_quiet() && self.has_room()
    }

    /// Whether nothing has ended or failed, and no call of the writer was pending.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        // Not `&&`: one test of all is cheaper.
        (self.closing == Closing::Open) & (self.sink == Sink::Open) & self.departure.waits_for_nothing()
            && !self.end.ends_writes()
    }

    /// Whether nothing waits that must go before a frame: without a write buffer that is anything.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.output.is_empty() || (self.config.write_buffer > 0 && !self.output.is_blocked())
    }

    /// How much of `length` bytes a frame takes.
    #[inline]
    pub(crate) fn admit_length(&self, length: usize) -> usize {
        length.min(self.config.max_frame_len)
    }

    /// The same behind the [tail](Self::tail). At least a byte fits: a tail has 3 at most, a frame takes 4 or more.
    pub(crate) fn admit_text_length(&self, length: usize) -> usize {
        length.min(self.config.max_frame_len - self.tail.len())
    }

    /// What is left of a code point, and goes before the next write's bytes.
    pub(crate) fn tail(&self) -> Tail {
        self.tail
    }

    /// How much of the text can be sent, and the start of a code point at its end, which has to wait.
    ///
    /// `text` begins with the [tail](Self::tail).
    pub(crate) fn check_text(&self, text: &Slices<'_>) -> io::Result<(usize, Tail)> {
        let mut utf8 = Utf8::default();
        let mut at = 0;
        for part in text.parts() {
            utf8.check(part).map_err(|valid| Error::WriteNotUtf8 {
                // The tail has been valid so far, or it would not have been accepted.
                at: (at + valid).saturating_sub(self.tail.len()),
            })?;
            at += part.len();
        }
        let whole = text.len() - utf8.unfinished();
        let mut tail = Tail::default();
        text.copy(whole, &mut tail.0[..utf8.unfinished()], None);
        Ok((whole, tail))
    }

    /// The text before this was accepted.
    pub(crate) fn keep_tail(&mut self, tail: Tail) {
        self.tail = tail;
    }

    /// The header of the next data frame. Either the transport takes some of that, or it is [refused](Self::refuse).
    #[inline(always)]
    pub(crate) fn data_header(&mut self, length: usize) -> Header {
        self.encoder.data_header(self.config.payload_type.into(), length)
    }

    /// The transport has taken nothing of the frame with this header.
    pub(crate) fn refuse(&mut self, header: &Header) {
        self.encoder.refuse(header);
    }

    #[inline]
    pub(crate) fn masks(&self) -> bool {
        self.encoder.masks()
    }

    /// Whether frames are gathered before they leave.
    #[inline]
    pub(crate) fn gathers(&self) -> bool {
        self.config.write_buffer > 0
    }

    /// Puts one frame with the others, if it fits.
    #[inline(always)]
    pub(crate) fn gather(&mut self, payload: &(impl Body + ?Sized)) -> bool {
        let capacity = self.config.write_buffer as usize;
        let length = self.encoder.frame_len(payload.len());
        if self.output.len().saturating_add(length) > capacity {
            return false;
        }
        let header = self.data_header(payload.len());
        let room = if self.output.is_empty() { capacity } else { length };
        self.output.push_data(room, |out| write_frame(&header, payload, payload.len(), out));
        true
    }

    /// Keeps the rest of a frame that the transport has begun to take.
    pub(crate) fn keep(&mut self, rest: Buffer, length: usize) {
        self.output.keep(rest, length);
    }
}

impl Tail {
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0[..self.len()]
    }

    #[inline]
    fn len(self) -> usize {
        self.0.iter().take_while(|byte| **byte != 0).count()
    }

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.0[0] == 0
    }
}
