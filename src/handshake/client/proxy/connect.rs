//! CONNECT (RFC 9110, section 9.3.6).

use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use http::response::Parts;
use http::{Response, StatusCode};
use tokio::time::timeout;

use super::super::super::headers::excerpt;
use super::super::super::http1::{
    Excerpt, HeadError, MAX_INTERIM, Received, encode_request, read_excerpt, send,
};
use super::super::error::{hide_secrets, is_request, without_request};
use super::super::http1::PATIENCE;
use super::super::uri::Target;
use super::super::{Deadline, MaybeTlsStream, ProxyError};
use super::exact::{self, Unread};
use super::url::Credentials;

/// The request for a tunnel to a server.
pub(super) fn request(target: &Target, credentials: Option<&Credentials>) -> Vec<u8> {
    // > There is no default port; a client MUST send the port number even if the CONNECT request is based on a URI reference
    // > that contains an authority component with an elided port (section 9.3.6)
    let to = if target.host.contains(':') {
        format!("[{}]:{}", target.host, target.port)
    } else {
        format!("{}:{}", target.host, target.port)
    };
    let mut fields = HeaderMap::new();
    if let Ok(host) = HeaderValue::try_from(&to) {
        fields.insert(HOST, host);
    }
    if let Some(basic) = credentials.and_then(Credentials::basic) {
        fields.insert(PROXY_AUTHORIZATION, basic);
    }
    encode_request("CONNECT", &to, &fields)
}

/// Sends the request, and reads the head of the final answer.
pub(super) async fn ask(io: &mut MaybeTlsStream, request: &[u8]) -> Result<Parts, ProxyError> {
    let sent = send(io, request).await;
    // A proxy that takes no more may have said why.
    match (answer(io).await, sent) {
        (Err(ProxyError::Ended { begun: false } | ProxyError::Io { .. }), Err(source)) => {
            Err(ProxyError::Io { source })
        }
        (answered, _) => answered,
    }
}

async fn answer(io: &mut MaybeTlsStream) -> Result<Parts, ProxyError> {
    for _ in 0..=MAX_INTERIM {
        let mut received = Received::<Parts>::new();
        let head = match exact::read(io, |octets| received.receive(octets)).await {
            Ok(head) => head,
            Err(Unread::Wrong(error)) => return Err(wrong(error, received.start())),
            Err(Unread::Ended { begun }) => return Err(ProxyError::Ended { begun }),
            Err(Unread::Failed(source)) => return Err(ProxyError::Io { source }),
        };
        // Interim answers are passed over (section 15.2). 101 is none: nobody has asked for it.
        if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(head);
        }
    }
    Err(ProxyError::Malformed { reason: format!("it has more than {MAX_INTERIM} interim answers (1xx)") })
}

/// Why this head opens no tunnel; `None` if it does.
///
/// > Any 2xx (Successful) response indicates that the sender (and all inbound proxies) will switch to tunnel mode immediately
/// > after the response header section [...] A client MUST ignore any Content-Length or Transfer-Encoding header fields
/// > received in a successful response to CONNECT. (section 9.3.6)
pub(super) async fn refusal(
    io: &mut MaybeTlsStream,
    mut head: Parts,
    sent: bool,
    deadline: Deadline,
) -> Option<ProxyError> {
    if head.status.is_success() {
        return None;
    }
    if head.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return Some(ProxyError::Credentials { sent, wanted: wanted(&head.headers) });
    }
    let mut explained = Excerpt::new(&head);
    // Told in any case, with what has come until then.
    let _ = deadline.cut(timeout(PATIENCE, read_excerpt(io, &mut explained))).await;
    hide_secrets(&mut head.headers);
    let body = Bytes::from(explained.finish().unwrap_or_default());
    Some(ProxyError::Refused { response: Box::new(Response::from_parts(head, body)) })
}

/// What the challenges ask for (RFC 9110, section 11.7.1).
fn wanted(fields: &HeaderMap) -> String {
    let challenges: Vec<&[u8]> =
        fields.get_all(PROXY_AUTHENTICATE).iter().map(HeaderValue::as_bytes).collect();
    if challenges.is_empty() {
        return "it answered 407, and no Proxy-Authenticate says which".into();
    }
    format!("it answered 407 with Proxy-Authenticate: {}", excerpt(&challenges.join(&b", "[..])))
}

fn wrong(error: HeadError, start: &[u8]) -> ProxyError {
    let hint = match (&error, start) {
        (HeadError::Tls, _) => ", which is TLS; try https://",
        (HeadError::Http2, _) => ", which is HTTP/2",
        (_, start) if is_request(start) => {
            ", which is what was sent to it: it sends everything back; is the port right?"
        }
        (_, [5, ..]) => ", which is SOCKS5; try socks5h://",
        _ => "; is the port right?",
    };
    match error {
        HeadError::Tls | HeadError::Http2 | HeadError::NotHttp { .. } => {
            ProxyError::NotSpoken { expected: "HTTP/1.1", received: excerpt(without_request(start)), hint }
        }
        HeadError::Malformed { reason } => ProxyError::Malformed { reason },
        too_much => ProxyError::Malformed { reason: too_much.to_string() },
    }
}
