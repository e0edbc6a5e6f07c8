//! What can be decided.

use std::io::ErrorKind;

use fastwebsockets_stream::{Config, PayloadType, Upgrader};
use futures_util::StreamExt;
use http::{HeaderValue, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing::Level;

use super::{asked, asking, is_refused, next, refusal, requests, requests_of, until_shows};
use crate::support::raw::{Raw, Request};
use crate::support::{binary, bulk, log, tls, wire, within};

/// What was found out about the client.
#[derive(Clone, Debug, PartialEq, Eq)]
struct User(u32);

#[tokio::test]
async fn accepted_request_has_what_was_found_out_and_answers_as_it_was_decided() {
    let upgrader =
        Upgrader::new(binary()).subprotocols(["v1", "v2"]).unwrap().header("X-Server", "one").unwrap();
    let mut requests = requests_of(upgrader).await;
    let mut raw = Raw::connect(requests.local_addr()).await;
    let request = Request::new()
        .line("GET /chat?user=7 HTTP/1.1")
        .with("Sec-WebSocket-Protocol: v2, v1, v3")
        .with("Cookie: secret=1");
    raw.send(&request.bytes()).await;
    let mut request = next(&mut requests).await;
    assert_eq!(request.head().uri, "/chat?user=7");
    assert_eq!(request.head().headers[header::COOKIE], "secret=1");
    assert_eq!(request.peer_addr(), Some(raw.address()));
    assert_eq!(request.local_addr(), Some(requests.local_addr()));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["v2", "v1", "v3"]);
    let shown = format!("{request:?}");
    assert!(shown.contains("/chat") && !shown.contains("secret") && !shown.contains("user=7"), "{shown}");

    request.head_mut().extensions.insert(User(7));
    let request = request.config(Config::new(PayloadType::Text)).subprotocol("v3").unwrap();
    let request = request.header("X-User", HeaderValue::from_static("7")).unwrap();
    let mut opened = within(request.accept()).await.unwrap();
    assert_eq!(opened.request.extensions.get::<User>(), Some(&User(7)));
    assert_eq!(opened.request.uri, "/chat?user=7");
    assert_eq!(opened.subprotocol.as_deref(), Some("v3"));
    assert_eq!(opened.stream.payload_type(), PayloadType::Text);
    let answer = raw.answer().await;
    assert_eq!((answer.status(), answer.field("connection")), (101, "Upgrade"));
    assert_eq!((answer.field("x-server"), answer.field("x-user")), ("one", "7"));
    assert_eq!(answer.field("sec-websocket-protocol"), "v3");
    opened.stream.write_all("gr\u{fc}n".as_bytes()).await.unwrap();
    assert_eq!(raw.frame().await.payload, "gr\u{fc}n".as_bytes());
}

#[tokio::test]
async fn request_that_is_not_changed_is_accepted_as_a_listener_does() {
    let upgrader = Upgrader::new(binary()).subprotocols(["v1", "v2"]).unwrap();
    let mut requests = requests_of(upgrader).await;
    let mut raw = Raw::connect(requests.local_addr()).await;
    raw.send(&Request::new().with("Sec-WebSocket-Protocol: v2, v1").bytes()).await;
    let opened = within(next(&mut requests).await.accept()).await.unwrap();
    assert_eq!(opened.subprotocol.as_deref(), Some("v2"));
    assert_eq!(raw.answer().await.field("sec-websocket-protocol"), "v2");
}

#[tokio::test]
async fn refused_request_gets_the_status_the_fields_and_the_text() {
    log::install();
    let mut requests = requests().await;
    let (mut raw, request) = asked(&mut requests).await;
    let mut response = refusal(401, "Who are you?\n");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    // What is about the connection, and how long the body is, is not for the caller to say.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("1000"));
    response.headers_mut().insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    // More than it may send before the answer comes, so that a close could be a reset.
    raw.send(&bulk(30_000, 1)).await;
    let (refused, answer) = tokio::join!(within(request.refuse(response)), async {
        tokio::select! {
            answer = raw.answer() => answer,
            next = requests.next() => panic!("{next:?}"),
        }
    });
    refused.unwrap();
    assert_eq!(answer.line, "HTTP/1.1 401 Unauthorized");
    assert_eq!(answer.body, "Who are you?\n");
    let fields = answer.without_date();
    let expected = [
        ("connection", "close"),
        ("content-length", "13"),
        ("content-type", "text/plain; charset=utf-8"),
        ("www-authenticate", "Bearer"),
    ];
    assert_eq!(fields, expected);
    assert_eq!(answer.all("date").len(), 1);
    assert_eq!(raw.rest().await, b"");
    let event =
        log::event(|event| event.get("peer_addr") == raw.address().to_string() && event.level == Level::INFO);
    let says = event.await.get("error").to_owned();
    assert_eq!(says, "the server has refused the request with 401 Unauthorized");
}

#[tokio::test]
async fn refusal_without_a_body_says_so() {
    let mut requests = requests().await;
    // 304 has none, whatever it is given.
    for (status, body) in [(304, ""), (304, "text"), (307, ""), (403, ""), (599, "")] {
        let (mut raw, request) = asked(&mut requests).await;
        within(request.refuse(refusal(status, body))).await.unwrap();
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.field("content-length")), (status, "0"));
        assert!(answer.all("content-type").is_empty() || !body.is_empty());
        assert_eq!(raw.rest().await, b"");
    }
}

#[tokio::test]
async fn request_that_is_dropped_is_answered_with_503() {
    let mut requests = requests().await;
    let (mut raw, request) = asked(&mut requests).await;
    drop(request);
    is_refused(&mut raw, 503).await;
}

#[tokio::test]
async fn what_cannot_be_answered_is_an_error_and_the_client_gets_503() {
    let mut requests = requests().await;
    for status in [100, 101, 200, 204, 299, 600, 999] {
        let (mut raw, request) = asked(&mut requests).await;
        let error = within(request.refuse(refusal(status, ""))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("from 300 to 599"), "{error}");
        is_refused(&mut raw, 503).await;
    }
    let (mut raw, request) = asked(&mut requests).await;
    assert_eq!(request.subprotocol("v1").unwrap_err().kind(), ErrorKind::InvalidInput);
    is_refused(&mut raw, 503).await;
    for (name, value) in
        [("Connection", "close"), ("X-A", "a\r\nX-B: b"), ("X A", "a"), ("", "a"), ("X\nA", "a")]
    {
        let (mut raw, request) = asked(&mut requests).await;
        assert_eq!(request.header(name, value).unwrap_err().kind(), ErrorKind::InvalidInput, "{name}");
        is_refused(&mut raw, 503).await;
    }
}

/// What breaks a rule needs no decision.
#[tokio::test]
async fn request_that_breaks_a_rule_is_not_handed_out() {
    let mut requests = requests().await;
    let address = requests.local_addr();
    let mut raw = Raw::connect(address).await;
    raw.send(&Request::new().without("Upgrade").bytes()).await;
    tokio::select! {
        () = is_refused(&mut raw, 400) => {}
        next = requests.next() => panic!("{next:?}"),
    }
}

#[tokio::test]
async fn what_the_client_sends_before_the_decision_is_read_afterwards() {
    let mut requests = requests().await;
    // More than is kept: the rest waits in the socket.
    for early in [10, 20_000, 200_000] {
        let (mut raw, mut request) = asked(&mut requests).await;
        let bytes = bulk(early, 1);
        let frame = wire::data(fastwebsockets_stream::Role::Server, &bytes);
        let (mut reader, mut writer) = raw.io.split();
        let deciding = async {
            // Until everything that is kept has come.
            assert!(request.wait_for(tokio::task::yield_now()).await.is_ok());
            let mut opened = request.accept().await.unwrap();
            let mut received = vec![0; early];
            opened.stream.read_exact(&mut received).await.unwrap();
            assert!(received == bytes);
        };
        let (sent, ()) = within(async { tokio::join!(writer.write_all(&frame), deciding) }).await;
        sent.unwrap();
        let mut answer = [0; 12];
        within(reader.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101");
    }
}

#[tokio::test]
async fn request_is_decided_on_over_tls() {
    let (server, client) = tls::configs();
    let listener = fastwebsockets_stream::Listener::bind("127.0.0.1:0", binary()).await.unwrap();
    let mut requests = listener.tls(server.into()).requests();
    let address = requests.local_addr();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(client));
    let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    let peer = tcp.local_addr().unwrap();
    let asking = async {
        let tls = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
        Raw::new(tls).ask(&Request::new()).await
    };
    let deciding = async {
        let request = next(&mut requests).await;
        assert_eq!(request.peer_addr(), Some(peer));
        request.refuse(refusal(404, "Not here.\n")).await.unwrap();
    };
    let (answer, ()) = tokio::join!(within(asking), deciding);
    assert_eq!((answer.status(), answer.body.as_str()), (404, "Not here.\n"));
}

#[tokio::test]
async fn closed_listener_gives_what_has_come_and_held_requests_go_on() {
    let mut requests = requests().await.max_requests(1);
    let (mut first, held) = asked(&mut requests).await;
    let mut second = asking(requests.local_addr()).await;
    until_shows(&mut requests, " handshakes: 1,").await;
    requests.close();
    let (opened, request) = within(async { tokio::join!(held.accept(), next(&mut requests)) }).await;
    let _opened = opened.unwrap();
    assert_eq!(first.answer().await.status(), 101);
    assert!(
        within(requests.next()).await.is_none() && within(StreamExt::next(&mut requests)).await.is_none()
    );
    drop(requests);
    let _opened = within(request.accept()).await.unwrap();
    assert_eq!(second.answer().await.status(), 101);
}
