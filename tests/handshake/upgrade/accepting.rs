//! Good requests, and what their answers say.

use std::io;

use fastwebsockets_stream::{Config, Upgrader, upgrade};
use http::{HeaderName, HeaderValue};
use hyper::Request as HyperRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::raw::{ACCEPT, Raw, Request};
use crate::support::serve::{Http, Server};
use crate::support::wire::{self, BINARY, CLOSE};
use crate::support::{binary, echo, within};

use fastwebsockets_stream::Role::Server as OURS;

#[tokio::test]
async fn request_of_the_rfc_gets_exactly_the_answer_of_the_rfc() {
    let mut server = Server::with(Http::One, |request| upgrade(request, binary())).await;
    let mut raw = Raw::connect(server.address).await;
    let answer = raw.ask(&Request::new()).await;
    assert_eq!(answer.line, "HTTP/1.1 101 Switching Protocols");
    // No Content-Length, no Transfer-Encoding, and Connection is "Upgrade" alone.
    let expected = [("connection", "Upgrade"), ("sec-websocket-accept", ACCEPT), ("upgrade", "websocket")];
    assert_eq!(answer.without_date(), expected);
    assert_eq!(answer.all("date").len(), 1);
    assert_eq!(server.upgrade().await.rejection(), None);
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//= type=test
//# Extensions not listed by the client MUST NOT be listed.
#[tokio::test]
async fn request_written_otherwise_is_accepted() {
    let r = Request::new;
    let table = [
        r().instead("Connection: keep-alive, Upgrade"),
        r().instead("Connection: keep-alive").with("Connection: foo,, ,uPGRADE\t,bar"),
        r().instead("Upgrade: WebSocket"),
        r().instead("Upgrade: h2c , websocket"),
        r().instead("Upgrade: foo/2").with("Upgrade: WEBSOCKET"),
        r().instead("Host: server.example.com:8080"),
        r().instead("Host: [::1]:8080"),
        r().instead("Host: 127.0.0.1"),
        r().line("GET http://SERVER.example.com:80/chat HTTP/1.1"),
        r().line("GET /chat/%20?query=1 HTTP/1.1"),
        r().with("Content-Length: 0"),
        r().with("Origin: null"),
        r().with("Expect: 100-continue"),
        r().without("Sec-WebSocket-Version").with("sec-websocket-VERSION:13  "),
        r().with("Cookie: a=b").with("Authorization: Basic dTpw"),
        // What is offered and not known is not answered.
        r().with(
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-webkit-deflate-frame",
        ),
        r().with("Sec-WebSocket-Protocol: chat, superchat"),
    ];
    let mut server = Server::new(Http::One, Upgrader::new(binary())).await;
    for request in table {
        let mut raw = Raw::connect(server.address).await;
        let answer = raw.ask(&request).await;
        let what = String::from_utf8(request.bytes()).unwrap();
        let expected =
            [("connection", "Upgrade"), ("sec-websocket-accept", ACCEPT), ("upgrade", "websocket")];
        assert_eq!((answer.status(), answer.without_date()), (101, expected.to_vec()), "{what}");
        assert_eq!(server.upgrade().await.subprotocol(), None, "{what}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//= type=test
//# The value chosen MUST be derived from the client's handshake, specifically by selecting one of the values
//# from the |Sec-WebSocket-Protocol| field
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//= type=test
//# if the server does not wish to agree to one of the suggested subprotocols, it MUST NOT send back a
//# |Sec-WebSocket-Protocol| header field
#[tokio::test]
async fn subprotocol_is_the_first_of_the_clients_that_the_server_speaks() {
    let ours = ["v1", "v2", "Chat"];
    let mut server = Server::new(Http::One, Upgrader::new(binary()).subprotocols(ours).unwrap()).await;
    for (fields, chosen) in [
        (vec!["v2, v1"], Some("v2")),
        (vec!["v1,v2"], Some("v1")),
        (vec!["v9", " , v3 ,v2,v1"], Some("v2")),
        (vec!["V1, chat"], None),
        (vec!["v1.1"], None),
        (vec![""], None),
        (vec![], None),
    ] {
        let mut request = Request::new();
        for field in &fields {
            request = request.with(&format!("Sec-WebSocket-Protocol: {field}"));
        }
        let mut raw = Raw::connect(server.address).await;
        let answer = raw.ask(&request).await;
        assert_eq!(answer.status(), 101, "{fields:?}");
        assert_eq!(
            answer.all("sec-websocket-protocol"),
            chosen.into_iter().collect::<Vec<_>>(),
            "{fields:?}"
        );
        assert_eq!(server.upgrade().await.subprotocol(), chosen, "{fields:?}");
    }
}

#[tokio::test]
async fn further_fields_are_in_the_answer_that_accepts_and_in_no_other() {
    let name = HeaderName::from_static("set-cookie");
    let upgrader = Upgrader::new(binary())
        .header(name, HeaderValue::from_static("a=1"))
        .and_then(|upgrader| upgrader.header("Set-Cookie", "b=secret"))
        .unwrap();
    assert!(!format!("{upgrader:?}").contains("secret"), "{upgrader:?}");
    let server = Server::new(Http::One, upgrader).await;
    let mut raw = Raw::connect(server.address).await;
    let refused = raw.ask(&Request::new().without("Sec-WebSocket-Key")).await;
    assert_eq!((refused.status(), refused.all("set-cookie").len()), (400, 0));
    let accepted = raw.ask(&Request::new()).await;
    assert_eq!((accepted.status(), accepted.all("set-cookie")), (101, vec!["a=1", "b=secret"]));
}

#[test]
fn what_no_answer_can_say_is_an_error_where_it_is_set() {
    for (name, value, says) in [
        ("connection", "x", "the field connection belongs to the handshake itself"),
        ("Upgrade", "x", "the field upgrade belongs to the handshake itself"),
        ("content-length", "0", "the field content-length belongs to the handshake itself"),
        ("transfer-encoding", "x", "the field transfer-encoding belongs to the handshake itself"),
        ("sec-websocket-accept", "x", "the field sec-websocket-accept belongs to the handshake itself"),
        (
            "sec-websocket-extensions",
            "x",
            "the field sec-websocket-extensions belongs to the handshake itself",
        ),
        ("Sec-WebSocket-Protocol", "x", "the field sec-websocket-protocol belongs to the handshake itself"),
        ("sec-websocket-anything", "x", "the field sec-websocket-anything belongs to the handshake itself"),
        ("x-a\r\nx-b", "x", "invalid HTTP header name"),
        ("", "x", "invalid HTTP header name"),
        ("x-a", "b\r\nx-c: d", "failed to parse header value"),
        ("x-a", "b\nc", "failed to parse header value"),
        ("x-a", "b\0", "failed to parse header value"),
    ] {
        let error = Upgrader::new(binary()).header(name, value).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (io::ErrorKind::InvalidInput, says.to_owned()),
            "{name:?}"
        );
    }
    let full = (0..1024).fold(Upgrader::new(binary()), |upgrader, number| {
        upgrader.header(format!("x-{number}"), "x").unwrap()
    });
    assert_eq!(full.header("x", "x").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    for name in ["", "a b", "a,b", "a\r\n", "früh"] {
        let error = Upgrader::new(binary()).subprotocols(["v1", name]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}");
        assert!(error.to_string().ends_with("expected a token of HTTP"), "{error}");
    }
}

/// A request that was refused by reference is whole, so that the service can ask again.
#[tokio::test]
async fn request_is_taken_by_value_or_by_reference() {
    let mut server = Server::with(Http::One, |request| {
        let version = request.headers_mut().remove("sec-websocket-version").unwrap();
        assert!(upgrade(&mut *request, binary()).1.rejection().is_some());
        request.headers_mut().insert("sec-websocket-version", version);
        if request.uri().path() == "/reference" {
            return upgrade(request, binary());
        }
        let mut value = HyperRequest::new("any body");
        std::mem::swap(value.headers_mut(), request.headers_mut());
        std::mem::swap(value.extensions_mut(), request.extensions_mut());
        upgrade(value, binary())
    })
    .await;
    for path in ["/reference", "/value"] {
        let mut raw = Raw::connect(server.address).await;
        let answer = raw.ask(&Request::new().line(&format!("GET {path} HTTP/1.1"))).await;
        assert_eq!(answer.status(), 101);
        server.stream().await.write_all(b"hello").await.unwrap();
        assert_eq!(raw.frame().await.payload, b"hello");
    }
}

#[tokio::test]
async fn frames_in_one_segment_with_the_request_are_read() {
    for http in [Http::One, Http::Auto] {
        let mut server = Server::new(http, Upgrader::new(binary())).await;
        let mut raw = Raw::connect(server.address).await;
        // The last one goes beyond what hyper reads at first, and is cut.
        let large = wire::data(OURS, &crate::support::bulk(100_000, 1));
        let frames = [wire::data(OURS, b"one "), wire::ping(OURS, b"?"), wire::data(OURS, b"two ")].concat();
        let cut = 5_000;
        raw.send(&Request::new().then(&frames).then(&large[..cut]).bytes()).await;
        assert_eq!(raw.answer().await.status(), 101, "{http:?}");
        let mut stream = server.stream().await;
        let mut small = [0; 8];
        within(stream.read_exact(&mut small)).await.unwrap();
        assert_eq!(&small, b"one two ");
        assert_eq!(raw.frame().await.opcode, wire::PONG);
        raw.send(&large[cut..]).await;
        let mut rest = vec![0; 100_000];
        within(stream.read_exact(&mut rest)).await.unwrap();
        assert!(rest == crate::support::bulk(100_000, 1));
    }
}

#[tokio::test]
async fn stream_has_the_config_it_was_given() {
    let config = Config::new(fastwebsockets_stream::PayloadType::Text).max_frame_len(Some(4));
    let mut server = Server::new(Http::One, Upgrader::new(binary()).config(config)).await;
    let mut raw = Raw::connect(server.address).await;
    assert_eq!(raw.ask(&Request::new()).await.status(), 101);
    let task = tokio::spawn(echo(server.stream().await));
    raw.send(&wire::from_peer(OURS, true, wire::TEXT, b"12345678")).await;
    for part in [&b"1234"[..], b"5678"] {
        let frame = raw.frame().await;
        assert_eq!((frame.opcode, frame.payload.as_slice(), frame.key), (wire::TEXT, part, None));
    }
    // A frame of the other type is an error with its own Close.
    raw.send(&wire::from_peer(OURS, true, BINARY, b"1")).await;
    let frame = raw.frame().await;
    assert_eq!((frame.opcode, &frame.payload[..2]), (CLOSE, &1003u16.to_be_bytes()[..]));
    within(task).await.unwrap().unwrap_err();
}
