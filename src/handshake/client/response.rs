//! What a client checks of the answer: RFC 6455, section 4.1, from "Once the client's opening handshake has been sent".

use http::header::{self, HeaderMap, HeaderName};
use http::{Response, Version};
use hyper::upgrade::OnUpgrade;

use super::super::headers;
use super::ConnectError;
use super::error::hide_secrets;

/// Checks a response with the status 101. `key` is what the request had, `asked` its subprotocols.
pub(super) fn check<B>(response: &Response<B>, key: &str, asked: &[String]) -> Result<(), ConnectError> {
    let fields = response.headers();
    if response.version() != Version::HTTP_11 {
        return Err(ConnectError::Version { received: response.version() });
    }
    // "If the response lacks an |Upgrade| header field or the |Upgrade| header field contains a value that is not an
    // ASCII case-insensitive match for the value "websocket", the client MUST _Fail the WebSocket Connection_."
    let mut protocols = headers::list(fields, &header::UPGRADE);
    if !matches!((protocols.next(), protocols.next()), (Some(one), None) if one.eq_ignore_ascii_case(b"websocket"))
    {
        return Err(ConnectError::Upgrade { received: received(fields, &header::UPGRADE) });
    }
    // "If the response lacks a |Connection| header field or the |Connection| header field doesn't contain a token that
    // is an ASCII case-insensitive match for the value "Upgrade" ..."
    if !headers::has_token(fields, &header::CONNECTION, "upgrade") {
        return Err(ConnectError::Connection { received: received(fields, &header::CONNECTION) });
    }
    // "... contains a value other than the base64-encoded SHA-1 ... but ignoring any leading and trailing whitespace"
    let expected = headers::accept_for(key.as_bytes());
    match headers::single(fields, &header::SEC_WEBSOCKET_ACCEPT) {
        Ok(Some(accept)) if accept.as_bytes().trim_ascii() == expected.as_bytes() => {}
        _ => {
            let received = received(fields, &header::SEC_WEBSOCKET_ACCEPT);
            return Err(ConnectError::Accept { received, expected });
        }
    }
    check_chosen(fields, asked)
}

/// The part that is the same over HTTP/2: nothing that was not asked for.
pub(super) fn check_chosen(fields: &HeaderMap, asked: &[String]) -> Result<(), ConnectError> {
    // "... indicates the use of an extension that was not present in the client's handshake"
    if headers::list(fields, &header::SEC_WEBSOCKET_EXTENSIONS).next().is_some() {
        let received = received(fields, &header::SEC_WEBSOCKET_EXTENSIONS);
        return Err(ConnectError::Extensions { received });
    }
    // "... indicates the use of a subprotocol that was not present in the client's handshake"
    let chosen = headers::single(fields, &header::SEC_WEBSOCKET_PROTOCOL);
    let was_asked = match &chosen {
        Ok(Some(name)) => asked.iter().any(|asked| asked.as_bytes() == name.as_bytes().trim_ascii()),
        Ok(None) => true,
        Err(headers::Repeated) => false,
    };
    if !was_asked {
        let received = received(fields, &header::SEC_WEBSOCKET_PROTOCOL);
        return Err(ConnectError::SubprotocolNotAsked { received, asked: asked.len() });
    }
    Ok(())
}

/// What the caller gets of the response: its head, without hyper's way to an upgrade that has been taken.
pub(super) fn told<B>(response: Response<B>) -> Response<()> {
    let mut response = response.map(drop);
    response.extensions_mut().remove::<OnUpgrade>();
    hide_secrets(response.headers_mut());
    response
}

/// All lines of a field, for an error.
fn received(fields: &HeaderMap, name: &HeaderName) -> String {
    let lines: Vec<&[u8]> = fields.get_all(name).iter().map(|line| line.as_bytes()).collect();
    headers::excerpt(&lines.join(&b", "[..]))
}
