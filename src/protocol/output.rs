//! What waits to be sent: one queue of wire bytes, in order.
//!
//! It holds the rest of a frame that the transport has begun to take, or frames that are being gathered, and
//! the control frames behind them. Nothing else of the crate keeps bytes on their way out.

use super::encoder::{Body, write_frame};
use crate::buffer::{Buffer, HEADROOM, SMALL};
use crate::frame::Header;

/// Wire bytes on their way out, in one buffer.
///
/// ```text
///   ┌──────────┬───────────────────────────┬────────┬─────────┐
///   │ sent     │ rest of a frame, frames … │ Pong   │ room    │
///   └──────────┴───────────────────────────┴────────┴─────────┘
///            start                               end
/// ```
///
/// A Pong at the end is the *waiting Pong*, until the transport is offered it. While the transport takes nothing, a
/// newer one replaces it, so that a flood of Pings costs one slot beside what was offered:
///
/// > If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in response to previous Ping
/// > frame(s), the endpoint MAY elect to send a Pong frame for only the most recently processed Ping frame.
/// > (RFC 6455, section 5.5.3)
///
/// What the transport has been offered never changes: it may have put aside what it refused.
#[derive(Default)]
pub(crate) struct Output {
    buffer: Buffer,
    start: usize,
    end: usize,
    /// How long the waiting Pong is; 0 if there is none. One of which a part has been sent begins before `start`.
    pong: u8,
    /// The transport was offered these bytes and has not taken all of them.
    blocked: bool,
    /// Some of it is the application's.
    holds_data: bool,
}

/// What is known of the bytes in an [`Output`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Nature {
    pong: u8,
    blocked: bool,
    holds_data: bool,
}

impl Output {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked
    }

    #[inline]
    pub(crate) fn holds_data(&self) -> bool {
        self.holds_data
    }

    /// Whether so much is waiting that the transport should be asked before more is added.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= SMALL / 2
    }

    /// All of it.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// What is to be sent next: all of it, or what is before the waiting Pong.
    #[inline]
    pub(crate) fn waiting(&self) -> &[u8] {
        let pong = self.end - usize::from(self.pong);
        let end = if self.blocked && self.start < pong { pong } else { self.end };
        &self.buffer[self.start..end]
    }

    /// The transport took `n` bytes of what was waiting.
    #[inline]
    pub(crate) fn advance(&mut self, n: usize) {
        self.start += n;
        if self.start >= self.end {
            self.clear();
        }
    }

    /// The transport takes no more for now.
    pub(crate) fn block(&mut self) {
        if !self.blocked {
            self.blocked = true;
            // It was offered with all the rest.
            self.pong = 0;
        }
    }

    /// Gives up all that waits, and the memory.
    pub(crate) fn clear(&mut self) {
        *self = Output::default();
    }

    /// Keeps the rest of a frame, `buffer[..end]`, whose beginning the transport has taken.
    pub(crate) fn keep(&mut self, buffer: Buffer, end: usize) {
        debug_assert!(self.is_empty());
        *self = Output { buffer, start: 0, end, pong: 0, blocked: true, holds_data: true };
    }

    /// Adds a data frame; makes at least so much room for it and those that follow.
    #[inline(always)]
    pub(crate) fn push_data(&mut self, room: usize, header: &Header, payload: &(impl Body + ?Sized)) {
        self.reserve(room);
        self.end += write_frame(header, payload, payload.len(), &mut self.buffer[self.end..]);
        self.pong = 0;
        self.holds_data = true;
    }

    /// Adds a control frame.
    pub(crate) fn push_control(&mut self, frame: &[u8]) {
        self.reserve(frame.len());
        self.buffer[self.end..self.end + frame.len()].copy_from_slice(frame);
        self.end += frame.len();
        self.pong = 0;
    }

    /// Adds a Pong, or puts it in the place of the waiting one if the transport takes nothing.
    pub(crate) fn push_pong(&mut self, frame: &[u8]) {
        let pong = self.end - usize::from(self.pong);
        if self.blocked && self.start < pong {
            self.end = pong;
        }
        self.push_control(frame);
        // At most 131.
        self.pong = u8::try_from(frame.len()).unwrap_or(0);
    }

    /// What [`waiting`](Self::waiting) does not say of itself.
    pub(crate) fn nature(&self) -> Nature {
        Nature { pong: self.pong, blocked: self.blocked, holds_data: self.holds_data }
    }

    /// Adds bytes that another stream has left, see `stream::parts`.
    pub(crate) fn push_unsent(&mut self, bytes: &[u8], nature: Nature) {
        if !bytes.is_empty() {
            self.push_control(bytes);
            // They have been in other hands.
            self.pong = if bytes.len() < nature.pong.into() { 0 } else { nature.pong };
            (self.blocked, self.holds_data) = (nature.blocked, nature.holds_data);
        }
    }

    /// Makes room for `n` more bytes.
    #[inline]
    fn reserve(&mut self, n: usize) {
        if self.buffer.len() - self.end < n {
            self.make_room(n);
        }
    }

    /// By moving together, or in a larger buffer.
    fn make_room(&mut self, n: usize) {
        let len = self.len();
        if self.buffer.len() - len >= n {
            self.buffer.copy_within(self.start..self.end, 0);
        } else {
            let headroom = if len > 0 { HEADROOM } else { 0 };
            let mut larger = Buffer::take(len + n + headroom);
            larger[..len].copy_from_slice(self.as_slice());
            self.buffer = larger;
        }
        (self.start, self.end) = (0, len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_pong_is_replaced_only_while_the_transport_takes_nothing() {
        let mut output = Output::default();
        output.push_pong(b"one");
        output.push_pong(b"two");
        assert_eq!(output.waiting(), b"onetwo");
        output.block();
        output.push_pong(b"three");
        output.push_pong(b"four");
        assert_eq!(output.as_slice(), b"onetwofour", "what was offered stays");
        assert_eq!(output.waiting(), b"onetwo");
        output.advance(6);
        assert_eq!(output.waiting(), b"four");
        output.push_pong(b"five");
        output.push_pong(b"six");
        assert_eq!(output.as_slice(), b"foursix", "it may be half sent");
    }

    #[test]
    fn what_is_half_sent_stays_in_order_whatever_comes_behind_it() {
        let first: Vec<u8> = (0..900).map(|at| (at % 251) as u8).collect();
        // There is room where it is, once it is moved, in a larger buffer.
        for more in [100, 300, 900] {
            let mut output = Output::default();
            output.push_control(&first);
            output.advance(700);
            output.push_control(&vec![7; more]);
            assert_eq!(output.len(), 200 + more);
            assert_eq!(output.as_slice(), [&first[700..], &vec![7; more]].concat());
        }
    }

    #[test]
    fn half_of_a_pong_is_not_replaced_here_nor_in_a_stream_that_goes_on() {
        let mut output = Output::default();
        output.push_pong(b"pong");
        output.advance(1);
        let mut next = Output::default();
        next.push_unsent(output.as_slice(), Nature { blocked: true, ..output.nature() });
        output.block();
        for mut output in [output, next] {
            assert_eq!(output.waiting(), b"ong");
            output.push_pong(b"a newer one");
            output.push_pong(b"latest");
            assert_eq!(output.as_slice(), b"onglatest");
            assert_eq!(output.waiting(), b"ong");
        }
    }

    #[test]
    fn flood_of_pongs_behind_a_blocked_frame_stays_within_its_buffer() {
        let mut output = Output::default();
        let size = crate::buffer::LARGE;
        output.keep(Buffer::take(size), 64 * 1024);
        let before = output.len();
        for _ in 0..10_000 {
            output.push_pong(&[0; 131]);
        }
        output.push_control(&[0; 131]);
        for _ in 0..10_000 {
            output.push_pong(&[0; 131]);
        }
        assert_eq!(output.len(), before + 3 * 131);
        assert_eq!(output.buffer.len(), size);
    }

    #[test]
    fn empty_output_holds_no_memory() {
        let mut output = Output::default();
        output.push_control(b"abc");
        output.advance(3);
        assert!(output.is_empty() && output.buffer.is_empty());
    }
}
