//! What answers is no server of WebSockets, or breaks the rules of HTTP: each has its error, and its limit.

use std::io::ErrorKind;

use fastwebsockets_stream::{Client, ConnectError, connect};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::support::client::{
    accept_by_hand, answer, assert_echo, config, read_head, serve, soon, switching,
};

/// Makes an answer for the head of a request.
type Answer = Box<dyn FnOnce(&str) -> Vec<u8> + Send>;

/// What the client tells of a server at localhost that answers with this and closes.
async fn told(octets: impl FnOnce(&str) -> Vec<u8> + Send + 'static) -> (ConnectError, u16) {
    let (port, server) = answer(octets).await;
    let error = connect(format!("ws://localhost:{port}"), config()).await.unwrap_err();
    server.await.unwrap();
    (error, port)
}

#[tokio::test]
async fn server_of_another_protocol_is_named_with_what_it_sent_and_what_to_try() {
    for (octets, shown, hint) in [
        (&b"SSH-2.0-OpenSSH_9.9\r\n"[..], "SSH-2.0-OpenSSH_9.9", "which is SSH"),
        (b"220 mail.example ESMTP\r\n", "220 mail.example ESMTP", "mail and FTP"),
        (b"* OK [CAPABILITY IMAP4rev1]\r\n", "* OK [CAPABILITY", "mail"),
        (b"\x15\x03\x01\0\x02\x02\x16", "\\x15\\x03\\x01", "try wss://"),
        (b"\x15\x03\x03\0\x02\x02\x46", "\\x15\\x03\\x03", "try wss://"),
        (b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80", "\\x00\\x00\\x12\\x04", "Client::http2"),
        (b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01", "\\x00\\x00\\x08\\x07", "Client::http2"),
        (b"HTTP/2.0 101 Switching Protocols\r\n\r\n", "HTTP/2.0 101", "another version of HTTP"),
        (b"\x82\x03abc", "\\x82\\x03abc", "is the port right?"),
        (b"-ERR unknown command 'GET'\r\n", "-ERR unknown", "is the port right?"),
    ] {
        let (error, port) = told(move |_| octets.into()).await;
        let ConnectError::NotHttp { received, .. } = &error else { panic!("{octets:?}: {error:?}") };
        assert!(received.starts_with(shown), "{received}");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let text = error.to_string();
        assert!(text.starts_with(&format!("localhost port {port} does not speak HTTP/1.1")), "{text}");
        assert!(text.contains(hint) && text.contains(shown) && text.len() < 300, "{text}");
        assert_eq!(std::io::Error::from(error).kind(), ErrorKind::InvalidData);
    }
}

/// The request comes back: what is secret in it stays out of the error.
#[tokio::test]
async fn server_that_sends_everything_back_is_named_without_the_secrets_of_the_request() {
    for before in ["", "-ERR unknown command "] {
        let (port, server) = answer(move |head| format!("{before}{head}").into_bytes()).await;
        let uri = format!("ws://user:secret@localhost:{port}/path?token=secret");
        let error = connect(uri, config()).await.unwrap_err();
        server.await.unwrap();
        let text = error.to_string();
        assert!(text.contains(&format!("it sent \"{before}GET /path\"")), "{text}");
        assert_eq!(text.contains("sends everything back"), before.is_empty(), "{text}");
        assert!(!format!("{error:?}{text}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn server_that_speaks_first_and_never_reads_is_named() {
    let (near, mut far) = duplex(64);
    let client =
        Client::new(config()).header("X-Long", "x".repeat(100_000)).time_limit(std::time::Duration::MAX);
    far.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await.unwrap();
    let error = soon(client.over(near, "ws://host:8022/")).await.map(drop).unwrap_err();
    assert!(
        error.to_string().starts_with("host port 8022 does not speak HTTP/1.1: it sent \"SSH-2.0-"),
        "{error}"
    );
}

#[tokio::test]
async fn answer_that_breaks_the_rules_of_http_is_an_error_that_says_how() {
    for (octets, reason) in [
        ("HTTP/1.1 999999 What\r\n\r\n", "status"),
        ("HTTP/1.1 101 Switching Protocols\r\nno colon\r\n\r\n", "header name"),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade : websocket\r\n\r\n", "header name"),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: web\r\n socket\r\n\r\n", "folded"),
        ("HTTP/1.1 101 Switching Protocols\r\nX: a\rb\r\n\r\n", "CR stands alone"),
        ("HTTP/1.1 101 Switching Protocols\r\nX: a\0b\r\n\r\n", "NUL"),
    ] {
        let (error, port) = told(move |_| octets.into()).await;
        assert!(matches!(error, ConnectError::Malformed { .. }), "{octets:?}: {error:?}");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let text = error.to_string();
        assert!(text.contains(&format!("localhost port {port}")) && text.contains(reason), "{text}");
    }
}

#[tokio::test]
async fn connection_that_ends_before_the_answer_is_an_unexpected_end() {
    for (octets, when) in [
        ("", "before it had answered"),
        ("HTTP", "in the middle"),
        ("HTTP/1.1 101 Swi", "in the middle"),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n", "in the middle"),
        ("HTTP/1.1 100 Continue\r\n\r\n", "before it had answered"),
    ] {
        let (error, port) = told(move |_| octets.into()).await;
        assert!(matches!(error, ConnectError::Ended { .. }), "{octets:?}: {error:?}");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        let text = error.to_string();
        assert!(text.contains(&format!("localhost port {port}")) && text.contains(when), "{text}");
    }
}

#[tokio::test]
async fn connection_that_is_reset_before_the_answer_says_so() {
    let (port, server) = serve(async |mut io| {
        read_head(&mut io).await;
        SockRef::from(&io).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    })
    .await;
    let error = connect(format!("ws://localhost:{port}"), config()).await.unwrap_err();
    server.await.unwrap();
    assert!(matches!(error, ConnectError::Io { .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(error.to_string().contains(&format!("localhost port {port}")), "{error}");
}

#[tokio::test]
async fn sixteen_interim_answers_are_passed_over_and_one_more_is_an_error() {
    let after = |count: usize| {
        move |head: &str| {
            let interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(count);
            (interim + &switching(head, "")).into_bytes()
        }
    };
    let (port, server) = answer(after(16)).await;
    connect(format!("ws://localhost:{port}"), config()).await.unwrap();
    server.await.unwrap();
    let (error, _) = told(after(17)).await;
    assert!(matches!(error, ConnectError::TooLong { limit: 16, .. }), "{error:?}");
    assert!(error.to_string().contains("more than 16 interim answers"), "{error}");
}

#[tokio::test]
async fn head_is_taken_up_to_its_limits_and_refused_beyond() {
    let fields = |count: usize| {
        move |head: &str| {
            // Three are there already.
            switching(head, &"X: y\r\n".repeat(count - 3)).into_bytes()
        }
    };
    let size = |size: usize| {
        move |head: &str| {
            let rest = size - switching(head, "X: \r\n").len();
            switching(head, &format!("X: {}\r\n", "y".repeat(rest))).into_bytes()
        }
    };
    // With its CRLF.
    let line = |size: usize| {
        move |head: &str| {
            let reason = "y".repeat(size - "HTTP/1.1 101 \r\n".len());
            switching(head, "").replace("Switching Protocols", &reason).into_bytes()
        }
    };
    let right: [Answer; 3] = [Box::new(fields(256)), Box::new(size(64 * 1024)), Box::new(line(16 * 1024))];
    for right in right {
        let (port, server) = answer(right).await;
        connect(format!("ws://localhost:{port}"), config()).await.unwrap();
        server.await.unwrap();
    }
    let wrong: [(Answer, &str); 3] = [
        (Box::new(fields(257)), "more than 256 header fields"),
        (Box::new(size(64 * 1024 + 1)), "more than 65536 bytes in its head"),
        (Box::new(line(16 * 1024 + 2)), "more than 16384 bytes in its first line"),
    ];
    for (wrong, limit) in wrong {
        let (error, port) = told(wrong).await;
        assert!(matches!(error, ConnectError::TooLong { .. }), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let text = error.to_string();
        assert!(text.contains(&format!("localhost port {port}")) && text.contains(limit), "{text}");
    }
}

#[tokio::test]
async fn head_without_end_is_refused_at_its_limit() {
    for (start, least) in [("HTTP/1.1 101 ", 15 * 1024), ("HTTP/1.1 101 X\r\nX: ", 60 * 1024)] {
        // What a socket keeps says nothing of what the client has read.
        let (near, mut far) = duplex(64);
        let client = Client::new(config());
        let server = async {
            read_head(&mut far).await;
            far.write_all(start.as_bytes()).await.unwrap();
            let mut sent = 0;
            while let Ok(more) = far.write(&[b'x'; 64]).await {
                sent += more;
            }
            sent
        };
        // The transport is dropped with the future, and that ends the server.
        let client = async { client.over(near, "ws://host").await.map(drop) };
        let (refused, sent) = tokio::join!(client, server);
        assert!(matches!(refused, Err(ConnectError::TooLong { .. })), "{refused:?}");
        assert!((least..least + 10 * 1024).contains(&sent), "{sent}");
    }
}

#[tokio::test]
async fn answer_that_accepts_before_the_request_is_read_waits_until_it_is_sent() {
    let (near, mut far) = duplex(64);
    let client = Client::new(config()).header("X-Long", "x".repeat(100_000));
    let server = async {
        let mut head = String::new();
        while !head.contains("Sec-WebSocket-Key: ") || !head.ends_with("==\r\n") {
            head.push(char::from(far.read_u8().await.unwrap()));
        }
        far.write_all(switching(&head, "").as_bytes()).await.unwrap();
        // The client has the answer now, or a part of it, and 100 KB to send.
        let rest = read_head(&mut far).await;
        assert!(rest.ends_with("xxx\r\n\r\n"));
        let stream = fastwebsockets_stream::WebSocketStream::from_transport(
            far,
            fastwebsockets_stream::Role::Server,
            [],
            config(),
        );
        crate::support::echo(stream).await.unwrap();
    };
    let client = async { assert_echo(client.over(near, "ws://host").await.unwrap().0).await };
    soon(async { tokio::join!(client, server) }).await;
}

#[tokio::test]
async fn answer_in_single_octets_with_a_frame_behind_it_loses_nothing() {
    let (near, far) = duplex(1);
    let server = async {
        let (mut stream, _) = accept_by_hand(far).await;
        stream.write_all(b"first").await.unwrap();
        stream.shutdown().await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    };
    let client = async {
        let (mut stream, _) = Client::new(config()).over(near, "ws://host").await.unwrap();
        let mut came = String::new();
        stream.read_to_string(&mut came).await.unwrap();
        stream.shutdown().await.unwrap();
        came
    };
    assert_eq!(soon(async { tokio::join!(client, server) }).await.0, "first");
}
