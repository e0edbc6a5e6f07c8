//! SOCKS5 by proxies that send octets.

use std::io::ErrorKind;

use fastwebsockets_stream::{Client, ConnectError, Proxy, ProxyError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use crate::support::client::{assert_echo, chain, config, echo, serve, soon};
use crate::support::proxies::{Socks, answer_and_end, socks5};

fn through(url: &str) -> Client {
    Client::new(config()).proxy(Proxy::new(url).unwrap())
}

/// What a proxy says that takes user and password, and has opened the way.
const ANSWERS: [&[u8]; 3] = [b"\x05\x02", b"\x01\0", b"\x05\0\0\x03\x04host\0\x50"];

#[tokio::test]
async fn refusal_says_what_came_and_has_its_kind() {
    let after = |last: &'static [u8]| vec![ANSWERS[0], ANSWERS[1], last];
    for (answers, kind, shown) in [
        (
            vec![&b"\x05\xff"[..]],
            ErrorKind::PermissionDenied,
            "did not accept the credentials: it takes no user",
        ),
        (vec![b"\x05\x01"], ErrorKind::InvalidData, "method 0x01, which was not offered"),
        (vec![ANSWERS[0], b"\x01\x01"], ErrorKind::PermissionDenied, "status 1"),
        (
            after(b"\x05\x05\0\x01\0\0\0\0\0\0"),
            ErrorKind::ConnectionRefused,
            "refused by the server (code 5)",
        ),
        (after(b"\x05\x02\0\x01\0\0\0\0\0\0"), ErrorKind::PermissionDenied, "not allowed by its rules"),
        (after(b"\x05\x04"), ErrorKind::HostUnreachable, "host unreachable"),
        (after(b"\x05\0\0\x07"), ErrorKind::InvalidData, "type 7"),
        (vec![b"HTTP/1.1 400 Bad Request\r\n\r\n"], ErrorKind::InvalidData, "\"HTTP/1.1 400 Bad Request"),
        (vec![b"\x04\x5b\0\0\0\0\0\0"], ErrorKind::InvalidData, "\"\\x04["),
        (vec![b""], ErrorKind::UnexpectedEof, "before it had answered"),
    ] {
        let (port, proxy) = serve(async move |io| answer_and_end(io, &answers).await).await;
        let client = through(&format!("socks5h://user:secret@127.0.0.1:{port}"));
        let error = soon(client.connect("ws://inside.invalid/")).await.unwrap_err();
        proxy.await.unwrap();
        let text = chain(&error);
        assert!(error.kind() == kind && text.contains(shown), "{:?} {text}", error.kind());
        assert!(
            text.contains("inside.invalid port 80") && text.contains(&format!("socks5h://127.0.0.1:{port}")),
            "{text}"
        );
        assert!(!format!("{error:?}{text}").contains("secret"), "{error:?}");
        assert!(matches!(error, ConnectError::Proxy { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn proxy_that_ends_at_any_octet_is_an_error() {
    for (index, answer) in ANSWERS.iter().enumerate() {
        for cut in 0..answer.len() {
            let mut answers = ANSWERS[..index].to_vec();
            answers.push(&answer[..cut]);
            let (port, proxy) = serve(async move |io| answer_and_end(io, &answers).await).await;
            let client = through(&format!("socks5h://user:secret@127.0.0.1:{port}"));
            let error = soon(client.connect("ws://inside.invalid/")).await.unwrap_err();
            proxy.await.unwrap();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error:?}");
            let ConnectError::Proxy { source: ProxyError::Ended { begun, .. }, .. } = error else {
                panic!("{error:?}")
            };
            assert_eq!(begun, cut > 0, "{index} {cut}");
        }
    }
}

#[tokio::test]
async fn answers_that_come_octet_by_octet_open_the_way() {
    let (server_port, server) = serve(echo).await;
    let (port, proxy) = serve(async move |mut io| {
        io.set_nodelay(true).unwrap();
        for answer in ANSWERS {
            assert!(io.read(&mut [0; 1024]).await.unwrap() > 0);
            for octet in answer {
                io.write_all(&[*octet]).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
        let mut server = TcpStream::connect(("127.0.0.1", server_port)).await.unwrap();
        let _ = copy_bidirectional(&mut io, &mut server).await;
    })
    .await;
    let client = through(&format!("socks5h://user:secret@127.0.0.1:{port}"));
    assert_echo(client.connect("ws://inside.invalid").await.unwrap().0).await;
    server.await.unwrap();
    proxy.await.unwrap();
}

#[tokio::test]
async fn octets_behind_the_reply_belong_to_the_tunnel() {
    let last = [ANSWERS[2], b"SSH-2.0-x\r\n"].concat();
    let (port, proxy) =
        serve(async move |io| answer_and_end(io, &[ANSWERS[0], ANSWERS[1], &last]).await).await;
    let client = through(&format!("socks5h://user:secret@127.0.0.1:{port}"));
    let error = client.connect("ws://inside.invalid").await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::NotHttp { received, .. } if received == "SSH-2.0-x\\r\\n"),
        "{error:?}"
    );
    proxy.await.unwrap();
}

#[tokio::test]
async fn user_password_and_name_are_sent_whole_up_to_255_octets_each() {
    let (user, password, host) = ("u".repeat(255), "p".repeat(255), "h".repeat(255));
    let (server_port, server) = serve(echo).await;
    let (port, proxy) = serve(socks5).await;
    let client = through(&format!("socks5h://{user}:{password}@127.0.0.1:{port}"));
    assert_echo(client.connect(&format!("ws://{host}:{server_port}/")).await.unwrap().0).await;
    let credentials = Some((user, password));
    assert_eq!(proxy.await.unwrap(), Socks { credentials, host, address_type: 3 });
    server.await.unwrap();
}

#[tokio::test]
async fn name_that_does_not_fit_is_refused_with_the_limit() {
    // Nobody is there to be asked.
    let error =
        through("socks5h://127.0.0.1:1").connect(&format!("ws://{}/", "h".repeat(256))).await.unwrap_err();
    assert!(matches!(error, ConnectError::Uri { .. }), "{error:?}");
    assert!(error.to_string().contains("256 bytes") && error.to_string().contains("takes 255"), "{error}");
}

#[tokio::test]
async fn address_is_sent_as_one_also_where_the_proxy_resolves_names() {
    for (host, shown, address_type) in [("127.0.0.1", "127.0.0.1", 1), ("[2001:db8::1]", "2001:db8::1", 4)] {
        for scheme in ["socks5", "SOCKS5H"] {
            let (server_port, server) = serve(echo).await;
            let (port, proxy) = serve(socks5).await;
            let client = through(&format!("{scheme}://127.0.0.1:{port}"));
            assert_echo(client.connect(&format!("ws://{host}:{server_port}/")).await.unwrap().0).await;
            let said = proxy.await.unwrap();
            assert_eq!(said, Socks { credentials: None, host: shown.to_owned(), address_type });
            server.await.unwrap();
        }
    }
}
