//! Clients that are slow, or too many.

use std::time::Duration;

use fastwebsockets_stream::Listener;
use tokio::io::AsyncWriteExt;

use super::{accept, gives_nothing, halves, listener, meet, stalled, talk, until_handshakes};
use crate::support::clock::Frozen;
use crate::support::raw::{Raw, Request};
use crate::support::{binary, tls, within};

const SHORT: Duration = Duration::from_millis(200);

async fn short() -> Listener {
    Listener::bind("127.0.0.1:0", binary()).await.unwrap().time_limit(SHORT)
}

/// The client is cut; nothing was accepted.
async fn is_cut(mut listener: Listener, mut raw: Raw) {
    tokio::select! {
        rest = raw.rest() => assert!(rest.is_empty(), "{rest:?}"),
        accepted = listener.accept() => panic!("{accepted:?}"),
    }
    until_handshakes(&mut listener, 0).await;
}

#[tokio::test]
async fn client_that_says_nothing_is_cut() {
    let listener = short().await;
    let raw = Raw::connect(listener.local_addr()).await;
    is_cut(listener, raw).await;
}

#[tokio::test]
async fn client_that_stops_in_its_request_is_cut() {
    let listener = short().await;
    let raw = stalled(listener.local_addr()).await;
    is_cut(listener, raw).await;
}

/// Each byte is on time; all of them are not.
#[tokio::test]
async fn client_that_trickles_its_header_fields_is_cut() {
    let mut listener = short().await;
    let mut raw = stalled(listener.local_addr()).await;
    let trickle = async {
        while raw.io.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = within(trickle) => {}
        accepted = listener.accept() => panic!("{accepted:?}"),
    }
}

#[tokio::test]
async fn client_that_stops_in_tls_is_cut() {
    let listener = short().await.tls(tls::configs().0.into());
    let mut raw = Raw::connect(listener.local_addr()).await;
    // The beginning of a ClientHello.
    raw.send(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await;
    is_cut(listener, raw).await;
}

#[tokio::test]
async fn client_that_stops_after_tls_is_cut() {
    let (server, client) = tls::configs();
    let mut listener = short().await.tls(server.into());
    let address = listener.local_addr();
    let cut = async {
        let mut raw = Raw::new(tls::connect(address, client).await.unwrap());
        raw.send(&halves().0).await;
        raw.rest().await
    };
    tokio::select! {
        rest = cut => assert!(rest.is_empty()),
        accepted = listener.accept() => panic!("{accepted:?}"),
    }
}

/// The answer is there; the client neither goes nor says anything.
#[tokio::test]
async fn refused_client_that_stays_is_cut() {
    let mut listener = short().await;
    let mut raw = Raw::connect(listener.local_addr()).await;
    raw.send(&Request::new().without("Host").bytes()).await;
    let gone = async {
        assert_eq!(raw.answer().await.status(), 400);
        // Writing fails only once the server has closed its socket.
        while raw.io.write_all(b"").await.is_ok() && raw.io.try_write(b"x").is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = within(gone) => {}
        accepted = listener.accept() => panic!("{accepted:?}"),
    }
}

/// The limit is for the handshake: a stream may be silent as long as it likes.
#[tokio::test]
async fn stream_outlives_the_limit_of_its_handshake() {
    let mut listener = short().await;
    let (mut raw, mut accepted) = meet(&mut listener).await;
    tokio::time::sleep(2 * SHORT).await;
    talk(&mut raw, &mut accepted.stream).await;
}

#[tokio::test]
async fn limit_of_all_time_is_no_limit() {
    let mut listener = listener().await.time_limit(Duration::MAX);
    let mut raw = stalled(listener.local_addr()).await;
    until_handshakes(&mut listener, 1).await;
    raw.send(&halves().1).await;
    let mut accepted = accept(&mut listener).await;
    assert_eq!(raw.answer().await.status(), 101);
    talk(&mut raw, &mut accepted.stream).await;
}

#[tokio::test]
async fn slow_handshakes_do_not_hold_up_others() {
    let mut listener = listener().await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        slow.push(stalled(listener.local_addr()).await);
    }
    until_handshakes(&mut listener, 50).await;
    let (mut raw, mut accepted) = meet(&mut listener).await;
    talk(&mut raw, &mut accepted.stream).await;
    // They are as good as any, when they get to it.
    let mut last = slow.pop().unwrap();
    last.send(&halves().1).await;
    assert_eq!(accept(&mut listener).await.peer_addr, last.address());
}

#[tokio::test]
async fn handshakes_beyond_the_limit_wait_in_the_backlog_and_none_is_dropped() {
    let _clock = Frozen::new();
    let mut listener = listener().await.max_handshakes(2);
    let address = listener.local_addr();
    let mut slow = stalled(address).await;
    let leaving = stalled(address).await;
    until_handshakes(&mut listener, 2).await;
    let mut third = Raw::connect(address).await;
    third.send(&Request::new().bytes()).await;
    let mut fourth = stalled(address).await;
    gives_nothing(&mut listener).await;
    assert!(third.io.try_read(&mut [0]).is_err(), "the third was served");
    // One that fails makes room,
    drop(leaving);
    let mut accepted = accept(&mut listener).await;
    assert_eq!(accepted.peer_addr, third.address());
    assert_eq!(third.answer().await.status(), 101);
    talk(&mut third, &mut accepted.stream).await;
    // and so does one that is accepted, though its stream lives on.
    until_handshakes(&mut listener, 2).await;
    let mut fifth = Raw::connect(address).await;
    fifth.send(&Request::new().bytes()).await;
    gives_nothing(&mut listener).await;
    slow.send(&halves().1).await;
    assert_eq!(accept(&mut listener).await.peer_addr, slow.address());
    assert_eq!(accept(&mut listener).await.peer_addr, fifth.address());
    fourth.send(&halves().1).await;
    assert_eq!(accept(&mut listener).await.peer_addr, fourth.address());
}

#[tokio::test]
async fn limit_of_no_handshakes_is_one() {
    let mut listener = listener().await.max_handshakes(0);
    let (mut raw, mut accepted) = meet(&mut listener).await;
    talk(&mut raw, &mut accepted.stream).await;
}
