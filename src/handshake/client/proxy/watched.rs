//! Remembers how the proxy's answer begins, which hyper-util's errors do not tell.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::MaybeTlsStream;
use crate::handshake::headers::excerpt;

/// The connection to a proxy.
pub(super) struct Watched {
    io: MaybeTlsStream,
    seen: Seen,
}

/// What came through it.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Start>>);

#[derive(Default)]
struct Start {
    /// At most as much as an error shows.
    bytes: Vec<u8>,
    /// How the connection ended, if it did.
    end: Option<io::ErrorKind>,
}

impl Watched {
    pub(super) fn new(io: MaybeTlsStream) -> (Self, Seen) {
        let seen = Seen::default();
        (Watched { io, seen: seen.clone() }, seen)
    }

    pub(super) fn into_inner(self) -> MaybeTlsStream {
        self.io
    }
}

impl Seen {
    /// What kind of failure that is, in the protocol that was spoken.
    pub(super) fn kind(&self, is_socks: bool) -> io::ErrorKind {
        self.with(|start| match (start.end, &*start.bytes) {
            (Some(end), _) => end,
            // RFC 1928, section 3: none of the methods offered; RFC 1929, section 2: any status but 0.
            (None, [5, 0xff, ..] | [5, 2, 1, 1..=255, ..]) if is_socks => io::ErrorKind::PermissionDenied,
            (None, [5, ..]) if is_socks => io::ErrorKind::ConnectionRefused,
            (None, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, status @ ..]) if !is_socks => {
                let wants_credentials = status.starts_with(b" 407");
                if wants_credentials {
                    io::ErrorKind::PermissionDenied
                } else {
                    io::ErrorKind::ConnectionRefused
                }
            }
            (None, _) => io::ErrorKind::InvalidData,
        })
    }

    /// The first line, for an error.
    pub(super) fn answer(&self) -> String {
        self.with(|start| match start.bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next() {
            Some(line) if !line.is_empty() => format!("; its answer begins \"{}\"", excerpt(line)),
            _ => String::new(),
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut Start) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        // A byte at a time: hyper-util drops what it has read beyond the proxy's answer, and a server of HTTP/2 begins to
        // speak by itself.
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut one));
        buf.put_slice(one.filled());
        self.seen.with(|start| match &read {
            Ok(()) if buf.filled().len() == before => start.end = Some(io::ErrorKind::UnexpectedEof),
            Ok(()) => {
                let room = 128 - start.bytes.len();
                start.bytes.extend(buf.filled()[before..].iter().take(room));
            }
            Err(error) => start.end = Some(error.kind()),
        });
        Poll::Ready(read)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, buf));
        if let Err(error) = &written {
            self.seen.with(|start| start.end = Some(error.kind()));
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
