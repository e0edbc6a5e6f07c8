//! How a listener ends.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};

use super::{accept, halves, listener, meet, stalled, talk, until_handshakes, until_shows};
use crate::support::clock::Frozen;
use crate::support::within;

/// Handshakes that are under way when the listener closes, by either way, may finish; then it is over.
#[tokio::test]
async fn closed_listener_finishes_what_is_under_way_and_takes_nothing_new() {
    for by_signal in [false, true] {
        let (signal, signalled) = oneshot::channel::<()>();
        let mut listener = listener().await.graceful_shutdown(async { drop(signalled.await) });
        let address = listener.local_addr();
        let (mut before, mut accepted_before) = meet(&mut listener).await;
        let mut finishing = stalled(address).await;
        let leaving = stalled(address).await;
        until_handshakes(&mut listener, 2).await;
        if by_signal {
            signal.send(()).unwrap();
            // Seen by the next poll, with nothing else to wake it.
            until_closed(&mut listener).await;
        } else {
            listener.close();
            listener.close();
        }
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        finishing.send(&halves().1).await;
        let mut accepted = accept(&mut listener).await;
        assert_eq!(finishing.answer().await.status(), 101);
        talk(&mut finishing, &mut accepted.stream).await;
        drop(leaving);
        for _ in 0..2 {
            assert!(within(listener.accept()).await.is_none());
        }
        // Streams are not concerned.
        talk(&mut before, &mut accepted_before.stream).await;
        assert_eq!(listener.local_addr(), address);
    }
}

/// Its handshake has not begun, so it is as those in the backlog.
#[tokio::test]
async fn closed_listener_closes_the_connection_that_waits_for_room() {
    let _clock = Frozen::new();
    let mut listener = listener().await.max_handshakes(1);
    let mut finishing = stalled(listener.local_addr()).await;
    until_handshakes(&mut listener, 1).await;
    let mut waiting = stalled(listener.local_addr()).await;
    until_shows(&mut listener, "waiting: true").await;
    listener.close();
    assert!(waiting.rest().await.is_empty());
    finishing.send(&halves().1).await;
    assert_eq!(accept(&mut listener).await.peer_addr, finishing.address());
    assert!(within(listener.accept()).await.is_none());
}

async fn until_closed(listener: &mut fastwebsockets_stream::Listener) {
    within(async {
        while !format!("{listener:?}").contains("closed: true") {
            tokio::select! {
                biased;
                accepted = listener.accept() => panic!("{accepted:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
    })
    .await;
}

#[tokio::test]
async fn signal_ends_an_accept_that_already_waits() {
    let signal = Arc::new(Notify::new());
    let signalled = signal.clone();
    let mut listener = listener().await.graceful_shutdown(async move { signalled.notified().await });
    let waiting = tokio::spawn(async move { listener.accept().await.is_none() });
    tokio::task::yield_now().await;
    signal.notify_one();
    assert!(within(waiting).await.unwrap());
}

#[tokio::test]
async fn closed_listener_without_handshakes_is_over_at_once() {
    let mut listener = listener().await;
    listener.close();
    assert!(within(listener.accept()).await.is_none());
}

#[tokio::test]
async fn listener_that_is_dropped_ends_the_handshakes_and_gives_the_port_back() {
    let mut listener = listener().await.time_limit(Duration::MAX);
    let address = listener.local_addr();
    let (mut before, mut accepted) = meet(&mut listener).await;
    let mut clients = [stalled(address).await, stalled(address).await];
    until_handshakes(&mut listener, 2).await;
    drop(listener);
    for client in &mut clients {
        assert!(client.rest().await.is_empty());
    }
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    talk(&mut before, &mut accepted.stream).await;
}
