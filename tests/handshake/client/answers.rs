//! What the client checks of an answer (RFC 6455, section 4.1): each wrong one is its own error.

use std::io::ErrorKind;

use fastwebsockets_stream::{Client, ConnectError};
use http::{StatusCode, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::client::{accept, answer, config, read_head, serve, soon, switching};

/// Connects, with two subprotocols, to a server that answers with this.
async fn refused(octets: impl FnOnce(&str) -> Vec<u8> + Send + 'static) -> ConnectError {
    let (port, server) = answer(octets).await;
    let client = Client::new(config()).subprotocols(["one", "two"]);
    let error = client.connect(&format!("ws://localhost:{port}")).await.unwrap_err();
    server.await.unwrap();
    error
}

/// The right answer with one thing replaced.
async fn refused_with(from: &'static str, to: &'static str) -> ConnectError {
    refused(move |head| {
        let right = switching(head, "");
        let wrong = right.replace(from, to).replace("ACCEPT", &accept(head));
        assert_ne!(right, wrong);
        wrong.into_bytes()
    })
    .await
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# The client MUST validate the server's response as follows:
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# If the response lacks an |Upgrade| header field or the |Upgrade| header field contains a value that is not
//# an ASCII case-insensitive match for the value "websocket", the client MUST
#[tokio::test]
async fn answer_without_the_right_upgrade_is_refused() {
    for (to, shown) in [
        ("", ""),
        ("Upgrade: h2c\r\n", "h2c"),
        ("Upgrade: websockets\r\n", "websockets"),
        ("Upgrade: \r\n", ""),
        ("Upgrade: websocket, h2c\r\n", "websocket, h2c"),
        ("Upgrade: websocket\r\nUpgrade: websocket\r\n", "websocket, websocket"),
    ] {
        match refused_with("Upgrade: websocket\r\n", to).await {
            ConnectError::Upgrade { received, .. } => assert_eq!(received, shown),
            other => panic!("{to:?}: {other:?}"),
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# If the response lacks a |Connection| header field or the |Connection| header field doesn't contain a token
//# that is an ASCII case-insensitive match for the value "Upgrade", the client MUST
#[tokio::test]
async fn answer_without_the_right_connection_is_refused() {
    for (to, shown) in [("", ""), ("Connection: keep-alive\r\n", "keep-alive"), ("Connection: up\r\n", "up")]
    {
        match refused_with("Connection: Upgrade\r\n", to).await {
            ConnectError::Connection { received, .. } => assert_eq!(received, shown),
            other => panic!("{to:?}: {other:?}"),
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# but ignoring any leading and trailing whitespace, the client MUST _Fail the WebSocket Connection_.
#[tokio::test]
async fn answer_without_the_accept_of_the_key_is_refused() {
    for to in ["X: ", "Sec-WebSocket-Accept: x", "Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Accept: "] {
        let error = refused_with("Sec-WebSocket-Accept: ", to).await;
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        match error {
            ConnectError::Accept { received, expected, .. } => {
                assert!(expected.len() == 28 && received != expected, "{to:?}: {received:?}");
            }
            other => panic!("{to:?}: {other:?}"),
        }
    }
    // The key itself, the accept of another key, in another case.
    let error =
        refused(|head| switching(head, "").replace(&accept(head), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=").into())
            .await;
    assert!(
        matches!(error, ConnectError::Accept { received, .. } if received == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    let error =
        refused(|head| switching(head, "").replace(&accept(head), &accept(head).to_lowercase()).into()).await;
    assert!(matches!(error, ConnectError::Accept { .. }), "{error:?}");
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# (the server has indicated an extension not requested by the client), the client MUST _Fail the WebSocket
//# Connection_.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# (the server has indicated a subprotocol not requested by the client), the client MUST _Fail the WebSocket
//# Connection_.
#[tokio::test]
async fn answer_with_what_was_not_asked_for_is_refused() {
    for more in ["permessage-deflate", "x-unknown; a=b"] {
        let error = refused(move |head| {
            switching(head, &format!("Sec-WebSocket-Extensions: {more}\r\n")).into_bytes()
        })
        .await;
        assert!(matches!(&error, ConnectError::Extensions { received, .. } if received == more), "{error:?}");
    }
    for (more, shown) in [
        ("three", "three"),
        ("ONE", "ONE"),
        ("", ""),
        ("one, two", "one, two"),
        ("one\r\nSec-WebSocket-Protocol: two", "one, two"),
        ("one\r\nSec-WebSocket-Protocol: one", "one, one"),
    ] {
        let error =
            refused(move |head| switching(head, &format!("Sec-WebSocket-Protocol: {more}\r\n")).into_bytes())
                .await;
        match error {
            ConnectError::SubprotocolNotAsked { received, asked, .. } => {
                assert_eq!(received, shown);
                assert_eq!(asked, 2);
            }
            other => panic!("{more:?}: {other:?}"),
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# If the server's response does not conform to the requirements for the server's handshake as defined in this
//# section and in Section 4.2.2, the client MUST
#[tokio::test]
async fn answer_in_http_1_0_is_refused() {
    let error = refused_with("HTTP/1.1", "HTTP/1.0").await;
    assert!(matches!(error, ConnectError::Version { received: Version::HTTP_10, .. }), "{error:?}");
}

#[tokio::test]
async fn answer_that_is_right_is_taken_in_any_spelling() {
    let answers: [fn(&str) -> String; 4] = [
        |head| switching(head, ""),
        |head| switching(head, "Sec-WebSocket-Protocol: two\r\nX: y\r\nX: z\r\n"),
        |head| {
            let accept = accept(head);
            format!(
                "HTTP/1.1 101 \r\nconnection: keep-alive\r\nCONNECTION:x,upGRADE\r\nupgrade:WebSocket\r\n\
                 sec-websocket-accept:\t {accept} \t\r\nsec-websocket-extensions:\r\n\r\n"
            )
        },
        // Informational responses come first (RFC 9110, section 15.2).
        |head| format!("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n{}", switching(head, "")),
    ];
    for right in answers {
        let (port, server) = answer(move |head| right(head).into_bytes()).await;
        let client = Client::new(config()).subprotocols(["one", "two"]);
        let (_, response) = client.connect(&format!("ws://localhost:{port}")).await.unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let head = server.await.unwrap();
        assert_eq!(response.headers()["sec-websocket-accept"].to_str().unwrap().trim(), accept(&head));
    }
}

#[tokio::test]
async fn bytes_behind_the_answer_are_the_first_of_the_stream() {
    // In one segment with it: a Ping, a message of 300 octets, half a header.
    let (port, server) = serve(async |mut io| {
        let head = read_head(&mut io).await;
        let mut octets = switching(&head, "").into_bytes();
        octets.extend_from_slice(&[0x89, 0, 0x82, 126, 1, 44]);
        octets.extend_from_slice(&[7; 300]);
        octets.extend_from_slice(&[0x82]);
        io.write_all(&octets).await.unwrap();
        // The Pong shows that the client has read all this.
        let mut pong = [0; 6];
        io.read_exact(&mut pong).await.unwrap();
        io.write_all(&[1, 8]).await.unwrap();
        pong[0]
    })
    .await;
    let mut stream =
        fastwebsockets_stream::connect(&format!("ws://localhost:{port}"), config()).await.unwrap();
    let mut bytes = [0; 301];
    soon(stream.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(bytes[..300], [7; 300]);
    assert_eq!(bytes[300], 8);
    assert_eq!(server.await.unwrap(), 0x8a);
}
