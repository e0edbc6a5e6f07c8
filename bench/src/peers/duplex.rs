//! Peers that read and write on one connection, as a server does.

use fastwebsockets_stream::Role;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::{SinkWriter, StreamReader};

use super::{
    AsyncTungstenite, Ours, OursBuffered, Peer, Published, Raw, TokioTungstenite, TokioWebsockets, Transport,
    WsStreamTungstenite, config, ours,
};

pub trait Duplex: Peer {
    fn duplex<S: Transport>(io: S, role: Role) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static;
}

pub trait DuplexVisitor {
    fn visit<P: Duplex>(&mut self);
}

/// Ours first, then the transport alone, then the peers.
pub fn visit_all(visitor: &mut impl DuplexVisitor) {
    visitor.visit::<Ours>();
    visitor.visit::<Raw>();
    visit_peers(visitor);
}

pub fn visit_peers(visitor: &mut impl DuplexVisitor) {
    visitor.visit::<Published>();
    visitor.visit::<WsStreamTungstenite>();
    visitor.visit::<AsyncTungstenite>();
    visitor.visit::<TokioTungstenite>();
    visitor.visit::<TokioWebsockets>();
}

impl Duplex for Ours {
    fn duplex<S: Transport>(io: S, role: Role) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        ours(io, role, config())
    }
}

impl Duplex for OursBuffered {
    fn duplex<S: Transport>(io: S, role: Role) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        ours(io, role, config().write_buffer(64 * 1024))
    }
}

impl Duplex for Raw {
    fn duplex<S: Transport>(io: S, _: Role) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        io
    }
}

impl Duplex for Published {
    fn duplex<S: Transport>(io: S, role: Role) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        Self::stream(io, role)
    }
}

impl Duplex for WsStreamTungstenite {
    fn duplex<S: Transport>(io: S, role: Role) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        Self::stream(io, role)
    }
}

/// The one peer that must be split for it, by its own `split`.
impl Duplex for AsyncTungstenite {
    fn duplex<S: Transport>(io: S, role: Role) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        let (sender, receiver) = Self::websocket(io, role).split();
        let reader = async_tungstenite::ByteReader::new(receiver);
        tokio::io::join(reader, async_tungstenite::ByteWriter::new(sender))
    }
}

impl Duplex for TokioTungstenite {
    fn duplex<S: Transport>(io: S, role: Role) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        SinkWriter::new(StreamReader::new(Self::messages(io, role)))
    }
}

impl Duplex for TokioWebsockets {
    fn duplex<S: Transport>(io: S, role: Role) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        SinkWriter::new(StreamReader::new(Self::messages(io, role)))
    }
}
