//! What hyper makes of the answer where it will not keep the connection. No service can prevent it; should hyper stop it, these
//! tests tell, and the documentation of `upgrade` is to change.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use fastwebsockets_stream::{Upgrader, upgrade};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::support::raw::{Raw, Request};
use crate::support::serve::{Http, Server};
use crate::support::{binary, echo, wire, within};

use fastwebsockets_stream::Role::Server as OURS;

async fn assert_echo(mut raw: Raw) {
    raw.send(&wire::from_peer(OURS, true, wire::BINARY, b"bytes")).await;
    assert_eq!(raw.frame().await.payload, b"bytes");
}

#[tokio::test]
async fn request_that_says_close_too_is_upgraded_and_told_close_too() {
    let mut server = Server::new(Http::One, Upgrader::new(binary())).await;
    for connection in ["close, Upgrade", "Upgrade, close"] {
        let mut raw = Raw::connect(server.address).await;
        let answer = raw.ask(&Request::new().instead(&format!("Connection: {connection}"))).await;
        assert_eq!((answer.status(), answer.field("connection")), (101, "Upgrade, close"));
        tokio::spawn(echo(server.stream().await));
        assert_echo(raw).await;
    }
}

#[tokio::test]
async fn request_that_is_answered_during_a_graceful_shutdown_is_upgraded_and_told_close_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let serving = tokio::spawn({
        let (asked, answer) = (asked.clone(), answer.clone());
        async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let service = service_fn(async |request| {
                asked.notify_one();
                answer.notified().await;
                let (response, stream) = upgrade(request, binary());
                tokio::spawn(async { echo(stream.await?).await });
                Ok::<_, Infallible>(response)
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(tcp), service);
            let mut connection = pin!(connection.with_upgrades());
            tokio::select! {
                end = connection.as_mut() => panic!("{end:?}"),
                () = asked.notified() => {}
            }
            connection.as_mut().graceful_shutdown();
            answer.notify_one();
            connection.await.unwrap();
        }
    });
    let mut raw = Raw::connect(address).await;
    let answer = raw.ask(&Request::new()).await;
    assert_eq!((answer.status(), answer.field("connection")), (101, "Upgrade, close"));
    assert_echo(raw).await;
    within(serving).await.unwrap();
}
