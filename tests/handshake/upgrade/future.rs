//! The future of the stream: when it is done, and with which error.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use fastwebsockets_stream::{Rejection, Upgrade, Upgrader, upgrade};
use http::Request;
use tokio::io::AsyncReadExt;

use crate::support::raw::{self, Raw};
use crate::support::serve::{Http, Server};
use crate::support::{binary, rejection, within};

fn request() -> Request<()> {
    Request::get("/chat")
        .header("host", "server.example.com")
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-key", raw::KEY)
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap()
}

#[tokio::test]
async fn request_that_no_server_of_hypers_has_read_is_not_upgradable() {
    let (response, upgrade) = upgrade(request(), binary());
    assert_eq!(response.status(), 500);
    assert_eq!(upgrade.rejection(), Some(&Rejection::NotUpgradable));
    let error = upgrade.await.unwrap_err();
    assert_eq!(rejection(&error), &Rejection::NotUpgradable);
    assert!(error.to_string().contains("with_upgrades()"), "{error}");
}

/// What is wrong with the request is the client's business, and comes before what is wrong with the server.
#[tokio::test]
async fn bad_request_that_is_not_upgradable_either_is_told_what_is_bad() {
    let mut bad = request();
    bad.headers_mut().remove("upgrade");
    let (response, upgrade) = upgrade(&mut bad, binary());
    assert_eq!(response.status(), 400);
    assert!(matches!(upgrade.rejection(), Some(Rejection::MissingHeader { name, .. }) if name == "upgrade"));
}

#[tokio::test]
async fn connection_served_without_upgrades_is_an_error_that_says_so() {
    let mut server = Server::new(Http::OneWithoutUpgrades, Upgrader::new(binary())).await;
    let mut raw = Raw::connect(server.address).await;
    assert_eq!(raw.ask(&raw::Request::new()).await.status(), 101);
    let error = within(server.upgrade().await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    let inner = error.get_ref().unwrap().downcast_ref::<hyper::Error>().expect("hyper's own error");
    assert!(inner.is_user(), "{inner:?}");
    assert!(raw.rest().await.is_empty());
}

/// A service may change its mind. hyper tells nobody before the connection ends, with or without an error.
#[tokio::test]
async fn response_that_is_not_sent_leaves_no_more_than_a_stream_that_ends_with_the_connection() {
    let mut server = Server::with(Http::One, |request| {
        let (mut response, upgrade) = upgrade(request, binary());
        *response.status_mut() = http::StatusCode::FORBIDDEN;
        (response, upgrade)
    })
    .await;
    for field in ["Connection: keep-alive", "Connection: close"] {
        let mut raw = Raw::connect(server.address).await;
        assert_eq!(raw.ask(&raw::Request::new().with(field)).await.status(), 403);
        drop(raw);
        let ended = match within(server.upgrade().await).await {
            Ok(mut stream) => within(stream.read_u8()).await.unwrap_err().kind(),
            Err(error) => error.kind(),
        };
        assert!(matches!(ended, ErrorKind::UnexpectedEof | ErrorKind::Other), "{field}: {ended:?}");
    }
}

#[tokio::test]
async fn client_that_leaves_before_the_answer_is_an_error_and_not_a_wait() {
    // hyper asks for the response only after this has been dropped.
    let client: Arc<Mutex<Option<Raw>>> = Arc::default();
    let leaving = client.clone();
    let mut server = Server::with(Http::One, move |request| {
        let raw = leaving.lock().unwrap().take().unwrap();
        // A reset, so that the server cannot write its answer either.
        raw.io.set_zero_linger().unwrap();
        drop(raw);
        upgrade(request, binary())
    })
    .await;
    let mut raw = Raw::connect(server.address).await;
    let request = raw::Request::new().bytes();
    let (last, first) = request.split_last().unwrap();
    raw.send(first).await;
    // The last byte is sent under the lock, so the service finds the client.
    {
        let mut slot = client.lock().unwrap();
        raw.io.try_write(&[*last]).unwrap();
        *slot = Some(raw);
    }
    let upgrade: Upgrade = server.upgrade().await;
    match within(upgrade).await {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Other);
            assert!(error.get_ref().unwrap().is::<hyper::Error>(), "{error:?}");
        }
        // The system may have taken the answer before it knew: then it is the stream that ends.
        Ok(mut stream) => assert!(within(stream.read_u8()).await.is_err()),
    }
}

#[tokio::test]
async fn future_that_is_dropped_ends_the_connection_after_the_answer() {
    let mut server = Server::new(Http::One, Upgrader::new(binary())).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(&raw::Request::new().bytes()).await;
    drop(server.upgrade().await);
    assert_eq!(raw.answer().await.status(), 101);
    assert!(raw.rest().await.is_empty());
}

/// Polled in a `select` and dropped there, it goes on where it was.
#[tokio::test]
async fn future_can_be_awaited_again_after_a_wait_that_was_cancelled() {
    let mut server = Server::new(Http::One, Upgrader::new(binary())).await;
    let mut raw = Raw::connect(server.address).await;
    let request = raw::Request::new().bytes();
    raw.send(&request).await;
    let mut upgrade = server.upgrade().await;
    tokio::select! {
        biased;
        _ = &mut upgrade => {}
        () = std::future::ready(()) => {
            within(upgrade).await.unwrap();
        }
    }
    assert_eq!(raw.answer().await.status(), 101);
}

#[test]
fn future_shows_why_it_was_refused_and_nothing_of_the_request() {
    let mut bad = request();
    bad.headers_mut().insert("cookie", http::HeaderValue::from_static("secret"));
    *bad.method_mut() = http::Method::POST;
    let shown = format!("{:?}", upgrade(bad, binary()).1);
    assert!(shown.contains("POST") && !shown.contains("secret"), "{shown}");
}
