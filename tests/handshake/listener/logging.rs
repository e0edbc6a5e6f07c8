//! A handshake that fails is an event, at INFO, with the peer and the reason, and no item.

use std::net::SocketAddr;
use std::time::Duration;

use fastwebsockets_stream::Listener;
use tracing::Level;

use super::{listener, meet, stalled, talk, until_handshakes};
use crate::support::raw::{Raw, Request};
use crate::support::{log, tls};

/// Waits for the event of this peer, while the listener gives nothing.
async fn failure(listener: &mut Listener, peer: SocketAddr) -> String {
    let peer = peer.to_string();
    let event = tokio::select! {
        event = log::event(|event| event.get("peer_addr") == peer) => event,
        accepted = listener.accept() => panic!("{accepted:?}"),
    };
    assert_eq!(event.level, Level::INFO);
    assert_eq!(event.get("message"), "a handshake has failed");
    event.get("error").to_owned()
}

#[tokio::test]
async fn refused_request_is_logged_with_its_reason_while_the_client_is_still_there() {
    log::install();
    let mut listener = listener().await.path("/chat").unwrap().time_limit(Duration::MAX);
    for (request, says) in [
        (Request::new().without("Host"), "the field host is missing"),
        (Request::new().line("GET /other HTTP/1.1"), "there is no WebSocket at \"/other\""),
        (
            Request::new().line("PUT /chat HTTP/1.1").with("Cookie: secret"),
            "the method is PUT; a WebSocket is asked for by GET",
        ),
    ] {
        let mut raw = Raw::connect(listener.local_addr()).await;
        raw.send(&request.bytes()).await;
        assert_eq!(failure(&mut listener, raw.address()).await, says);
    }
}

/// Not once more, as one that took too long.
#[tokio::test]
async fn refused_request_is_logged_once() {
    log::install();
    let mut listener = listener().await.time_limit(Duration::from_millis(100));
    let mut raw = Raw::connect(listener.local_addr()).await;
    raw.send(&Request::new().without("Host").bytes()).await;
    assert_eq!(failure(&mut listener, raw.address()).await, "the field host is missing");
    until_handshakes(&mut listener, 0).await;
    assert_eq!(log::events().len(), 1);
}

#[tokio::test]
async fn slow_client_is_logged_with_the_limit() {
    log::install();
    let mut listener = listener().await.time_limit(Duration::from_millis(100));
    let raw = stalled(listener.local_addr()).await;
    assert_eq!(
        failure(&mut listener, raw.address()).await,
        "the handshake took longer than 100ms: the request had not come"
    );
}

#[tokio::test]
async fn client_that_leaves_is_logged() {
    log::install();
    let mut listener = listener().await;
    let silent = Raw::connect(listener.local_addr()).await;
    let address = silent.address();
    drop(silent);
    let says = "the client left before it had asked for anything";
    assert_eq!(failure(&mut listener, address).await, says);
    let halfway = stalled(listener.local_addr()).await;
    let address = halfway.address();
    drop(halfway);
    assert_eq!(failure(&mut listener, address).await, "the client left in the middle of its request");
}

#[tokio::test]
async fn what_is_not_http_is_logged() {
    log::install();
    let mut listener = listener().await;
    for (bytes, says) in [
        (
            &b"\x16\x03\x01\x02\x00\x01"[..],
            "the client speaks TLS, and this port does not: ws:// leads here, not wss://",
        ),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "the client speaks HTTP/2, and this port does not; expected HTTP/1.1",
        ),
        (
            b"\x04\x01\x00\x50",
            "the request is no HTTP/1.1: \"\\x04\\x01\\x00P\"; expected a first line such as \"GET /path HTTP/1.1\"",
        ),
    ] {
        let mut raw = Raw::connect(listener.local_addr()).await;
        raw.send(bytes).await;
        assert_eq!(failure(&mut listener, raw.address()).await, says);
    }
}

#[tokio::test]
async fn what_is_not_tls_is_logged() {
    log::install();
    let mut listener = listener().await.tls(tls::configs().0.into());
    let mut raw = Raw::connect(listener.local_addr()).await;
    raw.send(&Request::new().bytes()).await;
    let says = failure(&mut listener, raw.address()).await;
    assert!(says.contains("InvalidContentType"), "{says}");
}

#[tokio::test]
async fn reaching_the_limit_of_handshakes_is_logged_once() {
    log::install();
    let mut listener = listener().await.max_handshakes(2);
    let address = listener.local_addr();
    let _stalled = [stalled(address).await, stalled(address).await];
    until_handshakes(&mut listener, 2).await;
    let _third = Raw::connect(address).await;
    let event = tokio::select! {
        event = log::event(|event| event.get("limit") == "2") => event,
        accepted = listener.accept() => panic!("{accepted:?}"),
    };
    assert_eq!(event.level, Level::WARN);
    let _fourth = Raw::connect(address).await;
    assert!(futures_util::FutureExt::now_or_never(listener.accept()).is_none());
    assert_eq!(log::events().iter().filter(|event| event.get("limit") == "2").count(), 1);
}

#[tokio::test]
async fn handshake_that_succeeds_is_logged_at_debug_alone() {
    log::install();
    let mut listener = listener().await;
    let (mut raw, mut accepted) = meet(&mut listener).await;
    talk(&mut raw, &mut accepted.stream).await;
    drop((raw, accepted));
    let events = log::events();
    assert!(!events.is_empty());
    assert!(events.iter().all(|event| event.level > Level::INFO), "{events:?}");
}
