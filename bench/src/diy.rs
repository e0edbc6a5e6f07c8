//! What people write by hand to get bytes out of a `Stream` and `Sink` of messages, in its cheapest form.

use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, Stream};

/// A library's message.
pub trait Message: Sized {
    fn binary(payload: &[u8]) -> Self;

    /// The payload of a data message.
    fn into_binary(self) -> Option<Bytes>;
}

impl Message for tokio_tungstenite::tungstenite::Message {
    fn binary(payload: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(payload))
    }

    fn into_binary(self) -> Option<Bytes> {
        match self {
            Self::Binary(payload) => Some(payload),
            _ => None,
        }
    }
}

impl Message for tokio_websockets::Message {
    fn binary(payload: &[u8]) -> Self {
        Self::binary(BytesMut::from(payload))
    }

    fn into_binary(self) -> Option<Bytes> {
        self.is_binary().then(|| self.into_payload().into())
    }
}

/// Bytes for `StreamReader` and `SinkWriter`.
pub struct Messages<W, M> {
    websocket: W,
    message: PhantomData<fn() -> M>,
}

impl<W, M> Messages<W, M> {
    pub fn new(websocket: W) -> Self {
        Messages { websocket, message: PhantomData }
    }
}

impl<W, M, E> Stream for Messages<W, M>
where
    W: Stream<Item = Result<M, E>> + Unpin,
    M: Message,
    E: std::error::Error + Send + Sync + 'static,
{
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            return Poll::Ready(match ready!(Pin::new(&mut self.websocket).poll_next(cx)) {
                Some(Ok(message)) => match message.into_binary() {
                    Some(payload) => Some(Ok(payload)),
                    None => continue,
                },
                Some(Err(error)) => Some(Err(io::Error::other(error))),
                None => None,
            });
        }
    }
}

impl<W, M, E> Sink<&[u8]> for Messages<W, M>
where
    W: Sink<M, Error = E> + Unpin,
    M: Message,
    E: std::error::Error + Send + Sync + 'static,
{
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.websocket).poll_ready(cx).map_err(io::Error::other)
    }

    fn start_send(mut self: Pin<&mut Self>, payload: &[u8]) -> io::Result<()> {
        Pin::new(&mut self.websocket).start_send(M::binary(payload)).map_err(io::Error::other)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.websocket).poll_flush(cx).map_err(io::Error::other)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.websocket).poll_close(cx).map_err(io::Error::other)
    }
}
