//! What an accepted connection is.

use std::io::ErrorKind;

use fastwebsockets_stream::{Config, Listener, MaybeTlsStream, Origins, PayloadType, Role, Upgrader};
use futures_util::{Stream, StreamExt};
use http::{HeaderName, HeaderValue};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::{accept, halves, listener, listener_of, meet, stalled, talk};
use crate::support::raw::{ACCEPT, Raw, Request};
use crate::support::{binary, bulk, wire, within};

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//= type=test
//# the server MUST complete the following steps to accept the connection
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//= type=test
//# it MUST reply with a valid HTTP response
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//= type=test
//# A Status-Line with a 101 response code
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//= type=test
//# An |Upgrade| header field with value "websocket"
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//= type=test
//# A |Connection| header field with value "Upgrade".
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//= type=test
//# A |Sec-WebSocket-Accept| header field. The value of this header field is constructed by concatenating /key/,
//# defined above in step 4 in Section 4.2.2, with the string "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", taking the
//# SHA-1 hash of this concatenated value to obtain a 20-byte value and base64-encoding (see Section 4 of
//# [RFC4648]) this 20-byte hash.
#[tokio::test]
async fn request_of_the_rfc_gets_exactly_the_answer_of_the_rfc() {
    let mut listener = listener().await;
    let address = listener.local_addr();
    tokio::spawn(async move { while listener.accept().await.is_some() {} });
    // Whatever the client says about the connection: that it wants to keep it, as Firefox does, or to close it.
    for connection in [
        "Connection: Upgrade",
        "Connection: keep-alive, Upgrade",
        "Connection: close, Upgrade",
        "connection:upgrade,CLOSE",
    ] {
        let request = Request::new().without("Connection").with(connection);
        let mut raw = Raw::connect(address).await;
        raw.send(&request.bytes()).await;
        let expected = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
        );
        let mut answer = vec![0; expected.len()];
        within(raw.io.read_exact(&mut answer)).await.unwrap();
        assert_eq!(String::from_utf8(answer).unwrap(), expected, "{connection}");
    }
}

#[tokio::test]
async fn accepted_has_the_stream_the_request_and_the_address() {
    let upgrader = Upgrader::new(Config::new(PayloadType::Text))
        .subprotocols(["tunnel"])
        .unwrap()
        .header(HeaderName::from_static("x-server"), HeaderValue::from_static("1"))
        .unwrap();
    let mut listener = listener_of(upgrader).await;
    let mut raw = Raw::connect(listener.local_addr()).await;
    let request = Request::new()
        .line("GET /chat?user=1 HTTP/1.1")
        .with("Sec-WebSocket-Protocol: chat, tunnel")
        .with("Cookie: secret=1");
    raw.send(&request.bytes()).await;
    let accepted = accept(&mut listener).await;
    let answer = raw.answer().await;
    assert_eq!((answer.field("sec-websocket-protocol"), answer.field("x-server")), ("tunnel", "1"));
    assert_eq!(accepted.subprotocol.as_deref(), Some("tunnel"));
    assert_eq!(accepted.peer_addr, raw.address());
    assert_eq!(accepted.request.uri, "/chat?user=1");
    assert_eq!(accepted.request.headers["cookie"], "secret=1");
    assert_eq!(accepted.stream.payload_type(), PayloadType::Text);
    assert!(accepted.stream.role() == Role::Server);
    // What is a secret is not shown by accident.
    let shown = format!("{accepted:?}");
    assert!(shown.contains("/chat") && !shown.contains("secret") && !shown.contains("user=1"), "{shown}");
}

/// Nagle's algorithm holds a small frame back until the one before is acknowledged.
#[tokio::test]
async fn socket_has_nodelay_set() {
    let mut listener = listener().await;
    let (_raw, accepted) = meet(&mut listener).await;
    assert!(accepted.stream.get_ref().tcp().nodelay().unwrap());
    assert!(matches!(accepted.stream.get_ref(), MaybeTlsStream::Tcp(_)));
}

#[tokio::test]
async fn listener_made_elsewhere_is_taken_over() {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    // One that connects before waits in its backlog.
    let mut early = Raw::connect(address).await;
    early.send(&Request::new().bytes()).await;
    let mut listener = Listener::new(tcp, binary()).unwrap();
    assert_eq!(listener.local_addr(), address);
    let mut accepted = accept(&mut listener).await;
    assert_eq!(early.answer().await.status(), 101);
    talk(&mut early, &mut accepted.stream).await;
}

#[tokio::test]
async fn port_in_use_is_the_error_of_bind() {
    let listener = listener().await;
    let error = Listener::bind(listener.local_addr(), binary()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//= type=test
//# If the requested service is not available, the server MUST send an appropriate HTTP error code
#[tokio::test]
async fn path_is_the_only_one_that_is_served() {
    let mut listener = listener().await.path("/chat").unwrap();
    let address = listener.local_addr();
    tokio::spawn(async move { while listener.accept().await.is_some() {} });
    let long = format!("/{}", "x".repeat(100));
    for (path, status) in [
        ("/chat", 101),
        ("/chat?query", 101),
        ("http://server.example.com/chat", 101),
        ("/", 404),
        ("/chat/", 404),
        ("/Chat", 404),
        ("/%63hat", 404),
        (long.as_str(), 404),
    ] {
        let request = Request::new().line(&format!("GET {path} HTTP/1.1"));
        let answer = Raw::connect(address).await.ask(&request).await;
        assert_eq!(answer.status(), status, "{path}");
        if status == 404 {
            let said = if path == long { format!("{}...", &path[..80]) } else { path.to_owned() };
            assert_eq!(answer.body, format!("there is no WebSocket at \"{said}\"\n"));
            assert_eq!(answer.field("connection"), "close");
        }
    }
}

#[tokio::test]
async fn path_that_no_request_can_ask_for_is_refused_where_it_is_set() {
    for path in [
        "",
        "chat",
        "/chat?query",
        "/chat#part",
        "http://host/chat",
        "/a b",
        "/gr\u{fc}n",
        "/a\r\nb",
        "*",
        "?",
    ] {
        let error = listener().await.path(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path}");
        assert!(error.to_string().contains(&format!("{path:?}")), "{error}");
    }
    for path in ["/", "/chat", "/a//b/", "/gr%C3%BCn", "/a;b=c:d@e"] {
        listener().await.path(path).unwrap();
    }
}

/// A scanner's request for the wrong path needs no WebSocket's fields to be told.
#[tokio::test]
async fn path_is_checked_first_and_then_the_rules_of_the_upgrader() {
    let upgrader = Upgrader::new(binary()).origins(Origins::same_host());
    let mut listener = listener_of(upgrader).await.path("/chat").unwrap();
    let address = listener.local_addr();
    tokio::spawn(async move { while listener.accept().await.is_some() {} });
    let r = Request::new;
    for (request, status) in [
        (r().line("POST /other HTTP/1.1"), 404),
        (r().line("POST /chat HTTP/1.1"), 405),
        (r().without("Host"), 400),
        (r().instead("Sec-WebSocket-Version: 8"), 426),
        (r().with("Origin: http://evil.example"), 403),
        (r().with("Origin: http://server.example.com"), 101),
    ] {
        let answer = Raw::connect(address).await.ask(&request).await;
        assert_eq!(answer.status(), status, "{answer:?}");
    }
}

#[tokio::test]
async fn frames_in_one_segment_with_the_request_are_read() {
    let mut listener = listener().await;
    let mut raw = Raw::connect(listener.local_addr()).await;
    // More than hyper reads ahead, and the last is cut.
    let message = bulk(100_000, 1);
    let frames = [wire::data(Role::Server, b"one"), wire::data(Role::Server, &message)].concat();
    let (now, later) = frames.split_at(60_000);
    let send = async {
        raw.send(&Request::new().then(now).bytes()).await;
        assert_eq!(raw.answer().await.status(), 101);
        raw.send(later).await;
    };
    let receive = async {
        let mut stream = accept(&mut listener).await.stream;
        let mut bytes = vec![0; 3 + message.len()];
        within(stream.read_exact(&mut bytes)).await.unwrap();
        assert!(bytes[..3] == *b"one" && bytes[3..] == message);
    };
    tokio::join!(send, receive);
}

#[tokio::test]
async fn accept_that_is_cancelled_loses_nothing() {
    let mut listener = listener().await;
    let address = listener.local_addr();
    let clients: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn(async move {
                let mut raw = stalled(address).await;
                tokio::task::yield_now().await;
                raw.send(&halves().1).await;
                assert_eq!(raw.answer().await.status(), 101);
                raw
            })
        })
        .collect();
    let mut accepted = Vec::new();
    within(async {
        while accepted.len() < clients.len() {
            // Polled once, then dropped.
            tokio::select! {
                biased;
                next = listener.accept() => accepted.push(next.unwrap()),
                () = tokio::task::yield_now() => {}
            }
        }
    })
    .await;
    for client in clients {
        let mut raw = within(client).await.unwrap();
        let own = accepted.iter_mut().find(|accepted| accepted.peer_addr == raw.address()).unwrap();
        talk(&mut raw, &mut own.stream).await;
    }
}

#[tokio::test]
async fn listener_is_a_stream_of_what_it_accepts() {
    fn is_one<S: Stream + Unpin + Send>(stream: S) -> S {
        stream
    }
    let mut listener = is_one(listener().await);
    let mut raw = Raw::connect(listener.local_addr()).await;
    raw.send(&Request::new().bytes()).await;
    let mut accepted = within(listener.next()).await.unwrap();
    assert_eq!(raw.answer().await.status(), 101);
    talk(&mut raw, &mut accepted.stream).await;
    listener.close();
    assert!(within(listener.next()).await.is_none());
}

#[tokio::test]
async fn listener_shows_its_settings_and_no_values_of_header_fields() {
    let upgrader =
        Upgrader::new(binary()).header(http::header::SET_COOKIE, HeaderValue::from_static("secret")).unwrap();
    let listener = listener_of(upgrader).await.path("/chat").unwrap();
    let shown = format!("{listener:?}");
    assert!(shown.contains("set-cookie") && shown.contains("/chat") && !shown.contains("secret"), "{shown}");
}
