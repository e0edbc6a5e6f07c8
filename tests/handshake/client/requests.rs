//! What the client sends, and what it refuses to send.

use std::collections::HashSet;
use std::io::ErrorKind;

use fastwebsockets_stream::{Client, ConnectError};
use http::header::{self, HeaderName, HeaderValue};

use crate::support::client::{answer, config, fields, switching};

/// The head of the request for this URI, in which PORT stands for the server's.
async fn request(client: &Client, uri: &str) -> (String, u16) {
    let (port, server) = answer(|head| switching(head, "").into_bytes()).await;
    client.connect(&uri.replace("PORT", &port.to_string())).await.unwrap();
    (server.await.unwrap(), port)
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# The method of the request MUST be GET, and the HTTP version MUST be at least 1.1.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# The "Request-URI" part of the request MUST match the /resource name/
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# The request MUST contain a |Host| header field
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# The request MUST contain an |Upgrade| header field whose value MUST include the "websocket" keyword.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# The request MUST contain a |Connection| header field whose value MUST include the "Upgrade" token.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# The request MUST include a header field with the name |Sec-WebSocket-Version|.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# The value of this header field MUST be 13.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# The request MUST include a header field with the name |Sec-WebSocket-Key|.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# The value of this header field MUST be a nonce consisting of a randomly selected 16-byte value
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# The nonce MUST be selected randomly for each connection.
#[tokio::test]
async fn request_is_the_one_of_the_rfc() {
    let client = Client::new(config());
    let mut keys = HashSet::new();
    for _ in 0..3 {
        let (head, port) = request(&client, "ws://localhost:PORT/chat/%20?a=b&c=/d").await;
        assert!(head.starts_with("GET /chat/%20?a=b&c=/d HTTP/1.1\r\n"), "{head}");
        assert_eq!(fields(&head, "host"), [format!("localhost:{port}")]);
        assert_eq!(fields(&head, "upgrade"), ["websocket"]);
        assert_eq!(fields(&head, "connection"), ["Upgrade"]);
        assert_eq!(fields(&head, "sec-websocket-version"), ["13"]);
        for absent in
            ["sec-websocket-protocol", "sec-websocket-extensions", "authorization", "content-length"]
        {
            assert!(fields(&head, absent).is_empty(), "{head}");
        }
        let [key] = fields(&head, "sec-websocket-key")[..] else { panic!("{head}") };
        assert!(key.len() == 24 && key.ends_with("=="), "{key}");
        keys.insert(key.to_owned());
    }
    assert_eq!(keys.len(), 3);
    for (uri, target) in
        [("ws://localhost:PORT", "/"), ("WS://localhost:PORT?x", "/?x"), ("ws://localhost:PORT//", "//")]
    {
        assert!(request(&client, uri).await.0.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{uri}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# The handshake MUST be a valid HTTP request
#[tokio::test]
async fn request_is_these_octets() {
    let client = Client::new(config())
        .subprotocols(["one", "two"])
        .header("x-api-key", "k")
        .header(header::ORIGIN, "https://example.com")
        .header("WWW-Id", "3");
    let (head, port) = request(&client, "ws://u:p@localhost:PORT/chat?a=b").await;
    let key = fields(&head, "sec-websocket-key")[0];
    assert_eq!(
        head,
        format!(
            "GET /chat?a=b HTTP/1.1\r\n\
             Host: localhost:{port}\r\n\
             Connection: Upgrade\r\n\
             Upgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Protocol: one, two\r\n\
             X-Api-Key: k\r\n\
             Origin: https://example.com\r\n\
             WWW-Id: 3\r\n\
             Authorization: Basic dTpw\r\n\r\n"
        )
    );
}

/// As `http`'s own builders take them.
#[tokio::test]
async fn name_and_value_of_a_field_may_be_of_any_type_that_becomes_one() {
    let client = Client::new(config())
        .header("X-A", "1")
        .header(String::from("x-a"), String::from("2"))
        .header(&b"x-a"[..], &b"3"[..])
        .header(HeaderName::from_static("x-a"), HeaderValue::from_static("4"))
        .header(&header::ORIGIN, 5)
        .header(header::COOKIE, &HeaderValue::from_static("id=secret"));
    assert!(!format!("{client:?}").contains("secret"));
    let (head, _) = request(&client, "ws://localhost:PORT/").await;
    assert_eq!(fields(&head, "x-a"), ["1", "2", "3", "4"]);
    assert_eq!(fields(&head, "origin"), ["5"]);
}

#[tokio::test]
async fn field_that_is_none_is_refused_before_anything_is_dialled() {
    let good = || Client::new(config()).header("x-good", "1");
    for (client, number, name) in [
        (good().header("x bad", "secret"), 2, None),
        (good().header("", "secret"), 2, None),
        (good().header("x:bad", "secret"), 2, None),
        (good().header("x-bad", "secret\r\nX: y"), 2, Some("x-bad")),
        (good().header("x-bad", "secret\0"), 2, Some("x-bad")),
        (
            good().header("x-bad", "secret\n").header("x bad", "secret").header("x-good", "2"),
            2,
            Some("x-bad"),
        ),
        (good().header("host", ""), 2, Some("host")),
        (good().header("host", "a b"), 2, Some("host")),
        (good().header("host", "secret@host"), 2, Some("host")),
        (good().header("host", "host:99999"), 2, Some("host")),
        (good().header("host", "host/path"), 2, Some("host")),
    ] {
        let error = client.connect("ws://nowhere.invalid").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
        let ConnectError::Header { number: found, name: called, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*found, called.as_ref().map(HeaderName::as_str)), (number, name));
        let text = error.to_string();
        assert!(text.starts_with("header field number 2") && !text.contains("secret"), "{text}");
        assert!(client.connector("/").is_err());
        assert!(client.over(tokio::io::duplex(1).0, "ws://host").await.is_err());
    }
}

#[tokio::test]
async fn uri_may_be_text_or_a_uri() {
    let client = Client::new(config());
    let (port, server) = answer(|head| switching(head, "").into_bytes()).await;
    let uri: http::Uri = format!("ws://us%40er:pass@localhost:{port}/x?y").parse().unwrap();
    client.connect(&uri).await.unwrap();
    let head = server.await.unwrap();
    assert!(head.starts_with("GET /x?y HTTP/1.1\r\n"), "{head}");
    assert_eq!(fields(&head, "authorization"), ["Basic dXNAZXI6cGFzcw=="]);
    assert_eq!(fields(&head, "host"), [format!("localhost:{port}")]);

    let text = format!("http://host:{port}");
    let refusals = [
        client.connect(&*text).await,
        client.connect(&&*text).await,
        client.connect(&text).await,
        client.connect(std::borrow::Cow::from(&text)).await,
        client.connect(text.clone().into_boxed_str()).await,
        client.connect(text.parse::<http::Uri>().unwrap()).await,
        client.connect(text).await,
    ];
    for refusal in refusals {
        assert!(refusal.unwrap_err().to_string().contains("\"http\""));
    }
    for (uri, reason) in [
        ("/path", "no scheme"),
        ("host:80", "no scheme"),
        ("*", "no scheme"),
        ("ws://host:x/", "port"),
        ("https://user:secret@host/", "\"https\""),
    ] {
        let Ok(parsed) = uri.parse::<http::Uri>() else { continue };
        let error = client.connect(parsed).await.unwrap_err();
        assert!(error.to_string().contains(reason) && !error.to_string().contains("secret"), "{error}");
    }
    let connected = fastwebsockets_stream::connect(uri.to_string() + "#fragment", config()).await;
    assert!(connected.unwrap_err().to_string().contains("fragment"));
}

#[tokio::test]
async fn user_and_password_become_basic_and_stay_out_of_host() {
    let client = Client::new(config());
    let (head, port) = request(&client, "ws://us%40er:p%3Ass@localhost:PORT/").await;
    assert_eq!(fields(&head, "authorization"), ["Basic dXNAZXI6cDpzcw=="]);
    assert_eq!(fields(&head, "host"), [format!("localhost:{port}")]);
    assert!(!head.contains("p%3Ass"));

    let client = client.header(header::AUTHORIZATION, HeaderValue::from_static("Bearer token"));
    let (head, _) = request(&client, "ws://user:pass@localhost:PORT/").await;
    assert_eq!(fields(&head, "authorization"), ["Bearer token"]);
    assert!(!format!("{client:?}").contains("token"));
}

#[tokio::test]
async fn header_fields_and_subprotocols_are_added() {
    let client = Client::new(config())
        .header(HeaderName::from_static("x-a"), HeaderValue::from_static("1"))
        .header(HeaderName::from_static("x-a"), HeaderValue::from_static("2"))
        .header(header::ORIGIN, HeaderValue::from_static("https://example.com"))
        .header(header::COOKIE, HeaderValue::from_static("id=secret"))
        .header(header::HOST, HeaderValue::from_static("other.example"))
        .subprotocols(["one"])
        .subprotocols(vec![String::from("t!w#o")]);
    let (head, _) = request(&client, "ws://localhost:PORT/").await;
    assert_eq!(fields(&head, "x-a"), ["1", "2"]);
    assert_eq!(fields(&head, "origin"), ["https://example.com"]);
    assert_eq!(fields(&head, "cookie"), ["id=secret"]);
    assert_eq!(fields(&head, "host"), ["other.example"]);
    assert_eq!(fields(&head, "sec-websocket-protocol"), ["one, t!w#o"]);
    assert!(!format!("{client:?}").contains("secret"));
}

#[tokio::test]
async fn header_field_of_the_handshake_is_refused() {
    // Nothing is dialled: the host does not exist.
    let refused = async |client: Client| client.connect("ws://nowhere.invalid").await.unwrap_err();
    let with = |client: Client, name: &str| {
        client.header(HeaderName::try_from(name).unwrap(), HeaderValue::from_static("x"))
    };
    for name in [
        "connection",
        "upgrade",
        "content-length",
        "transfer-encoding",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
        "sec-websocket-anything",
    ] {
        let error = refused(with(Client::new(config()), name)).await;
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            matches!(&error, ConnectError::Header { name: Some(found), .. } if found == name),
            "{error:?}"
        );
        assert!(Client::new(config()).connector("/").is_ok());
        assert!(with(Client::new(config()), name).connector("/").is_err());
    }
    for name in ["host", "authorization"] {
        let error = refused(with(with(Client::new(config()), name), name)).await;
        assert!(
            matches!(&error, ConnectError::Header { name: Some(found), .. } if found == name),
            "{error:?}"
        );
    }
    let many = (0..40_000).fold(Client::new(config()), |client, index| with(client, &format!("x-{index}")));
    assert!(matches!(refused(many).await, ConnectError::Header { .. }));
}

/// Tokens travel in header fields, in subprotocols and in queries.
#[tokio::test]
async fn client_and_connector_show_no_values() {
    let client = Client::new(config())
        .subprotocols(["bearer.secret"])
        .header(HeaderName::from_static("x-api-key"), HeaderValue::from_static("secret"));
    for shown in [
        format!("{client:?}"),
        format!("{:?}", client.connector("ws://user:secret@host/path?token=secret").unwrap()),
        format!("{:?}", client.connector("/path?token=secret").unwrap()),
    ] {
        assert!(shown.contains("x-api-key") && !shown.contains("secret"), "{shown}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# The elements that comprise this value MUST be non-empty strings
#[tokio::test]
async fn subprotocol_that_is_no_token_or_repeated_is_refused() {
    for names in
        [&["x", ""][..], &["a b"], &["a,b"], &["\u{fc}"], &["a", "b", "a"], &["a\r\nx: y"], &["c2VjcmV0=="]]
    {
        let client = Client::new(config()).subprotocols(names.iter().copied());
        let error = client.connect("ws://nowhere.invalid").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            matches!(&error, ConnectError::Subprotocol { number, .. } if *number == names.len()),
            "{names:?}: {error:?}"
        );
        assert!(!format!("{error} {error:?}").contains("c2VjcmV0"), "{error:?}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# MUST be valid according to the specification of WebSocket URIs
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# If any of the components are invalid, the client MUST _Fail the WebSocket Connection_
#[tokio::test]
async fn uri_that_is_none_of_a_websocket_is_refused_with_its_reason() {
    let client = Client::new(config());
    let long = format!("ws://host/{}", "x".repeat(70_000));
    for (uri, reason) in [
        ("", "no scheme"),
        ("localhost", "no scheme"),
        ("localhost:80/x", "no scheme"),
        ("//localhost/x", "no scheme"),
        ("/path", "no scheme"),
        ("http://localhost", "\"http\""),
        ("https://localhost", "\"https\""),
        ("wsss://localhost", "\"wsss\""),
        ("ws:localhost", "no scheme"),
        ("ws://", "no host"),
        ("ws:///path", "no host"),
        ("ws://:80/", "no host"),
        ("ws://user:secret@", "invalid"),
        ("ws://user:secret@:80", "no host"),
        ("ws://user:secret@/x", "invalid"),
        ("ws://[]/", "no host"),
        ("ws://[localhost]/", "IPv6"),
        ("ws://::1/", "invalid"),
        ("ws://a[::1]/", "IPv6"),
        ("ws://[::1", "invalid"),
        ("ws://host:0/", "port"),
        ("ws://host:65536/", "port"),
        ("ws://host:x/", "port"),
        ("ws://host:-1/", "port"),
        ("ws://host:+1/", "port"),
        ("ws://user:secret/more@host/", "port"),
        ("ws://[secret/more@host/", "invalid"),
        ("ws://host/#", "fragment"),
        ("ws://host/path#frag?ment", "fragment"),
        ("ws://user:secret#@host/", "fragment"),
        ("ws://us%3Aer:secret@host/", "colon"),
        ("ws://ho st/", "' '"),
        ("ws://host/a b", "' '"),
        ("ws://host/\r\nX: y", "'\\r'"),
        ("ws://h\u{f6}st/", "'\u{f6}'"),
        ("ws://host/\u{f6}", "'\u{f6}'"),
        (" ws://host/", "' '"),
        ("ws://host\\path", "invalid"),
        (&long, "too long"),
    ] {
        let error = client.connect(uri).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{uri}: {error}");
        let text = error.to_string();
        assert!(text.contains(reason), "{uri}: {text}");
        let shown = format!("{text}{error:?}");
        assert!(!shown.contains("secret") && !shown.contains("user:") && text.len() < 300, "{shown}");
        assert!(client.over(tokio::io::duplex(1).0, uri).await.is_err());
        assert!(client.http2_over(tokio::io::duplex(1024).0).await.unwrap().connect(uri).await.is_err());
        assert!(uri.starts_with('/') || client.connector(uri).is_err(), "{uri}");
    }
}
