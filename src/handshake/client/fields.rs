//! What a client was told to send, as far as it can be sent.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::super::headers;
use super::uri::{self, Target};
use super::{Client, ConnectError};

/// A header field that is none.
#[derive(Clone)]
pub(super) struct Unusable {
    pub(super) number: usize,
    pub(super) name: Option<HeaderName>,
    pub(super) reason: String,
}

impl Client {
    /// What Host, or `:authority`, says.
    pub(super) fn host_or(&self, target: &Target) -> Result<HeaderValue, ConnectError> {
        match self.headers.iter().enumerate().find(|(_, (name, _))| name == header::HOST) {
            Some((_, (_, host))) if uri::is_host(host.as_bytes()) => Ok(host.clone()),
            Some((index, (name, _))) => Err(ConnectError::Header {
                number: index + 1,
                name: Some(name.clone()),
                reason: "it is no host with a port or without".into(),
            }),
            None => HeaderValue::try_from(&target.authority).map_err(|_| ConnectError::Uri {
                uri: target.authority.clone(),
                reason: "its host cannot stand in a header field".into(),
            }),
        }
    }

    /// Adds what the caller has asked for: subprotocols, credentials, fields.
    pub(super) fn add_fields(&self, fields: &mut HeaderMap, target: &Target) -> Result<(), ConnectError> {
        for (index, name) in self.subprotocols.iter().enumerate() {
            let refuse = |reason| Err(ConnectError::Subprotocol { number: index + 1, reason });
            //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
            //# MUST be non-empty strings with characters in the range U+0021 to U+007E not including separator
            //# characters as defined in [RFC2616] and MUST all be unique strings.
            if !headers::is_token(name.as_bytes()) {
                return refuse("it is not a token (RFC 9110, section 5.6.2)");
            }
            if self.subprotocols[..index].contains(name) {
                return refuse("it is there twice");
            }
        }
        if let Ok(names) = HeaderValue::try_from(self.subprotocols.join(", "))
            && !names.is_empty()
        {
            fields.insert(header::SEC_WEBSOCKET_PROTOCOL, names);
        }
        if let Some(Unusable { number, name, reason }) = self.unusable.clone() {
            return Err(ConnectError::Header { number, name, reason });
        }
        for (index, (name, value)) in self.headers.iter().enumerate() {
            let refuse = |reason: &str| {
                let (number, name) = (index + 1, Some(name.clone()));
                Err(ConnectError::Header { number, name, reason: reason.to_owned() })
            };
            if headers::is_reserved(name) {
                return refuse("it belongs to the handshake");
            }
            let single = [header::HOST, header::AUTHORIZATION];
            if single.contains(name) && self.headers[..index].iter().any(|(earlier, _)| earlier == name) {
                return refuse("it can be there only once");
            }
            // Host is there already.
            if name != header::HOST && fields.try_append(name, value.clone()).is_err() {
                return refuse("there are too many");
            }
        }
        if let Some(basic) = &target.basic
            && !fields.contains_key(header::AUTHORIZATION)
        {
            fields.insert(header::AUTHORIZATION, basic.clone());
        }
        Ok(())
    }
}
