//! What hyper makes of a connection that it has upgraded, as a transport.

use std::fmt;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

use super::pass_on::pass_on;
use crate::WebSocketStream;

/// The stream that [`upgrade`](crate::upgrade) and the axum extractor give: a WebSocket over a connection of hyper's.
///
/// [`downcast`](WebSocketStream::downcast) turns it into a stream over the transport that hyper was given.
pub type UpgradedStream = WebSocketStream<UpgradedIo>;

/// A connection that hyper has upgraded, as the transport of an [`UpgradedStream`].
///
/// Over HTTP/1.1 it is the whole connection, over HTTP/2 one stream of it. It passes everything on to
/// [`Upgraded`], hyper's own type, which it can be made of and turned into.
///
/// # Examples
///
/// A WebSocket whose handshake the service has answered by itself:
///
/// ```no_run
/// use fastwebsockets_stream::{Config, PayloadType, Role, UpgradedIo, UpgradedStream, WebSocketStream};
///
/// # async fn doc(mut request: hyper::Request<()>) -> hyper::Result<()> {
/// let io = UpgradedIo::from(hyper::upgrade::on(&mut request).await?);
/// let config = Config::new(PayloadType::Binary);
/// let stream: UpgradedStream = WebSocketStream::from_transport(io, Role::Server, [], config);
/// # let _ = stream;
/// # Ok(())
/// # }
/// ```
pub struct UpgradedIo(TokioIo<Upgraded>);

impl UpgradedIo {
    /// hyper's own type.
    pub fn into_inner(self) -> Upgraded {
        self.0.into_inner()
    }
}

impl From<Upgraded> for UpgradedIo {
    fn from(upgraded: Upgraded) -> Self {
        UpgradedIo(TokioIo::new(upgraded))
    }
}

pass_on!(UpgradedIo, io => [UpgradedIo(io)]);

impl fmt::Debug for UpgradedIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradedIo").finish_non_exhaustive()
    }
}
