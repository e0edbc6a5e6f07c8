//! WebSockets over HTTP/2: RFC 8441.

use std::net::SocketAddr;

use bytes::Bytes;
use fastwebsockets_stream::{CloseCode, Origins, Rejection, Upgrader};
use futures_util::future::join_all;
use http::{HeaderName, HeaderValue, Method};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::ext::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::h2::Client;
use crate::support::serve::{Http, Server};
use crate::support::{binary, bulk, echo, exchange, within};

const EITHER: [Http; 2] = [Http::Two, Http::Auto];

/// Where a server echoes on every stream, to its end.
async fn echoes(http: Http) -> SocketAddr {
    let mut server = Server::new(http, Upgrader::new(binary())).await;
    let address = server.address;
    tokio::spawn(async move {
        while let Some(upgrade) = server.upgrades.recv().await {
            if upgrade.rejection().is_none() {
                tokio::spawn(async { echo(upgrade.await.unwrap()).await.unwrap() });
            }
        }
    });
    address
}

#[tokio::test]
async fn extended_connect_is_answered_with_200_and_nothing_of_http1() {
    for http in EITHER {
        let upgrader = Upgrader::new(binary())
            .subprotocols(["tunnel"])
            .unwrap()
            .header(HeaderName::from_static("x-server"), HeaderValue::from_static("1"))
            .unwrap();
        let mut server = Server::new(http, upgrader).await;
        let client = Client::connect(server.address).await;
        assert!(client.announced);
        assert!(server.upgrade().await.rejection().is_some(), "the GET that Client begins with");
        let mut request = client.request();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("chat, tunnel"));
        let response = client.send(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let mut names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["date", "sec-websocket-protocol", "x-server"]);
        assert_eq!(response.headers()["sec-websocket-protocol"], "tunnel");
        assert_eq!(server.upgrade().await.subprotocol(), Some("tunnel"));
    }
}

#[tokio::test]
async fn streams_of_one_connection_carry_megabytes_each_and_close() {
    for http in EITHER {
        let client = Client::connect(echoes(http).await).await;
        let streams = (0..50).map(async |seed| {
            let stream = client.stream(binary()).await;
            exchange(stream, &bulk(1_000_000, seed)).await;
        });
        within(join_all(streams)).await;
        // The connection serves others after them.
        let stream = client.stream(binary()).await;
        within(exchange(stream, b"again")).await;
    }
}

#[tokio::test]
async fn streams_of_one_connection_do_not_wait_for_each_other() {
    let mut server = Server::new(Http::Two, Upgrader::new(binary())).await;
    let client = Client::connect(server.address).await;
    drop(server.upgrade().await);
    let mut first = (client.stream(binary()).await, server.stream().await);
    let mut second = (client.stream(binary()).await, server.stream().await);
    // The first is left unread with as much as its window takes, which is less than the connection's.
    let mut stuck = false;
    while !stuck {
        let bytes = bulk(16_384, 4);
        let write = first.0.write_all(&bytes);
        stuck = tokio::time::timeout(std::time::Duration::from_millis(100), write).await.is_err();
    }
    for (near, far) in [(b"1234", b"5678"), (b"abcd", b"efgh")] {
        second.0.write_all(near).await.unwrap();
        second.1.write_all(far).await.unwrap();
        let mut bytes = [[0; 4]; 2];
        within(second.1.read_exact(&mut bytes[0])).await.unwrap();
        within(second.0.read_exact(&mut bytes[1])).await.unwrap();
        assert_eq!(bytes, [*near, *far]);
    }
    // Either end closes; then the HTTP/2 stream is at its end for both.
    let (near, far) = second;
    for (mut closing, mut other) in [(near, far), (first.1, first.0)] {
        let read = async {
            let mut rest = Vec::new();
            other.read_to_end(&mut rest).await.unwrap();
            other.shutdown().await.unwrap();
            other.peer_close().cloned().unwrap()
        };
        let close = closing.close(CloseCode::NORMAL, "done");
        let (close, seen) = within(async { tokio::join!(close, read) }).await;
        assert_eq!(u16::from(close.unwrap().unwrap().code.unwrap()), 1000);
        assert_eq!(seen.reason, "done");
    }
}

#[tokio::test]
async fn stream_whose_client_is_gone_is_truncated() {
    let mut server = Server::new(Http::Two, Upgrader::new(binary())).await;
    let client = Client::connect(server.address).await;
    drop(server.upgrade().await);
    drop(client.stream(binary()).await);
    let mut stream = server.stream().await;
    within(stream.read_u8()).await.unwrap_err();
}

type Change = fn(&mut Request<Empty<Bytes>>);

/// What is changed of a good request; the status, the fields beside the usual ones, and the text of the answer.
type Bad = (Change, u16, &'static [(&'static str, &'static str)], &'static str);

const BAD: [Bad; 8] = [
    (
        |request| {
            *request.method_mut() = Method::GET;
            request.extensions_mut().remove::<Protocol>();
        },
        405,
        &[("allow", "CONNECT")],
        "the method is GET; a WebSocket is asked for by CONNECT",
    ),
    (
        |request| {
            request.extensions_mut().remove::<Protocol>();
            // For a tunnel, a CONNECT has an authority alone.
            let authority = request.uri().authority().unwrap().to_string();
            *request.uri_mut() = authority.parse().unwrap();
        },
        400,
        &[],
        "a CONNECT without :protocol is not for a WebSocket; it must be \"websocket\", and the server must \
         have announced SETTINGS_ENABLE_CONNECT_PROTOCOL (with hyper: enable_connect_protocol())",
    ),
    (
        |request| drop(request.extensions_mut().insert(Protocol::from_static("connect-udp"))),
        501,
        &[],
        ":protocol is \"connect-udp\"; expected \"websocket\"",
    ),
    (
        |request| drop(request.extensions_mut().insert(Protocol::from_static("WebSocket"))),
        501,
        &[],
        ":protocol is \"WebSocket\"; expected \"websocket\"",
    ),
    (
        |request| drop(request.headers_mut().remove("sec-websocket-version")),
        400,
        &[("sec-websocket-version", "13")],
        "the field sec-websocket-version is missing",
    ),
    (
        |request| {
            let version = HeaderValue::from_static("8");
            request.headers_mut().insert("sec-websocket-version", version);
        },
        400,
        &[("sec-websocket-version", "13")],
        "the field sec-websocket-version is \"8\"; expected \"13\"",
    ),
    (
        |request| {
            let version = HeaderValue::from_static("13");
            request.headers_mut().append("sec-websocket-version", version);
        },
        400,
        &[],
        "the field sec-websocket-version is there more than once",
    ),
    (
        |request| {
            request.headers_mut().insert("origin", HeaderValue::from_static("https://evil.example"));
        },
        403,
        &[],
        "the origin \"https://evil.example\" is not allowed",
    ),
];

#[tokio::test]
async fn request_that_breaks_a_rule_is_refused_and_told_why() {
    let list = Origins::list(["https://app.example"]).unwrap();
    let upgrader = Upgrader::new(binary()).origins(list);
    for http in EITHER {
        let mut server = Server::new(http, upgrader.clone()).await;
        let client = Client::connect(server.address).await;
        drop(server.upgrade().await);
        for (change, status, fields, says) in BAD {
            let mut request = client.request();
            change(&mut request);
            let (answer, body) = client.refused(request).await;
            assert_eq!((answer.status.as_u16(), body), (status, format!("{says}\n")), "{http:?}");
            let named = answer.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
            let usual = ["content-length", "content-type", "date"];
            let named: Vec<_> = named.filter(|(name, _)| !usual.contains(name)).collect();
            assert_eq!(named, fields, "{says}");
            let upgrade = server.upgrade().await;
            assert_eq!(upgrade.rejection().unwrap().to_string(), says);
        }
    }
}

/// hyper's client would not send it.
#[test]
fn request_that_announces_a_body_is_refused() {
    let request = Request::connect("http://server.example.com/chat")
        .version(http::Version::HTTP_2)
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13");
    let request = request.header("content-length", "5").body(()).unwrap();
    let (answer, upgrade) = Upgrader::new(binary()).upgrade(request);
    assert_eq!(answer.status(), 400);
    assert_eq!(upgrade.rejection(), Some(&Rejection::Body));
}

/// A browser's fields that only HTTP/1.1 knows do not count, nor does it matter that they are missing.
#[tokio::test]
async fn page_of_the_same_host_is_told_by_authority() {
    let origins = Origins::same_host();
    let server = Server::new(Http::Two, Upgrader::new(binary()).origins(origins)).await;
    let client = Client::connect(server.address).await;
    for (origin, status) in [
        (format!("http://{}", server.address), 200),
        (format!("https://{}", server.address), 200),
        ("http://evil.example".to_owned(), 403),
    ] {
        let mut request = client.request();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        request.headers_mut().insert("host", "evil.example".parse().unwrap());
        assert_eq!(client.send(request).await.unwrap().status(), status, "{origin}");
    }
}

/// Without `enable_connect_protocol()` a client can know, and one that does not look has its stream reset.
#[tokio::test]
async fn server_that_has_announced_nothing_resets_what_is_asked() {
    let server = Server::new(Http::TwoUnannounced, Upgrader::new(binary())).await;
    let client = Client::connect(server.address).await;
    assert!(!client.announced);
    let error = match client.send(client.request()).await {
        Err(error) => error,
        Ok(response) => response.into_body().collect().await.unwrap_err(),
    };
    let text = format!("{error:?}");
    assert!(text.contains("PROTOCOL_ERROR"), "{text}");
    // An ordinary request is still answered.
    let get = Request::get(format!("http://{}/", server.address)).body(Empty::new()).unwrap();
    assert_eq!(client.refused(get).await.0.status, 405);
}
