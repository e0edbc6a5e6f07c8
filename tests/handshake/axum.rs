//! The extractor of axum 0.8, under `axum::serve`.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use fastwebsockets_stream::axum::{Outcome, WebSocketUpgrade};
use fastwebsockets_stream::{Config, Origins, PayloadType, Rejection, Role, UpgradedStream};
use futures_util::StreamExt;
use http::{HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tracing::Level;

use crate::support::h2::Client;
use crate::support::raw::{ACCEPT, Raw, Request};
use crate::support::serve::Ours;
use crate::support::{binary, bulk, echo, exchange, log, wire, within};

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    address
}

/// A route that echoes to the end, over either version of HTTP.
fn echoes() -> Router {
    let handler = async |upgrade: WebSocketUpgrade| {
        upgrade.config(binary()).on_upgrade(|stream| async { echo(stream).await.unwrap() })
    };
    Router::new().route("/chat", any(handler))
}

/// What the handler was told, and the stream it was given.
type Given = (Option<String>, Ours);

async fn choosy(State(sender): State<mpsc::UnboundedSender<Given>>, upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade
        .config(Config::new(PayloadType::Text))
        .subprotocols(["v1", "v2"])
        .origins(Origins::list(["https://app.example"]).unwrap())
        .header(HeaderName::from_static("x-server"), HeaderValue::from_static("1"));
    let subprotocol = upgrade.selected_subprotocol().map(str::to_owned);
    upgrade.on_upgrade(async move |stream| sender.send((subprotocol, stream)).unwrap())
}

async fn choosy_server() -> (SocketAddr, mpsc::UnboundedReceiver<Given>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (serve(Router::new().route("/chat", any(choosy)).with_state(sender)).await, receiver)
}

#[tokio::test]
async fn handler_answers_with_what_was_set_and_then_has_the_stream() {
    let (address, mut given) = choosy_server().await;
    let request = Request::new()
        .with("Sec-WebSocket-Protocol: v3, v2, v1")
        .with("Origin: https://app.example")
        .then(&wire::from_peer(Role::Server, true, wire::TEXT, "früh".as_bytes()));
    let mut raw = Raw::connect(address).await;
    let answer = raw.ask(&request).await;
    assert_eq!(answer.line, "HTTP/1.1 101 Switching Protocols");
    let expected = [
        ("connection", "Upgrade"),
        ("sec-websocket-accept", ACCEPT),
        ("sec-websocket-protocol", "v2"),
        ("upgrade", "websocket"),
        ("x-server", "1"),
    ];
    assert_eq!(answer.without_date(), expected);
    let (subprotocol, mut stream) = within(given.recv()).await.unwrap();
    assert_eq!(subprotocol.as_deref(), Some("v2"));
    assert_eq!(stream.payload_type(), PayloadType::Text);
    let mut early = [0; 5];
    within(stream.read_exact(&mut early)).await.unwrap();
    assert_eq!(&early, "früh".as_bytes());
    stream.write_all("spät".as_bytes()).await.unwrap();
    let frame = raw.frame().await;
    assert_eq!((frame.opcode, frame.payload.as_slice()), (wire::TEXT, "spät".as_bytes()));
}

#[tokio::test]
async fn answer_that_cannot_be_what_it_was_set_to_is_refused_and_says_why() {
    for (name, says) in [
        ("x-c", "failed to parse header value"),
        ("upgrade", "the field upgrade belongs to the handshake itself"),
    ] {
        let wrong = async move |upgrade: WebSocketUpgrade| {
            let value = if name == "upgrade" { "h2c" } else { "d\r\nx-e: f" };
            let upgrade = upgrade.header("x-a", "b").header(name, value).subprotocols([""]);
            upgrade.on_upgrade(async |_| unreachable!("the request was refused"))
        };
        let address = serve(Router::new().route("/chat", any(wrong))).await;
        let answer = Raw::connect(address).await.ask(&Request::new()).await;
        let says = format!("the server cannot answer as it was told to: {says}\n");
        assert_eq!((answer.status(), answer.body), (500, says));
    }
}

#[tokio::test]
async fn client_without_subprotocols_is_told_of_none() {
    let (address, mut given) = choosy_server().await;
    let answer = Raw::connect(address).await.ask(&Request::new()).await;
    assert_eq!((answer.status(), answer.all("sec-websocket-protocol").len()), (101, 0));
    assert_eq!(within(given.recv()).await.unwrap().0, None);
}

#[tokio::test]
async fn rejections_are_responses_and_no_handler_runs_for_a_bad_request() {
    let (address, mut given) = choosy_server().await;
    let r = Request::new;
    let mut raw = Raw::connect(address).await;
    for (request, status, says) in [
        (r().line("POST /chat HTTP/1.1"), 405, "the method is POST; a WebSocket is asked for by GET"),
        (r().without("Upgrade"), 400, "the field upgrade is missing"),
        (r().without("Sec-WebSocket-Key"), 400, "the field sec-websocket-key is missing"),
        (
            r().instead("Sec-WebSocket-Version: 8"),
            426,
            "the field sec-websocket-version is \"8\"; expected \"13\"",
        ),
        (r().with("Origin: https://evil.example"), 403, "the origin \"https://evil.example\" is not allowed"),
    ] {
        let answer = raw.ask(&request).await;
        assert_eq!((answer.status(), answer.body.as_str()), (status, format!("{says}\n").as_str()));
        assert_eq!(answer.field("content-type"), "text/plain; charset=utf-8");
        if status == 426 {
            assert_eq!(answer.field("sec-websocket-version"), "13");
            assert_eq!(answer.field("upgrade"), "websocket");
        }
    }
    assert_eq!(raw.ask(&r()).await.status(), 101);
    within(given.recv()).await.unwrap();
    assert!(given.try_recv().is_err(), "a handler ran for a request that was refused");
}

#[tokio::test]
async fn tungstenite_reads_what_a_text_handler_writes() {
    let handler = async |upgrade: WebSocketUpgrade| {
        upgrade.config(Config::new(PayloadType::Text)).on_upgrade(|mut stream| async move {
            stream.write_all(b"Hello!").await.unwrap();
            stream.shutdown().await.unwrap();
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        })
    };
    let address = serve(Router::new().route("/", any(handler))).await;
    let (mut socket, _) = within(tokio_tungstenite::connect_async(format!("ws://{address}/"))).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("Hello!"));
    let Message::Close(Some(close)) = within(socket.next()).await.unwrap().unwrap() else {
        panic!("no Close")
    };
    assert_eq!(u16::from(close.code), 1000);
    assert!(within(socket.next()).await.is_none());
}

#[tokio::test]
async fn streams_of_one_http2_connection_echo_each_by_itself() {
    let address = serve(echoes()).await;
    let client = Client::connect(address).await;
    assert!(client.announced);
    let streams = (0..20).map(async |seed| {
        let stream = client.stream(binary()).await;
        exchange(stream, &bulk(500_000, seed)).await;
    });
    within(futures_util::future::join_all(streams)).await;
}

/// Over HTTP/2 a GET is no request for a WebSocket, and over HTTP/1.1 a CONNECT is none.
#[tokio::test]
async fn get_over_http2_is_refused_by_the_extractor() {
    let client = Client::connect(serve(echoes()).await).await;
    let mut request = client.request();
    *request.method_mut() = http::Method::GET;
    request.extensions_mut().remove::<hyper::ext::Protocol>();
    let (answer, body) = client.refused(request).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["allow"]),
        (405, &HeaderValue::from_static("CONNECT"))
    );
    assert_eq!(body, "the method is GET; a WebSocket is asked for by CONNECT\n");
}

/// Over HTTP/2; hyper's HTTP/1.1 tells nobody before the connection ends.
#[tokio::test]
async fn handler_that_answers_otherwise_is_logged() {
    log::install();
    let handler = async |upgrade: WebSocketUpgrade| {
        drop(upgrade.on_upgrade(async |_| unreachable!("there was no 200")));
        (http::StatusCode::IM_A_TEAPOT, "no")
    };
    let client = Client::connect(serve(Router::new().route("/chat", any(handler))).await).await;
    let (answer, body) = client.refused(client.request()).await;
    assert_eq!((answer.status.as_u16(), body.as_str()), (418, "no"));
    let event = log::event(|event| event.get("message").starts_with("no WebSocket")).await;
    assert_eq!(event.level, Level::INFO);
    assert!(!event.get("error").is_empty());
}

/// The event of the handler, whose client does this.
async fn logged<F, Fut>(serve: F, client: impl AsyncFnOnce(Raw)) -> (log::Event, String)
where
    F: Fn(UpgradedStream) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    log::install();
    let handler = async move |upgrade: WebSocketUpgrade| upgrade.on_upgrade(serve);
    let router = Router::new().route("/chat", any(handler));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, router).into_future());
    let mut raw = Raw::connect(address).await;
    let peer_addr = raw.address().to_string();
    assert_eq!(raw.ask(&Request::new()).await.status(), 101);
    client(raw).await;
    let event =
        log::event(|event| event.get("message").contains("WebSocket") && event.get("peer_addr") == peer_addr);
    (event.await, peer_addr)
}

#[tokio::test]
async fn error_of_a_handler_is_a_warning_that_says_what_and_whose() {
    let failing = async |_| Err("no database");
    let (event, peer_addr) = logged(failing, async |mut raw| drop(raw.rest().await)).await;
    assert_eq!((event.level, event.get("message")), (Level::WARN, "the WebSocket's handler has failed"));
    assert_eq!((event.get("error"), event.get("peer_addr")), ("no database", &*peer_addr));
}

#[tokio::test]
async fn client_that_vanishes_is_no_warning() {
    // In whichever type the handler passes it on.
    async fn reading(mut stream: UpgradedStream) -> Result<(), Box<dyn Error + Send + Sync>> {
        stream.read_to_end(&mut Vec::new()).await.map(drop).map_err(io::Error::other)?;
        Ok(())
    }
    let as_it_is = async |mut stream: UpgradedStream| stream.read_to_end(&mut Vec::new()).await.map(drop);
    for (event, _) in
        [logged(as_it_is, async |raw| drop(raw)).await, logged(reading, async |raw| drop(raw)).await]
    {
        assert_eq!(event.level, Level::DEBUG);
        assert_eq!(event.get("message"), "the WebSocket has ended without a Close");
        assert!(event.get("error").contains("without a Close"), "{event:?}");
    }
}

#[tokio::test]
async fn client_that_breaks_the_protocol_is_a_warning() {
    let reading = async |mut stream: UpgradedStream| stream.read_to_end(&mut Vec::new()).await.map(drop);
    let unmasked = wire::from_peer(Role::Client, true, wire::BINARY, b"secret");
    let (event, _) = logged(reading, async |mut raw| {
        raw.send(&unmasked).await;
        raw.rest().await;
    })
    .await;
    assert_eq!(event.level, Level::WARN);
    assert!(!event.get("error").is_empty() && !format!("{event:?}").contains("secret"), "{event:?}");
}

/// What `?` meets in handlers, and those that have nothing to say.
#[test]
fn handler_may_return_nothing_or_a_result_or_never() {
    fn takes<O: Outcome>(_: impl AsyncFn(UpgradedStream) -> O) {}
    takes(async |_| ());
    takes(async |_| Ok::<_, io::Error>(()));
    takes(async |_| Ok::<_, fastwebsockets_stream::ConnectError>(()));
    takes(async |_| Ok::<_, Box<dyn Error + Send + Sync>>(()));
    takes(async |_| Err(String::new()));
    takes(async |_| -> ! {
        loop {
            tokio::task::yield_now().await;
        }
    });
}

#[tokio::test]
async fn handler_that_takes_the_rejection_can_answer_with_it() {
    let handler = async |upgrade: Result<WebSocketUpgrade, Rejection>| -> Response {
        match upgrade {
            Ok(upgrade) => upgrade.on_upgrade(echo),
            Err(rejection) => rejection.into_response(),
        }
    };
    let address = serve(Router::new().route("/chat", any(handler))).await;
    let answer = Raw::connect(address).await.ask(&Request::new().without("Upgrade")).await;
    assert_eq!((answer.status(), answer.body.as_str()), (400, "the field upgrade is missing\n"));
}

/// A page and an echo at one path.
fn page_or_echo() -> Router {
    let handler = async |upgrade: Option<WebSocketUpgrade>| match upgrade {
        Some(upgrade) => upgrade.config(binary()).on_upgrade(echo),
        None => "the page".into_response(),
    };
    Router::new().route("/chat", any(handler))
}

#[tokio::test]
async fn page_and_socket_share_a_path_and_a_bad_request_is_still_refused() {
    let address = serve(page_or_echo()).await;
    let r = Request::new;
    let mut raw = Raw::connect(address).await;
    // For HTTP, or for something else than a WebSocket.
    for request in
        [r().without("Upgrade").without("Connection"), r().without("Upgrade"), r().instead("Upgrade: h2c")]
    {
        let answer = raw.ask(&request).await;
        assert_eq!((answer.status(), answer.body.as_str()), (200, "the page"));
    }
    // For a WebSocket, in a wrong way.
    for (request, status) in [
        (r().without("Sec-WebSocket-Key"), 400),
        (r().instead("Sec-WebSocket-Version: 8"), 426),
        (r().line("POST /chat HTTP/1.1"), 405),
    ] {
        assert_eq!(raw.ask(&request).await.status(), status);
    }
    assert_eq!(raw.ask(&r()).await.status(), 101);
    raw.send(&wire::from_peer(Role::Server, true, wire::BINARY, b"bytes")).await;
    assert_eq!(raw.frame().await.payload, b"bytes");
}

#[tokio::test]
async fn page_and_socket_share_a_path_over_http2() {
    let client = Client::connect(serve(page_or_echo()).await).await;
    let mut request = client.request();
    *request.method_mut() = http::Method::GET;
    request.extensions_mut().remove::<hyper::ext::Protocol>();
    let (answer, body) = client.refused(request).await;
    assert_eq!((answer.status.as_u16(), body.as_str()), (200, "the page"));
    within(exchange(client.stream(binary()).await, &bulk(100_000, 2))).await;
}

#[tokio::test]
async fn extractor_shows_nothing_of_the_request() {
    let handler = async |upgrade: WebSocketUpgrade| format!("{upgrade:?}");
    let address = serve(Router::new().route("/chat", any(handler))).await;
    let request = Request::new()
        .with("Cookie: secret")
        .with("Sec-WebSocket-Protocol: secret")
        .with("Authorization: secret");
    let answer = Raw::connect(address).await.ask(&request).await;
    assert!(
        answer.body.starts_with("WebSocketUpgrade") && !answer.body.contains("secret"),
        "{}",
        answer.body
    );
}
