use std::error::Error as StdError;

use http::header;

#[cfg(any(feature = "http2", feature = "tls"))]
use super::kind::inside;
use super::*;

/// One error of each variant, with sources as they come.
fn all() -> Vec<ConnectError> {
    let host = || "host.example".to_owned();
    let source = || io::Error::from_raw_os_error(111);
    let response = |status: u16| {
        let response = Response::builder().status(status).body(Bytes::from_static(b"because"));
        Box::new(response.unwrap())
    };
    let received = || "this".to_owned();
    let mut all = vec![
        ConnectError::Uri { uri: "ws:".into(), reason: "it has no host".into() },
        ConnectError::Header { number: 1, name: Some(header::HOST), reason: "it is none".into() },
        ConnectError::Header { number: 2, name: None, reason: "it is none".into() },
        ConnectError::Subprotocol { number: 1, reason: "it is there twice" },
        ConnectError::ProxyUri { proxy: "ftp://p".into(), reason: "its scheme".into() },
        ConnectError::Unsupported { what: "wss://", needs: "the feature `tls`" },
        ConnectError::Resolve { host: host(), port: 80, source: io::Error::other("no such name") },
        ConnectError::Dial { host: host(), port: 80, addresses: Vec::new(), source: source() },
        ConnectError::Dial {
            host: host(),
            port: 80,
            addresses: vec![([127, 0, 0, 1], 80).into(), ([127, 0, 0, 2], 80).into()],
            source: source(),
        },
        ConnectError::Tls { host: host(), port: 443, source: io::Error::other("of another kind") },
        ConnectError::Rejected { host: host(), port: 80, response: response(403) },
        ConnectError::NotHttp { host: host(), port: 80, received: received(), hint: "; is the port right?" },
        ConnectError::Malformed { host: host(), port: 80, reason: "a line is folded".into() },
        ConnectError::TooLong { host: host(), port: 80, limit: 256, what: "header fields" },
        ConnectError::Ended { host: host(), port: 80, begun: true },
        ConnectError::Ended { host: host(), port: 80, begun: false },
        ConnectError::Io { host: host(), port: 80, source: source() },
        ConnectError::Version { host: host(), port: 80, received: Version::HTTP_10 },
        ConnectError::Upgrade { host: host(), port: 80, received: received() },
        ConnectError::Connection { host: host(), port: 80, received: received() },
        ConnectError::Accept { host: host(), port: 80, received: received(), expected: "that".into() },
        ConnectError::Extensions { host: host(), port: 80, received: received() },
        ConnectError::SubprotocolNotAsked { host: host(), port: 80, received: received(), asked: 1 },
    ];
    let phases =
        [Phase::Resolve, Phase::Connect, Phase::Tls, Phase::Proxy, Phase::Upgrade, Phase::Http2].into_iter();
    all.extend(phases.map(|phase| ConnectError::TimedOut {
        host: host(),
        port: 80,
        limit: Duration::from_secs(30),
        phase,
    }));
    let of_proxy = [
        ProxyError::Refused { response: response(502) },
        ProxyError::Credentials { sent: false, wanted: "Basic".into() },
        ProxyError::Credentials { sent: true, wanted: "Basic".into() },
        ProxyError::Reply { code: 4, reason: "host unreachable", kind: io::ErrorKind::HostUnreachable },
        ProxyError::NotSpoken { expected: "SOCKS5", received: received(), hint: "" },
        ProxyError::Malformed { reason: "the address has no length".into() },
        ProxyError::Ended { begun: false },
        ProxyError::Io { source: source() },
    ];
    let source_of_all = |source| ProxyError::NotReached { source: Box::new(source) };
    let of_way = [
        ConnectError::Resolve { host: "proxy".into(), port: 1, source: io::Error::other("no such name") },
        ConnectError::Dial { host: "proxy".into(), port: 1, addresses: Vec::new(), source: source() },
        ConnectError::Tls { host: "proxy".into(), port: 1, source: io::ErrorKind::UnexpectedEof.into() },
    ];
    let proxied = |source| ConnectError::Proxy {
        proxy: "http://proxy.example:3128".into(),
        to: "host.example port 80".into(),
        source,
    };
    all.extend(of_proxy.into_iter().chain(of_way.map(source_of_all)).map(proxied));
    #[cfg(feature = "http2")]
    all.extend([
        ConnectError::NotHttp2 { received: "http/1.1".into() },
        ConnectError::NoExtendedConnect { received: "its SETTINGS are without it" },
        ConnectError::Http2Ended { source: None },
        ConnectError::Http2NotReopened {
            host: host(),
            port: 80,
            source: std::sync::Arc::new(ConnectError::Ended { host: host(), port: 80, begun: true }),
        },
    ]);
    all
}

#[track_caller]
fn assert_nothing_is_said_twice(error: &(dyn StdError + 'static)) {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(source) = next {
        texts.push(source.to_string());
        next = source.source();
    }
    for (index, text) in texts.iter().enumerate() {
        assert!(!text.is_empty(), "{texts:?}");
        let twice = texts.iter().enumerate().any(|(other, longer)| other != index && longer.contains(text));
        assert!(!twice, "{texts:?}");
    }
}

#[test]
fn nothing_is_said_twice_by_an_error_and_its_sources() {
    for error in all() {
        assert_nothing_is_said_twice(&error);
        assert_nothing_is_said_twice(&io::Error::from(error));
    }
}

#[test]
fn error_of_a_connection_names_host_and_port() {
    for error in all() {
        use io::ErrorKind::{InvalidInput, NotConnected, Unsupported};
        let before = matches!(error.kind(), InvalidInput | Unsupported | NotConnected);
        let text = error.to_string();
        let names_both =
            text.contains("host.example") && (text.contains("port 80") || text.contains("port 443"));
        assert!(before || names_both, "{text}");
    }
}

#[cfg(any(feature = "http2", feature = "tls"))]
#[test]
fn error_inside_another_is_found_also_within_an_io_error() {
    let inner = ProxyError::Reply { code: 5, reason: "refused", kind: io::ErrorKind::ConnectionRefused };
    let error = io::Error::other(io::Error::other(inner));
    assert!(inside::<ProxyError>(&error).is_some());
    assert!(inside::<ConnectError>(&error).is_none());
    assert!(inside::<io::Error>(&ProxyError::Io { source: error }).is_some());
}

#[cfg(feature = "tls")]
#[test]
fn failure_of_rustls_says_what_to_do() {
    use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

    for (source, says) in [
        (Error::InvalidMessage(InvalidMessage::InvalidContentType), "try ws://"),
        (Error::InvalidCertificate(CertificateError::UnknownIssuer), "Client::tls"),
        (Error::InvalidCertificate(CertificateError::Expired), "expired"),
        (Error::InvalidCertificate(CertificateError::NotValidYet), "clock"),
        (Error::InvalidCertificate(CertificateError::NotValidForName), "another name"),
        (Error::InvalidCertificate(CertificateError::Revoked), "was revoked"),
        (Error::InvalidCertificate(CertificateError::BadSignature), "not accepted"),
        (Error::AlertReceived(AlertDescription::CertificateRequired), "wants a certificate of the client"),
        (Error::AlertReceived(AlertDescription::HandshakeFailure), "Client::tls"),
        (Error::AlertReceived(AlertDescription::UnknownCA), "did not accept the certificate of the client"),
        (Error::AlertReceived(AlertDescription::ProtocolVersion), "versions of TLS"),
        (Error::AlertReceived(AlertDescription::UnrecognisedName), "by this name"),
        (Error::AlertReceived(AlertDescription::NoApplicationProtocol), "version of HTTP"),
        (Error::AlertReceived(AlertDescription::InternalError), "with an alert"),
    ] {
        let source = io::Error::new(io::ErrorKind::InvalidData, source);
        let error = ConnectError::Tls { host: "host.example".into(), port: 443, source };
        assert!(error.to_string().contains(says), "{error}");
        assert_nothing_is_said_twice(&error);
    }
}
