//! Payload that was read ahead.

use tokio::io::ReadBuf;

use crate::buffer::Buffer;

/// How much a stream reads ahead, at the most.
pub(super) const READ_AHEAD: usize = 16 * 1024;

/// Payload that was read ahead of the caller.
#[derive(Default)]
pub(super) struct Input {
    buffer: Buffer,
    start: usize,
    end: usize,
}

impl Input {
    pub(super) fn new(buffer: Buffer, end: usize) -> Self {
        if end == 0 { Input::default() } else { Input { buffer, start: 0, end } }
    }

    /// Its payload at the start of a buffer, and how much that is.
    pub(super) fn into_buffer(mut self) -> (Buffer, usize) {
        if self.is_empty() {
            return (Buffer::take(READ_AHEAD), 0);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.buffer, self.end - self.start)
    }

    /// This, and `later` behind it.
    pub(super) fn followed_by(self, later: Input) -> Self {
        if self.is_empty() {
            return later;
        }
        if later.is_empty() {
            return self;
        }
        let both = [self.as_slice(), later.as_slice()].concat();
        let end = both.len();
        Input::new(both.into(), end)
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Moves as much as fits.
    #[inline]
    pub(super) fn read(&mut self, buf: &mut ReadBuf<'_>) {
        let payload = self.as_slice();
        let n = payload.len().min(buf.remaining());
        buf.put_slice(&payload[..n]);
        self.consume(n);
    }

    /// The last byte taken gives the memory back.
    #[inline]
    pub(super) fn consume(&mut self, n: usize) {
        self.start += n.min(self.end - self.start);
        if self.is_empty() {
            *self = Input::default();
        }
    }
}
