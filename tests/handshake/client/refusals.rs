//! A server that answers with another status: what the client tells of it, and when.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use fastwebsockets_stream::{Client, ConnectError};
use http::Response;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::Instant;

use crate::support::client::{SHORT, answer, config, read_head, serve, soon};

/// What the client tells of a server at localhost that answers with this and closes; the port is in its text as PORT.
async fn refusal(octets: impl Into<Vec<u8>>) -> (ConnectError, String) {
    let octets = octets.into();
    let (port, server) = answer(move |_| octets).await;
    let error = Client::new(config()).connect(&format!("ws://localhost:{port}")).await.unwrap_err();
    server.await.unwrap();
    let text = error.to_string().replace(&port.to_string(), "PORT");
    (error, text)
}

#[track_caller]
fn response(error: ConnectError) -> Response<bytes::Bytes> {
    match error {
        ConnectError::Rejected { response, .. } => *response,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn other_status_is_an_error_with_fields_and_the_first_kib_of_the_body() {
    let long = "x".repeat(3000);
    let chunked = format!("{:x}\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", 1000, &long[..1000], 2000, &long[..2000]);
    for (head, body, status, length, kind) in [
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 3000", &long[..], 403, 1024, ErrorKind::PermissionDenied),
        ("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked", &chunked, 404, 1024, ErrorKind::NotFound),
        ("HTTP/1.0 500 Oops", &long, 500, 1024, ErrorKind::ConnectionRefused),
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 5", "xxxxx", 401, 5, ErrorKind::PermissionDenied),
        ("HTTP/1.1 407 No\r\nContent-Length: 5", "xxxxx", 407, 5, ErrorKind::PermissionDenied),
        (
            "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0",
            "",
            302,
            0,
            ErrorKind::ConnectionRefused,
        ),
        (
            "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade",
            "xx",
            200,
            2,
            ErrorKind::ConnectionRefused,
        ),
        (
            "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8\r\nContent-Length: 9000",
            "xxx",
            426,
            3,
            ErrorKind::ConnectionRefused,
        ),
    ] {
        let octets = format!("{head}\r\nX-Reason: because\r\nSet-Cookie: id=secret\r\n\r\n{body}");
        let (error, text) = refusal(octets).await;
        assert_eq!(error.kind(), kind);
        assert!(text.starts_with(&format!("localhost port PORT answered {status} ")), "{text}");
        assert!(text.contains("101"), "{text}");
        assert_eq!(text.contains("redirect"), status == 302, "{text}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        let response = response(error);
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["x-reason"], "because");
        assert_eq!(response.headers()["set-cookie"], "id=secret");
        assert_eq!(response.body(), &long[..length], "{head}");
    }
}

#[tokio::test]
async fn refusal_says_who_what_came_what_was_expected_and_what_to_try() {
    let expected = ", expected 101 Switching Protocols";
    for (octets, text) in [
        (
            "403 Forbidden\r\nContent-Length: 27\r\n\r\n\r\nnot for you\r\nat all today",
            "403 Forbidden, expected 101 Switching Protocols: \"not for you\"",
        ),
        // The server's own reason says more than the usual one.
        (
            "403 Your address is blocked\r\n\r\n",
            "403 Your address is blocked, expected 101 Switching Protocols",
        ),
        ("503 \r\n\r\n", "503 Service Unavailable, expected 101 Switching Protocols"),
        (
            "500 Oops\r\n\r\n\x1b[2Jit's \u{fc}ber\x07\x01\n",
            "500 Oops, expected 101 Switching Protocols: \"\\u{1b}[2Jit's \u{fc}ber\\u{7}\\u{1}\"",
        ),
        (
            "502 Bad Gateway\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x0b\x08",
            "502 Bad Gateway, expected 101 Switching Protocols; its body is encoded (gzip)",
        ),
        (
            "502 Bad Gateway\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
            "502 Bad Gateway, expected 101 Switching Protocols",
        ),
        (
            "302 Found\r\nLocation: https://user:secret@sso.example/login?token=secret#secret\r\n\r\n",
            "302 Found, expected 101 Switching Protocols; it leads to https://...@sso.example/login, but redirections are not followed",
        ),
        (
            "307 Temporary Redirect\r\nLocation: /login?mail=a@secret\r\n\r\n",
            "307 Temporary Redirect, expected 101 Switching Protocols; it leads to /login, but redirections are not followed",
        ),
        (
            "308 Permanent Redirect\r\nLocation: /other#access=secret\r\n\r\n",
            "308 Permanent Redirect, expected 101 Switching Protocols; it leads to /other, but redirections are not followed",
        ),
        // The host of an at sign is in what stands before the path alone.
        (
            "303 See Other\r\nLocation: https://social.example/@user?token=secret\r\n\r\n",
            "303 See Other, expected 101 Switching Protocols; it leads to https://social.example/@user, but redirections are not followed",
        ),
        (
            "301 Moved Permanently\r\nLocation: //user:secret@sso.example\r\n\r\n",
            "301 Moved Permanently, expected 101 Switching Protocols; it leads to //...@sso.example, but redirections are not followed",
        ),
        (
            "302 Found\r\nLocation: \r\n\r\n",
            "302 Found, expected 101 Switching Protocols; redirections are not followed",
        ),
        (
            "304 Not Modified\r\n\r\n",
            "304 Not Modified, expected 101 Switching Protocols; redirections are not followed",
        ),
        (
            "200 OK\r\nContent-Length: 0\r\n\r\n",
            "200 OK, expected 101 Switching Protocols; a server that answers 200 serves no WebSocket at this path",
        ),
        (
            "204 No Content\r\n\r\n",
            "204 No Content, expected 101 Switching Protocols; a server that answers 204 serves no WebSocket at this path",
        ),
        (
            "503 Service Unavailable\r\nRetry-After: 30\r\n\r\n",
            "503 Service Unavailable, expected 101 Switching Protocols; it asks to be tried again after 30 s",
        ),
        (
            "403 Forbidden\r\n\r\n<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>Blocked</title></head>\n",
            "403 Forbidden, expected 101 Switching Protocols: \"<head><title>Blocked</title></head>\"",
        ),
        ("403 Forbidden\r\n\r\n<html>\n<br>", "403 Forbidden, expected 101 Switching Protocols: \"<html>\""),
        (
            "403 Forbidden\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n\x1f\x0b\r\n0\r\n\r\n",
            "403 Forbidden, expected 101 Switching Protocols; its body is encoded (gzip)",
        ),
        (
            "401 Unauthorized\r\nWWW-Authenticate: Negotiate, NTLM\r\n\r\n",
            "401 Unauthorized, expected 101 Switching Protocols; it wants Negotiate authentication",
        ),
        (
            "404 Not Found\r\n\r\nCannot GET /x?secret",
            "404 Not Found, expected 101 Switching Protocols: \"Cannot GET /x\"; is the path right?",
        ),
        ("404 Not Found\r\n\r\n", "404 Not Found, expected 101 Switching Protocols; is the path right?"),
        (
            "400 Bad Request\r\n\r\n",
            "400 Bad Request, expected 101 Switching Protocols; something in between may have dropped the fields of the upgrade",
        ),
        (
            "400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
            "400 Bad Request, expected 101 Switching Protocols: \"Client sent an HTTP request to an HTTPS server.\"; \
             it expects TLS at this port: try wss://",
        ),
        (
            "426 Upgrade Required\r\nSec-WebSocket-Version: 8, 7\r\n\r\n",
            "426 Upgrade Required, expected 101 Switching Protocols; it wants version 8, 7 of the protocol, and this is 13",
        ),
        (
            "426 Upgrade Required\r\nUpgrade: websocket\r\n\r\n",
            "426 Upgrade Required, expected 101 Switching Protocols; something in between may have dropped the field Upgrade",
        ),
        (
            "401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"secret\"\r\n\r\n",
            "401 Unauthorized, expected 101 Switching Protocols; it wants Bearer authentication",
        ),
    ] {
        let (error, told) = refusal(format!("HTTP/1.1 {octets}")).await;
        assert_eq!(told, format!("localhost port PORT answered {text}"));
        assert!(told.contains(expected) && !format!("{told}{error:?}").contains("token=secret"), "{told}");
        assert!(!told.contains("secret"), "{told}");
        if told.contains("gzip") {
            assert!(response(error).body().is_empty());
        }
    }
    let (_, told) = refusal(format!("HTTP/1.1 500 No\r\n\r\n{}", "x".repeat(1000))).await;
    assert!(told.len() < 250 && told.ends_with("xxx...\""), "{told}");
}

#[tokio::test]
async fn interim_answers_before_a_refusal_are_passed_over() {
    let (error, text) =
        refusal("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 410 Gone\r\n\r\nmoved").await;
    assert!(text.contains("410 Gone") && text.contains("\"moved\""), "{text}");
    assert!(!response(error).headers().contains_key("link"));
}

#[tokio::test]
async fn body_that_does_not_come_keeps_no_status_back() {
    for limit in [SHORT, Duration::MAX] {
        let (port, server) = serve(async |mut io| {
            read_head(&mut io).await;
            io.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nstart").await.unwrap();
            io.read(&mut [0]).await
        })
        .await;
        let client = Client::new(config()).time_limit(limit);
        let uri = format!("ws://localhost:{port}");
        let response = response(soon(client.connect(&uri)).await.unwrap_err());
        assert_eq!((response.status().as_u16(), &response.body()[..]), (503, &b"start"[..]));
        assert!(!matches!(server.await.unwrap(), Ok(1..)));
    }
}

/// A refusal over a transport in memory, whose clock moves when all wait: how long the client waits for more of it.
async fn waited(
    client: Client,
    server: impl AsyncFnOnce(DuplexStream),
) -> (Duration, Response<bytes::Bytes>) {
    let (near, far) = duplex(64);
    let began = Instant::now();
    let refused = async {
        let refused = client.over(near, "ws://host/").await.map(drop).unwrap_err();
        (began.elapsed(), response(refused))
    };
    tokio::join!(refused, server(far)).0
}

#[tokio::test(start_paused = true)]
async fn body_is_waited_for_a_second_at_most_and_never_past_the_time_limit() {
    let trickling = async |mut io: DuplexStream| {
        read_head(&mut io).await;
        io.write_all(b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        let mut pace = tokio::time::interval(Duration::from_millis(300));
        while io.write_all(b"1\r\nx\r\n").await.is_ok() {
            pace.tick().await;
        }
    };
    for (limit, expected) in
        [(Duration::MAX, 1000), (Duration::from_secs(30), 1000), (Duration::from_millis(700), 700)]
    {
        let (waited, refused) = waited(Client::new(config()).time_limit(limit), trickling).await;
        assert_eq!(waited.as_millis(), expected);
        assert_eq!(refused.status(), 403);
        assert!(refused.body().len() > 1 && refused.body().iter().all(|octet| *octet == b'x'));
    }
    // One that is whole, or that nobody could read, is not waited for.
    for head in ["Content-Length: 2", "Content-Encoding: br", "Transfer-Encoding: chunked"] {
        let whole = async |mut io: DuplexStream| {
            read_head(&mut io).await;
            let body = if head.ends_with("chunked") { "2\r\nno\r\n0\r\n\r\n" } else { "no" };
            // The client may have gone at the head.
            let _ = io.write_all(format!("HTTP/1.1 403 Forbidden\r\n{head}\r\n\r\n{body}").as_bytes()).await;
            let _ = io.read_to_end(&mut Vec::new()).await;
        };
        let (waited, refused) = waited(Client::new(config()), whole).await;
        assert_eq!((waited.as_millis(), refused.status().as_u16()), (0, 403), "{head}");
    }
}

#[tokio::test]
async fn refusal_that_comes_before_the_request_is_read_is_told() {
    // 64 bytes fit between the two, and the request is longer.
    let (near, mut far) = duplex(64);
    let client = Client::new(config()).header("X-Long", "x".repeat(100_000)).time_limit(Duration::MAX);
    far.write_all(b"HTTP/1.1 431 No\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    let error = soon(client.over(near, "ws://host/")).await.map(drop).unwrap_err();
    assert_eq!(response(error).status(), 431);
}

/// Comes in, but nothing goes out.
struct Mute(DuplexStream);

impl AsyncRead for Mute {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Mute {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(ErrorKind::BrokenPipe.into()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn server_that_reads_no_more_has_a_second_to_say_why() {
    let client = Client::new(config()).time_limit(Duration::MAX);
    let (near, mut far) = duplex(1024);
    let server = async {
        tokio::time::sleep(Duration::from_millis(900)).await;
        far.write_all(b"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    };
    let (refused, ()) = tokio::join!(client.over(Mute(near), "ws://host/"), server);
    assert_eq!(response(refused.map(drop).unwrap_err()).status(), 429);

    let (near, _far) = duplex(1024);
    let began = Instant::now();
    let error = client.over(Mute(near), "ws://host/").await.map(drop).unwrap_err();
    assert_eq!(began.elapsed().as_millis(), 1000);
    assert!(matches!(error, ConnectError::Io { .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);

    let (near, far) = duplex(1024);
    drop(far);
    let error = client.over(Mute(near), "ws://host/").await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error:?}");
}
