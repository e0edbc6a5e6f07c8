//! Who is measured. Every peer is set up to be at its fastest, and lets frames of any length pass.
//!
//! A new peer is an implementation of [`Peer`] and a line in [`visit_all`]. Those without a byte stream are in
//! [`crate::frames`].

pub mod duplex;

use async_tungstenite::tokio::TokioAdapter;
use async_tungstenite_0_29::tokio::TokioAdapter as TokioAdapter029;
use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::{SinkWriter, StreamReader};

use crate::diy::Messages;

pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for T {}

/// A byte stream over a transport, the handshake being done.
///
/// A peer is asked for one direction at a time, so that it need not pay for a split.
pub trait Peer {
    const NAME: &'static str;
    /// Its crate in Cargo.lock, with the start of the version where several are there.
    const PACKAGE: (&'static str, &'static str);
    /// False for the transport alone.
    const FRAMES: bool = true;

    fn reader<S: Transport>(io: S, role: Role) -> impl AsyncRead + Unpin + Send + 'static;
    fn writer<S: Transport>(io: S, role: Role) -> impl AsyncWrite + Unpin + Send + 'static;
}

pub trait Visitor {
    fn visit<P: Peer>(&mut self);
}

/// All that are byte streams: ours first, then the transport alone, then the peers.
pub fn visit_all(visitor: &mut impl Visitor) {
    visitor.visit::<Ours>();
    visitor.visit::<OursBuffered>();
    visitor.visit::<Raw>();
    visitor.visit::<Published>();
    visitor.visit::<WsStreamTungstenite>();
    visitor.visit::<AsyncTungstenite>();
    visitor.visit::<TokioTungstenite>();
    visitor.visit::<TokioWebsockets>();
}

/// This crate as it is by default.
pub struct Ours;

impl Peer for Ours {
    const NAME: &'static str = "ours";
    const PACKAGE: (&'static str, &'static str) = ("fastwebsockets-stream", "0.2");

    fn reader<S: Transport>(io: S, role: Role) -> impl AsyncRead + Unpin + Send + 'static {
        ours(io, role, config())
    }

    fn writer<S: Transport>(io: S, role: Role) -> impl AsyncWrite + Unpin + Send + 'static {
        ours(io, role, config())
    }
}

/// This crate with its write buffer.
pub struct OursBuffered;

impl Peer for OursBuffered {
    const NAME: &'static str = "ours, buffered";
    const PACKAGE: (&'static str, &'static str) = Ours::PACKAGE;

    fn reader<S: Transport>(io: S, role: Role) -> impl AsyncRead + Unpin + Send + 'static {
        ours(io, role, config())
    }

    fn writer<S: Transport>(io: S, role: Role) -> impl AsyncWrite + Unpin + Send + 'static {
        ours(io, role, config().write_buffer(64 * 1024))
    }
}

fn config() -> Config {
    Config::new(PayloadType::Binary).max_frame_len(None)
}

/// As [`Ours`] is made.
pub fn stream<S: Transport>(io: S, role: Role) -> WebSocketStream<S> {
    ours(io, role, config())
}

fn ours<S: Transport>(io: S, role: Role, config: Config) -> WebSocketStream<S> {
    WebSocketStream::from_transport(io, role, [], config)
}

/// The transport alone: what is left for nobody to save.
pub struct Raw;

impl Peer for Raw {
    const NAME: &'static str = "transport alone";
    const PACKAGE: (&'static str, &'static str) = ("tokio", "1");
    const FRAMES: bool = false;

    fn reader<S: Transport>(io: S, _: Role) -> impl AsyncRead + Unpin + Send + 'static {
        io
    }

    fn writer<S: Transport>(io: S, _: Role) -> impl AsyncWrite + Unpin + Send + 'static {
        io
    }
}

/// The last release of this crate before it had a codec of its own.
pub struct Published;

impl Published {
    fn stream<S: Transport>(io: S, role: Role) -> published::WebSocketStream<S> {
        let mut websocket = fastwebsockets::WebSocket::after_handshake(io, role.into());
        websocket.set_max_message_size(usize::MAX);
        published::WebSocketStream::new(websocket, published::PayloadType::Binary)
    }
}

impl Peer for Published {
    const NAME: &'static str = "published 0.1.2";
    const PACKAGE: (&'static str, &'static str) = ("fastwebsockets-stream", "0.1");

    fn reader<S: Transport>(io: S, role: Role) -> impl AsyncRead + Unpin + Send + 'static {
        Self::stream(io, role)
    }

    fn writer<S: Transport>(io: S, role: Role) -> impl AsyncWrite + Unpin + Send + 'static {
        Self::stream(io, role)
    }
}

pub struct WsStreamTungstenite;

impl WsStreamTungstenite {
    fn stream<S: Transport>(io: S, role: Role) -> ws_stream_tungstenite::WsStream<TokioAdapter029<S>> {
        use async_tungstenite_0_29::WebSocketStream;
        use async_tungstenite_0_29::tungstenite::protocol::{Role as TheirRole, WebSocketConfig};
        let role = match role {
            Role::Client => TheirRole::Client,
            Role::Server => TheirRole::Server,
        };
        let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
        let io = TokioAdapter029::new(io);
        let websocket = WebSocketStream::from_raw_socket(io, role, Some(config)).now_or_never();
        ws_stream_tungstenite::WsStream::new(websocket.expect("no handshake"))
    }
}

impl Peer for WsStreamTungstenite {
    const NAME: &'static str = "ws_stream_tungstenite";
    const PACKAGE: (&'static str, &'static str) = ("ws_stream_tungstenite", "");

    fn reader<S: Transport>(io: S, role: Role) -> impl AsyncRead + Unpin + Send + 'static {
        Self::stream(io, role)
    }

    fn writer<S: Transport>(io: S, role: Role) -> impl AsyncWrite + Unpin + Send + 'static {
        Self::stream(io, role)
    }
}

pub struct AsyncTungstenite;

impl AsyncTungstenite {
    fn websocket<S: Transport>(io: S, role: Role) -> async_tungstenite::WebSocketStream<TokioAdapter<S>> {
        use async_tungstenite::WebSocketStream;
        use async_tungstenite::tungstenite::protocol::{Role as TheirRole, WebSocketConfig};
        let role = match role {
            Role::Client => TheirRole::Client,
            Role::Server => TheirRole::Server,
        };
        let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
        let io = TokioAdapter::new(io);
        WebSocketStream::from_raw_socket(io, role, Some(config)).now_or_never().expect("no handshake")
    }
}

impl Peer for AsyncTungstenite {
    const NAME: &'static str = "async-tungstenite";
    const PACKAGE: (&'static str, &'static str) = ("async-tungstenite", "0.35");

    fn reader<S: Transport>(io: S, role: Role) -> impl AsyncRead + Unpin + Send + 'static {
        async_tungstenite::ByteReader::new(Self::websocket(io, role))
    }

    fn writer<S: Transport>(io: S, role: Role) -> impl AsyncWrite + Unpin + Send + 'static {
        async_tungstenite::ByteWriter::new(Self::websocket(io, role))
    }
}

pub struct TokioTungstenite;

impl TokioTungstenite {
    fn messages<S: Transport>(
        io: S,
        role: Role,
    ) -> Messages<tokio_tungstenite::WebSocketStream<S>, tokio_tungstenite::tungstenite::Message> {
        use tokio_tungstenite::WebSocketStream;
        use tokio_tungstenite::tungstenite::protocol::{Role as TheirRole, WebSocketConfig};
        let role = match role {
            Role::Client => TheirRole::Client,
            Role::Server => TheirRole::Server,
        };
        let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
        let websocket = WebSocketStream::from_raw_socket(io, role, Some(config)).now_or_never();
        Messages::new(websocket.expect("no handshake"))
    }
}

impl Peer for TokioTungstenite {
    const NAME: &'static str = "tokio-tungstenite";
    const PACKAGE: (&'static str, &'static str) = ("tokio-tungstenite", "");

    fn reader<S: Transport>(io: S, role: Role) -> impl AsyncRead + Unpin + Send + 'static {
        StreamReader::new(Self::messages(io, role))
    }

    fn writer<S: Transport>(io: S, role: Role) -> impl AsyncWrite + Unpin + Send + 'static {
        SinkWriter::new(Self::messages(io, role))
    }
}

pub struct TokioWebsockets;

impl TokioWebsockets {
    fn messages<S: Transport>(
        io: S,
        role: Role,
    ) -> Messages<tokio_websockets::WebSocketStream<S>, tokio_websockets::Message> {
        use tokio_websockets::{ClientBuilder, Limits, ServerBuilder};
        Messages::new(match role {
            Role::Client => ClientBuilder::new().limits(Limits::unlimited()).take_over(io),
            Role::Server => ServerBuilder::new().limits(Limits::unlimited()).serve(io),
        })
    }
}

impl Peer for TokioWebsockets {
    const NAME: &'static str = "tokio-websockets";
    const PACKAGE: (&'static str, &'static str) = ("tokio-websockets", "");

    fn reader<S: Transport>(io: S, role: Role) -> impl AsyncRead + Unpin + Send + 'static {
        StreamReader::new(Self::messages(io, role))
    }

    fn writer<S: Transport>(io: S, role: Role) -> impl AsyncWrite + Unpin + Send + 'static {
        SinkWriter::new(Self::messages(io, role))
    }
}
