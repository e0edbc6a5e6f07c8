//! Requests that are decided on before the 101: those of a `Listener`, and one over a transport that is there.

mod leaving;
mod limits;
mod listener;
mod over;

use std::net::SocketAddr;

use fastwebsockets_stream::{Listener, MaybeTlsStream, Requests, UpgradeRequest, Upgrader};
use http::Response;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::support::raw::{Raw, Request};
use crate::support::{binary, within};

async fn requests() -> Requests {
    requests_of(binary().into()).await
}

async fn requests_of(upgrader: Upgrader) -> Requests {
    Listener::bind("127.0.0.1:0", upgrader).await.unwrap().requests()
}

async fn next(requests: &mut Requests) -> UpgradeRequest<MaybeTlsStream> {
    within(requests.next()).await.unwrap()
}

/// A client that has asked, and its request.
async fn asked(requests: &mut Requests) -> (Raw, UpgradeRequest<MaybeTlsStream>) {
    let raw = asking(requests.local_addr()).await;
    (raw, next(requests).await)
}

async fn asking(address: SocketAddr) -> Raw {
    let mut raw = Raw::connect(address).await;
    raw.send(&Request::new().bytes()).await;
    raw
}

fn refusal(status: u16, body: &'static str) -> Response<&'static str> {
    Response::builder().status(status).body(body).unwrap()
}

/// The answer is one that ends the connection, and then it ends.
async fn is_refused<S: AsyncRead + AsyncWrite + Unpin>(raw: &mut Raw<S>, status: u16) {
    let answer = raw.answer().await;
    assert_eq!((answer.status(), answer.field("connection")), (status, "close"), "{answer:?}");
    assert_eq!(raw.rest().await, b"");
}

/// Polls it until its `Debug` has this; it must give nothing meanwhile.
async fn until_shows(requests: &mut Requests, expected: &str) {
    within(async {
        while !format!("{requests:?}").contains(expected) {
            tokio::select! {
                biased;
                next = requests.next() => panic!("{next:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
    })
    .await;
}
