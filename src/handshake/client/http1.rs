//! The handshake over HTTP/1.1 (RFC 6455, section 4.1), on a transport that is there.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rand::RngCore;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::headers::VERSION;
use super::uri::Target;
use super::{Client, ConnectError, Deadline, response};
use crate::{Role, WebSocketStream};

/// The most of a response's head that is kept. Servers send less than 1 KiB, unless they set cookies.
const MAX_HEAD: usize = 64 * 1024;

/// The most of a body that goes into an error.
const MAX_BODY: usize = 1024;

const ANSWERING: &str = "waiting for the server's answer to the upgrade request";

/// A request, ready to be sent.
pub(super) struct Upgrade<'a> {
    client: &'a Client,
    key: String,
    request: Request<Empty<Bytes>>,
}

impl<'a> Upgrade<'a> {
    /// Fails before anything is dialled, if the client was given what cannot be sent.
    pub(super) fn new(client: &'a Client, target: &Target) -> Result<Self, ConnectError> {
        // "a nonce consisting of a randomly selected 16-byte value that has been base64-encoded" (item 7)
        let mut nonce = [0; 16];
        rand::thread_rng().fill_bytes(&mut nonce);
        let key = BASE64_STANDARD.encode(nonce);
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = target.path.clone().into();
        let fields = request.headers_mut();
        fields.insert(header::HOST, client.host_or(target)?);
        fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        fields.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        if let Ok(key) = HeaderValue::try_from(&key) {
            fields.insert(header::SEC_WEBSOCKET_KEY, key);
        }
        client.add_fields(fields, target)?;
        Ok(Upgrade { client, key, request })
    }

    /// Sends it, and makes a stream of the transport if the answer is right.
    pub(super) async fn over<S>(
        self,
        io: S,
        deadline: Deadline,
    ) -> Result<(WebSocketStream<S>, Response<()>), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // Request and connection are polled here, in one future: no task, and so neither Send nor 'static.
        let handshake = http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(io));
        let (mut requests, connection) = handshake.await.map_err(ConnectError::Http)?;
        let mut connection = Driven { connection: pin!(connection.without_shutdown()), ended: None };
        let answer = async { Ok(connection.alongside(requests.send_request(self.request)).await) };
        let response = match deadline.keep(ANSWERING, answer).await? {
            Ok(response) => response,
            Err(error) => {
                // The request was only told that it has no connection any more; that knows why.
                let cause = connection.ended.and_then(Result::err).filter(|_| error.is_canceled());
                return Err(ConnectError::Http(cause.unwrap_or(error)));
            }
        };
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (head, mut body) = response.into_parts();
            let mut start = Vec::new();
            deadline.cut(connection.alongside(read_start(&mut body, &mut start))).await;
            return Err(ConnectError::rejected(Response::from_parts(head, start.into())));
        }
        response::check(&response, &self.key, &self.client.subprotocols)?;
        let parts =
            deadline.keep(ANSWERING, async { connection.end().await.map_err(ConnectError::Http) }).await?;
        let config = self.client.config.clone();
        let stream =
            WebSocketStream::from_transport(parts.io.into_inner(), Role::Client, parts.read_buf, config);
        Ok((stream, response::told(response)))
    }
}

/// Reads as much of a body as goes into an error. What was read stays if this is dropped.
pub(super) async fn read_start(body: &mut Incoming, start: &mut Vec<u8>) {
    while start.len() < MAX_BODY
        && let Some(Ok(frame)) = body.frame().await
    {
        let data = frame.into_data().unwrap_or_default();
        start.extend_from_slice(&data[..data.len().min(MAX_BODY - start.len())]);
    }
}

/// A connection that is polled whenever something else waits for it.
struct Driven<'a, F, T> {
    connection: Pin<&'a mut F>,
    ended: Option<hyper::Result<T>>,
}

impl<F: Future<Output = hyper::Result<T>>, T> Driven<'_, F, T> {
    async fn alongside<O>(&mut self, work: impl Future<Output = O>) -> O {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if self.ended.is_none()
                && let Poll::Ready(end) = self.connection.as_mut().poll(cx)
            {
                self.ended = Some(end);
            }
            work.as_mut().poll(cx)
        })
        .await
    }

    async fn end(self) -> hyper::Result<T> {
        match self.ended {
            Some(end) => end,
            None => self.connection.await,
        }
    }
}
