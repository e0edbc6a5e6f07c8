//! `AsyncWrite`: one frame for each write, accepted whole or not at all.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::WebSocketStream;
use super::push::Sink;
use super::wake::Side;
use crate::buffer::Buffer;
use crate::frame::{Header, header};
use crate::protocol::encoder::{Body, Slices};
use crate::protocol::{Closing, Utf8};
use crate::{Error, PayloadType};

/// Payloads up to these lengths are staged on the stack; two sizes, because the stage is zeroed each time.
const TINY: usize = 128;
const SMALL: usize = 1024;

/// A frame with more payload than this is staged piece by piece: of larger pieces a socket makes more than of small ones,
/// and this one still fits the caches.
const STAGE: usize = 256 * 1024;

/// From here on a server spares the copy, where the transport is vectored. Below, a second slice costs a socket more than
/// the copy does (`bench -- kernel`).
const VECTORED: usize = 16 * 1024;

/// So many slices of a vectored write need no copy.
const MAX_SLICES: usize = 64;

/// Text that a write has accepted and that waits for the rest of its last code point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    bytes: [u8; 3],
    len: u8,
}

impl Tail {
    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len.into()]
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WebSocketStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.config.payload_type == PayloadType::Binary && this.is_quiet() && this.has_room() {
            return this.poll_put(cx, &buf[..buf.len().min(this.config.max_frame_len)]);
        }
        this.poll_write_any(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_any(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let is_quiet = this.is_quiet();
        if is_quiet && this.output.is_empty() {
            return match this.poll_flush_transport(Side::Writer, cx) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => this.end_of_call(cx, Poll::Pending),
            };
        }
        let polled = this.poll_flush_waiting(cx);
        if matches!(polled, Poll::Ready(Ok(()))) {
            this.departure.was_flushed();
        }
        if is_quiet && polled.is_ready() { polled } else { this.end_of_call(cx, polled) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = this.poll_shutdown_stream(cx);
        this.end_of_call(cx, polled)
    }
}

impl<S: AsyncWrite + Unpin> WebSocketStream<S> {
    /// Whether nothing has ended or failed, and no call of the writer was pending. Then nothing is lost either, there is no
    /// error to report, and a call that is ready changes nothing beside what it does.
    #[inline]
    fn is_quiet(&self) -> bool {
        // Not `&&`: one test of all is cheaper.
        (self.closing == Closing::Open) & (self.sink == Sink::Open) & self.departure.waits_for_nothing()
            && !self.end.ends_writes()
    }

    /// The way of all writes but the plainest.
    #[inline(never)]
    fn poll_write_any(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let result = ready!(match self.config.payload_type {
            PayloadType::Binary => {
                let length = total_len(slices).min(self.config.max_frame_len);
                self.poll_write_frame(cx, &Slices::new(&[], slices, length))
            }
            PayloadType::Text => self.poll_write_text(cx, slices),
        });
        self.departure.write_is_over(result.is_ok());
        self.stall.stop();
        Poll::Ready(result)
    }

    /// What a write returns that has to wait.
    #[cold]
    fn poll_waiting_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.departure.write_is_pending();
        self.end_of_call(cx, Poll::Pending)
    }

    /// One frame of all of the payload; returns its length.
    ///
    /// `Pending`: nothing of it was sent or kept. That is so for all that it calls.
    #[inline]
    fn poll_write_frame(
        &mut self,
        cx: &mut Context<'_>,
        payload: &(impl Body + ?Sized),
    ) -> Poll<io::Result<usize>> {
        match self.poll_free(cx) {
            Poll::Ready(result) => result?,
            Poll::Pending => return self.poll_waiting_write(cx),
        }
        self.poll_put(cx, payload)
    }

    /// The same where nothing is in its way.
    #[inline]
    fn poll_put(&mut self, cx: &mut Context<'_>, payload: &(impl Body + ?Sized)) -> Poll<io::Result<usize>> {
        if self.config.write_buffer > 0 { self.poll_gather(cx, payload) } else { self.poll_send(cx, payload) }
    }

    /// On a Text stream a frame ends with a code point; the start of the next one waits.
    #[inline(never)]
    fn poll_write_text(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.poll_free(cx) {
            Poll::Ready(result) => result?,
            Poll::Pending => return self.poll_waiting_write(cx),
        }
        let old = self.tail;
        // At least a byte fits: a tail has 3 at most, a frame takes 4 or more.
        let bytes = total_len(slices).min(self.config.max_frame_len - old.as_slice().len());
        let all = Slices::new(old.as_slice(), slices, old.as_slice().len() + bytes);
        let mut utf8 = Utf8::default();
        let mut at = 0;
        for part in all.parts() {
            utf8.check(part).map_err(|valid| Error::WriteNotUtf8 {
                // The tail has been valid so far, or it would not have been accepted.
                at: (at + valid).saturating_sub(old.as_slice().len()),
            })?;
            at += part.len();
        }
        let payload = all.len() - utf8.unfinished();
        if payload > 0 {
            let payload = Slices::new(old.as_slice(), slices, payload);
            ready!(self.poll_write_frame(cx, &payload))?;
        }
        self.tail = Tail::default();
        all.copy(payload, &mut self.tail.bytes[..utf8.unfinished()], None);
        // At most 3.
        self.tail.len = u8::try_from(utf8.unfinished()).unwrap_or(3);
        Poll::Ready(Ok(bytes))
    }

    /// Whether nothing waits that must go before a frame: without a write buffer that is anything.
    #[inline]
    fn has_room(&self) -> bool {
        self.output.is_empty() || (self.config.write_buffer > 0 && !self.output.is_blocked())
    }

    /// Waits until a frame may be written.
    #[inline(never)]
    fn poll_free(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_write()?;
        self.ping_while_half_closed(cx);
        // Back-pressure: what the transport has refused goes first. The transport holds the writer's waker.
        if self.has_room() { Poll::Ready(Ok(())) } else { self.poll_drain(Side::Writer, cx) }
    }

    /// A flush where something waits, or has failed.
    #[inline(never)]
    fn poll_flush_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_flush()?;
        if self.sink != Sink::Open {
            return Poll::Ready(Ok(()));
        }
        self.ping_while_half_closed(cx);
        ready!(self.poll_drain(Side::Writer, cx)).or_else(|error| self.excuse_flush(error))?;
        if self.sink != Sink::Open {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(self.poll_flush_transport(Side::Writer, cx));
        Poll::Ready(flushed.or_else(|error| self.excuse_flush(error)))
    }

    /// Puts one frame into the write buffer, if it fits, else sends it.
    fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        payload: &(impl Body + ?Sized),
    ) -> Poll<io::Result<usize>> {
        let capacity = self.config.write_buffer as usize;
        let length = self.encoder.frame_len(payload.len());
        if self.output.len().saturating_add(length) > capacity {
            match self.poll_drain(Side::Writer, cx) {
                Poll::Ready(result) => result?,
                Poll::Pending => return self.poll_waiting_write(cx),
            }
        }
        if length > capacity {
            return self.poll_send(cx, payload);
        }
        let header = self.encoder.data_header(payload.len());
        let room = if self.output.is_empty() { capacity } else { length };
        self.output.push_data(room, |out| write_frame(&header, payload, payload.len(), out));
        Poll::Ready(Ok(payload.len()))
    }

    /// Sends one frame to the transport; returns the length of its payload.
    ///
    /// `Pending`: nothing of it was sent or kept.
    #[inline]
    fn poll_send(&mut self, cx: &mut Context<'_>, payload: &(impl Body + ?Sized)) -> Poll<io::Result<usize>> {
        if payload.len() <= TINY {
            self.poll_send_on_stack::<{ TINY + header::MAX_LEN }>(cx, payload)
        } else if payload.len() <= SMALL {
            self.poll_send_on_stack::<{ SMALL + header::MAX_LEN }>(cx, payload)
        } else {
            self.poll_send_large(cx, payload)
        }
    }

    #[inline(never)]
    fn poll_send_on_stack<const N: usize>(
        &mut self,
        cx: &mut Context<'_>,
        payload: &(impl Body + ?Sized),
    ) -> Poll<io::Result<usize>> {
        self.poll_send_staged(cx, payload, payload.len(), &mut [0; N])
    }

    #[inline(never)]
    fn poll_send_large(
        &mut self,
        cx: &mut Context<'_>,
        payload: &(impl Body + ?Sized),
    ) -> Poll<io::Result<usize>> {
        if !self.encoder.masks() && payload.len() >= VECTORED && self.io.get_ref().is_write_vectored() {
            let mut head = [0; header::MAX_LEN];
            let n = self.encoder.data_header(payload.len()).encode(&mut head);
            let head = IoSlice::new(&head[..n]);
            return match payload.parts().count() {
                0..=2 => self.poll_send_slices(cx, &mut [head; 3], payload),
                3..=MAX_SLICES => self.poll_send_slices(cx, &mut [head; 1 + MAX_SLICES], payload),
                count => self.poll_send_slices(cx, &mut vec![head; 1 + count], payload),
            };
        }
        let staged = payload.len().min(STAGE);
        self.poll_send_staged(cx, payload, staged, &mut Buffer::take(header::MAX_LEN + staged))
    }

    /// The way of all masked frames, and of small ones: the header and the first `staged` bytes of payload side by side
    /// in `stage`, which has room for them.
    #[inline(always)]
    fn poll_send_staged(
        &mut self,
        cx: &mut Context<'_>,
        payload: &(impl Body + ?Sized),
        staged: usize,
        stage: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let header = self.encoder.data_header(payload.len());
        let end = write_frame(&header, payload, staged, stage);
        let Poll::Ready(sent) = self.poll_write_bytes(cx, &stage[..end]) else {
            // Nothing was sent; the transport has the writer's waker.
            self.encoder.refuse(&header);
            return self.poll_waiting_write(cx);
        };
        let sent = sent?;
        if sent < end || staged < payload.len() {
            self.send_rest(cx, &header, payload, stage, sent..end, staged)?;
        }
        Poll::Ready(Ok(payload.len()))
    }

    /// Goes on with a frame of which the transport has a part: what is left of the stage, then what is left of the
    /// payload. What the transport does not take is kept.
    #[cold]
    fn send_rest(
        &mut self,
        cx: &mut Context<'_>,
        header: &Header,
        payload: &(impl Body + ?Sized),
        stage: &mut [u8],
        mut left: Range<usize>,
        mut staged: usize,
    ) -> io::Result<()> {
        // Ends: each turn takes at least a byte.
        loop {
            if left.is_empty() {
                if staged == payload.len() {
                    return Ok(());
                }
                left = 0..STAGE.min(payload.len() - staged);
                payload.copy(staged, &mut stage[left.clone()], header.key);
                staged += left.len();
            }
            match self.poll_write_bytes(cx, &stage[left.clone()]) {
                Poll::Ready(n) => left.start += n?,
                Poll::Pending => {
                    let (stage, later) = (&stage[left], payload.len() - staged);
                    let length = stage.len() + later;
                    let rest = Buffer::filled(length, |at, mut out| {
                        let stage = &stage[at.min(stage.len())..];
                        let n = stage.len().min(out.len());
                        out[..n].copy_from_slice(&stage[..n]);
                        out = &mut out[n..];
                        if !out.is_empty() {
                            payload.copy(staged + (at + n - (length - later)), out, header.key);
                        }
                    });
                    self.keep(rest, length);
                    return Ok(());
                }
            }
        }
    }

    /// The way of large frames that are not masked: the caller's bytes are not copied.
    ///
    /// `slices` begins with the header, and has room for the payload's parts.
    fn poll_send_slices<'a>(
        &mut self,
        cx: &mut Context<'_>,
        mut slices: &mut [IoSlice<'a>],
        payload: &'a (impl Body + ?Sized),
    ) -> Poll<io::Result<usize>> {
        let mut count = 1;
        for part in payload.parts() {
            slices[count] = IoSlice::new(part);
            count += 1;
        }
        let (mut left, mut begun) = (slices[0].len() + payload.len(), false);
        slices = &mut slices[..count];
        // Ends: each turn takes at least a byte.
        while left > 0 {
            match self.poll_write_slices(cx, slices, left) {
                Poll::Ready(result) => {
                    let n = result?;
                    IoSlice::advance_slices(&mut slices, n);
                    left -= n;
                    begun = true;
                }
                Poll::Pending if !begun => return self.poll_waiting_write(cx),
                Poll::Pending => {
                    let rest = Slices::new(&[], slices, left);
                    self.keep(Buffer::filled(left, |at, out| rest.copy(at, out, None)), left);
                    break;
                }
            }
        }
        Poll::Ready(Ok(payload.len()))
    }

    /// Ends this end's half: what is kept, a Close, and the transport too if nothing more can come.
    fn poll_shutdown_stream(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.unreported.take() {
            self.excuse(error)?;
        }
        self.queue_last_close();
        if let Err(error) = ready!(self.poll_push(Side::Writer, cx, false)) {
            self.excuse(error)?;
        }
        // Unless the peer may have more to send.
        if self.is_closed_both_ways() || self.end.is_failed() || self.sink == Sink::Failed {
            ready!(self.poll_push(Side::Writer, cx, true))?;
        }
        if std::mem::take(&mut self.tail).is_empty() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Ready(Err(Error::WriteIncompleteUtf8.into()))
        }
    }
}

fn total_len(slices: &[IoSlice<'_>]) -> usize {
    slices.iter().map(|slice| slice.len()).fold(0, usize::saturating_add)
}

/// Writes a header and the first `length` bytes of payload to the start of `out`, and returns how much that is.
#[inline(always)]
fn write_frame(header: &Header, payload: &(impl Body + ?Sized), length: usize, out: &mut [u8]) -> usize {
    let n = header.encode(out);
    payload.copy(0, &mut out[n..n + length], header.key);
    n + length
}
