//! `Listener`: from a port to streams.

mod accepting;
mod crowds;
mod ending;
mod frameworks;
mod limits;
mod logging;
mod many;
mod refusing;
mod strictness;
mod tls;

use std::net::SocketAddr;

use fastwebsockets_stream::{Accepted, Listener, Upgrader, WebSocketStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::support::raw::{Raw, Request};
use crate::support::{binary, wire, within};

/// At a port of its own.
async fn listener() -> Listener {
    listener_of(binary().into()).await
}

async fn listener_of(upgrader: Upgrader) -> Listener {
    Listener::bind("127.0.0.1:0", upgrader).await.unwrap()
}

async fn accept(listener: &mut Listener) -> Accepted {
    within(listener.accept()).await.unwrap()
}

/// A client with half a request sent.
async fn stalled(address: SocketAddr) -> Raw {
    let mut raw = Raw::connect(address).await;
    raw.send(&halves().0).await;
    raw
}

fn halves() -> (Vec<u8>, Vec<u8>) {
    let mut request = Request::new().bytes();
    let second = request.split_off(40);
    (request, second)
}

/// A client whose handshake is done, and its stream.
async fn meet(listener: &mut Listener) -> (Raw, Accepted) {
    let mut raw = Raw::connect(listener.local_addr()).await;
    raw.send(&Request::new().bytes()).await;
    let accepted = accept(listener).await;
    assert_eq!(raw.answer().await.status(), 101);
    (raw, accepted)
}

/// Polls the listener until so many handshakes are under way; none may end meanwhile.
async fn until_handshakes(listener: &mut Listener, number: usize) {
    until_shows(listener, &format!(" handshakes: {number},")).await;
}

/// Polls the listener until its `Debug` has this; it must give nothing meanwhile.
async fn until_shows(listener: &mut Listener, expected: &str) {
    // Not tokio's clock, which stands still in some tests.
    let begun = std::time::Instant::now();
    while !format!("{listener:?}").contains(expected) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "no {expected:?}: {listener:?}");
        poll_once(listener).await;
    }
}

/// Polls the listener so often that it would give what there is.
async fn gives_nothing(listener: &mut Listener) {
    for _ in 0..1000 {
        poll_once(listener).await;
    }
}

/// Then everything else runs.
async fn poll_once(listener: &mut Listener) {
    tokio::select! {
        biased;
        accepted = listener.accept() => panic!("{accepted:?}"),
        () = tokio::task::yield_now() => {}
    }
}

/// Bytes go both ways.
async fn talk<C, S>(raw: &mut Raw<C>, stream: &mut WebSocketStream<S>)
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    raw.send(&wire::data(fastwebsockets_stream::Role::Server, b"up")).await;
    let mut up = [0; 2];
    within(stream.read_exact(&mut up)).await.unwrap();
    assert_eq!(&up, b"up");
    stream.write_all(b"down").await.unwrap();
    assert_eq!(raw.frame().await.payload, b"down");
}
