//! The client as a connector: HTTP inside a WebSocket, by hyper-util's own client.

use std::convert::Infallible;
use std::io::ErrorKind;

use bytes::Bytes;
use fastwebsockets_stream::{Client, ConnectError, Connector, Role, WebSocketStream};
use http::{Request, Response, Uri, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpInfo};
use hyper_util::client::legacy::{self, Client as Http};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tower_service::Service;

use crate::support::authority::Authority;
use crate::support::client::{accept_by_hand, assert_echo, config, nobody, serve};
use crate::support::with::With;

/// Says what was asked, and of whom.
async fn tell(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let host = request
        .uri()
        .authority()
        .map(|authority| authority.to_string())
        .unwrap_or_else(|| request.headers()["host"].to_str().unwrap().to_owned());
    let text = format!("{:?} {host} {}", request.version(), request.uri().path());
    Ok(Response::new(Full::from(text)))
}

/// Upgrades one connection and speaks HTTP in it. Yields the head of the upgrade.
async fn gateway<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(io: S, is_http2: bool) -> String {
    let (stream, head) = accept_by_hand(io).await;
    let io = TokioIo::new(stream);
    // How it ends depends on who closes first.
    if is_http2 {
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(io, service_fn(tell))
            .await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service_fn(tell)).await;
    }
    head
}

async fn ask(http: &Http<Connector, Empty<Bytes>>, uri: &str) -> (String, Response<()>) {
    let response = http.get(uri.parse().unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    (text, Response::from_parts(head, ()))
}

fn http(connector: Connector, is_http2: bool) -> Http<Connector, Empty<Bytes>> {
    Http::builder(TokioExecutor::new()).http2_only(is_http2).build(connector)
}

#[tokio::test]
async fn whole_uri_leads_every_call_to_its_websocket() {
    for is_http2 in [false, true] {
        let (port, server): (u16, JoinHandle<String>) =
            serve(async move |io| gateway(io, is_http2).await).await;
        let connector =
            Client::new(config()).connector(&format!("ws://localhost:{port}/tunnel?a=b")).unwrap();
        let http = http(connector, is_http2);
        let (text, response) = ask(&http, "http://inside.example/path").await;
        let version = if is_http2 { Version::HTTP_2 } else { Version::HTTP_11 };
        // In origin form: there is no proxy inside.
        assert_eq!(text, format!("{version:?} inside.example /path"));
        let info = response.extensions().get::<HttpInfo>().unwrap();
        assert_eq!(info.remote_addr().port(), port);
        assert_eq!(
            ask(&http, "http://inside.example/again").await.0,
            format!("{version:?} inside.example /again")
        );
        drop(http);
        let head = server.await.unwrap();
        assert!(head.starts_with("GET /tunnel?a=b HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("Host: localhost:{port}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn path_leads_a_call_to_a_websocket_of_its_host() {
    let (port, server) = serve(async |io| gateway(io, false).await).await;
    let connector = Client::new(config()).connector("/tunnel?a").unwrap();
    let (text, _) = ask(&http(connector, false), &format!("http://localhost:{port}/path")).await;
    assert_eq!(text, format!("HTTP/1.1 localhost:{port} /path"));
    assert!(server.await.unwrap().starts_with("GET /tunnel?a HTTP/1.1\r\n"));

    let authority = Authority::new();
    let acceptor = authority.acceptor("localhost", &[]);
    let (port, server) =
        serve(async move |io| gateway(acceptor.accept(io).await.unwrap(), false).await).await;
    let connector = Client::new(config()).tls(authority.trusting()).connector("/").unwrap();
    let (text, _) = ask(&http(connector, false), &format!("https://localhost:{port}/path")).await;
    assert_eq!(text, format!("HTTP/1.1 localhost:{port} /path"));
    server.await.unwrap();
}

#[tokio::test]
async fn outer_tls_and_its_protocol_say_nothing_of_the_inside() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("localhost", &[b"http/1.1"]);
    let (port, server) =
        serve(async move |io| gateway(acceptor.accept(io).await.unwrap(), false).await).await;
    let client = Client::new(config()).tls(authority.trusting());
    let mut connector = client.connector(&format!("wss://localhost:{port}")).unwrap();
    let io = connector.call(Uri::from_static("http://inside.example")).await.unwrap();
    let connected = io.connected();
    assert!(!connected.is_negotiated_h2() && !connected.is_proxied());
    let mut extras = http::Extensions::new();
    connected.get_extras(&mut extras);
    assert_eq!(extras.get::<HttpInfo>().unwrap().remote_addr().port(), port);
    drop(io);
    server.await.unwrap();
}

#[derive(Clone)]
struct Said;

/// A transport that has much to say of itself.
impl Connection for With<bool> {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(true).extra(Said);
        if self.1 { connected.negotiated_h2() } else { connected }
    }
}

#[test]
fn stream_over_any_transport_says_neither_http2_nor_proxy() {
    for negotiated in [false, true] {
        let io = With(tokio::io::duplex(1).0, negotiated);
        let connected = WebSocketStream::from_transport(io, Role::Client, [], config()).connected();
        assert!(!connected.is_negotiated_h2() && !connected.is_proxied());
        let mut extras = http::Extensions::new();
        connected.get_extras(&mut extras);
        assert_eq!(extras.get::<Said>().is_some(), !negotiated);
    }
}

#[tokio::test]
async fn connector_without_a_place_to_go_is_an_error() {
    for to in ["", "host", "http://host/", "ws://host/#x", "/path#x", "/\u{fc}", "ws://user:secret@/"] {
        let error = Client::new(config()).connector(to).unwrap_err();
        assert!(matches!(error, ConnectError::Uri { .. }), "{to}: {error:?}");
        assert!(!error.to_string().contains("secret"));
    }
    let mut connector = Client::new(config()).connector("/path").unwrap();
    for uri in ["/only-a-path", "ftp://host/", "host:80"] {
        let error = connector.call(uri.parse().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{uri}: {error:?}");
    }
    let port = nobody().await;
    let connector = Client::new(config()).connector(&format!("ws://localhost:{port}")).unwrap();
    let error: legacy::Error =
        http(connector, false).get(Uri::from_static("http://inside.example")).await.unwrap_err();
    assert!(error.is_connect());
}

#[tokio::test]
async fn what_the_connector_gives_is_a_stream_like_any_other() {
    let (port, server) = serve(crate::support::client::echo).await;
    let mut connector = Client::new(config()).connector(&format!("ws://localhost:{port}/")).unwrap();
    let io = connector.call(Uri::from_static("http://inside.example")).await.unwrap();
    assert!(hyper::rt::Write::is_write_vectored(&io));
    assert_eq!(io.get_ref().get_ref().tcp().peer_addr().unwrap().port(), port);
    assert_echo(io.into_inner()).await;
    server.await.unwrap();
}

/// What tonic's `connect_with_connector` asks of a connector.
#[test]
fn connector_is_what_tonic_takes() {
    fn takes<C>(_: C)
    where
        C: Service<Uri> + Send + 'static,
        C::Response: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
        C::Future: Send,
        Box<dyn std::error::Error + Send + Sync>: From<C::Error> + Send + 'static,
    {
    }
    takes(Client::new(config()).connector("/").unwrap());
}
