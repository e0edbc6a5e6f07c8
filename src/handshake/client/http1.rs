//! The handshake over HTTP/1.1 (RFC 6455, section 4.1), on a transport that is there.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{self, HeaderMap, HeaderValue};
use http::response::Parts;
use http::{Response, StatusCode};
use rand::RngCore;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::super::headers::VERSION;
use super::super::http1::{Excerpt, MAX_INTERIM, Received, Unread, encode_request, read_excerpt, send};
use super::uri::Target;
use super::{Client, ConnectError, Deadline, Phase, response};
use crate::{Role, WebSocketStream};

/// How long what explains a failure is waited for: the body of a refusal, or an answer where the request could not be sent.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// A request, ready to be sent.
pub(super) struct Upgrade<'a> {
    client: &'a Client,
    target: &'a Target,
    key: String,
    request: Vec<u8>,
}

/// Why there is no final answer.
pub(super) enum Unanswered {
    Unread(Unread),
    /// More interim answers came than are passed over.
    Interim,
}

impl<'a> Upgrade<'a> {
    /// Fails before anything is dialled, if the client was given what cannot be sent.
    pub(super) fn new(client: &'a Client, target: &'a Target) -> Result<Self, ConnectError> {
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
        //# The value of this header field MUST be a nonce consisting of a randomly selected 16-byte value that
        //# has been base64-encoded
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
        //# The nonce MUST be selected randomly for each connection.
        let mut nonce = [0; 16];
        rand::thread_rng().fill_bytes(&mut nonce);
        let key = BASE64_STANDARD.encode(nonce);
        let mut fields = HeaderMap::new();
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
        //# The request MUST contain a |Host| header field
        fields.insert(header::HOST, client.host_or(target)?);
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
        //# The request MUST contain a |Connection| header field
        fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
        //# The request MUST contain an |Upgrade| header field
        fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
        //# The request MUST include a header field with the name |Sec-WebSocket-Version|.
        fields.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
        //# The request MUST include a header field with the name |Sec-WebSocket-Key|.
        if let Ok(key) = HeaderValue::try_from(&key) {
            fields.insert(header::SEC_WEBSOCKET_KEY, key);
        }
        client.add_fields(&mut fields, target)?;
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
        //# The method of the request MUST be GET, and the HTTP version MUST be at least 1.1.
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
        //# The "Request-URI" part of the request MUST match the /resource name/
        let request = encode_request("GET", target.path.as_str(), &fields);
        Ok(Upgrade { client, target, key, request })
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
        let target = self.target;
        let mut received = Received::new();
        let (mut reader, mut writer) = tokio::io::split(io);
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
        //# the client MUST send an opening handshake to the server.
        let answering = ask(&mut writer, &self.request, answer(&mut reader, &mut received));
        let head = match deadline.cut(answering).await {
            Some(Ok(head)) => head,
            Some(Err(unanswered)) => {
                return Err(ConnectError::unanswered(target, unanswered, received.start()));
            }
            None => return Err(ConnectError::timed_out(target, deadline, Phase::Upgrade)),
        };
        if head.status != StatusCode::SWITCHING_PROTOCOLS {
            let mut excerpt = Excerpt::new(&head);
            excerpt.receive(&received.into_rest());
            // What is whole needs no timer.
            if !excerpt.is_complete() {
                let reading = timeout(PATIENCE, read_excerpt(&mut reader, &mut excerpt));
                // Told in any case, with what has come until then.
                let _ = deadline.cut(reading).await;
            }
            let body = excerpt.finish().unwrap_or_default();
            return Err(ConnectError::rejected(target, Response::from_parts(head, body.into())));
        }
        let response = Response::from_parts(head, ());
        //= https://www.rfc-editor.org/rfc/rfc6455#section-7.2.1
        //# To do so, the client MUST _Fail the WebSocket Connection_
        response::check(&response, &self.key, &self.client.subprotocols, target)?;
        let config = self.client.config.clone();
        let io = reader.unsplit(writer);
        let stream = WebSocketStream::from_transport(io, Role::Client, received.into_rest(), config);
        Ok((stream, response::told(response)))
    }
}

/// Sends a request, and waits for its answer meanwhile: a server may refuse before it has read all, or speak without reading any.
///
/// A refusal is taken though the request is not sent. What accepts it is taken once it is.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//# Once the client's opening handshake has been sent, the client MUST wait for a response from the server
//# before sending any further data.
async fn ask<W>(
    writer: &mut W,
    request: &[u8],
    answer: impl Future<Output = Result<Parts, Unanswered>>,
) -> Result<Parts, Unanswered>
where
    W: AsyncWrite + Unpin,
{
    let mut sending = pin!(send(writer, request));
    let mut answer = pin!(answer);
    let mut sent: Option<io::Result<()>> = None;
    let answered = poll_fn(|cx| {
        if sent.is_none()
            && let Poll::Ready(result) = sending.as_mut().poll(cx)
        {
            sent = Some(result);
        }
        match (&sent, answer.as_mut().poll(cx)) {
            (_, Poll::Ready(answered)) => Poll::Ready(Some(answered)),
            (Some(Err(_)), Poll::Pending) => Poll::Ready(None),
            _ => Poll::Pending,
        }
    });
    let answered = match answered.await {
        Some(answered) => answered,
        // A server that reads no more may have said why. If it has, that is on its way.
        None => match timeout(PATIENCE, answer).await {
            Ok(answered) => answered,
            Err(_) => Err(Unanswered::Unread(Unread::Ended { begun: false })),
        },
    };
    match (answered, sent) {
        (Ok(head), None) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
            sending.await.map_err(failed)?;
            Ok(head)
        }
        // What came says why: an alert of TLS, for instance.
        (Err(Unanswered::Unread(Unread::Failed(why))), Some(Err(_)))
            if why.kind() == io::ErrorKind::InvalidData =>
        {
            Err(failed(why))
        }
        // The one that came first says more.
        (Err(Unanswered::Unread(Unread::Ended { .. } | Unread::Failed(_))), Some(Err(error))) => {
            Err(failed(error))
        }
        (answered, _) => answered,
    }
}

fn failed(error: io::Error) -> Unanswered {
    Unanswered::Unread(Unread::Failed(error))
}

/// The final answer. Interim ones are passed over (RFC 9110, section 15.2); of those, 101 alone is final.
async fn answer<R>(reader: &mut R, received: &mut Received<Parts>) -> Result<Parts, Unanswered>
where
    R: AsyncRead + Unpin,
{
    for _ in 0..=MAX_INTERIM {
        let head = received.read(reader).await.map_err(Unanswered::Unread)?;
        if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(head);
        }
    }
    Err(Unanswered::Interim)
}
