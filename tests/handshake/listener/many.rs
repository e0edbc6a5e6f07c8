//! As many connections as the system has room for.
#![cfg(unix)]

use futures_util::future::join_all;
use tokio::net::TcpStream;
use tracing::Level;

use super::{accept, halves, listener, stalled, talk};
use crate::support::raw::{Raw, Request};
use crate::support::{child, echo, log, wire, within};

use fastwebsockets_stream::Role::Server as OURS;

/// All have begun before the first one ends, most of them in the backlog. Both ends are here, so two files for each.
#[tokio::test]
async fn thousand_handshakes_at_once_all_succeed() {
    if child::task().is_none() {
        return child::run_limited("listener::many::thousand_handshakes_at_once_all_succeed", 4096).await;
    }
    const ALL: usize = 1000;
    let mut listener = listener().await.max_handshakes(ALL);
    let address = listener.local_addr();
    let server = tokio::spawn(async move {
        for _ in 0..ALL {
            let accepted = accept(&mut listener).await;
            tokio::spawn(async { echo(accepted.stream).await.unwrap() });
        }
        listener.close();
        assert!(listener.accept().await.is_none());
    });
    let mut clients = join_all((0..ALL).map(|_| stalled(address))).await;
    let finish = clients.iter_mut().enumerate().map(async |(i, raw)| {
        raw.send(&halves().1).await;
        assert_eq!(raw.answer().await.status(), 101);
        let message = i.to_string().into_bytes();
        raw.send(&wire::data(OURS, &message)).await;
        assert_eq!(raw.frame().await.payload, message);
        raw.send(&wire::close(OURS, Some(1000), "")).await;
        assert_eq!(raw.frame().await.opcode, wire::CLOSE);
        assert!(raw.rest().await.is_empty());
    });
    within(join_all(finish)).await;
    within(server).await.unwrap();
}

#[tokio::test]
async fn listener_without_files_left_says_so_and_goes_on_when_there_are_some() {
    if child::task().is_none() {
        let own = "listener::many::listener_without_files_left_says_so_and_goes_on_when_there_are_some";
        return child::run_limited(own, 64).await;
    }
    log::install();
    let mut listener = listener().await;
    let address = listener.local_addr();
    // They wait in the backlog: nobody polls the listener yet.
    let mut clients = Vec::new();
    let error = loop {
        match TcpStream::connect(address).await {
            Ok(tcp) => clients.push(tcp),
            Err(error) => break error,
        }
    };
    let full = error.raw_os_error();
    assert!(clients.len() > 8, "{error}");
    let event = tokio::select! {
        event = log::event(|event| event.level == Level::WARN) => event,
        accepted = listener.accept() => panic!("{accepted:?}"),
    };
    assert_eq!(event.get("message"), "cannot accept; trying again in a second");
    assert_eq!(event.get("error"), std::io::Error::from_raw_os_error(full.unwrap()).to_string());
    // The first is served after all, once the last have left.
    clients.truncate(4);
    let mut raw = Raw::new(clients.remove(0));
    raw.send(&Request::new().bytes()).await;
    let mut accepted = accept(&mut listener).await;
    assert_eq!(raw.answer().await.status(), 101);
    talk(&mut raw, &mut accepted.stream).await;
}
