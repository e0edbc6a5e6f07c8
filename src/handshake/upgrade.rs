//! The server's end of the handshake, in whatever serves HTTP.

use std::borrow::BorrowMut;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
#[cfg(feature = "http2")]
use tokio::runtime::Handle;

use super::request::Head;
use super::upgraded::{UpgradedIo, UpgradedStream};
use super::{Rejection, Upgrader, ending};
use crate::{Config, Role, WebSocketStream};

/// Answers a request for a WebSocket, in any service of hyper 1: the response, and the stream that begins once the
/// response has been sent.
///
/// It is [`Upgrader::upgrade`] with its defaults: no subprotocol, no further header fields, any origin. A web page of
/// anyone's can then use the service with its visitor's cookies; see [`Origins`](crate::Origins) for what one that browsers
/// use should set.
///
/// # What hyper adds to the answer
///
/// hyper puts `close` into the answer's `Connection` where it will not keep the connection, although the 101 ends HTTP on it
/// anyway. `Connection: Upgrade, close` goes to a client whose request has `Connection: close, Upgrade`, and to every client
/// that is answered during hyper's graceful shutdown.
///
/// That is allowed (RFC 9110, section 7.6.1), and a client that looks for `Upgrade` in the list takes it (RFC 6455, section
/// 4.1). But devices are known that compare the whole field. A service cannot prevent it: hyper appends to whatever the response
/// has. Where it matters, serve with [`Listener`](crate::Listener), whose answer is `Connection: Upgrade` always.
///
/// # Examples
///
/// ```no_run
/// use fastwebsockets_stream::{Config, PayloadType, upgrade};
/// use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
/// use hyper_util::rt::TokioIo;
///
/// # async fn serve(tcp: tokio::net::TcpStream) -> hyper::Result<()> {
/// tcp.set_nodelay(true).ok(); // A frame per write meets Nagle's algorithm otherwise.
/// let service = service_fn(async |request: Request<Incoming>| {
///     let (response, stream) = upgrade(request, Config::new(PayloadType::Binary));
///     tokio::spawn(async move {
///         let (mut reader, mut writer) = stream.await?.into_split();
///         tokio::io::copy(&mut reader, &mut writer).await?;
///         tokio::io::AsyncWriteExt::shutdown(&mut writer).await
///     });
///     Ok::<_, std::convert::Infallible>(response)
/// });
/// http1::Builder::new().serve_connection(TokioIo::new(tcp), service).with_upgrades().await
/// # }
/// ```
pub fn upgrade<R, B>(request: R, config: Config) -> (Response<Full<Bytes>>, Upgrade)
where
    R: BorrowMut<Request<B>>,
{
    Upgrader::new(config).upgrade(request)
}

/// Whether a request asks for a WebSocket, so that a service can serve something else at the same path.
///
/// It tells what the client wants, not whether it goes about it rightly: that is for [`upgrade`] to answer.
pub fn is_upgrade_request<B>(request: &Request<B>) -> bool {
    Head::of(request).asks_for_websocket()
}

impl Upgrader {
    /// Answers a request: the response, and the stream that begins once the response has been sent.
    ///
    /// A request that is refused has its answer too, and a stream that fails with the same [`Rejection`]. The request may
    /// be given by value or as `&mut`. The stream's transport is whatever is served;
    /// [`downcast`](WebSocketStream::downcast) gets it out of hyper's box.
    pub fn upgrade<R, B>(&self, mut request: R) -> (Response<Full<Bytes>>, Upgrade)
    where
        R: BorrowMut<Request<B>>,
    {
        let request = request.borrow_mut();
        let opening = Head::of(request).check();
        let accepted = opening.and_then(|opening| self.accept(opening)).and_then(|accepted| {
            let on_upgrade =
                request.extensions_mut().remove::<OnUpgrade>().ok_or(Rejection::NotUpgradable)?;
            Ok((accepted, on_upgrade))
        });
        match accepted {
            Ok(((response, subprotocol), on_upgrade)) => {
                let upgrade = Upgrade::new(on_upgrade, &response, self.to_config(), subprotocol);
                (response.map(|()| Full::default()), upgrade)
            }
            Err(rejection) => (rejection.clone().into_response(), Upgrade::refused(rejection)),
        }
    }
}

/// The stream of a request that was answered, see [`upgrade`].
///
/// # Errors
///
/// - `InvalidData`: the request was refused; inside is the [`Rejection`].
/// - `Other`: hyper could not send the response, or the connection is not served with upgrades (with hyper 1:
///   `with_upgrades`, or `serve_connection_with_upgrades`). Inside is hyper's own error.
///
/// # Cancel safety
///
/// It can be polled again after it was dropped from a `select`. Dropping it altogether closes the connection once the
/// response has been sent.
///
/// # Another response
///
/// The response must reach the client as it is. Where a service, or a layer around it, sends another one in its place, hyper
/// reports that over HTTP/2 alone. Over HTTP/1.1 this future waits until the connection ends, and may then give a stream
/// that nobody has asked for.
#[must_use = "the stream begins only if this is awaited, in a task of its own: the response must leave first"]
pub struct Upgrade {
    state: State,
    subprotocol: Option<String>,
}

enum State {
    Answered { on_upgrade: OnUpgrade, is_http2: bool, config: Config },
    Refused(Rejection),
}

impl Upgrade {
    pub(super) fn new<B>(
        on_upgrade: OnUpgrade,
        response: &Response<B>,
        config: Config,
        subprotocol: Option<String>,
    ) -> Self {
        // As `Upgrader::accept` answers a CONNECT.
        let is_http2 = response.status() == StatusCode::OK;
        Upgrade { state: State::Answered { on_upgrade, is_http2, config }, subprotocol }
    }

    fn refused(rejection: Rejection) -> Self {
        Upgrade { state: State::Refused(rejection), subprotocol: None }
    }

    /// The subprotocol that was agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Why the request was refused, if it was.
    pub fn rejection(&self) -> Option<&Rejection> {
        match &self.state {
            State::Answered { .. } => None,
            State::Refused(rejection) => Some(rejection),
        }
    }
}

impl Future for Upgrade {
    type Output = io::Result<UpgradedStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match &mut self.state {
            State::Answered { on_upgrade, is_http2, config } => match ready!(Pin::new(on_upgrade).poll(cx)) {
                Ok(upgraded) => {
                    let io = UpgradedIo::from(upgraded);
                    let stream = WebSocketStream::from_transport(io, Role::Server, [], config.clone());
                    Ok(if *is_http2 {
                        over_http2(stream)
                    } else {
                        stream.with_departure(ending::linger, false)
                    })
                }
                Err(error) => Err(io::Error::other(error)),
            },
            State::Refused(rejection) => Err(io::Error::new(io::ErrorKind::InvalidData, rejection.clone())),
        })
    }
}

/// The stream of HTTP/2 outlives its WebSocket until the client has ended it, too.
#[cfg(feature = "http2")]
fn over_http2(stream: UpgradedStream) -> UpgradedStream {
    stream.with_departure(
        |stream| {
            // Elsewhere than in a runtime it is reset at once: what this end has sent leaves before that.
            if let Some(departed) = stream.depart_from_transport()
                && let Ok(runtime) = Handle::try_current()
            {
                ending::hand_over(departed, (), &runtime);
            }
        },
        false,
    )
}

#[cfg(not(feature = "http2"))]
fn over_http2(stream: UpgradedStream) -> UpgradedStream {
    stream
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("rejection", &self.rejection())
            .field("subprotocol", &self.subprotocol)
            .finish_non_exhaustive()
    }
}
