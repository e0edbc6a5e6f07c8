//! Readers that ask in different ways, and bytes that arrive in pieces.

use std::io;
use std::pin::Pin;
use std::task::Poll;

use tokio::io::{AsyncBufRead, AsyncRead};

use super::{Mock, Task};

/// A way of asking for bytes.
#[derive(Clone, Copy, Debug)]
pub enum Ask {
    /// A read into a buffer of so many bytes.
    Read(usize),
    /// A look at the stream's own buffer, of which at most so many bytes are consumed.
    Look(usize),
}

impl Task {
    /// The bytes that `poll_fill_buf` shows, without consuming them.
    pub fn look<R: AsyncBufRead + Unpin>(&self, stream: &mut R) -> Poll<io::Result<Vec<u8>>> {
        self.run(|cx| Pin::new(stream).poll_fill_buf(cx).map_ok(<[u8]>::to_vec))
    }

    fn ask<R: AsyncBufRead + Unpin>(&self, stream: &mut R, ask: Ask) -> Poll<io::Result<Vec<u8>>> {
        match ask {
            Ask::Read(room) => self.read(stream, room),
            Ask::Look(most) => self.look(stream).map_ok(|mut bytes| {
                bytes.truncate(most);
                Pin::new(stream).consume(bytes.len());
                bytes
            }),
        }
    }
}

/// How a stream ended; `None`: not yet, it waits.
pub type End = Option<io::Result<()>>;

/// Asks in these ways, in turn and for ever, until the stream waits or has ended. What came is added to `all`.
pub fn drain<R>(stream: &mut R, asks: &mut impl Iterator<Item = Ask>, all: &mut Vec<u8>) -> End
where
    R: AsyncRead + AsyncBufRead + Unpin,
{
    let (task, mut idle) = (Task::default(), 0);
    loop {
        match task.ask(stream, asks.next()?) {
            Poll::Ready(Ok(bytes)) if bytes.is_empty() => return Some(Ok(())),
            Poll::Ready(Ok(bytes)) => {
                idle = 0;
                all.extend(bytes);
            }
            Poll::Ready(Err(error)) => return Some(Err(error)),
            Poll::Pending if task.wakes() == 0 => return None,
            Poll::Pending => {
                idle += 1;
                assert!(idle < 1_000_000, "the reader is woken for nothing, for ever");
            }
        }
    }
}

/// Feeds each piece once the stream waits for it: what came in all, and how it ended.
pub fn feed_pieces<'a, R>(
    stream: &mut R,
    mock: &Mock,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    asks: &[Ask],
) -> (Vec<u8>, End)
where
    R: AsyncRead + AsyncBufRead + Unpin,
{
    let (mut all, mut asks) = (Vec::new(), asks.iter().copied().cycle());
    for piece in pieces {
        mock.feed(piece);
        let end = drain(stream, &mut asks, &mut all);
        if end.is_some() {
            return (all, end);
        }
    }
    (all, None)
}

/// `bytes` cut into pieces of these lengths, in turn and again.
pub fn pieces<'a>(mut bytes: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(move || {
        let (piece, rest) = bytes.split_at(bytes.len().min(*lengths.next()?));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}
