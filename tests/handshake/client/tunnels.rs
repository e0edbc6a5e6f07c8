//! CONNECT by proxies that send octets: what opens a tunnel, what does not, and where the tunnel begins.

use std::io::ErrorKind;
use std::time::Duration;

use fastwebsockets_stream::{Client, ConnectError, Proxy, ProxyError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::authority::Authority;
use crate::support::client::{assert_echo, chain, config, echo, read_head, serve, soon};
use crate::support::log;
use crate::support::proxies::{answer_and_end, connect_answering};

fn through(url: &str) -> Client {
    Client::new(config()).proxy(Proxy::new(url).unwrap())
}

#[tokio::test]
async fn any_2xx_opens_a_tunnel_whatever_else_its_head_holds() {
    let fields = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(count));
    let cookies =
        format!("HTTP/1.1 200 OK\r\n{}\r\n", format!("Set-Cookie: {}\r\n", "c".repeat(1010)).repeat(20));
    let interim =
        format!("{}HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(16));
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 Connection established\r\n\r\n",
        "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 299 \r\n\r\n",
        "HTTP/1.1 200\n\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        &interim,
        &fields(200),
        &fields(256),
        &cookies,
    ] {
        for at_a_time in [usize::MAX, 1, 7] {
            let answer = answer.as_bytes().to_vec();
            if answer.len() > 5_000 && at_a_time < 7 {
                continue;
            }
            let (server_port, server) = serve(echo).await;
            let (port, proxy) = serve(async move |io| connect_answering(io, &answer, at_a_time).await).await;
            let client = through(&format!("http://127.0.0.1:{port}"));
            let (stream, _) = soon(client.connect(&format!("ws://127.0.0.1:{server_port}"))).await.unwrap();
            assert_echo(stream).await;
            server.await.unwrap();
            proxy.await.unwrap();
        }
    }
}

#[tokio::test]
async fn octets_behind_the_head_belong_to_the_tunnel() {
    // A server that speaks first, through a proxy that says how long a body is that does not come.
    let answer: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nSSH-2.0-x\r\n";
    let authority = Authority::new();
    let acceptor = authority.acceptor("localhost", &[]);
    let (plain, proxy) = serve(async move |io| answer_and_end(io, &[answer]).await).await;
    let (by_tls, tls_proxy) =
        serve(async move |io| answer_and_end(acceptor.accept(io).await.unwrap(), &[answer]).await).await;
    for url in [format!("http://localhost:{plain}"), format!("https://localhost:{by_tls}")] {
        let client = through(&url).tls(authority.trusting());
        let error = client.connect("ws://inside.invalid").await.unwrap_err();
        let ConnectError::NotHttp { host, received, .. } = &error else { panic!("{error:?}") };
        assert_eq!((&**host, &**received), ("inside.invalid", "SSH-2.0-x\\r\\n"));
    }
    proxy.await.unwrap();
    tls_proxy.await.unwrap();
}

#[tokio::test]
async fn fields_of_the_request_are_spelled_as_in_the_rfcs() {
    let (port, proxy) = serve(async |mut io| {
        let head = read_head(&mut io).await;
        io.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        head
    })
    .await;
    through(&format!("http://u:p@127.0.0.1:{port}")).connect("ws://inside.invalid").await.unwrap_err();
    assert_eq!(
        proxy.await.unwrap(),
        "CONNECT inside.invalid:80 HTTP/1.1\r\nHost: inside.invalid:80\r\nProxy-Authorization: Basic dTpw\r\n\r\n"
    );
}

/// What the client tells of a proxy that answers with this and closes.
async fn refusal(userinfo: &str, answer: Vec<u8>) -> (ErrorKind, ProxyError, String) {
    let (port, proxy) = serve(async move |io| answer_and_end(io, &[&answer]).await).await;
    let client = through(&format!("http://{userinfo}127.0.0.1:{port}"));
    let error = soon(client.connect("ws://inside.invalid/")).await.unwrap_err();
    proxy.await.unwrap();
    let (text, kind) = (chain(&error), error.kind());
    assert!(
        text.contains("inside.invalid port 80") && text.contains(&format!("http://127.0.0.1:{port}")),
        "{text}"
    );
    assert!(!format!("{error:?}{text}").contains("secret"), "{error:?}");
    let ConnectError::Proxy { source, .. } = error else { panic!("{error:?}") };
    (kind, source, text)
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# If the connection could not be opened, either because a direct connection failed or because any proxy used
//# returned an error, then the client MUST
#[tokio::test]
async fn refusal_says_what_came_and_has_its_kind() {
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}\r\n\r\n");
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(17);
    for (answer, kind, shown) in [
        ("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nNo", ErrorKind::PermissionDenied, "403 No"),
        (
            "HTTP/1.1 404 Not Found\r\n\r\n",
            ErrorKind::NotFound,
            "404 Not Found, expected 2xx; is it a proxy, and does it take CONNECT",
        ),
        ("HTTP/1.1 405 No\r\n\r\n", ErrorKind::ConnectionRefused, "405 No, expected 2xx; is it a proxy"),
        (
            "HTTP/1.1 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.",
            ErrorKind::ConnectionRefused,
            "it expects TLS at this port: try https://",
        ),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\nno such host", ErrorKind::ConnectionRefused, "no such host"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", ErrorKind::ConnectionRefused, "101"),
        (
            "HTTP/1.1 301 Moved\r\nLocation: http://x/?token\r\n\r\n",
            ErrorKind::ConnectionRefused,
            "http://x/",
        ),
        ("SSH-2.0-OpenSSH\r\n\r\n", ErrorKind::InvalidData, "\"SSH-2.0-OpenSSH"),
        ("\x05\u{7f}", ErrorKind::InvalidData, "SOCKS5; try socks5h://"),
        ("\x15\x03\x01\0\x02\x02\x46", ErrorKind::InvalidData, "TLS; try https://"),
        ("", ErrorKind::UnexpectedEof, "before it had answered"),
        ("HTTP/1.1 200 O", ErrorKind::UnexpectedEof, "in the middle of its answer"),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", ErrorKind::InvalidData, "folded"),
        (&head(&"A: b\r\n".repeat(257)), ErrorKind::InvalidData, "more than 256 fields"),
        (&head(&format!("A: {}", "b".repeat(70_000))), ErrorKind::InvalidData, "longer than 65536 bytes"),
        (&interim, ErrorKind::InvalidData, "more than 16 interim answers"),
    ] {
        let (found, _, text) = refusal("user:secret@", answer.as_bytes().to_vec()).await;
        assert!(found == kind && text.contains(shown) && !text.contains("token"), "{found:?} {text}");
    }
}

#[tokio::test]
async fn proxy_that_sends_everything_back_is_named_without_the_credentials() {
    let (port, proxy) = serve(async |mut io| {
        let (mut reader, mut writer) = io.split();
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    })
    .await;
    let error = through(&format!("http://u:p@127.0.0.1:{port}")).connect("ws://h.invalid").await.unwrap_err();
    proxy.await.unwrap();
    let text = chain(&error);
    assert!(text.contains("it sent \"CONNECT h.invalid:80 HTTP/1.1\""), "{text}");
    assert!(text.contains("sends everything back"), "{text}");
    assert!(!format!("{error:?}{text}").contains("Basic"), "{error:?}");
}

#[tokio::test]
async fn refusal_has_status_fields_and_the_first_kib_of_the_body() {
    let body = "x".repeat(2_000);
    let answer = format!(
        "HTTP/1.1 503 Busy\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\nSet-Cookie: secret\r\nContent-Length: 2000\r\n\r\n{body}"
    );
    let (_, error, _) = refusal("", answer.into_bytes()).await;
    let ProxyError::Refused { response, .. } = error else { panic!("{error:?}") };
    assert_eq!((response.status().as_u16(), response.body().len()), (503, 1024));
    assert_eq!(response.headers()["x-squid-error"], "ERR_DNS_FAIL 0");
}

#[tokio::test]
async fn refusal_of_credentials_says_what_the_proxy_wants() {
    let wants =
        "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nProxy-Authenticate: NTLM\r\n\r\n";
    let silent = "HTTP/1.1 407 No\r\nContent-Length: 9000\r\n\r\n";
    for (userinfo, answer, shown) in [
        (
            "",
            wants,
            "wants credentials: it answered 407 with Proxy-Authenticate: Basic realm=\\\"x\\\", NTLM",
        ),
        ("user:secret@", wants, "did not accept the credentials: "),
        ("", silent, "no Proxy-Authenticate"),
    ] {
        let (kind, error, text) = refusal(userinfo, answer.as_bytes().to_vec()).await;
        assert!(kind == ErrorKind::PermissionDenied && text.contains(shown), "{text}");
        assert!(
            matches!(error, ProxyError::Credentials { sent, .. } if sent != userinfo.is_empty()),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn refusal_whose_body_does_not_end_is_told_without_it() {
    let (port, proxy) = serve(async |mut io| {
        read_head(&mut io).await;
        io.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 100\r\n\r\nwhy").await.unwrap();
        io.read(&mut [0]).await.unwrap_or(0)
    })
    .await;
    let client = through(&format!("http://127.0.0.1:{port}")).time_limit(Duration::MAX);
    let error = soon(client.connect("ws://inside.invalid")).await.unwrap_err();
    assert!(chain(&error).contains("\"why\""), "{error:?}");
    assert_eq!(proxy.await.unwrap(), 0);
}

#[tokio::test]
async fn phases_of_the_way_are_logged_without_the_credentials() {
    log::install();
    let authority = Authority::new();
    let acceptor = authority.acceptor("127.0.0.1", &[b"http/1.1"]);
    let (server_port, server) = serve(async move |io| echo(acceptor.accept(io).await.unwrap()).await).await;
    let (port, proxy) =
        serve(async |io| connect_answering(io, b"HTTP/1.1 200 secret\r\n\r\n", usize::MAX).await).await;
    let client = through(&format!("http://user:secret@localhost:{port}")).tls(authority.trusting());
    assert_echo(client.connect(&format!("wss://127.0.0.1:{server_port}/")).await.unwrap().0).await;
    server.await.unwrap();
    proxy.await.unwrap();

    let events = log::events();
    let of = |message: &str| {
        let event = events.iter().find(|event| event.get("message") == message);
        event.unwrap_or_else(|| panic!("{message}: {events:?}"))
    };
    assert_eq!(of("the name is resolved").get("host").trim_matches('"'), "localhost");
    assert_eq!(of("TCP is connected").get("address"), format!("127.0.0.1:{port}"));
    assert_eq!(
        of("the proxy has opened the way to the server").get("proxy"),
        format!("http://localhost:{port}")
    );
    let tls = of("TLS is established");
    assert_eq!((tls.get("version"), tls.get("alpn").trim_matches('"')), ("TLSv1_3", "http/1.1"));
    assert!(!format!("{events:?}").contains("secret"), "{events:?}");
}
