//! What a client checks of the answer (RFC 6455, section 4.1).

use http::header::{self, HeaderMap, HeaderName};
use http::{Response, Version};

use super::super::headers;
use super::ConnectError;
use super::error::hide_secrets;
use super::uri::Target;

/// Checks a response of this server's with the status 101. `key` is what the request had, `asked` its subprotocols.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//# The client MUST validate the server's response as follows:
pub(super) fn check<B>(
    response: &Response<B>,
    key: &str,
    asked: &[String],
    target: &Target,
) -> Result<(), ConnectError> {
    let fields = response.headers();
    let (host, port) = target.who();
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    //# If the server's response does not conform to the requirements for the server's handshake as defined in
    //# this section and in Section 4.2.2, the client MUST _Fail the WebSocket Connection_.
    if response.version() != Version::HTTP_11 {
        return Err(ConnectError::Version { host, port, received: response.version() });
    }
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    //# a value that is not an ASCII case-insensitive match for the value "websocket", the client MUST _Fail the
    //# WebSocket Connection_.
    let mut protocols = headers::list(fields, &header::UPGRADE);
    if !matches!((protocols.next(), protocols.next()), (Some(one), None) if one.eq_ignore_ascii_case(b"websocket"))
    {
        return Err(ConnectError::Upgrade { host, port, received: received(fields, &header::UPGRADE) });
    }
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    //# If the response lacks a |Connection| header field or the |Connection| header field doesn't contain a
    //# token that is an ASCII case-insensitive match for the value "Upgrade", the client MUST
    if !headers::has_token(fields, &header::CONNECTION, "upgrade") {
        return Err(ConnectError::Connection { host, port, received: received(fields, &header::CONNECTION) });
    }
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    //# but ignoring any leading and trailing whitespace, the client MUST _Fail the WebSocket Connection_.
    let expected = headers::accept_for(key.as_bytes());
    match headers::single(fields, &header::SEC_WEBSOCKET_ACCEPT) {
        Ok(Some(accept)) if accept.as_bytes().trim_ascii() == expected.as_bytes() => {}
        _ => {
            let received = received(fields, &header::SEC_WEBSOCKET_ACCEPT);
            return Err(ConnectError::Accept { host, port, received, expected });
        }
    }
    check_chosen(fields, asked, target)
}

/// The part that is the same over HTTP/2: nothing that was not asked for.
pub(super) fn check_chosen(
    fields: &HeaderMap,
    asked: &[String],
    target: &Target,
) -> Result<(), ConnectError> {
    let (host, port) = target.who();
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    //# (the server has indicated an extension not requested by the client), the client MUST _Fail the WebSocket
    //# Connection_.
    if headers::list(fields, &header::SEC_WEBSOCKET_EXTENSIONS).next().is_some() {
        let received = received(fields, &header::SEC_WEBSOCKET_EXTENSIONS);
        return Err(ConnectError::Extensions { host, port, received });
    }
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    //# (the server has indicated a subprotocol not requested by the client), the client MUST _Fail the
    //# WebSocket Connection_.
    let chosen = headers::single(fields, &header::SEC_WEBSOCKET_PROTOCOL);
    let was_asked = match &chosen {
        Ok(Some(name)) => asked.iter().any(|asked| asked.as_bytes() == name.as_bytes().trim_ascii()),
        Ok(None) => true,
        Err(headers::Repeated) => false,
    };
    if !was_asked {
        let received = received(fields, &header::SEC_WEBSOCKET_PROTOCOL);
        return Err(ConnectError::SubprotocolNotAsked { host, port, received, asked: asked.len() });
    }
    Ok(())
}

/// What the caller gets of the response: its head, and nothing that is ours or hyper's.
pub(super) fn told<B>(response: Response<B>) -> Response<()> {
    let mut response = response.map(drop);
    response.extensions_mut().clear();
    hide_secrets(response.headers_mut());
    response
}

/// All lines of a field, for an error.
fn received(fields: &HeaderMap, name: &HeaderName) -> String {
    let lines: Vec<&[u8]> = fields.get_all(name).iter().map(|line| line.as_bytes()).collect();
    headers::excerpt(&lines.join(&b", "[..]))
}
