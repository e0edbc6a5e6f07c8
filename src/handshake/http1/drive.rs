//! The engine on a transport.

use std::io;
use std::marker::PhantomData;

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

#[cfg(feature = "connect")]
use super::body::Excerpt;
use super::head::Head;
use super::scan::{HeadError, Scanner};

/// How much is read at a time: so much, at most, comes along behind a head.
const READ: usize = 4 * 1024;

/// What has come of a head, and behind it. It survives a read that is cancelled.
#[derive(Debug)]
pub(in crate::handshake) struct Received<H> {
    bytes: Vec<u8>,
    scanner: Scanner,
    head: PhantomData<H>,
}

/// Why there is no head.
#[derive(Debug)]
pub(in crate::handshake) enum Unread {
    /// It is none.
    Head(HeadError),
    /// The transport has ended before it.
    Ended {
        /// Whether something had come.
        begun: bool,
    },
    /// The transport has failed.
    Failed(io::Error),
}

impl<H: Head> Received<H> {
    pub(in crate::handshake) fn new() -> Self {
        Received { bytes: Vec::new(), scanner: Scanner::new(H::lines()), head: PhantomData }
    }

    /// Reads a head. What has come behind it stays here, for the next one or for [`into_rest`](Self::into_rest).
    pub(in crate::handshake) async fn read<S>(&mut self, io: &mut S) -> Result<H, Unread>
    where
        S: AsyncRead + Unpin,
    {
        // Ends: the scanner has a limit.
        loop {
            if let Some(head) = self.take().map_err(Unread::Head)? {
                return Ok(head);
            }
            self.bytes.reserve(READ); // Or a `Vec` would offer 64 bytes.
            let mut room = (&mut self.bytes).limit(READ);
            match io.read_buf(&mut room).await {
                Ok(0) => return Err(Unread::Ended { begun: !self.bytes.is_empty() }),
                Ok(_) => {}
                Err(error) => return Err(Unread::Failed(error)),
            }
        }
    }

    /// Takes what has come, where somebody else reads. Once a head is whole, says how many of these octets are behind it, which
    /// are not kept here.
    #[cfg(feature = "proxy")]
    pub(in crate::handshake) fn receive(&mut self, octets: &[u8]) -> Result<Option<(H, usize)>, HeadError> {
        self.bytes.extend_from_slice(octets);
        let head = self.take()?;
        Ok(head.map(|head| (head, std::mem::take(&mut self.bytes).len())))
    }

    /// The head, if it is whole.
    fn take(&mut self) -> Result<Option<H>, HeadError> {
        let found = self.scanner.scan(&self.bytes);
        // First, because what is no HTTP at all breaks the rules for lines, too.
        H::check_start(&self.bytes[self.scanner.first()..])?;
        let Some(end) = found? else { return Ok(None) };
        let head = H::parse(&self.bytes[..end])?;
        self.bytes.drain(..end);
        self.scanner = Scanner::new(H::lines());
        Ok(Some(head))
    }

    /// How it begins, where it has turned out to be no head.
    #[cfg(feature = "connect")]
    pub(in crate::handshake) fn start(&self) -> &[u8] {
        &self.bytes[self.scanner.first()..]
    }

    /// What has come behind the head.
    pub(in crate::handshake) fn into_rest(mut self) -> Vec<u8> {
        self.bytes.shrink_to_fit(); // A request may wait with it, and the head has had up to 64 KiB.
        self.bytes
    }
}

/// Sends all of it, through what buffers.
pub(in crate::handshake) async fn send<S>(io: &mut S, bytes: &[u8]) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    io.write_all(bytes).await?;
    io.flush().await
}

/// Reads of a body what helps; until it ends, or for as long as this is polled.
#[cfg(feature = "connect")]
pub(in crate::handshake) async fn read_excerpt<S>(io: &mut S, excerpt: &mut Excerpt)
where
    S: AsyncRead + Unpin,
{
    let mut room = [0; 1024];
    // Ends: an excerpt has a limit.
    while !excerpt.is_complete() {
        match io.read(&mut room).await {
            Ok(n @ 1..) => excerpt.receive(&room[..n]),
            _ => return,
        }
    }
}
