//! `AsyncWrite`: one frame for each write, accepted whole or not at all.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::WebSocketStream;
use super::push::Sink;
use super::wake::Side;
use crate::buffer::{Buffer, HEADROOM};
use crate::frame::{Header, header};
use crate::protocol::encoder::{Encoder, Payload};
use crate::protocol::{Closing, Utf8};
use crate::{Error, PayloadType};

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
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len.into()]
    }

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
        self.get_mut().poll_write_frame(cx, &[IoSlice::new(buf)])
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
        ready!(this.poll_drain(Side::Writer, cx)).or_else(|error| this.excuse(error))?;
        if this.sink != Sink::Open {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(this.poll_flush_transport(Side::Writer, cx));
        Poll::Ready(flushed.or_else(|error| this.excuse(error)))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_shutdown_stream(cx)
    }
}

impl<S: AsyncWrite + Unpin> WebSocketStream<S> {
    fn poll_write_frame(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.check_write()?;
        // Back-pressure: what the transport has refused goes first. The transport holds the writer's waker.
        if self.output.is_blocked() || (self.config.write_buffer == 0 && !self.output.is_empty()) {
            ready!(self.poll_drain(Side::Writer, cx))?;
        }
        let accepted = self.accept(slices)?;
        if accepted.payload > 0 || self.config.payload_type == PayloadType::Binary {
            let tail = self.tail;
            let payload = Payload::new(tail.as_slice(), slices, accepted.payload);
            ready!(self.poll_send(cx, &payload))?;
        }
        self.tail = accepted.tail;
        Poll::Ready(Ok(accepted.bytes))
    }

    /// Whether a write may be tried, and if not, why.
    #[inline]
    fn check_write(&mut self) -> io::Result<()> {
        if self.closing == Closing::Open && self.sink == Sink::Open && !self.end.ends_writes() {
            return Ok(());
        }
        self.check_write_slowly()
    }

    #[cold]
    fn check_write_slowly(&mut self) -> io::Result<()> {
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
        let failed = self.sink == Sink::Failed && !self.closing.has_received();
        if failed || self.data_lost || self.end.ends_writes() {
            return Err(Error::WriteAfterFailure.into());
        }
        Ok(())
    }

    /// Once the peer has closed, only data that was lost makes a failing transport an error: whether the answer to
    /// the Close arrives is all the same.
    pub(super) fn excuse(&self, error: io::Error) -> io::Result<()> {
        if self.closing.has_received() && !self.data_lost { Ok(()) } else { Err(error) }
    }

    /// How much of the slices the next frame takes.
    #[inline]
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
        for part in Payload::new(&[], slices, bytes).parts() {
            utf8.check(part).map_err(|invalid| Error::WriteNotUtf8 { at: at + invalid })?;
            at += part.len();
        }
        let all = Payload::new(old, slices, old.len() + bytes);
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
    #[inline]
    fn poll_send(&mut self, cx: &mut Context<'_>, payload: &Payload<'_>) -> Poll<io::Result<()>> {
        let header = self.encoder.data_header(payload.len());
        let capacity = self.config.write_buffer as usize;
        if capacity > 0 {
            let length = Encoder::frame_len(payload.len());
            if self.output.len().saturating_add(length) > capacity {
                ready!(self.poll_drain(Side::Writer, cx))?;
            }
            if length <= capacity {
                let room = if self.output.is_empty() { capacity } else { length };
                self.output.push_data(room, |out| write_frame(&header, payload, out));
                return Poll::Ready(Ok(()));
            }
        }
        if header.key.is_none() && payload.len() > VECTORED && self.io.is_write_vectored() {
            match payload.parts().take(MAX_SLICES + 1).count() {
                0..=2 => return self.poll_send_slices::<4>(cx, &header, payload),
                3..=MAX_SLICES => return self.poll_send_slices::<{ MAX_SLICES + 2 }>(cx, &header, payload),
                _ => {}
            }
        }
        self.poll_send_staged(cx, &header, payload)
    }

    /// The way of all masked frames, and of small ones: header and payload side by side in a buffer.
    fn poll_send_staged(
        &mut self,
        cx: &mut Context<'_>,
        header: &Header,
        payload: &Payload<'_>,
    ) -> Poll<io::Result<()>> {
        let first = payload.first(STAGE);
        let mut stage = Buffer::take(Encoder::frame_len(first.len()));
        let mut end = write_frame(header, &first, &mut stage);
        let (mut start, mut staged, mut begun) = (0, first.len(), false);
        loop {
            match self.poll_write_bytes(cx, &stage[start..end]) {
                Poll::Ready(result) => {
                    start += result?;
                    begun = true;
                }
                // Whoever calls again stages anew, with another key.
                Poll::Pending if !begun => return Poll::Pending,
                Poll::Pending => {
                    let rest = payload.len() - staged;
                    if rest > 0 {
                        let mut larger = Buffer::take(end - start + rest + HEADROOM);
                        larger[..end - start].copy_from_slice(&stage[start..end]);
                        (start, end) = (0, end - start);
                        payload.copy(staged, &mut larger[end..end + rest], header.key);
                        (stage, end) = (larger, end + rest);
                    }
                    self.keep(stage, start, end);
                    return Poll::Ready(Ok(()));
                }
            }
            if start == end {
                if staged == payload.len() {
                    return Poll::Ready(Ok(()));
                }
                (start, end) = (0, STAGE.min(payload.len() - staged));
                payload.copy(staged, &mut stage[..end], header.key);
                staged += end;
            }
        }
    }

    /// The way of large frames that are not masked: the caller's bytes are not copied.
    fn poll_send_slices<const N: usize>(
        &mut self,
        cx: &mut Context<'_>,
        header: &Header,
        payload: &Payload<'_>,
    ) -> Poll<io::Result<()>> {
        let mut head = [0; header::MAX_LEN];
        let n = header.encode(&mut head);
        let mut slices = [IoSlice::new(&[]); N];
        slices[0] = IoSlice::new(&head[..n]);
        let mut count = 1;
        for part in payload.parts() {
            slices[count] = IoSlice::new(part);
            count += 1;
        }
        let mut slices = &mut slices[..count];
        let (mut left, mut begun) = (n + payload.len(), false);
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
                    let mut rest = Buffer::take(left + HEADROOM);
                    Payload::new(&[], slices, left).copy(0, &mut rest[..left], None);
                    self.keep(rest, 0, left);
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

/// Writes a whole frame to the start of `out`, and returns its length.
#[inline]
fn write_frame(header: &Header, payload: &Payload<'_>, out: &mut [u8]) -> usize {
    let n = header.encode(out);
    let end = n + payload.len();
    payload.copy(0, &mut out[n..end], header.key);
    end
}
