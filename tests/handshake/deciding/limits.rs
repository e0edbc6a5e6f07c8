//! How long a request may wait, and how many.

use std::io::ErrorKind;
use std::time::Duration;

use fastwebsockets_stream::{Listener, Upgrader};
use futures_util::FutureExt;

use super::{asked, asking, is_refused, next, refusal, requests, until_shows};
use crate::support::clock::Frozen;
use crate::support::{binary, within};

const LIMIT: Duration = Duration::from_secs(10);

/// Tokio's timers go by whole milliseconds.
const TICK: Duration = Duration::from_millis(1);

#[tokio::test]
async fn client_gets_503_when_the_time_for_the_handshake_has_passed() {
    let clock = Frozen::new();
    let mut requests = requests().await;
    let (mut raw, mut request) = asked(&mut requests).await;
    tokio::time::advance(LIMIT + TICK).await;
    is_refused(&mut raw, 503).await;
    let error = request.closed().await;
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("longer than 10s: the request had not been decided on"), "{error}");
    assert_eq!(request.wait_for(std::future::pending::<()>()).await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(request.accept().await.unwrap_err().kind(), ErrorKind::TimedOut);
    drop(clock);
}

/// The time that a decision takes counts: what the request has left of it is less than the whole.
#[tokio::test]
async fn time_limit_includes_the_request_and_the_decision() {
    let clock = Frozen::new();
    let upgrader = Upgrader::new(binary()).time_limit(2 * LIMIT);
    let mut requests = Listener::bind("127.0.0.1:0", upgrader).await.unwrap().requests();
    let mut raw = super::Raw::connect(requests.local_addr()).await;
    let mut bytes = super::Request::new().bytes();
    let rest = bytes.split_off(50);
    raw.send(&bytes).await;
    until_shows(&mut requests, " handshakes: 1,").await;
    tokio::time::advance(LIMIT + LIMIT / 2).await;
    raw.send(&rest).await;
    let request = next(&mut requests).await;
    tokio::time::advance(LIMIT / 2 + TICK).await;
    is_refused(&mut raw, 503).await;
    assert_eq!(request.refuse(refusal(403, "")).await.unwrap_err().kind(), ErrorKind::TimedOut);
    drop(clock);
}

#[tokio::test]
async fn no_more_requests_are_handed_out_than_may_wait_for_a_decision() {
    let mut requests = requests().await.max_requests(2);
    let (mut first, one) = asked(&mut requests).await;
    let (mut second, two) = asked(&mut requests).await;
    let mut third = asking(requests.local_addr()).await;
    until_shows(&mut requests, " handshakes: 1,").await;
    until_shows(&mut requests, " deciding: 2,").await;
    // Whichever way one is decided on, the next one comes.
    let (refused, three) =
        within(async { tokio::join!(one.refuse(refusal(403, "")), next(&mut requests)) }).await;
    refused.unwrap();
    is_refused(&mut first, 403).await;
    let mut fourth = asking(requests.local_addr()).await;
    until_shows(&mut requests, " handshakes: 1,").await;
    drop(two);
    let four = next(&mut requests).await;
    is_refused(&mut second, 503).await;
    let mut fifth = asking(requests.local_addr()).await;
    until_shows(&mut requests, " handshakes: 1,").await;
    let (accepted, five) = within(async { tokio::join!(three.accept(), next(&mut requests)) }).await;
    let _accepted = accepted.unwrap();
    assert_eq!(third.answer().await.status(), 101);
    drop((four, five));
    is_refused(&mut fourth, 503).await;
    is_refused(&mut fifth, 503).await;
}

/// Where all that may be decided on are, clients that come and go leave nothing behind.
#[tokio::test]
async fn requests_of_clients_that_have_left_do_not_pile_up_at_the_limit() {
    let mut requests = requests().await.max_requests(1);
    let (_raw, held) = asked(&mut requests).await;
    for _ in 0..20 {
        let gone = asking(requests.local_addr()).await;
        until_shows(&mut requests, " asked: 1,").await;
        drop(gone);
        until_shows(&mut requests, " asked: 0,").await;
    }
    drop(held);
}

/// Or clients that leave at once would have a slow database asked without a limit.
#[tokio::test]
async fn request_of_a_client_that_has_left_counts_until_it_is_let_go() {
    let mut requests = requests().await.max_requests(1);
    let (raw, mut request) = asked(&mut requests).await;
    drop(raw);
    within(request.closed()).await;
    let mut second = asking(requests.local_addr()).await;
    until_shows(&mut requests, " asked: 1,").await;
    until_shows(&mut requests, " deciding: 1,").await;
    let (request, ()) = within(async { tokio::join!(next(&mut requests), async { drop(request) }) }).await;
    drop(request);
    is_refused(&mut second, 503).await;
    until_shows(&mut requests, " deciding: 0,").await;
}

/// A slow database does not keep the listener from reading the next request.
#[tokio::test]
async fn request_that_waits_for_a_decision_is_no_handshake_under_way() {
    let listener = Listener::bind("127.0.0.1:0", binary()).await.unwrap().max_handshakes(1);
    let mut requests = listener.requests();
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(asked(&mut requests).await);
    }
    until_shows(&mut requests, " handshakes: 0,").await;
    for (mut raw, request) in held {
        let _opened = within(request.accept()).await.unwrap();
        assert_eq!(raw.answer().await.status(), 101);
    }
}

/// At both limits, a request that nobody has taken makes room for the next one, and is told.
#[tokio::test]
async fn request_that_nobody_takes_gives_way_and_is_answered_with_503() {
    let listener = Listener::bind("127.0.0.1:0", binary()).await.unwrap().max_handshakes(1);
    let mut requests = listener.requests().max_requests(1);
    let (_raw, held) = asked(&mut requests).await;
    let mut second = asking(requests.local_addr()).await;
    until_shows(&mut requests, " handshakes: 1,").await;
    let mut third = asking(requests.local_addr()).await;
    until_shows(&mut requests, " waiting: true,").await;
    // The second has had its second when this comes.
    let third_waits = until_shows(&mut requests, " waiting: false,");
    within(third_waits).await;
    drop(held);
    let request = next(&mut requests).await;
    is_refused(&mut second, 503).await;
    let _opened = within(request.accept()).await.unwrap();
    assert_eq!(third.answer().await.status(), 101);
}

#[tokio::test]
async fn requests_that_nobody_has_taken_are_answered_with_503_when_the_listener_is_dropped() {
    let mut requests = requests().await.max_requests(1);
    let (mut raw, held) = asked(&mut requests).await;
    let mut second = asking(requests.local_addr()).await;
    until_shows(&mut requests, " handshakes: 1,").await;
    drop(requests);
    is_refused(&mut second, 503).await;
    let _opened = within(held.accept()).await.unwrap();
    assert_eq!(raw.answer().await.status(), 101);
}

#[tokio::test]
async fn limit_of_no_requests_is_one() {
    let mut requests = requests().await.max_requests(0);
    let (mut raw, request) = asked(&mut requests).await;
    let _opened = within(request.accept()).await.unwrap();
    assert_eq!(raw.answer().await.status(), 101);
}

#[tokio::test]
async fn refused_client_is_told_so_though_the_listener_is_dropped_at_once() {
    let mut requests = requests().await;
    let (mut raw, request) = asked(&mut requests).await;
    // The task that would send it has not run yet.
    request.refuse(refusal(403, "No.\n")).now_or_never().unwrap().unwrap();
    drop(requests);
    let answer = raw.answer().await;
    assert_eq!((answer.status(), answer.body.as_str()), (403, "No.\n"));
    assert_eq!(raw.rest().await, b"");
}

#[tokio::test]
async fn closed_listener_waits_for_clients_that_read_how_they_were_refused() {
    let mut requests = requests().await;
    let (mut raw, request) = asked(&mut requests).await;
    // A socket that is closed with this unread is reset.
    raw.send(&[0; 30_000]).await;
    requests.close();
    within(request.refuse(refusal(403, "No.\n"))).await.unwrap();
    assert!(requests.next().now_or_never().is_none());
    let reading = async {
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.body.as_str()), (403, "No.\n"));
        assert_eq!(raw.rest().await, b"");
        drop(raw);
    };
    let (end, ()) = within(async { tokio::join!(requests.next(), reading) }).await;
    assert!(end.is_none());
}
