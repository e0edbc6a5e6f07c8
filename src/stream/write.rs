//! `AsyncWrite`: one frame for each write, accepted whole or not at all.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::WebSocketStream;
use super::wake::Side;
use crate::PayloadType;
use crate::buffer::Buffer;
use crate::frame::{Header, header};
use crate::protocol::encoder::{Body, Slices, rest_of_frame, write_frame};

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

impl<S: AsyncWrite + Unpin> AsyncWrite for WebSocketStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.connection.writes_freely() {
            return this.poll_put(cx, &buf[..this.connection.admit_length(buf.len())]);
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
        let is_quiet = this.connection.is_quiet();
        if is_quiet && this.connection.has_sent_all() {
            return match this.poll_flush_transport(Side::Writer, cx) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => this.end_of_call(cx, Poll::Pending),
            };
        }
        let polled = this.poll_flush_waiting(cx);
        if matches!(polled, Poll::Ready(Ok(()))) {
            this.connection.flush_succeeds();
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
    /// The way of all writes but the plainest.
    #[inline(never)]
    fn poll_write_any(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let result = ready!(match self.connection.config().payload_type {
            PayloadType::Binary => {
                let length = self.connection.admit_length(total_len(slices));
                self.poll_write_frame(cx, &Slices::new(&[], slices, length))
            }
            PayloadType::Text => self.poll_write_text(cx, slices),
        });
        self.connection.write_ends(result.is_ok());
        Poll::Ready(result)
    }

    /// What a write returns that has to wait.
    #[cold]
    fn poll_waiting_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.connection.write_waits();
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
        if self.connection.gathers() { self.poll_gather(cx, payload) } else { self.poll_send(cx, payload) }
    }

    /// On a Text stream a frame ends with a code point; the start of the next one waits.
    #[inline(never)]
    fn poll_write_text(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.poll_free(cx) {
            Poll::Ready(result) => result?,
            Poll::Pending => return self.poll_waiting_write(cx),
        }
        let old = self.connection.tail();
        let bytes = self.connection.admit_text_length(total_len(slices));
        let text = Slices::new(old.as_slice(), slices, old.as_slice().len() + bytes);
        let (whole, tail) = self.connection.check_text(&text)?;
        if whole > 0 {
            let payload = Slices::new(old.as_slice(), slices, whole);
            ready!(self.poll_write_frame(cx, &payload))?;
        }
        self.connection.keep_tail(tail);
        Poll::Ready(Ok(bytes))
    }

    /// Waits until a frame may be written.
    #[inline(never)]
    fn poll_free(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.admit_write()?;
        self.ping_by_the_way(cx);
        // Back-pressure: what the transport has refused goes first. The transport holds the writer's waker.
        if self.connection.has_room() { Poll::Ready(Ok(())) } else { self.poll_drain(Side::Writer, cx) }
    }

    /// A flush where something waits, or has failed.
    #[inline(never)]
    fn poll_flush_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.admit_flush()?;
        if !self.connection.is_writing() {
            return Poll::Ready(Ok(()));
        }
        self.ping_by_the_way(cx);
        ready!(self.poll_drain(Side::Writer, cx)).or_else(|error| self.connection.excuse_flush(error))?;
        if !self.connection.is_writing() {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(self.poll_flush_transport(Side::Writer, cx));
        Poll::Ready(flushed.or_else(|error| self.connection.excuse_flush(error)))
    }

    /// Puts one frame into the write buffer, if it fits, else sends it.
    fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        payload: &(impl Body + ?Sized),
    ) -> Poll<io::Result<usize>> {
        if self.connection.gather(payload) {
            return Poll::Ready(Ok(payload.len()));
        }
        if !self.connection.has_sent_all() {
            match self.poll_drain(Side::Writer, cx) {
                Poll::Ready(result) => result?,
                Poll::Pending => return self.poll_waiting_write(cx),
            }
            if self.connection.gather(payload) {
                return Poll::Ready(Ok(payload.len()));
            }
        }
        self.poll_send(cx, payload)
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
        if !self.connection.masks() && payload.len() >= VECTORED && self.io.get_ref().is_write_vectored() {
            let mut head = [0; header::MAX_LEN];
            let n = self.connection.data_header(payload.len()).encode(&mut head);
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
        let header = self.connection.data_header(payload.len());
        let end = write_frame(&header, payload, staged, stage);
        let Poll::Ready(sent) = self.poll_write_bytes(cx, &stage[..end]) else {
            // Nothing was sent; the transport has the writer's waker.
            self.connection.refuse(&header);
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
                    self.keep(rest_of_frame(header, &stage[left], payload, staged));
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
                    self.keep((Buffer::filled(left, |at, out| rest.copy(at, out, None)), left));
                    break;
                }
            }
        }
        Poll::Ready(Ok(payload.len()))
    }

    /// Ends this end's half: what is kept, a Close, and the transport too if nothing more can come.
    fn poll_shutdown_stream(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.tell_owed()?;
        self.connection.shut_down();
        if let Err(error) = ready!(self.poll_push(Side::Writer, cx, false)) {
            self.connection.excuse(error)?;
        }
        if self.connection.ends_transport() {
            ready!(self.poll_push(Side::Writer, cx, true))?;
        }
        Poll::Ready(self.connection.end_text())
    }
}

fn total_len(slices: &[IoSlice<'_>]) -> usize {
    slices.iter().map(|slice| slice.len()).fold(0, usize::saturating_add)
}
