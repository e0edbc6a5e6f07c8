//! Which web pages may connect (RFC 6455, section 10.2), over the wire.

use fastwebsockets_stream::{Origins, Upgrader};

use crate::support::binary;
use crate::support::raw::{Raw, Request};
use crate::support::serve::{Http, Server};

/// An origin, if any, with its host, and whether it may connect.
type Case = (Option<&'static str>, &'static str, bool);

async fn check(origins: Origins, cases: &[Case]) {
    let server = Server::new(Http::One, Upgrader::new(binary()).origins(origins)).await;
    for &(origin, host, allowed) in cases {
        let mut request = Request::new().instead(&format!("Host: {host}"));
        if let Some(origin) = origin {
            request = request.with(&format!("Origin: {origin}"));
        }
        let answer = Raw::connect(server.address).await.ask(&request).await;
        assert_eq!(answer.status(), if allowed { 101 } else { 403 }, "{origin:?} at {host}: {answer:?}");
        if !allowed {
            assert_eq!(answer.body, format!("the origin \"{}\" is not allowed\n", origin.unwrap()));
        }
    }
}

#[tokio::test]
async fn any_page_may_connect_by_default_and_with_any() {
    let cases = [
        (None, "app.example", true),
        (Some("https://evil.example"), "app.example", true),
        (Some("null"), "app.example", true),
        (Some("nonsense"), "app.example", true),
    ];
    check(Origins::default(), &cases).await;
    check(Origins::any(), &cases).await;
}

#[tokio::test]
async fn same_host_lets_pages_of_the_host_connect_and_no_others() {
    let cases = [
        (None, "app.example", true),
        (Some("https://app.example"), "app.example", true),
        (Some("http://app.example"), "app.example:80", true),
        (Some("https://app.example:443"), "APP.EXAMPLE", true),
        (Some("http://127.0.0.1:8080"), "127.0.0.1:8080", true),
        (Some("http://[::1]:8080"), "[::1]:8080", true),
        (Some("https://app.example"), "app.example:8443", false),
        (Some("https://app.example.evil"), "app.example", false),
        (Some("https://evil.example"), "app.example", false),
        (Some("https://evil.example/app.example"), "app.example", false),
        (Some("https://app.example@evil.example"), "app.example", false),
        (Some("https://app.example https://evil.example"), "app.example", false),
        (Some("https://app.example, https://evil.example"), "app.example", false),
        (Some("null"), "app.example", false),
        (Some(""), "app.example", false),
    ];
    check(Origins::same_host(), &cases).await;
}

/// A request target with a host of its own must be that of Host, or it would not be clear which is meant (RFC 9112, section
/// 3.2.2).
#[tokio::test]
async fn same_host_is_the_host_of_the_request_target_where_it_has_one() {
    let server = Server::new(Http::One, Upgrader::new(binary()).origins(Origins::same_host())).await;
    let request = Request::new().line("GET http://app.example/chat HTTP/1.1");
    let other = request.clone().with("Origin: http://app.example");
    assert_eq!(Raw::connect(server.address).await.ask(&other).await.status(), 400);
    for (origin, status) in [("http://app.example", 101), ("http://server.example.com", 403)] {
        let request = request.clone().instead("Host: app.example:80").with(&format!("Origin: {origin}"));
        assert_eq!(Raw::connect(server.address).await.ask(&request).await.status(), status, "{origin}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
//= type=test
//# A connection attempt lacking this header field SHOULD NOT be interpreted as coming from a browser client.
//= https://www.rfc-editor.org/rfc/rfc6455#section-10.2
//= type=test
//# SHOULD verify the |Origin| field is an origin they expect.
#[tokio::test]
async fn list_lets_its_pages_connect_whatever_the_host() {
    let cases = [
        (None, "inside:8080", true),
        (Some("https://app.example"), "inside:8080", true),
        (Some("HTTPS://App.Example:443"), "inside:8080", true),
        (Some("http://localhost:3000"), "inside:8080", true),
        (Some("http://inside:8080"), "inside:8080", false),
        (Some("http://app.example"), "inside:8080", false),
        (Some("https://app.example:8443"), "inside:8080", false),
        (Some("https://app.example/"), "inside:8080", false),
        (Some("https://app.example/app.example"), "inside:8080", false),
        (Some("https://user@app.example"), "inside:8080", false),
        (Some("https://user@app.example:443"), "inside:8080", false),
        (Some("https://sub.app.example"), "inside:8080", false),
        (Some("null"), "inside:8080", false),
    ];
    check(Origins::list(["https://app.example", "http://localhost:3000"]).unwrap(), &cases).await;
    check(Origins::list(["null"]).unwrap(), &[(Some("null"), "inside", true)]).await;
    let nobody = Origins::none();
    check(nobody, &[(None, "inside", true), (Some("https://inside"), "inside", false)]).await;
}

#[tokio::test]
async fn origin_that_is_long_or_not_text_is_refused_with_its_beginning() {
    let server = Server::new(Http::One, Upgrader::new(binary()).origins(Origins::same_host())).await;
    let field = [b"Origin: \xfe".as_slice(), &[b'a'; 200]].concat();
    let answer = Raw::connect(server.address).await.ask(&Request::new().with_bytes(&field)).await;
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.body, format!("the origin \"\\xfe{}...\" is not allowed\n", "a".repeat(79)));
}
