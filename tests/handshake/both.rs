//! Both ends of ours: from an address to a stream, on one side and the other.

use fastwebsockets_stream::axum::WebSocketUpgrade;
use fastwebsockets_stream::{
    Client, CloseCode, Config, Listener, MaybeTlsStream, Origins, PayloadType, Upgrader, connect,
};
use http::header::{self, HeaderName, HeaderValue};
use std::io::Write;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsStream;

use crate::support::serve::{Http, Server};
use crate::support::{bulk, echo, exchange, rejection, tls, within};

fn binary() -> Config {
    Config::new(PayloadType::Binary)
}

/// Echoes on each connection, and gives the URL.
async fn echoing(listener: Listener) -> String {
    let url = format!("ws://{}/", listener.local_addr());
    tokio::spawn(async move {
        let mut listener = listener;
        while let Some(accepted) = listener.accept().await {
            tokio::spawn(echo(accepted.stream));
        }
    });
    url
}

#[tokio::test]
async fn megabytes_go_there_and_back_and_each_direction_ends_by_itself() {
    let url = echoing(Listener::bind("127.0.0.1:0", binary()).await.unwrap()).await;
    let bytes = bulk(5 << 20, 1);
    for config in [binary(), binary().write_buffer(16 << 10), binary().max_frame_len(None)] {
        let stream = within(connect(&url, config)).await.unwrap();
        within(exchange(stream, &bytes)).await;
    }
}

#[tokio::test]
async fn megabytes_go_there_and_back_over_tls() {
    let (server, client) = tls::configs();
    let listener = Listener::bind("127.0.0.1:0", binary()).await.unwrap().tls(Arc::new(server));
    let port = listener.local_addr().port();
    echoing(listener).await;
    let client = Client::new(binary()).tls(Arc::new(client));
    let (stream, _) = within(client.connect(&format!("wss://localhost:{port}/"))).await.unwrap();
    assert!(matches!(stream.get_ref(), MaybeTlsStream::Tls(_)));
    assert!(stream.get_ref().tcp().nodelay().unwrap());
    within(exchange(stream, &bulk(5 << 20, 2))).await;
}

/// What rustls takes in one call before anything has left.
fn taken_by_tls(io: &mut MaybeTlsStream) -> usize {
    let MaybeTlsStream::Tls(tls) = io else { panic!("no TLS") };
    let bytes = vec![0; 1 << 20];
    match &mut **tls {
        TlsStream::Client(tls) => tls.get_mut().1.writer().write(&bytes).unwrap(),
        TlsStream::Server(tls) => tls.get_mut().1.writer().write(&bytes).unwrap(),
    }
}

#[tokio::test]
async fn frame_of_64_kib_fits_with_its_header_into_one_write_of_tls_at_either_end() {
    let (server, client) = tls::configs();
    let mut listener = Listener::bind("127.0.0.1:0", binary()).await.unwrap().tls(Arc::new(server));
    let client = Client::new(binary()).tls(Arc::new(client));
    let url = format!("wss://localhost:{}/", listener.local_addr().port());
    let (connected, accepted) = within(async { tokio::join!(client.connect(&url), listener.accept()) }).await;
    assert!(taken_by_tls(connected.unwrap().0.get_mut()) >= (64 << 10) + 14);
    assert!(taken_by_tls(accepted.unwrap().stream.get_mut()) >= (64 << 10) + 10);
}

#[tokio::test]
async fn what_the_client_asks_is_what_the_listener_gets_and_answers() {
    let server = HeaderName::from_static("x-server");
    let upgrader = Upgrader::new(Config::new(PayloadType::Text))
        .subprotocols(["v1", "v2"])
        .unwrap()
        .origins(Origins::list(["https://app.example"]).unwrap())
        .header(server.clone(), HeaderValue::from_static("ours"))
        .unwrap();
    let mut listener = Listener::bind("127.0.0.1:0", upgrader).await.unwrap().path("/chat").unwrap();
    let url = format!("ws://ann:secret@{}/chat?room=1", listener.local_addr());

    let client = Client::new(Config::new(PayloadType::Text))
        .subprotocols(["v3", "v2", "v1"])
        .header(header::ORIGIN, HeaderValue::from_static("https://app.example"));
    let (connected, accepted) = within(async { tokio::join!(client.connect(&url), listener.accept()) }).await;
    let ((mut near, response), mut accepted) = (connected.unwrap(), accepted.unwrap());

    assert_eq!(response.headers()[header::SEC_WEBSOCKET_PROTOCOL], "v2");
    assert_eq!(response.headers()[server], "ours");
    assert_eq!(accepted.subprotocol.as_deref(), Some("v2"));
    assert_eq!(accepted.request.uri, "/chat?room=1");
    assert_eq!(accepted.request.headers[header::AUTHORIZATION], "Basic YW5uOnNlY3JldA==");
    assert_eq!(accepted.peer_addr, near.get_ref().tcp().local_addr().unwrap());

    near.write_all("Grüße".as_bytes()).await.unwrap();
    let mut greeting = [0; 7];
    within(accepted.stream.read_exact(&mut greeting)).await.unwrap();
    assert_eq!(greeting, "Grüße".as_bytes());
    let (closed, end) = within(async {
        tokio::join!(near.close(CloseCode::AWAY, "bye"), accepted.stream.read(&mut greeting))
    })
    .await;
    assert_eq!((closed.unwrap().and_then(|close| close.code), end.unwrap()), (Some(CloseCode::AWAY), 0));
    assert_eq!(accepted.stream.peer_close().map(|close| &*close.reason), Some("bye"));
}

#[tokio::test]
async fn hyper_service_is_reached_over_http1_and_its_socket_comes_back() {
    let mut server = Server::new(Http::Auto, Upgrader::new(binary())).await;
    let stream = within(connect(&format!("ws://{}", server.address), binary())).await.unwrap();
    let upgraded = within(server.upgrades.recv()).await.unwrap();
    let accepted = within(upgraded).await.unwrap().downcast::<TcpStream>().unwrap();
    let serving = tokio::spawn(echo(accepted));
    within(exchange(stream, &bulk(1 << 20, 3))).await;
    within(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn many_streams_share_one_http2_connection() {
    let mut server = Server::new(Http::Two, Upgrader::new(binary()).subprotocols(["v1"]).unwrap()).await;
    tokio::spawn(async move {
        while let Some(upgrade) = server.upgrades.recv().await {
            tokio::spawn(async { echo(upgrade.await?).await });
        }
    });
    let url = format!("ws://{}", server.address);
    let http2 = within(Client::new(binary()).subprotocols(["v1"]).http2(&url)).await.unwrap();
    let mut streams = JoinSet::new();
    for seed in 0..20 {
        let (http2, url) = (http2.clone(), format!("{url}/{seed}"));
        streams.spawn(async move {
            let (stream, response) = http2.connect(&url).await.unwrap();
            assert_eq!(response.headers()[header::SEC_WEBSOCKET_PROTOCOL], "v1");
            exchange(stream, &bulk(300_000, seed)).await;
        });
    }
    within(async { while streams.join_next().await.transpose().unwrap().is_some() {} }).await;
}

#[tokio::test]
async fn axum_handler_is_reached_over_both_versions() {
    let handler = async |upgrade: WebSocketUpgrade| {
        upgrade.config(binary()).on_upgrade(async |stream| echo(stream).await.unwrap())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/echo", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/echo", axum::routing::any(handler));
    tokio::spawn(axum::serve(listener, router).into_future());

    let bytes = bulk(1 << 20, 4);
    let client = Client::new(binary());
    within(exchange(client.connect(&url).await.unwrap().0, &bytes)).await;
    let http2 = within(client.http2(&url)).await.unwrap();
    within(exchange(http2.connect(&url).await.unwrap().0, &bytes)).await;
}

/// Neither `Send` nor `'static`, and a byte at a time.
#[tokio::test]
async fn handshake_over_any_transport_leaves_it_bare() {
    let (near, far) = tokio::io::duplex(1);
    let (mut near, mut far) = ((near, std::rc::Rc::new(())), (far, std::rc::Rc::new(())));
    let upgrader = Upgrader::new(binary()).subprotocols(["v1"]).unwrap();
    let client = Client::new(binary()).subprotocols(["v1"]);
    let both =
        async { tokio::join!(client.over(&mut near.0, "ws://host/path?q"), upgrader.over(&mut far.0)) };
    let (connected, opened) = within(both).await;
    let opened = opened.unwrap();
    assert_eq!((&*opened.request.uri.to_string(), opened.subprotocol.as_deref()), ("/path?q", Some("v1")));
    assert!(!format!("{opened:?}").contains('q'), "{opened:?}");
    let (stream, serving) = (connected.unwrap().0, echo(opened.stream));
    let bytes = bulk(10_000, 6);
    let (_, served) = within(async { tokio::join!(exchange(stream, &bytes), serving) }).await;
    served.unwrap();
}

#[tokio::test]
async fn handshake_over_any_transport_is_refused_with_its_reason() {
    let (mut near, far) = tokio::io::duplex(1024);
    near.write_all(b"GET / HTTP/1.1\r\nHost: host\r\n\r\n").await.unwrap();
    let asked = tokio::spawn(async move {
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        answer
    });
    let error = within(Upgrader::new(binary()).over(far)).await.unwrap_err();
    assert_eq!(rejection(&error).status(), 400);
    assert!(asked.await.unwrap().starts_with("HTTP/1.1 400 "));

    let (near, far) = tokio::io::duplex(1024);
    drop(near);
    let error = within(Upgrader::new(binary()).over(far)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn stream_inside_a_stream_inside_a_stream_carries_bytes() {
    let url = echoing(Listener::bind("127.0.0.1:0", binary()).await.unwrap()).await;
    let outer = Client::new(binary());
    let (stream, _) = within(outer.connect(&url)).await.unwrap();
    // What comes back from the echo is what the client itself has sent: no answer to an upgrade.
    let error = within(outer.over(stream, "ws://inside/")).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error}");

    let mut listener = Listener::bind("127.0.0.1:0", binary()).await.unwrap();
    let url = format!("ws://{}/", listener.local_addr());
    let serving = tokio::spawn(async move {
        let middle = listener.accept().await.unwrap().stream;
        let (answered, upgrade) = tokio::sync::oneshot::channel();
        let answered = std::sync::Mutex::new(Some(answered));
        let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let (response, stream) = fastwebsockets_stream::upgrade(request, binary());
            if let Some(answered) = answered.lock().unwrap().take() {
                answered.send(stream).unwrap();
            }
            async { Ok::<_, std::convert::Infallible>(response) }
        });
        let http = hyper::server::conn::http1::Builder::new();
        let io = hyper_util::rt::TokioIo::new(middle);
        http.serve_connection(io, service).with_upgrades().await.unwrap();
        echo(upgrade.await.unwrap().await.unwrap()).await
    });
    let (middle, _) = within(outer.connect(&url)).await.unwrap();
    let (inner, _) = within(outer.over(middle, "ws://inside/")).await.unwrap();
    within(exchange(inner, &bulk(1 << 20, 5))).await;
    within(serving).await.unwrap().unwrap();
}
