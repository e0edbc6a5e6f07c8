//! The request for a WebSocket, and sending it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, Uri, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use tokio::time::timeout;

use super::super::http1::PATIENCE;
use super::super::uri::Target;
use super::super::{ConnectError, Deadline, Phase};
use super::Http2;
use super::link::{Addresses, Link, Unanswered};
use crate::handshake::headers::VERSION;

/// The longest wait for SETTINGS, which a server sends before anything else.
const FOR_SETTINGS: Duration = Duration::from_secs(5);

/// How often a request is sent in all, where the server says each time that it has not processed it.
const MAX_TRIES: usize = 4;

/// The most of a body that goes into an error.
const MAX_BODY: usize = 1024;

impl Http2 {
    /// RFC 8441, section 5: as in HTTP/1.1, but for what HTTP/2 says in another way.
    pub(super) fn request(&self, target: &Target) -> Result<Request<Empty<Bytes>>, ConnectError> {
        let client = &self.0.client;
        let host = client.host_or(target)?;
        let uri = Uri::builder()
            .scheme(if target.secure { "https" } else { "http" })
            .authority(host.as_bytes())
            .path_and_query(target.path.clone())
            .build()
            .map_err(|_| ConnectError::Header {
                number: 1 + client.headers.iter().position(|(name, _)| name == header::HOST).unwrap_or(0),
                name: Some(header::HOST),
                reason: "it is no host with a port or without".into(),
            })?;
        let mut request = Request::new(Empty::new());
        *request.method_mut() = Method::CONNECT;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = uri;
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        request.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        client.add_fields(request.headers_mut(), target)?;
        Ok(request)
    }

    /// Sends a request, again where that is safe.
    pub(super) async fn ask(
        &self,
        request: Request<Empty<Bytes>>,
        target: &Target,
        deadline: Deadline,
    ) -> Result<(Response<Incoming>, Option<Addresses>), ConnectError> {
        let mut tries = 0;
        loop {
            let link = deadline.keep(Phase::Http2, &target.host, target.port, self.0.link()).await?;
            let Unanswered { error, unprocessed } =
                match ask_on(&link, request.clone(), target, deadline).await {
                    Ok(response) => return Ok((response, link.addresses())),
                    Err(unanswered) => unanswered,
                };
            tries += 1;
            if !unprocessed || tries == MAX_TRIES {
                return Err(error);
            }
        }
    }
}

/// Sends a request on a connection, once it is known to take it.
async fn ask_on(
    link: &Link,
    request: Request<Empty<Bytes>>,
    target: &Target,
    deadline: Deadline,
) -> Result<Response<Incoming>, Unanswered> {
    let late =
        |phase| Unanswered { error: ConnectError::timed_out(target, deadline, phase), unprocessed: false };
    let settled = async {
        if deadline.limit < FOR_SETTINGS {
            return link.settled().await;
        }
        timeout(FOR_SETTINGS, link.settled()).await.unwrap_or_else(|_| {
            let received = "no SETTINGS came within 5 seconds";
            Err(Unanswered { error: ConnectError::NoExtendedConnect { received }, unprocessed: false })
        })
    };
    deadline.cut(settled).await.unwrap_or_else(|| Err(late(Phase::Http2)))?;
    deadline.cut(link.ask(request, target)).await.unwrap_or_else(|| Err(late(Phase::Upgrade)))
}

/// Reads as much of a body as goes into an error, for a second at most. What was read stays if this is dropped.
pub(super) async fn read_start(body: &mut Incoming, start: &mut Vec<u8>) {
    let reading = async {
        while start.len() < MAX_BODY
            && let Some(Ok(frame)) = body.frame().await
        {
            let data = frame.into_data().unwrap_or_default();
            start.extend_from_slice(&data[..data.len().min(MAX_BODY - start.len())]);
        }
    };
    let _ = timeout(PATIENCE, reading).await;
}
