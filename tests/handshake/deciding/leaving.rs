//! A client that leaves before it is answered.

use std::io::ErrorKind;
use std::time::Duration;

use fastwebsockets_stream::{Listener, UpgradeRequest, Upgrader};
use futures_util::FutureExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;

use super::{asked, asking, next, refusal, requests, until_shows};
use crate::support::{binary, within};

#[tokio::test]
async fn client_that_leaves_is_noticed_by_whoever_decides() {
    let mut requests = requests().await;
    // In an order, with a reset, and with frames that came before.
    for (early, reset) in [(0, false), (0, true), (1000, false)] {
        let (mut raw, mut request) = asked(&mut requests).await;
        raw.send(&vec![0; early]).await;
        if reset {
            socket2::SockRef::from(&raw.io).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(raw);
        let kind = if reset { ErrorKind::ConnectionReset } else { ErrorKind::UnexpectedEof };
        let error = within(request.wait_for(std::future::pending::<()>())).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(within(request.closed()).await.kind(), kind);
        let error = within(request.accept()).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        // It gives its place back.
        until_shows(&mut requests, " deciding: 0,").await;
    }
    let (raw, mut request) = asked(&mut requests).await;
    drop(raw);
    within(request.closed()).await;
    assert_eq!(within(request.refuse(refusal(403, ""))).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn client_that_leaves_before_its_request_is_taken_is_not_handed_out() {
    let mut requests = requests().await.max_requests(1);
    let (_raw, held) = asked(&mut requests).await;
    let gone = asking(requests.local_addr()).await;
    until_shows(&mut requests, " handshakes: 1,").await;
    drop(gone);
    until_shows(&mut requests, " handshakes: 0,").await;
    let mut third = asking(requests.local_addr()).await;
    drop(held);
    let request = next(&mut requests).await;
    let _opened = within(request.accept()).await.unwrap();
    assert_eq!(third.answer().await.status(), 101);
}

#[tokio::test]
async fn decision_that_comes_first_is_given() {
    let mut requests = requests().await;
    let (raw, mut request) = asked(&mut requests).await;
    assert_eq!(within(request.wait_for(async { 7 })).await.unwrap(), 7);
    let (sender, receiver) = oneshot::channel();
    let deciding = async { request.wait_for(receiver).await.unwrap().unwrap() };
    let (seven, sent) = within(async { tokio::join!(deciding, async { sender.send(7) }) }).await;
    assert_eq!((seven, sent), (7, Ok(())));
    drop(raw);
}

/// Over a transport of the caller's no task watches: the one that waits does.
#[tokio::test]
async fn client_that_leaves_is_noticed_over_a_transport_of_the_callers() {
    let (mut near, far) = tokio::io::duplex(1 << 16);
    near.write_all(&super::Request::new().bytes()).await.unwrap();
    let mut request = within(Upgrader::new(binary()).request_over(far)).await.unwrap();
    assert!(request.wait_for(tokio::task::yield_now()).await.is_ok());
    assert!(request.closed().now_or_never().is_none());
    drop(near);
    let error = within(request.wait_for(std::future::pending::<()>())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(within(request.accept()).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

/// Though nobody has waited meanwhile. What it has sent before does not count: it cannot be talked to.
#[tokio::test]
async fn client_that_has_left_is_not_accepted_over_a_transport_of_the_callers() {
    for early in [&b""[..], b"\x82\x80abcd"] {
        let (mut near, far) = tokio::io::duplex(1 << 16);
        near.write_all(&super::Request::new().bytes()).await.unwrap();
        let request = within(Upgrader::new(binary()).request_over(far)).await.unwrap();
        near.write_all(early).await.unwrap();
        near.shutdown().await.unwrap();
        let error = within(request.accept()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
    }
}

/// The listener's task is gone, so the request watches by itself.
#[tokio::test]
async fn client_that_leaves_is_noticed_when_the_listener_is_dropped() {
    let mut requests = requests().await;
    let (raw, mut request) = asked(&mut requests).await;
    let mut closed = Box::pin(request.closed());
    assert!(closed.as_mut().now_or_never().is_none());
    drop(requests);
    drop(raw);
    assert_eq!(within(closed).await.kind(), ErrorKind::UnexpectedEof);
}

/// As a server has it: in tasks, on several threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_is_answered_or_noticed_whoever_is_first() {
    let mut requests = Listener::bind("127.0.0.1:0", binary()).await.unwrap().requests();
    let address = requests.local_addr();
    let clients = tokio::spawn(async move {
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..200 {
            clients.spawn(async move {
                let mut raw = asking(address).await;
                // Every fourth one leaves.
                if number % 4 != 0 {
                    assert!(matches!(raw.answer().await.status(), 101 | 403 | 503));
                }
            });
        }
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
    });
    let decide = async |mut request: UpgradeRequest<_>, number: usize| match number % 3 {
        0 => drop(request.accept().await),
        1 => drop(request.refuse(refusal(403, "")).await),
        _ => drop(request.wait_for(tokio::task::yield_now()).await),
    };
    let deciding = async {
        let mut number = 0;
        while let Some(request) = requests.next().await {
            number += 1;
            tokio::spawn(async move { decide(request, number).await });
        }
    };
    tokio::select! {
        done = within(clients) => done.unwrap(),
        () = deciding => unreachable!("the listener is open"),
    }
    until_shows(&mut requests, " deciding: 0,").await;
}
