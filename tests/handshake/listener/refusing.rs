//! How a client that is refused is let go.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{listener, meet, talk};
use crate::support::raw::{Raw, Request};
use crate::support::{bulk, within};

/// The whole answer, then the end: not a reset, which could take the answer away.
//= https://www.rfc-editor.org/rfc/rfc6455#section-7.2.2
//= type=test
//# To do so, the server MUST simply _Close the WebSocket Connection_
#[tokio::test]
async fn refused_client_reads_the_whole_answer_though_it_has_sent_more() {
    let mut listener = listener().await;
    let address = listener.local_addr();
    tokio::spawn(async move { while listener.accept().await.is_some() {} });
    let more = bulk(50_000, 1);
    let r = Request::new;
    for (request, status, says) in [
        (r().without("Host"), 400, "the field host is missing\n"),
        (
            r().instead("Sec-WebSocket-Version: 8"),
            426,
            "the field sec-websocket-version is \"8\"; expected \"13\"\n",
        ),
        (r().line("GET /chat\x01 HTTP/1.1"), 400, "the request is no HTTP/1.1: invalid token\n"),
        (
            r().with(&format!("X: {}", "x".repeat(70_000))),
            431,
            "the request is too large: the head is longer than 65536 bytes\n",
        ),
    ] {
        let mut raw = Raw::connect(address).await;
        raw.send(&request.then(&more).bytes()).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.body.as_str()), (status, says));
        assert!(answer.field("connection").ends_with("close"), "{answer:?}");
        assert_eq!(within(raw.io.read(&mut [0; 16])).await.unwrap(), 0, "{status}");
    }
}

#[tokio::test]
async fn request_of_64_kib_is_not_too_large() {
    let mut listener = listener().await;
    let address = listener.local_addr();
    tokio::spawn(async move { while listener.accept().await.is_some() {} });
    let request = Request::new().with(&format!("X: {}", "x".repeat(65_000)));
    assert_eq!(Raw::connect(address).await.ask(&request).await.status(), 101);
}

#[tokio::test]
async fn refused_client_of_another_version_is_told_the_fields_of_an_upgrade() {
    let mut listener = listener().await;
    let address = listener.local_addr();
    tokio::spawn(async move { while listener.accept().await.is_some() {} });
    let answer = Raw::connect(address).await.ask(&Request::new().instead("Sec-WebSocket-Version: 8")).await;
    assert_eq!((answer.field("upgrade"), answer.field("sec-websocket-version")), ("websocket", "13"));
    assert_eq!(answer.field("connection"), "Upgrade, close");
}

/// It may be answered once; the next request is none of ours.
#[tokio::test]
async fn refused_client_is_answered_once() {
    let mut listener = listener().await;
    let address = listener.local_addr();
    tokio::spawn(async move { while listener.accept().await.is_some() {} });
    let mut raw = Raw::connect(address).await;
    let good = Request::new().bytes();
    let answer = raw.ask(&Request::new().without("Upgrade").then(&good)).await;
    assert_eq!(answer.status(), 400);
    assert!(raw.rest().await.is_empty());
}

/// The rest that a client may send is limited: one that never stops is cut, long before its time is up.
#[tokio::test]
async fn refused_client_that_goes_on_sending_is_cut() {
    let mut listener = listener().await.time_limit(Duration::MAX);
    let address = listener.local_addr();
    tokio::spawn(async move { while listener.accept().await.is_some() {} });
    let mut raw = Raw::connect(address).await;
    raw.send(&Request::new().without("Host").bytes()).await;
    let (mut reader, mut writer) = raw.io.split();
    let send = async { while writer.write_all(&[0; 4096]).await.is_ok() {} };
    let read = async {
        let mut answer = Vec::new();
        while matches!(reader.read_buf(&mut answer).await, Ok(1..)) {}
        String::from_utf8(answer).unwrap()
    };
    let ((), answer) = within(async { tokio::join!(send, read) }).await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.ends_with("the field host is missing\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn refused_clients_leave_the_listener_as_it_was() {
    let mut listener = listener().await.max_handshakes(2);
    for _ in 0..10 {
        let mut raw = Raw::connect(listener.local_addr()).await;
        raw.send(&Request::new().without("Host").bytes()).await;
        let answer = tokio::select! {
            answer = raw.answer() => answer,
            accepted = listener.accept() => panic!("{accepted:?}"),
        };
        assert_eq!(answer.status(), 400);
    }
    let (mut raw, mut accepted) = meet(&mut listener).await;
    talk(&mut raw, &mut accepted.stream).await;
}

#[tokio::test]
async fn refused_client_that_stays_gives_its_place_back_also_without_a_time_limit() {
    let mut listener = listener().await.time_limit(Duration::MAX).max_handshakes(1);
    let address = listener.local_addr();
    let accepting = tokio::spawn(async move { listener.accept().await });
    let mut bad = Raw::connect(address).await;
    bad.send(&Request::new().without("Host").bytes()).await;
    assert_eq!(bad.answer().await.status(), 400);
    let good = Raw::connect(address).await.ask(&Request::new()).await;
    assert_eq!(good.status(), 101);
    assert!(within(accepting).await.unwrap().is_some());
    drop(bad);
}
