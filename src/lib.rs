//! A WebSocket that behaves like a `TcpStream`.
//!
//! [`WebSocketStream`] implements tokio's [`AsyncRead`], [`AsyncBufRead`] and [`AsyncWrite`]. Whatever is written against those
//! (codecs, TLS, HTTP/2, SSH, database drivers, [`tokio::io::copy`]) runs over it as it runs over a TCP connection, through
//! every proxy, load balancer and browser that speaks WebSocket.
//!
#![cfg_attr(all(feature = "connect", feature = "listener"), doc = "```")]
#![cfg_attr(not(all(feature = "connect", feature = "listener")), doc = "```text")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! use fastwebsockets_stream::{Config, Listener, PayloadType, connect};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! // A server that sends everything back.
//! let mut listener = Listener::bind("127.0.0.1:0", Config::new(PayloadType::Binary)).await?;
//! let url = format!("ws://{}/", listener.local_addr());
//! tokio::spawn(async move {
//!     while let Some(accepted) = listener.accept().await {
//!         tokio::spawn(async move {
//!             let (mut reader, mut writer) = accepted.stream.into_split();
//!             tokio::io::copy(&mut reader, &mut writer).await?;
//!             writer.shutdown().await
//!         });
//!     }
//! });
//!
//! let mut stream = connect(&url, Config::new(PayloadType::Binary)).await?;
//! stream.write_all(b"Hello!").await?;
//! stream.shutdown().await?;
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer).await?;
//! assert_eq!(answer, "Hello!");
//! # Ok(())
//! # }
//! ```
//!
//! # Getting connected
//!
//! The core begins where the handshake (RFC 6455, section 4) has ended. For what comes before, there are these ways; each is
//! behind a feature, none of them on by default but `fastwebsockets`, and each takes the one [`Config`].
//!
//! | I have | I use | features |
//! |---|---|---|
//! | a `ws://` URL | [`connect`]; with header fields, subprotocols, a time limit: [`Client`] | `connect` |
//! | a `wss://` URL | the same; it trusts what the platform trusts, or what [`Client::tls`] is given | `connect`; `platform-roots` (with `ring`, unless the application chooses its cryptography) or `tls` |
//! | a proxy in between (HTTP CONNECT, SOCKS5) | [`Client::proxy`] | `connect`, `proxy` |
//! | a TLS stream, a Unix socket, any connection to the server | [`Client::over`] | `connect` |
//! | a tower stack: hyper-util's client, tonic's channel | [`Client::connector`] | `connector` |
//! | one HTTP/2 connection for many streams (RFC 8441) | [`Client::http2`] | `connect`, `http2` |
//! | a port, or a `TcpListener` | [`Listener`] | `listener` |
//! | the same, and to decide on each request | [`Listener::requests`], [`Upgrader::request_over`] | `listener` |
//! | a certificate for it | [`Listener::tls`] | `listener`, `tls` |
//! | a TLS stream, a Unix socket, anything that a client has opened | [`Upgrader::over`] | `listener` |
//! | a hyper service | [`upgrade`], [`Upgrader`] | `upgrade`; `http2` for RFC 8441 |
//! | an axum router | [`axum::WebSocketUpgrade`] | `axum`; `http2` for RFC 8441 |
//! | a tonic server | [`Listener::incoming`] | `listener`, `tonic` |
//! | a [`fastwebsockets::WebSocket`] | [`WebSocketStream::new`], [`with_config`](WebSocketStream::with_config) | `fastwebsockets` |
//! | anything else after its handshake | [`WebSocketStream::from_transport`] | |
//! | a test, and no network | [`duplex()`] | `test-util` |
//! | a TCP connection or any other to join it with | [`copy_bidirectional`] | |
//!
//! Where this crate owns the socket it sets TCP_NODELAY. Where it does not, do: a frame per write meets Nagle's algorithm and
//! delayed acknowledgements otherwise, and waits up to 40 ms for them.
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
//! A few transports, those of OpenSSL among them, put aside a write that they refuse, and insist on getting it again.
//! The stream offers a frame that was refused again as it was, but it cannot keep other frames (a Pong, a write in
//! place of one that was cancelled) from coming first: such a transport then fails. rustls takes it as it comes.
//!
//! # Who answers Pings
//!
//! Polling for reading does: Pongs and the answer to a Close leave from there, flushed, in between the frames of the
//! writer. A stream that is never read answers nothing, and its peer may give it up. [`Config::keep_alive`] sends Pings
//! of its own while a read waits.
//!
//! # Two tasks
//!
//! [`WebSocketStream::into_split`] gives a reading and a writing half. They can do what the stream can, closing included, and
//! dropping the writing half ends its direction. [`tokio::io::split`] works as well, and leaves all of that to
//! `unsplit`.
//!
//! # What notices a dead path
//!
//! [`Config::keep_alive`] notices that nothing comes any more, [`Config::stall_timeout`] that nothing leaves. On sockets that
//! this crate has opened or accepted they also set `SO_KEEPALIVE` and `TCP_USER_TIMEOUT`. Without either, a peer that has vanished
//! is waited for as long as the system's own limits say: after a write some 15 minutes on Linux, without one for ever.
//!
//! # How it ends
//!
//! As in TCP, each direction ends on its own, and an end that is not said is no end:
//!
//! | what happens | reads | writes |
//! |---|---|---|
//! | the peer's Close with code 1000 or none | `Ok(0)` for ever | go on; this end's Close is the answer |
//! | the peer's Close with code 1001 (going away) | `Ok(0)` for ever | `BrokenPipe` |
//! | the peer's Close with any other code | `ConnectionAborted` | `BrokenPipe` |
//! | [`shutdown`](tokio::io::AsyncWriteExt::shutdown) | go on, up to the peer's Close | `BrokenPipe` |
//! | [`close`](WebSocketStream::close) | discard, up to the peer's Close, then `Ok(0)` | `BrokenPipe` |
//! | the transport ends without a Close | `UnexpectedEof` | `BrokenPipe` |
//! | the peer breaks the protocol | `InvalidData`; a Close says why | `BrokenPipe` |
//! | nothing comes, [`keep_alive`](Config::keep_alive) | `TimedOut` | `BrokenPipe` |
//! | nothing moves, [`stall_timeout`](Config::stall_timeout) | go on | `TimedOut` once, then `BrokenPipe` |
//! | the transport fails to read | its error, then its kind | as the transport says |
//! | the transport fails to write | go on | its error once, then `BrokenPipe` |
//!
//! So an echo by [`tokio::io::copy`] and a proxy by [`tokio::io::copy_bidirectional`] lose nothing. What differs from TCP:
//!
//! - **A browser reads nothing after its own Close.** What is written after it is lost. The same goes for a gateway that answers
//!   a Close itself.
//! - **[`Config::half_close`]`(false)`** answers every Close at once, and **[`Config::abnormal_close_is_error`]`(false)`** makes
//!   every Close an end like any other.
//! - **To end both directions**, call [`close`](WebSocketStream::close) with code 1001; to end one, call `shutdown`.
//!
//! # Dropping it
//!
//! Dropping the stream sends nothing: no Close, no bytes that are kept. The peer's reads fail with `UnexpectedEof`, so that what
//! a handler has begun to say does not look whole when it is aborted, times out, returns early or panics. Shut the stream down
//! first.
//!
//! There is one exception. Where a read has returned the peer's end (1000 or none), and nothing has been written since or waits
//! to be sent, dropping answers it: the Close leaves, and the transport is shut down, as far as that goes without waiting.
//! So a handler that reads to the end and returns has ended cleanly, as has an echo by [`tokio::io::copy`] (what it flushes after a
//! write that was waiting when the end was read counts as written before). To wait for it, or to know that it worked, shut down.
//! The exception is also its limit: a response that was begun *before* the end was read, and is cut off with nothing written
//! after it, looks like one that was finished. Where that can happen, say the length, or end with a mark of your own.
//!
//! A stream that was shut down may be dropped at once. But a socket that is closed while bytes lie in it unread, the peer's own
//! Close among them, is reset, and what is still on its way to the peer is lost. So the streams of [`Client`], [`Listener`],
//! [`upgrade`] and the axum extractor leave their transport to a task of the runtime, which discards what comes until the peer
//! has closed too: 256 KiB at most, for [`close_timeout`](Config::close_timeout) at most. Over HTTP/2 the same goes for each stream;
//! before the process ends, [`Http2::wait_idle`] waits until every one of them has ended. Over a transport of your own, read to the
//! end before you drop the stream.
//!
//! # Where it runs
//!
//! The core (`default-features = false`) runs over any transport, and begins with [`WebSocketStream::from_transport`]. It needs no
//! sockets and no threads, and of a runtime only the timer, for the time limits. 32 bits are enough: a frame of 5 GiB streams
//! there as anywhere.
//!
//! In a browser (`wasm32-unknown-unknown`) masking keys come from the browser's `crypto`, by `wasm-bindgen`. There is no clock that
//! tokio could use: [`close`](WebSocketStream::close) has no time limit there, so put one of the browser's around it; and
//! [`Config::keep_alive`] and [`Config::stall_timeout`] panic when they are needed.
//!
//! # Errors
//!
//! All are [`std::io::Error`]. What this crate adds is an [`Error`] inside, which says what came, what was expected, and
//! which [close code](Error::close_code) the peer was sent. Connecting has errors of its own, [`ConnectError`] and
//! [`Rejection`], which become [`std::io::Error`]s in the same way.
//!
//! [`AsyncRead`]: tokio::io::AsyncRead
//! [`AsyncBufRead`]: tokio::io::AsyncBufRead
//! [`AsyncWrite`]: tokio::io::AsyncWrite

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// The documentation is of the whole crate, as docs.rs builds it; what a feature has left out cannot be linked to.
#![cfg_attr(
    not(all(
        feature = "axum",
        feature = "connect",
        feature = "fastwebsockets",
        feature = "connector",
        feature = "http2",
        feature = "listener",
        feature = "proxy",
        feature = "test-util",
        feature = "tls",
        feature = "upgrade"
    )),
    allow(rustdoc::broken_intra_doc_links)
)]

mod buffer;
mod config;
mod copy;
#[cfg(feature = "test-util")]
mod duplex;
mod error;
mod frame;
mod handshake;
mod protocol;
mod stream;

pub use config::{Config, PayloadType};
pub use copy::{Copied, CopyBidirectional, CopyError, CopyProgress, CopySide, CopyStep, copy_bidirectional};
#[cfg(feature = "test-util")]
pub use duplex::duplex;
pub use error::Error;
pub use frame::close::CloseFrame;
pub use frame::close_code::CloseCode;
pub use frame::opcode::OpCode;
pub use frame::role::Role;
#[cfg(any(feature = "listener", feature = "connect"))]
pub use handshake::MaybeTlsStream;
#[cfg(feature = "proxy")]
pub use handshake::Proxy;
#[cfg(feature = "axum")]
pub use handshake::axum;
#[cfg(feature = "listener")]
pub use handshake::{Accepted, Incoming, Listener, ListenerAddr, Opened, Requests, UpgradeRequest};
#[cfg(feature = "connect")]
pub use handshake::{Client, ClientIo, ClientStream, ConnectError, Phase, ProxyError, ToUri, connect};
#[cfg(feature = "connector")]
pub use handshake::{Connector, ConnectorStream};
#[cfg(all(feature = "connect", feature = "http2"))]
pub use handshake::{Http2, Http2Stream};
#[cfg(any(feature = "upgrade", feature = "listener"))]
pub use handshake::{Origins, Rejection, Upgrader};
#[cfg(feature = "upgrade")]
pub use handshake::{Upgrade, UpgradedIo, UpgradedStream, is_upgrade_request, upgrade};
pub use stream::{OwnedReadHalf, OwnedWriteHalf, Parts, ReuniteError, WebSocketStream};
#[cfg(feature = "tls")]
#[doc(no_inline)]
pub use tokio_rustls::rustls;

/// The version of http whose types requests, responses and their fields are.
#[cfg(any(feature = "upgrade", feature = "listener", feature = "connect"))]
pub use http;

/// The version of fastwebsockets whose types [`WebSocketStream::new`] and the conversions take.
#[cfg(feature = "fastwebsockets")]
pub use fastwebsockets;

/// The README's examples are compiled with the tests.
#[cfg(all(doctest, feature = "connect", feature = "listener"))]
#[doc = include_str!("../README.md")]
struct Readme;
