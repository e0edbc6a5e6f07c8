//! Bad requests, one rule each: RFC 6455, section 4.2.1.

use fastwebsockets_stream::{Origins, Rejection, Upgrader};

use crate::support::raw::{Answer, Raw, Request};
use crate::support::serve::{Http, Server};
use crate::support::{binary, rejection};

/// A request, and what its answer must be: the fields are those beside Content-Type, Content-Length and Date.
struct Bad {
    request: Request,
    status: u16,
    fields: &'static [(&'static str, &'static str)],
    says: &'static str,
}

fn bad(request: Request, status: u16, says: &'static str) -> Bad {
    Bad { request, status, fields: &[], says }
}

fn with_fields(mut bad: Bad, fields: &'static [(&'static str, &'static str)]) -> Bad {
    bad.fields = fields;
    bad
}

const ALLOW: &[(&str, &str)] = &[("allow", "GET")];
const VERSION: &[(&str, &str)] = &[("sec-websocket-version", "13")];
const UPGRADE: &[(&str, &str)] =
    &[("connection", "Upgrade"), ("sec-websocket-version", "13"), ("upgrade", "websocket")];

fn methods_and_hosts() -> Vec<Bad> {
    let r = Request::new;
    let method = |line, says| with_fields(bad(r().line(line), 405, says), ALLOW);
    vec![
        method("POST /chat HTTP/1.1", "the method is POST; a WebSocket is asked for by GET"),
        method("OPTIONS * HTTP/1.1", "the method is OPTIONS; a WebSocket is asked for by GET"),
        method("get /chat HTTP/1.1", "the method is get; a WebSocket is asked for by GET"),
        bad(
            r().line("GET /chat HTTP/1.0").with("Connection: keep-alive"),
            400,
            "the request is HTTP/1.0; a WebSocket needs HTTP/1.1 or later",
        ),
        bad(r().without("Host"), 400, "the field host is missing"),
        bad(r().with("Host: server.example.com"), 400, "the field host is there more than once"),
        bad(r().instead("Host: "), 400, "the field host is \"\"; expected a host, with a port or without"),
        bad(
            r().instead("Host: a b"),
            400,
            "the field host is \"a b\"; expected a host, with a port or without",
        ),
        bad(
            r().instead("Host: user:secret@server.example.com"),
            400,
            "the field host is \"...@server.example.com\"; expected a host, with a port or without",
        ),
    ]
}

fn tokens() -> Vec<Bad> {
    let r = Request::new;
    let (no_websocket, no_upgrade) = (
        "the field upgrade does not contain \"websocket\"",
        "the field connection does not contain \"Upgrade\"",
    );
    vec![
        bad(r().without("Upgrade"), 400, "the field upgrade is missing"),
        bad(r().instead("Upgrade: h2c"), 400, no_websocket),
        bad(r().instead("Upgrade: "), 400, no_websocket),
        bad(r().instead("Upgrade: websocket2, web socket"), 400, no_websocket),
        bad(r().instead("Upgrade: websocket;q=1"), 400, no_websocket),
        bad(r().without("Connection"), 400, "the field connection is missing"),
        bad(r().instead("Connection: keep-alive"), 400, no_upgrade),
        bad(r().instead("Connection: keep-alive, Upgraded"), 400, no_upgrade),
        bad(r().instead("Connection: keep-alive").with("Connection: websocket"), 400, no_upgrade),
    ]
}

fn keys() -> Vec<Bad> {
    let r = Request::new;
    let key = |value: &[u8], says| {
        let field = [b"Sec-WebSocket-Key: ", value].concat();
        bad(r().without("Sec-WebSocket-Key").with_bytes(&field), 400, says)
    };
    vec![
        bad(r().without("Sec-WebSocket-Key"), 400, "the field sec-websocket-key is missing"),
        bad(
            r().with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
            400,
            "the field sec-websocket-key is there more than once",
        ),
        key(b"", "the field sec-websocket-key is \"\"; expected 16 bytes in base64"),
        key(
            b"dGhlIHNhbXBsZSBub25j",
            "the field sec-websocket-key is \"dGhlIHNhbXBsZSBub25j\"; expected 16 bytes in base64",
        ),
        key(
            b"dGhlIHNhbXBsZSBub25jZWY=",
            "the field sec-websocket-key is \"dGhlIHNhbXBsZSBub25jZWY=\"; expected 16 bytes in base64",
        ),
        key(
            b"dGhlIHNhbXBsZSBub25jZQ",
            "the field sec-websocket-key is \"dGhlIHNhbXBsZSBub25jZQ\"; expected 16 bytes in base64",
        ),
        key(b"0123456789abcdef\xff", {
            "the field sec-websocket-key is \"0123456789abcdef\\xff\"; expected 16 bytes in base64"
        }),
        key(
            b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "the field sec-websocket-key is \
             \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\"; \
             expected 16 bytes in base64",
        ),
    ]
}

fn versions() -> Vec<Bad> {
    let r = Request::new;
    let other = |field, says| with_fields(bad(r().instead(field), 426, says), UPGRADE);
    vec![
        with_fields(
            bad(r().without("Sec-WebSocket-Version"), 400, "the field sec-websocket-version is missing"),
            VERSION,
        ),
        bad(
            r().with("Sec-WebSocket-Version: 13"),
            400,
            "the field sec-websocket-version is there more than once",
        ),
        other("Sec-WebSocket-Version: 8", "the field sec-websocket-version is \"8\"; expected \"13\""),
        other("Sec-WebSocket-Version: 14", "the field sec-websocket-version is \"14\"; expected \"13\""),
        other("Sec-WebSocket-Version: 013", "the field sec-websocket-version is \"013\"; expected \"13\""),
        other("Sec-WebSocket-Version: 13, 8", {
            "the field sec-websocket-version is \"13, 8\"; expected \"13\""
        }),
        other("Sec-WebSocket-Version: ", "the field sec-websocket-version is \"\"; expected \"13\""),
        // The oldest drafts have other keys; what such a client must hear about is the version.
        with_fields(
            bad(
                r().without("Sec-WebSocket-Key").instead("Sec-WebSocket-Version: 7"),
                426,
                "the field sec-websocket-version is \"7\"; expected \"13\"",
            ),
            UPGRADE,
        ),
    ]
}

fn origins() -> Vec<Bad> {
    let r = Request::new;
    vec![
        bad(
            r().with("Origin: https://evil.example"),
            403,
            "the origin \"https://evil.example\" is not allowed",
        ),
        bad(
            r().with("Origin: https://app.example").with("Origin: https://app.example"),
            400,
            "the field origin is there more than once",
        ),
    ]
}

#[track_caller]
fn check(answer: &Answer, expected: &Bad) {
    let version = if expected.says.contains("HTTP/1.0") { "HTTP/1.0" } else { "HTTP/1.1" };
    assert!(answer.line.starts_with(&format!("{version} {} ", expected.status)), "{answer:?}");
    assert_eq!(answer.body, format!("{}\n", expected.says));
    let length = answer.body.len().to_string();
    let mut fields = expected.fields.to_vec();
    fields.extend([("content-length", length.as_str()), ("content-type", "text/plain; charset=utf-8")]);
    if version == "HTTP/1.0" {
        fields.push(("connection", "keep-alive"));
    }
    fields.sort_unstable();
    assert_eq!(answer.without_date(), fields, "{}", expected.says);
}

/// Each on the connection of the one before, so the answer leaves it usable; the last request there is a good one.
async fn refuse(table: Vec<Bad>) {
    let origins = Origins::list(["https://app.example"]).unwrap();
    let mut server = Server::new(Http::One, Upgrader::new(binary()).origins(origins)).await;
    let mut raw = Raw::connect(server.address).await;
    for expected in table {
        let answer = raw.ask(&expected.request).await;
        check(&answer, &expected);
        let upgrade = server.upgrade().await;
        let reason = upgrade.rejection().unwrap().clone();
        assert_eq!((reason.status().as_u16(), reason.to_string().as_str()), (expected.status, expected.says));
        assert_eq!(upgrade.subprotocol(), None);
        let error = upgrade.await.unwrap_err();
        assert_eq!(rejection(&error), &reason);
        assert_eq!(error.to_string(), expected.says);
    }
    assert_eq!(raw.ask(&Request::new()).await.status(), 101);
    assert!(server.stream().await.peer_close().is_none());
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
//= type=test
//# the server MUST stop processing the client's handshake and return an HTTP response with an appropriate error
//# code
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
//= type=test
//# An HTTP/1.1 or higher GET request
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
//= type=test
//# A |Host| header field containing the server's authority.
//= https://www.rfc-editor.org/rfc/rfc6455#section-10.7
//= type=test
//# the server SHOULD return an appropriate HTTP [RFC2616] status code.
#[tokio::test]
async fn request_by_another_method_or_without_a_host_is_refused_and_told_why() {
    refuse(methods_and_hosts()).await;
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
//= type=test
//# An |Upgrade| header field containing the value "websocket", treated as an ASCII case-insensitive value.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
//= type=test
//# A |Connection| header field that includes the token "Upgrade", treated as an ASCII case-insensitive value.
#[tokio::test]
async fn request_without_the_tokens_of_an_upgrade_is_refused_and_told_why() {
    refuse(tokens()).await;
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
//= type=test
//# A |Sec-WebSocket-Key| header field with a base64-encoded (see Section 4 of [RFC4648]) value that, when
//# decoded, is 16 bytes in length.
#[tokio::test]
async fn request_without_one_key_of_16_bytes_is_refused_and_told_why() {
    refuse(keys()).await;
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
//= type=test
//# A |Sec-WebSocket-Version| header field, with a value of 13.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//= type=test
//# If this version does not match a version understood by the server, the server MUST abort the WebSocket
//# handshake
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.4
//= type=test
//# it MUST respond with a |Sec-WebSocket-Version| header field
#[tokio::test]
async fn request_of_another_version_is_refused_and_told_which_one_there_is() {
    refuse(versions()).await;
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//= type=test
//# If the server does not wish to accept this connection, it MUST return an appropriate HTTP error code
//= https://www.rfc-editor.org/rfc/rfc6455#section-10.2
//= type=test
//# it SHOULD respond to the WebSocket handshake with a reply containing HTTP 403 Forbidden status code.
#[tokio::test]
async fn request_from_a_foreign_page_is_refused_and_told_why() {
    refuse(origins()).await;
}

/// Whether hyper reads the body, and so whether the connection goes on, is its own business.
#[tokio::test]
async fn request_with_a_body_is_refused_and_told_why() {
    let mut server = Server::new(Http::One, Upgrader::new(binary())).await;
    let r = Request::new;
    for request in [
        r().with("Content-Length: 5").then(b"hello"),
        r().with("Content-Length: 5"),
        r().with("Content-Length: 5").with("Expect: 100-continue"),
        r().with("Transfer-Encoding: chunked").then(b"5\r\nhello\r\n0\r\n\r\n"),
    ] {
        let answer = Raw::connect(server.address).await.ask(&request).await;
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.body, "the request has a body; a request for a WebSocket must not\n");
        assert_eq!(server.upgrade().await.rejection(), Some(&Rejection::Body));
    }
}

/// The answer to HEAD has no body, whatever it says of its length.
#[tokio::test]
async fn head_request_is_refused_without_a_body() {
    let server = Server::new(Http::One, Upgrader::new(binary())).await;
    let mut raw = Raw::connect(server.address).await;
    let request = Request::new().line("HEAD /chat HTTP/1.1").with("Connection: close");
    raw.send(&request.bytes()).await;
    let answer = String::from_utf8(raw.rest().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.contains("allow: GET\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}
