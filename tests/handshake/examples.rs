//! The example of RFC 6455, sections 1.2 and 1.3: the client's handshake, and the server's answer to it.

use fastwebsockets_stream::Upgrader;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::support::raw::Raw;
use crate::support::serve::{Http, Server};
use crate::support::{binary, within};

const HANDSHAKE: &str = "\
GET /chat HTTP/1.1\r
Host: server.example.com\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
Origin: http://example.com\r
Sec-WebSocket-Protocol: chat, superchat\r
Sec-WebSocket-Version: 13\r
\r
";

const ANSWER: &str = "\
HTTP/1.1 101 Switching Protocols\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r
Sec-WebSocket-Protocol: chat\r
\r
";

/// The first line, and the fields, whose order means nothing.
fn lines(head: &str) -> (&str, Vec<&str>) {
    let (first, fields) = head.split_once("\r\n").expect("a first line");
    let mut fields: Vec<_> = fields.lines().collect();
    fields.sort_unstable();
    (first, fields)
}

#[tokio::test]
async fn handshake_of_the_rfc_is_answered_as_there_over_a_transport() {
    let upgrader = Upgrader::new(binary()).subprotocols(["chat"]).expect("a token");
    let (mut near, far) = duplex(1 << 16);
    near.write_all(HANDSHAKE.as_bytes()).await.expect("room for the request");
    let opened = within(upgrader.over(far)).await.expect("the request keeps the rules");
    assert_eq!(opened.subprotocol.as_deref(), Some("chat"));
    drop(opened);
    let mut answer = String::new();
    within(near.read_to_string(&mut answer)).await.expect("an answer");
    assert_eq!(lines(&answer), lines(ANSWER));
}

#[tokio::test]
async fn handshake_of_the_rfc_is_answered_as_there_by_a_service_of_hyper() {
    let upgrader = Upgrader::new(binary()).subprotocols(["chat"]).expect("a token");
    let server = Server::new(Http::One, upgrader).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(HANDSHAKE.as_bytes()).await;
    let answer = raw.answer().await;
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.field("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(answer.field("sec-websocket-protocol"), "chat");
}
