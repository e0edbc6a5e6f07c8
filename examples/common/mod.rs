//! The HTTP upgrade (RFC 6455, section 4) at both ends, as fastwebsockets and hyper do it.

#![allow(dead_code)] // Each example uses the half it needs.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use fastwebsockets::{handshake, upgrade};
use fastwebsockets_stream::{Config, WebSocketStream};
use http_body_util::Empty;
use hyper::header::{CONNECTION, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// A WebSocket over HTTP/1.1 over TCP, at either end.
pub(crate) type Stream = WebSocketStream<TokioIo<Upgraded>>;

/// The client's end: asks the server at `address` ("host:port") for a WebSocket.
pub(crate) async fn connect(address: &str, config: Config) -> io::Result<Stream> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let request = Request::get("/")
        .header(HOST, address)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_KEY, handshake::generate_key())
        .header(SEC_WEBSOCKET_VERSION, "13")
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let (websocket, _response) =
        handshake::client(&TokioExecutor::new(), request, tcp).await.map_err(io::Error::other)?;
    Ok(WebSocketStream::with_config(websocket, config))
}

/// The server's end: answers HTTP requests on a connection until one of them asks for a WebSocket.
pub(crate) async fn accept(tcp: TcpStream, config: Config) -> io::Result<Stream> {
    tcp.set_nodelay(true)?;
    let (upgrades, mut upgraded) = mpsc::unbounded_channel();
    let service = service_fn(|mut request| {
        let response = match upgrade::upgrade(&mut request) {
            Ok((response, upgrade)) => {
                // Cannot fail: the other end of the channel is in this function.
                let _ = upgrades.send(upgrade);
                response
            }
            Err(_) => {
                let mut response = Response::new(Empty::new());
                *response.status_mut() = StatusCode::BAD_REQUEST;
                response
            }
        };
        async { Ok::<_, Infallible>(response) }
    });
    let http = hyper::server::conn::http1::Builder::new();
    http.serve_connection(TokioIo::new(tcp), service).with_upgrades().await.map_err(io::Error::other)?;
    let Ok(upgrade) = upgraded.try_recv() else {
        return Err(io::Error::other("the client left without asking for a WebSocket"));
    };
    let websocket = upgrade.await.map_err(io::Error::other)?;
    Ok(WebSocketStream::with_config(websocket, config))
}
