//! A WebSocket that behaves like a `TcpStream`.
//!
//! [`WebSocketStream`] exposes a [`fastwebsockets::WebSocket`] as tokio's [`AsyncRead`], [`AsyncBufRead`] and
//! [`AsyncWrite`]. Whatever is written against those (codecs, TLS, HTTP/2, SSH, database drivers,
//! [`tokio::io::copy`]) runs over it as it runs over a TCP connection, through every proxy, load balancer and
//! browser that speaks WebSocket.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! # let (near, far) = tokio::io::duplex(1024);
//! # let far = fastwebsockets::WebSocket::after_handshake(far, fastwebsockets::Role::Server);
//! # let websocket = fastwebsockets::WebSocket::after_handshake(near, fastwebsockets::Role::Client);
//! use fastwebsockets_stream::{PayloadType, WebSocketStream};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! // `websocket` comes from `fastwebsockets::handshake::client` or `fastwebsockets::upgrade::upgrade`.
//! let mut stream = WebSocketStream::new(websocket, PayloadType::Binary);
//! # let mut peer = WebSocketStream::new(far, PayloadType::Binary);
//! # peer.write_all(b"Hello!").await?;
//! stream.write_all(b"Hello!").await?;
//! let mut answer = [0; 6];
//! stream.read_exact(&mut answer).await?;
//! # let peer = tokio::spawn(async move { tokio::io::copy(&mut peer, &mut tokio::io::sink()).await });
//! stream.shutdown().await?;
//! # peer.await??;
//! # Ok(())
//! # }
//! ```
//!
//! # Messages are not kept
//!
//! A byte stream has no messages. Each write is one message, but a proxy may cut it, and a read returns whatever has
//! arrived, also before the message is complete. To send messages of your own, put a codec over the stream.
//!
//! # Why a flush, and when
//!
//! Like a `TcpStream`, the stream needs none: a write hands its frame to the transport at once, and what the transport
//! does not take is pushed by every later write, flush, shutdown or read. A task that writes and then waits in a read
//! is safe. Flush before waiting for anything else: for a lock, a timer, another connection. With
//! [`Config::write_buffer`], or over a transport that buffers, this is how bytes are held back.
//!
//! # Who answers Pings
//!
//! Polling for reading does: Pongs and the answer to a Close leave from there, flushed, in between the frames of the
//! writer. A stream that is never read answers nothing, and its peer may give it up. [`Config::keep_alive`] sends Pings
//! of its own, also only while a read waits.
//!
//! A few transports, those of OpenSSL among them, put aside a write that they refuse, and insist on getting it again.
//! The stream offers a frame that was refused again as it was, but it cannot keep other frames (a Pong, a write in
//! place of one that was cancelled) from coming first: such a transport then fails. rustls takes it as it comes.
//!
//! # How it ends
//!
//! | what happens | reads | writes |
//! |---|---|---|
//! | the peer's Close | `Ok(0)` for ever | `BrokenPipe`; with [`half_close`](Config::half_close) they go on |
//! | [`shutdown`](tokio::io::AsyncWriteExt::shutdown) | go on, up to the peer's Close | `BrokenPipe` |
//! | [`close`](WebSocketStream::close) | over | over |
//! | the transport ends without a Close | `UnexpectedEof` | `BrokenPipe` |
//! | the peer breaks the protocol | `InvalidData`; a Close says why | `BrokenPipe` |
//! | nothing comes, [`keep_alive`](Config::keep_alive) | `TimedOut` | `BrokenPipe` |
//! | the transport fails to read | its error, then its kind | as the transport says |
//! | the transport fails to write | go on | its error once, then `BrokenPipe` |
//!
//! So a program that answers after it has read to the end, as TCP allows (an echo by [`tokio::io::copy`], a proxy by
//! [`tokio::io::copy_bidirectional`]), sets [`Config::half_close`] on both ends.
//!
//! Dropping the stream sends nothing: no Close, no bytes that are kept. The peer sees a truncation. Shut it down
//! first, also after the peer's Close, for the answer may still wait for room; if the peer's end matters, read until `Ok(0)` too, or use [`close`](WebSocketStream::close), which does both.
//!
//! # Errors
//!
//! All are [`std::io::Error`]. What this crate adds is an [`Error`] inside, which says what came, what was expected, and
//! which [close code](Error::close_code) the peer was sent.
//!
//! [`AsyncRead`]: tokio::io::AsyncRead
//! [`AsyncBufRead`]: tokio::io::AsyncBufRead
//! [`AsyncWrite`]: tokio::io::AsyncWrite

#![forbid(unsafe_code)]

mod buffer;
mod config;
mod error;
mod frame;
mod handshake;
mod protocol;
mod stream;

pub use config::{Config, PayloadType};
pub use error::Error;
pub use frame::close::CloseFrame;
#[cfg(any(feature = "listener", feature = "connect"))]
pub use handshake::MaybeTlsStream;
#[cfg(feature = "axum")]
pub use handshake::axum;
#[cfg(feature = "listener")]
pub use handshake::{Accepted, Incoming, Listener, ListenerAddr};
#[cfg(feature = "upgrade")]
pub use handshake::{Origins, Rejection, Upgrade, Upgrader, upgrade};
pub use stream::{Parts, WebSocketStream};

pub use fastwebsockets::{CloseCode, OpCode, Role};

/// The README's example is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
