//! More clients than handshakes may be under way: who waits, and who gives way.
//!
//! The listeners have no time limit and the clock stands still, so that nothing here ends because time goes by.

use std::net::SocketAddr;
use std::time::Duration;

use fastwebsockets_stream::Listener;
use futures_util::future::join_all;
use tokio::time::advance;
use tracing::Level;

use super::{accept, gives_nothing, halves, listener, stalled, talk, until_handshakes, until_shows};
use crate::support::clock::Frozen;
use crate::support::raw::{Raw, Request};
use crate::support::{log, within};

/// What a handshake has, however many wait; tokio's timers are accurate to a millisecond.
const GRACE: Duration = Duration::from_millis(1001);

async fn limited(max_handshakes: usize) -> Listener {
    listener().await.time_limit(Duration::MAX).max_handshakes(max_handshakes)
}

/// A client that has sent its whole request.
async fn asking(address: SocketAddr) -> Raw {
    let mut raw = Raw::connect(address).await;
    raw.send(&Request::new().bytes()).await;
    raw
}

/// The handshake of this client is the next that is done.
async fn is_served(listener: &mut Listener, mut raw: Raw) {
    let mut accepted = accept(listener).await;
    assert_eq!(accepted.peer_addr, raw.address());
    assert_eq!(raw.answer().await.status(), 101);
    talk(&mut raw, &mut accepted.stream).await;
}

/// Each end has a file for each of them.
#[cfg(unix)]
#[tokio::test]
async fn half_open_crowd_of_one_host_keeps_nobody_out() {
    use crate::support::child;
    if child::task().is_none() {
        let own = "listener::crowds::half_open_crowd_of_one_host_keeps_nobody_out";
        return child::run_limited(own, 4096).await;
    }
    let _clock = Frozen::new();
    let mut listener = listener().await.time_limit(Duration::MAX);
    let address = listener.local_addr();
    let _crowd = join_all((0..600).map(|_| stalled(address))).await;
    until_handshakes(&mut listener, 512).await;
    let mut good = asking(address).await;
    // From here on the listener is polled only when something wakes it.
    let accepting = tokio::spawn(async move { listener.accept().await });
    advance(GRACE).await;
    assert_eq!(good.answer().await.status(), 101);
    assert_eq!(within(accepting).await.unwrap().unwrap().peer_addr, good.address());
}

/// Nor does it take time.
#[tokio::test]
async fn refused_crowd_keeps_nobody_out() {
    let _clock = Frozen::new();
    let mut listener = limited(4).await;
    let mut crowd = Vec::new();
    for i in 1..=20_usize {
        let mut raw = Raw::connect(listener.local_addr()).await;
        raw.send(&Request::new().without("Host").bytes()).await;
        let answer = tokio::select! {
            answer = raw.answer() => answer,
            accepted = listener.accept() => panic!("{accepted:?}"),
        };
        assert_eq!(answer.status(), 400);
        until_shows(&mut listener, &format!("handshakes: 0, lingering: {},", i.min(4))).await;
        crowd.push(raw);
    }
    let good = asking(listener.local_addr()).await;
    is_served(&mut listener, good).await;
    // Those that leave make room for others.
    crowd.clear();
    until_shows(&mut listener, "lingering: 0,").await;
}

/// A process that ends when its listener does takes no answer away.
#[tokio::test]
async fn closed_listener_waits_for_clients_that_read_why_they_were_refused() {
    let _clock = Frozen::new();
    let mut listener = limited(4).await;
    let request = Request::new().without("Host").bytes();
    let mut raw = Raw::connect(listener.local_addr()).await;
    raw.send(&request[..40]).await;
    until_handshakes(&mut listener, 1).await;
    listener.close();
    let accepting = tokio::spawn(async move { listener.accept().await.is_none() });
    raw.send(&request[40..]).await;
    assert_eq!(raw.answer().await.status(), 400);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(!accepting.is_finished());
    drop(raw);
    assert!(within(accepting).await.unwrap());
}

#[tokio::test]
async fn handshake_that_gives_way_is_the_oldest_and_only_after_a_second() {
    let _clock = Frozen::new();
    let mut listener = limited(3).await;
    let address = listener.local_addr();
    let mut crowd = Vec::new();
    for i in 1..=3 {
        crowd.push(stalled(address).await);
        until_handshakes(&mut listener, i).await;
        advance(GRACE / 4).await;
    }
    let next = asking(address).await;
    until_shows(&mut listener, "waiting: true").await;
    gives_nothing(&mut listener).await;
    let last = crowd.pop().unwrap();
    let mut oldest = crowd.remove(0);
    advance(GRACE / 4).await;
    is_served(&mut listener, next).await;
    assert!(oldest.rest().await.is_empty());
    // The others have had their second as well, and there are as many as may be; but nobody waits any more.
    let new = stalled(address).await;
    until_handshakes(&mut listener, 3).await;
    advance(60 * GRACE).await;
    gives_nothing(&mut listener).await;
    for mut other in [last, crowd.remove(0), new] {
        other.send(&halves().1).await;
        is_served(&mut listener, other).await;
    }
}

/// The whole process may stand still for a while; then all of them have had their second.
#[tokio::test]
async fn handshakes_that_can_go_on_do_so_before_a_second_one_gives_way() {
    let _clock = Frozen::new();
    let mut listener = limited(8).await;
    let address = listener.local_addr();
    let mut clients = join_all((0..16).map(|_| stalled(address))).await;
    until_shows(&mut listener, "handshakes: 8, lingering: 0, waiting: true").await;
    for raw in &mut clients {
        raw.send(&halves().1).await;
    }
    advance(GRACE).await;
    // Polled here, the listener comes before the handshakes, which have been woken and have not run yet.
    let serve = async { while listener.accept().await.is_some() {} };
    let count_cut = async {
        let mut cut = 0;
        for raw in &mut clients {
            cut += usize::from(raw.rest().await.is_empty());
        }
        cut
    };
    tokio::select! {
        biased;
        () = serve => panic!("it has ended"),
        cut = count_cut => assert!(cut <= 1, "{cut} have given way"),
    }
}

/// Only where there is a second address without further ado.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn crowd_of_one_address_costs_no_other_its_handshake() {
    let _clock = Frozen::new();
    let mut listener = limited(4).await;
    let address = listener.local_addr();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = Raw::new(socket.connect(address).await.unwrap());
    other.send(&halves().0).await;
    until_handshakes(&mut listener, 1).await;
    // It is the oldest of all.
    advance(GRACE).await;
    let crowd = join_all((0..4).map(|_| stalled(address))).await;
    until_shows(&mut listener, "waiting: true").await;
    gives_nothing(&mut listener).await;
    let good = asking(address).await;
    advance(GRACE).await;
    is_served(&mut listener, good).await;
    other.send(&halves().1).await;
    is_served(&mut listener, other).await;
    drop(crowd);
}

#[tokio::test]
async fn handshake_that_is_done_waits_to_be_accepted_and_never_gives_way() {
    let _clock = Frozen::new();
    let mut listener = limited(2).await;
    let address = listener.local_addr();
    let mut done = [stalled(address).await, stalled(address).await];
    until_handshakes(&mut listener, 2).await;
    let next = asking(address).await;
    until_shows(&mut listener, "waiting: true").await;
    for raw in &mut done {
        raw.send(&halves().1).await;
        assert_eq!(raw.answer().await.status(), 101);
    }
    advance(60 * GRACE).await;
    let mut accepted = [accept(&mut listener).await, accept(&mut listener).await];
    accepted.sort_by_key(|accepted| accepted.peer_addr != done[0].address());
    for (raw, accepted) in done.iter_mut().zip(&mut accepted) {
        assert_eq!(accepted.peer_addr, raw.address());
        talk(raw, &mut accepted.stream).await;
    }
    is_served(&mut listener, next).await;
}

/// Far more than the limit, all at once, and each as slow as it may be.
#[tokio::test]
async fn burst_of_honest_clients_loses_nobody() {
    let _clock = Frozen::new();
    let mut listener = limited(8).await;
    let address = listener.local_addr();
    let mut clients = join_all((0..100).map(|_| stalled(address))).await;
    until_shows(&mut listener, "waiting: true").await;
    advance(GRACE - Duration::from_millis(3)).await;
    gives_nothing(&mut listener).await;
    tokio::spawn(async move { while listener.accept().await.is_some() {} });
    let finish = clients.iter_mut().map(async |raw| {
        raw.send(&halves().1).await;
        assert_eq!(raw.answer().await.status(), 101);
    });
    join_all(finish).await;
}

#[tokio::test]
async fn handshake_that_gives_way_is_logged() {
    log::install();
    let _clock = Frozen::new();
    let mut listener = limited(1).await;
    let raw = stalled(listener.local_addr()).await;
    until_handshakes(&mut listener, 1).await;
    let next = asking(listener.local_addr()).await;
    until_shows(&mut listener, "waiting: true").await;
    advance(GRACE).await;
    is_served(&mut listener, next).await;
    let says = "a handshake has given way to the next connection";
    let events = log::events();
    let event = events.iter().find(|event| event.get("message") == says).unwrap();
    assert_eq!(event.level, Level::INFO);
    assert_eq!(event.get("peer_addr"), raw.address().to_string());
}
