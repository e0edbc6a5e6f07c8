//! A listener under servers that know nothing of WebSockets.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use bytes::Bytes;
use fastwebsockets_stream::{Listener, ListenerAddr, Role, WebSocketStream};
use futures_util::StreamExt;
use http_body_util::{BodyExt, Full};
use hyper::Request as HyperRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tonic::transport::server::Connected;

use super::{listener, meet, stalled, talk};
use crate::support::raw::{Raw, Request};
use crate::support::{binary, tls, within};

/// The client's end, and its address.
async fn connect(address: SocketAddr) -> (WebSocketStream<TcpStream>, SocketAddr) {
    let mut raw = Raw::connect(address).await;
    assert_eq!(raw.ask(&Request::new()).await.status(), 101);
    let own = raw.address();
    (WebSocketStream::from_transport(raw.io, Role::Client, [], binary()), own)
}

#[tokio::test]
async fn axum_serves_http_over_websockets_and_knows_the_peer() {
    let mut listener = listener().await;
    let address = listener.local_addr();
    let local: ListenerAddr = axum::serve::Listener::local_addr(&listener).unwrap();
    assert_eq!((local.socket_addr(), local.to_string()), (address, address.to_string()));
    let _: &mut Listener = &mut listener;
    let handler = async |ConnectInfo(peer): ConnectInfo<ListenerAddr>| peer.to_string();
    let router = Router::new().route("/whoami", get(handler));
    let service = router.into_make_service_with_connect_info::<ListenerAddr>();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, service).with_graceful_shutdown(async { drop(stopped.await) });
    let server = tokio::spawn(server.into_future());
    // One that stalls holds up nobody.
    let _slow = stalled(address).await;
    for _ in 0..2 {
        let (stream, own) = connect(address).await;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = HyperRequest::get("/whoami").header("host", "inside").body(String::new()).unwrap();
        let response = within(sender.send_request(request)).await.unwrap();
        let body = within(response.into_body().collect()).await.unwrap().to_bytes();
        assert_eq!(body, own.to_string());
    }
    stop.send(()).unwrap();
    within(server).await.unwrap().unwrap();
}

#[tokio::test]
async fn tonic_serves_over_what_comes_in_until_the_signal() {
    let (stop, stopped) = oneshot::channel::<()>();
    let listener = listener().await.graceful_shutdown(async { drop(stopped.await) });
    let address = listener.local_addr();
    let (_, health) = tonic_health::server::health_reporter();
    let server = tonic::transport::Server::builder().add_service(health);
    let server = tokio::spawn(server.serve_with_incoming(listener.incoming()));
    let (stream, _) = connect(address).await;
    let http = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = http.handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    // An empty message of gRPC: for the server as a whole.
    let request = HyperRequest::post("http://inside/grpc.health.v1.Health/Check")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from_static(&[0; 5])))
        .unwrap();
    let response = within(sender.send_request(request)).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = within(response.into_body().collect()).await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    // Field 1 is 1: SERVING.
    assert_eq!(body.to_bytes().as_ref(), [0, 0, 0, 0, 2, 8, 1]);
    stop.send(()).unwrap();
    drop(sender);
    within(connection).await.unwrap().ok();
    within(server).await.unwrap().unwrap();
}

#[tokio::test]
async fn incoming_gives_streams_and_ends_by_the_signal() {
    let (stop, stopped) = oneshot::channel::<()>();
    let listener = listener().await.graceful_shutdown(async { drop(stopped.await) });
    let address = listener.local_addr();
    let mut incoming = listener.incoming();
    let mut raw = Raw::connect(address).await;
    raw.send(&Request::new().bytes()).await;
    // One that is refused is no item, and no error either.
    let mut refused = Raw::connect(address).await;
    refused.send(&Request::new().without("Host").bytes()).await;
    let mut stream = within(incoming.next()).await.unwrap().unwrap();
    assert_eq!(raw.answer().await.status(), 101);
    talk(&mut raw, &mut stream).await;
    drop(refused);
    stop.send(()).unwrap();
    assert!(within(incoming.next()).await.is_none());
}

#[tokio::test]
async fn tonic_learns_the_addresses_of_the_socket_with_tls_or_without() {
    let mut plain = listener().await;
    let (raw, accepted) = meet(&mut plain).await;
    let info = accepted.stream.connect_info();
    assert_eq!((info.local_addr(), info.remote_addr()), (Some(plain.local_addr()), Some(raw.address())));

    let (server, client) = tls::configs();
    let mut secure = listener().await.tls(server.into());
    let address = secure.local_addr();
    let connect = async {
        let mut raw = Raw::new(tls::connect(address, client).await.unwrap());
        assert_eq!(raw.ask(&Request::new()).await.status(), 101);
        raw.io.get_ref().0.local_addr().unwrap()
    };
    let (own, accepted) = tokio::join!(connect, super::accept(&mut secure));
    let info = accepted.stream.connect_info();
    assert_eq!((info.local_addr(), info.remote_addr()), (Some(address), Some(own)));
}
