//! What a lenient server reads in another way than the proxy before it is refused, whatever stands behind it.

use std::net::SocketAddr;

use fastwebsockets_stream::Upgrader;

use super::listener;
use crate::support::raw::{Answer, Raw, Request};
use crate::support::{binary, within};

/// Both read their requests by themselves.
async fn serving() -> SocketAddr {
    let mut listener = listener().await;
    let address = listener.local_addr();
    tokio::spawn(async move { while listener.accept().await.is_some() {} });
    address
}

/// A request that is refused gets one answer, and that is the end: what comes behind it is no second request.
async fn refused(address: SocketAddr, request: &[u8]) -> Answer {
    let bytes = [request, &Request::new().bytes()].concat();
    let mut raw = Raw::connect(address).await;
    raw.send(&bytes).await;
    let answer = raw.answer().await;
    let shown = String::from_utf8_lossy(&request[..request.len().min(300)]).into_owned();
    assert!(answer.all("connection").join("").ends_with("close"), "{answer:?} to {shown:?}");
    assert_eq!(raw.rest().await, b"", "{answer:?}");

    let (near, far) = tokio::io::duplex(4 << 20);
    let mut raw = Raw::new(near);
    let upgrader = Upgrader::new(binary());
    let serving = async {
        assert!(upgrader.over(far).await.is_err());
    };
    let expected = &answer;
    let asking = async move {
        raw.send(&bytes).await;
        let again = raw.answer().await;
        assert_eq!((&again.line, &again.body), (&expected.line, &expected.body));
        assert_eq!(raw.rest().await, b"", "{again:?}");
    };
    within(async { tokio::join!(serving, asking) }).await;
    answer
}

async fn is_refused(status: u16, says: &str, request: Vec<u8>) {
    let answer = refused(serving().await, &request).await;
    let shown = String::from_utf8_lossy(&request[..request.len().min(300)]).into_owned();
    assert_eq!(answer.status(), status, "{answer:?} to {shown:?}");
    assert!(answer.body.contains(says), "{answer:?} to {shown:?}");
}

fn changed(from: &str, to: &str) -> Vec<u8> {
    let request = String::from_utf8(Request::new().bytes()).unwrap();
    assert_eq!(request.matches(from).count(), 1);
    request.replacen(from, to, 1).into_bytes()
}

#[tokio::test]
async fn line_that_ends_otherwise_than_by_crlf_is_refused() {
    let all_lf = String::from_utf8(Request::new().bytes()).unwrap().replace("\r\n", "\n");
    is_refused(400, "CRLF", all_lf.into_bytes()).await;
    for (from, to) in [
        ("HTTP/1.1\r\n", "HTTP/1.1\n"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket\n"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r\r\n"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r\nX: a\rb\r\n"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r\nX: a\nY: b\r\n"),
        ("Version: 13\r\n\r\n", "Version: 13\r\n\n"),
        ("Version: 13\r\n\r\n", "Version: 13\n\r\n"),
    ] {
        is_refused(400, "the request is no HTTP/1.1", changed(from, to)).await;
    }
}

#[tokio::test]
async fn field_that_is_folded_or_has_white_space_before_its_colon_is_refused() {
    for (from, to) in [
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r\nX: a\r\n b\r\n"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r\nX: a\r\n\tb\r\n"),
        ("HTTP/1.1\r\n", "HTTP/1.1\r\n X: a\r\n"),
        ("Upgrade: websocket", "Upgrade : websocket"),
        ("Upgrade: websocket", "Upgrade\t: websocket"),
        ("Upgrade: websocket", " Upgrade: websocket"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r\n: a\r\n"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r\nX\r\n"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r\nX{}: a\r\n"),
    ] {
        is_refused(400, "the request is no HTTP/1.1", changed(from, to)).await;
    }
}

#[tokio::test]
async fn control_character_is_refused() {
    for (from, to) in [
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r\nX: a\0b\r\n"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r\nX\0: a\r\n"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r\nX: a\x07b\r\n"),
        ("GET /chat", "GET /ch\0at"),
        ("GET /chat", "G\0ET /chat"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r\nX: a\x7fb\r\n"),
    ] {
        is_refused(400, "the request is no HTTP/1.1", changed(from, to)).await;
    }
}

#[tokio::test]
async fn request_with_a_body_or_with_doubt_about_one_is_refused() {
    let r = Request::new;
    for field in [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding:",
        "transfer-encoding: gzip, chunked",
        "Content-Length: 1",
        "Content-Length: 00",
        "Content-Length: +0",
        "Content-Length: -0",
        "Content-Length: 0, 0",
        "Content-Length:",
        "Content-Length: 0x0",
        "Content-Length: 18446744073709551616",
    ] {
        is_refused(400, "the request has a body", r().with(field).bytes()).await;
    }
    let both = r().with("Content-Length: 0").with("Transfer-Encoding: chunked");
    is_refused(400, "the request has a body", both.bytes()).await;
    let twice = r().with("Content-Length: 0").with("Content-Length: 0");
    is_refused(400, "more than once", twice.bytes()).await;
}

#[tokio::test]
async fn host_that_is_there_twice_or_is_not_the_targets_is_refused() {
    let r = Request::new;
    is_refused(400, "more than once", r().with("Host: server.example.com").bytes()).await;
    is_refused(400, "more than once", r().with("host: other.example.com").bytes()).await;
    is_refused(400, "missing", r().without("Host").bytes()).await;
    for host in [
        "a b",
        "user@server.example.com",
        "server.example.com/",
        "a, b",
        "",
        ":80",
        "a:b",
        "a:80:80",
        "a:+80",
        "a:-1",
        "a:65536",
        "a:80x",
        "[::1",
        "::1",
        "[::1]x",
        "[::1]:x",
        "a?b",
        "a#b",
        "a\\b",
        "a%00b",
    ] {
        is_refused(400, "the field host is", r().instead(&format!("Host: {host}")).bytes()).await;
    }
    for (host, shown) in [("a?b", "a?b"), ("a#b", "a#b"), ("user:password@host", "...@host")] {
        let says = format!("the field host is \"{shown}\"; expected a host");
        is_refused(400, &says, r().instead(&format!("Host: {host}")).bytes()).await;
    }
    for target in [
        "http://other.example.com/chat",
        "http://server.example.com:8080/chat",
        "https://server.example.com:80/chat",
        "http://server.example.com.evil/chat",
    ] {
        let request = r().line(&format!("GET {target} HTTP/1.1"));
        is_refused(400, "and the target leads to", request.bytes()).await;
    }
    for target in ["http://server.example.com:65616/chat", "http://server.example.com:+80/chat"] {
        let request = r().line(&format!("GET {target} HTTP/1.1"));
        let answer = refused(serving().await, &request.bytes()).await;
        assert_eq!(answer.status(), 400, "{target}");
    }
}

#[tokio::test]
async fn target_with_the_host_of_host_is_taken_however_both_are_written() {
    let address = serving().await;
    for (target, host) in [
        ("http://server.example.com/chat", "server.example.com"),
        ("HTTP://SERVER.example.com:80/chat?q", "server.EXAMPLE.com"),
        ("https://server.example.com", "server.example.com:443"),
        ("http://server.example.com:", "server.example.com"),
        ("http://[2001:db8::1]:8080/chat", "[2001:DB8::1]:8080"),
        ("http://[::1]/", "[::1]:80"),
        ("/a%2fb/%zz", "server.example.com:"),
        ("//other.example.com/chat", "127.0.0.1:1"),
    ] {
        let request = Request::new().line(&format!("GET {target} HTTP/1.1"));
        let request = request.instead(&format!("Host: {host}"));
        let answer = Raw::connect(address).await.ask(&request).await;
        assert_eq!(answer.status(), 101, "{target} at {host}: {answer:?}");
    }
}

/// A proxy would take it for the beginning of the next response.
#[tokio::test]
async fn head_is_refused_without_a_body() {
    let request = Request::new().line("HEAD /chat HTTP/1.1");
    let answer = refused(serving().await, &request.bytes()).await;
    assert_eq!((answer.status(), answer.field("allow"), &*answer.body), (405, "GET", ""));
}

/// Neither in the answer, which a proxy may log, nor in an error.
#[tokio::test]
async fn secrets_of_a_request_that_is_no_http_are_not_told() {
    for line in [
        "GET /chat?token=secret< HTTP/1.1",
        "GET /chat#token=secret HTTP/1.1",
        " GET /chat?token=secret HTTP/1.1",
        "GET /chat?token=secret",
        "GET /chat?token=secret b HTTP/1.1",
        "GET http://user:secret@server.example.com/< HTTP/1.1",
        "GET http://user:secret@server.example.com/ b HTTP/1.1",
        "GET http://user@server.example.com/?token=a@secret HTTP/1.1",
        "G{T /?a HTTP/1.1\r\nAuthorization: secret",
        "{\r\nCookie: secret",
    ] {
        let answer = refused(serving().await, &Request::new().line(line).bytes()).await;
        assert_eq!(answer.status(), 400, "{line:?}");
        assert!(!answer.body.contains("secret"), "{answer:?} to {line:?}");
    }
}

#[tokio::test]
async fn target_that_is_no_path_is_refused() {
    let r = |target: &str| Request::new().line(&format!("GET {target} HTTP/1.1"));
    for target in [
        "chat",
        "*",
        "server.example.com:80",
        "ftp://server.example.com/chat",
        "http://user@server.example.com/chat",
        "http://user:password@server.example.com/chat?token=1",
    ] {
        let answer = refused(serving().await, &r(target).bytes()).await;
        assert_eq!(answer.status(), 400, "{target}");
        assert!(answer.body.contains("expected a path"), "{answer:?}");
        assert!(!answer.body.contains("password") && !answer.body.contains("token"), "{answer:?}");
    }
    for target in ["/chat#a", "", "/ch at", "/chat\t", "http://"] {
        is_refused(400, "the request is no HTTP/1.1", r(target).bytes()).await;
    }
}

#[tokio::test]
async fn method_and_version_other_than_those_of_a_websocket_are_refused() {
    let r = |line: &str| Request::new().line(line).bytes();
    for method in ["POST", "get", "OPTIONS", "TRACE"] {
        is_refused(405, "the method is", r(&format!("{method} /chat HTTP/1.1"))).await;
    }
    let long = "X".repeat(10_000);
    let answer = refused(serving().await, &r(&format!("{long} /chat HTTP/1.1"))).await;
    assert_eq!((answer.status(), answer.body.len() < 200), (405, true));
    is_refused(405, "the method is CONNECT", r("CONNECT server.example.com:80 HTTP/1.1")).await;
    is_refused(400, "HTTP/1.0", r("GET /chat HTTP/1.0")).await;
    for line in
        ["GET /chat HTTP/2.0", "GET /chat HTTP/1.12", "GET /chat http/1.1", "GET /chat HTTP/", "GET /chat"]
    {
        is_refused(400, "the request is no HTTP/1.1", r(line)).await;
    }
}

/// As soon as it shows: nobody waits for the end of a line.
#[tokio::test]
async fn what_is_no_http_is_named_at_once() {
    is_refused(400, "the client speaks TLS", b"\x16\x03\x01\x02\x00\x01".to_vec()).await;
    is_refused(505, "the client speaks HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()).await;
    is_refused(400, "SSH-2.0-x", b"SSH-2.0-x y\r\n".to_vec()).await;
    is_refused(400, "\\x04\\x01", b"\x04\x01\x00\x50".to_vec()).await;
    for start in [&b"\x16\x03\x01"[..], b"PRI * HTTP/2.0", b"{\"a\": 1}", b"\x04\x01"] {
        let mut raw = Raw::connect(serving().await).await;
        raw.send(start).await;
        assert!(matches!(raw.answer().await.status(), 400 | 505));
    }
}

#[tokio::test]
async fn head_at_a_limit_is_read_and_beyond_it_is_refused_and_the_limit_named() {
    let address = serving().await;
    let r = Request::new;
    let line = |length: usize| {
        let around = "GET / HTTP/1.1\r\n".len();
        r().line(&format!("GET /{} HTTP/1.1", "x".repeat(length - around)))
    };
    // The head's own fields are 5.
    let fields =
        |number: usize| (5..number).fold(r(), |request, number| request.with(&format!("X-{number}: y")));
    let head = |length: usize| {
        let around = r().with("X: ").bytes().len();
        r().with(&format!("X: {}", "x".repeat(length - around)))
    };
    assert_eq!(head(64 << 10).bytes().len(), 64 << 10);
    for request in [line(16 << 10), fields(256), head(64 << 10)] {
        assert_eq!(Raw::connect(address).await.ask(&request).await.status(), 101);
    }
    is_refused(414, "the first line is longer than 16384 bytes", line((16 << 10) + 1).bytes()).await;
    is_refused(431, "more than 256 fields", fields(257).bytes()).await;
    is_refused(431, "longer than 65536 bytes", head((64 << 10) + 1).bytes()).await;
    is_refused(414, "the first line", b"GET /".iter().chain(&[b'x'; 100_000]).copied().collect()).await;
    is_refused(431, "longer than 65536 bytes", b"\r\n".repeat(100_000)).await;
}

#[tokio::test]
async fn request_that_comes_a_byte_at_a_time_is_read_and_the_frames_behind_it_too() {
    let (mut near, far) = tokio::io::duplex(1);
    let upgrader = Upgrader::new(binary());
    let frame = crate::support::wire::data(fastwebsockets_stream::Role::Server, b"up");
    let bytes = Request::new().then(&frame).bytes();
    let serving = async {
        let mut opened = upgrader.over(far).await.unwrap();
        let mut up = [0; 2];
        tokio::io::AsyncReadExt::read_exact(&mut opened.stream, &mut up).await.unwrap();
        assert_eq!(&up, b"up");
    };
    let asking = async {
        let (mut reader, mut writer) = tokio::io::split(&mut near);
        let write = tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes);
        let mut head = vec![0; 129];
        let read = tokio::io::AsyncReadExt::read_exact(&mut reader, &mut head);
        let (written, read) = tokio::join!(write, read);
        written.unwrap();
        read.unwrap();
        assert!(head.starts_with(b"HTTP/1.1 101 ") && head.ends_with(b"\r\n\r\n"));
    };
    within(async { tokio::join!(serving, asking) }).await;
}
