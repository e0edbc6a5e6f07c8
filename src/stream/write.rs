//! `AsyncWrite`: one frame for each write, accepted whole or not at all.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::WebSocketStream;
use super::push::{Sink, forgive};
use super::wake::Side;
use crate::buffer::Buffer;
use crate::frame::{Header, header};
use crate::protocol::encoder::{Body, Encoder, Slices};
use crate::protocol::{Closing, Utf8};
use crate::{Error, PayloadType};

/// Frames up to these lengths are staged on the stack; two sizes, because the stage is zeroed each time.
const TINY: usize = 256;
const SMALL: usize = 1024 + header::MAX_LEN;

/// A frame with more payload than this is staged piece by piece.
const STAGE: usize = 64 * 1024;

/// From here on a server spares the copy, where the transport is vectored.
const VECTORED: usize = 4 * 1024;

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

/// What a write takes of the caller's bytes.
struct Accepted {
    /// How many, which is what the write returns.
    bytes: usize,
    /// The payload of the frame, the old tail included.
    payload: usize,
    /// What waits afterwards.
    tail: Tail,
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WebSocketStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.is_plain() {
            return this.poll_write_frame(cx, &[IoSlice::new(buf)]);
        }
        let buf = &buf[..buf.len().min(this.config.max_frame_len)];
        ready!(this.poll_send(cx, buf))?;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_frame(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check_flush()?;
        if this.sink != Sink::Open {
            return Poll::Ready(Ok(()));
        }
        if !this.output.is_empty() {
            ready!(this.poll_drain(Side::Writer, cx)).or_else(|error| this.excuse(error))?;
            if this.sink != Sink::Open {
                return Poll::Ready(Ok(()));
            }
        }
        let flushed = ready!(this.poll_flush_transport(Side::Writer, cx));
        Poll::Ready(flushed.or_else(|error| this.excuse(error)))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_shutdown_stream(cx)
    }
}

impl<S: AsyncWrite + Unpin> WebSocketStream<S> {
    /// Whether a write is a frame as it is: nothing is in the way, nothing waits before it, nothing is gathered.
    #[inline]
    fn is_plain(&self) -> bool {
        self.closing == Closing::Open
            && self.sink == Sink::Open
            && !self.end.ends_writes()
            && self.output.is_empty()
            && self.config.write_buffer == 0
            && self.config.payload_type == PayloadType::Binary
    }

    fn poll_write_frame(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.check_write()?;
        // Back-pressure: what the transport has refused goes first. The transport holds the writer's waker.
        if self.output.is_blocked() || (self.config.write_buffer == 0 && !self.output.is_empty()) {
            ready!(self.poll_drain(Side::Writer, cx))?;
        }
        let accepted = self.accept(slices)?;
        if accepted.payload > 0 || self.config.payload_type == PayloadType::Binary {
            let tail = self.tail;
            let payload = Slices::new(tail.as_slice(), slices, accepted.payload);
            ready!(self.poll_send(cx, &payload))?;
        }
        self.tail = accepted.tail;
        Poll::Ready(Ok(accepted.bytes))
    }

    /// Whether a write may be tried, and if not, why.
    fn check_write(&mut self) -> io::Result<()> {
        if let Some(error) = self.unreported.take_if(|_| !self.closing.has_received()) {
            return Err(error);
        }
        Err(match self.closing {
            _ if self.end.ends_writes() => Error::WriteAfterFailure,
            Closing::CloseSent => Error::WriteAfterShutdown,
            Closing::Closed => Error::PeerClosed,
            Closing::CloseReceived | Closing::Open if self.sink == Sink::Open => return Ok(()),
            Closing::CloseReceived => Error::PeerClosed,
            Closing::Open => Error::WriteAfterFailure,
        }
        .into())
    }

    /// A flush fails where bytes that were written are lost, or may be.
    fn check_flush(&mut self) -> io::Result<()> {
        if let Some(error) = self.unreported.take() {
            self.excuse(error)?;
        }
        let failed = self.sink == Sink::Failed && !self.owes_nothing();
        if failed || self.data_lost || self.end.ends_writes() {
            return Err(Error::WriteAfterFailure.into());
        }
        Ok(())
    }

    /// Whether a failing transport takes nothing along but the answer to the peer's Close, which may be lost.
    fn owes_nothing(&self) -> bool {
        self.closing.has_received() && !self.config.half_close && !self.data_lost
    }

    /// A transport that fails when nothing is owed to anybody is no error.
    pub(super) fn excuse(&self, error: io::Error) -> io::Result<()> {
        if self.owes_nothing() {
            Ok(())
        } else if self.end.ends_writes() && !self.data_lost {
            forgive(error)
        } else {
            Err(error)
        }
    }

    /// How much of the slices the next frame takes.
    fn accept(&self, slices: &[IoSlice<'_>]) -> io::Result<Accepted> {
        let offered = slices.iter().map(|slice| slice.len()).fold(0, usize::saturating_add);
        match self.config.payload_type {
            PayloadType::Binary => {
                let bytes = offered.min(self.config.max_frame_len);
                Ok(Accepted { bytes, payload: bytes, tail: Tail::default() })
            }
            PayloadType::Text => self.accept_text(slices, offered),
        }
    }

    /// On a Text stream a frame ends with a code point; the start of the next one waits.
    fn accept_text(&self, slices: &[IoSlice<'_>], offered: usize) -> io::Result<Accepted> {
        let old = self.tail.as_slice();
        // At least a byte fits: a tail has 3 at most, a frame takes 4 or more.
        let bytes = offered.min(self.config.max_frame_len - old.len());
        let mut utf8 = Utf8::default();
        // Valid so far, or it would not have been accepted.
        let _ = utf8.check(old);
        let mut at = 0;
        for part in Slices::new(&[], slices, bytes).parts() {
            utf8.check(part).map_err(|invalid| Error::WriteNotUtf8 { at: at + invalid })?;
            at += part.len();
        }
        let all = Slices::new(old, slices, old.len() + bytes);
        let payload = all.len() - utf8.unfinished();
        let mut tail = Tail::default();
        all.copy(payload, &mut tail.bytes[..utf8.unfinished()], None);
        // At most 3.
        tail.len = u8::try_from(utf8.unfinished()).unwrap_or(3);
        Ok(Accepted { bytes, payload, tail })
    }

    /// Sends one frame: into the write buffer if there is one and it fits, else to the transport.
    ///
    /// `Pending`: nothing of it was sent or kept.
    #[inline(always)]
    fn poll_send(&mut self, cx: &mut Context<'_>, payload: &(impl Body + ?Sized)) -> Poll<io::Result<()>> {
        let header = self.encoder.data_header(payload.len());
        let capacity = self.config.write_buffer as usize;
        let length = Encoder::frame_len(payload.len());
        if capacity > 0 {
            let length = header.encoded_len().saturating_add(payload.len());
            if self.output.len().saturating_add(length) > capacity {
                ready!(self.poll_drain(Side::Writer, cx))?;
            }
            if length <= capacity {
                let room = if self.output.is_empty() { capacity } else { length };
                self.output.push_data(room, |out| write_frame(&header, payload, payload.len(), out));
                return Poll::Ready(Ok(()));
            }
        }
        if length <= TINY {
            return self.poll_send_staged(cx, &header, payload, &mut [0; TINY]);
        }
        if length <= SMALL {
            return self.poll_send_staged(cx, &header, payload, &mut [0; SMALL]);
        }
        if header.key.is_none() && payload.len() > VECTORED && self.io.is_write_vectored() {
            let mut head = [0; header::MAX_LEN];
            let n = header.encode(&mut head);
            let head = IoSlice::new(&head[..n]);
            return match payload.parts().count() {
                0..=2 => self.poll_send_slices(cx, &mut [head; 3], payload),
                3..=MAX_SLICES => self.poll_send_slices(cx, &mut [head; 1 + MAX_SLICES], payload),
                count => self.poll_send_slices(cx, &mut vec![head; 1 + count], payload),
            };
        }
        let mut stage = Buffer::take(Encoder::frame_len(payload.len().min(STAGE)));
        self.poll_send_staged(cx, &header, payload, &mut stage)
    }

    /// The way of all masked frames, and of small ones: header and payload side by side in `stage`, which holds the
    /// header and the payload, or [`STAGE`] bytes of it.
    #[inline(always)]
    fn poll_send_staged(
        &mut self,
        cx: &mut Context<'_>,
        header: &Header,
        payload: &(impl Body + ?Sized),
        stage: &mut [u8],
    ) -> Poll<io::Result<()>> {
        let staged = payload.len().min(STAGE);
        let end = write_frame(header, payload, staged, stage);
        let Poll::Ready(sent) = self.poll_write_bytes(cx, &stage[..end]) else {
            // Nothing was sent; the transport has the writer's waker.
            self.encoder.refuse(header);
            return Poll::Pending;
        };
        let sent = sent?;
        if sent == end && staged == payload.len() {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(self.send_rest(cx, header, payload, stage, sent..end, staged))
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
    ) -> Poll<io::Result<()>> {
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
                Poll::Pending if !begun => return Poll::Pending,
                Poll::Pending => {
                    let rest = Slices::new(&[], slices, left);
                    self.keep(Buffer::filled(left, |at, out| rest.copy(at, out, None)), left);
                    return Poll::Ready(Ok(()));
                }
            }
        }
        Poll::Ready(Ok(()))
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

/// Writes a header and the first `length` bytes of payload to the start of `out`, and returns how much that is.
#[inline(always)]
fn write_frame(header: &Header, payload: &(impl Body + ?Sized), length: usize, out: &mut [u8]) -> usize {
    let n = header.encode(out);
    payload.copy(0, &mut out[n..n + length], header.key);
    n + length
}
