//! TLS that fails after the client has done its part of the handshake: in TLS 1.3, the server judges it only then.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use fastwebsockets_stream::{Client, ConnectError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::rustls::{self, AlertDescription};

use crate::support::authority::Authority;
use crate::support::client::{chain, config, read_head, serve};

#[tokio::test]
async fn alert_after_the_handshake_is_a_failure_of_tls_and_says_what_is_wanted() {
    let authority = Authority::new();
    let acceptor = authority.demanding_acceptor("localhost");
    let (port, server) = serve(async move |io| {
        let Err((_, mut io)) = acceptor.accept(io).into_fallible().await else { panic!("it was let in") };
        // The alert has been sent. Closing the socket with the request unread would reset it.
        let _ = io.shutdown().await;
        let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
    })
    .await;
    let client = Client::new(config()).tls(authority.trusting());
    let error = client.connect(format!("wss://localhost:{port}/")).await.unwrap_err();
    server.await.unwrap();
    let text = chain(&error);
    assert!(text.starts_with(&format!("TLS with localhost port {port} failed")), "{text}");
    assert!(text.contains("wants a certificate of the client"), "{text}");
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    let ConnectError::Tls { source, .. } = error else { panic!("{error:?}") };
    let inside = source.get_ref().and_then(|inside| inside.downcast_ref());
    assert_eq!(inside, Some(&rustls::Error::AlertReceived(AlertDescription::CertificateRequired)));
}

#[tokio::test]
async fn tls_of_the_callers_own_fails_as_tls_too() {
    let authority = Authority::new();
    let acceptor = authority.demanding_acceptor("localhost");
    let (port, server) = serve(async move |io| {
        let Err((_, mut io)) = acceptor.accept(io).into_fallible().await else { panic!("it was let in") };
        let _ = io.shutdown().await;
        let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
    })
    .await;
    let tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(authority.trusting());
    let tls = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
    let error = Client::new(config()).over(tls, "wss://localhost/").await.map(drop).unwrap_err();
    assert!(matches!(&error, ConnectError::Tls { host, port: 443, .. } if host == "localhost"), "{error:?}");
    server.await.unwrap();
}

#[tokio::test]
async fn server_that_answers_plain_text_with_tls_is_asked_for_by_wss() {
    // A rustls server sends an alert to what is no TLS.
    let acceptor = Authority::new().acceptor("localhost", &[]);
    let (port, server) = serve(async move |io| {
        let Err((_, mut io)) = acceptor.accept(io).into_fallible().await else { panic!("it was let in") };
        let _ = io.shutdown().await;
        let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
    })
    .await;
    let error = Client::new(config()).connect(format!("ws://localhost:{port}/")).await.unwrap_err();
    assert!(matches!(&error, ConnectError::NotHttp { .. }), "{error:?}");
    assert!(error.to_string().contains("which is TLS; try wss://"), "{error}");
    server.await.unwrap();
}

#[tokio::test]
async fn tls_that_ends_before_the_answer_is_an_end_like_any_other() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("localhost", &[]);
    let (port, server) = serve(async move |io| {
        let mut tls = acceptor.accept(io).await.unwrap();
        read_head(&mut tls).await;
        // The socket is closed, and TLS says nothing of it.
    })
    .await;
    let client = Client::new(config()).tls(authority.trusting());
    let error = client.connect(format!("wss://localhost:{port}/")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Ended { begun: false, .. }), "{error:?}");
    server.await.unwrap();
}

#[tokio::test]
async fn server_that_ends_the_handshake_is_told_with_what_to_try() {
    for (record, kind, hint) in [
        (&b"\x15\x03\x03\0\x02\x02\x28"[..], ErrorKind::InvalidData, "a certificate of the client"),
        (b"\x15\x03\x03\0\x02\x02\x46", ErrorKind::InvalidData, "versions of TLS"),
        (b"\x15\x03\x03\0\x02\x02\x70", ErrorKind::InvalidData, "by this name"),
        (b"\x15\x03\x03\0\x02\x02\x78", ErrorKind::InvalidData, "version of HTTP"),
        (b"\x15\x03\x03\0\x02\x02\x50", ErrorKind::InvalidData, "ended it with an alert"),
        (b"", ErrorKind::UnexpectedEof, "is there TLS at this port?"),
    ] {
        let (port, server) = serve(async move |mut io| {
            assert!(io.read(&mut [0; 4096]).await.unwrap() > 0);
            let _ = io.write_all(record).await;
            let _ = io.shutdown().await;
            let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
        })
        .await;
        let client = Client::new(config()).tls(Authority::new().trusting());
        let error = client.connect(format!("wss://localhost:{port}/")).await.unwrap_err();
        server.await.unwrap();
        let text = chain(&error);
        assert!(text.starts_with(&format!("TLS with localhost port {port} failed: ")), "{text}");
        assert!(text.contains(hint) && error.kind() == kind, "{text}");
        assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    }
}

/// Nothing goes out any more, and an alert has come.
struct Ended;

impl AsyncRead for Ended {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let alert = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
        Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, alert)))
    }
}

impl AsyncWrite for Ended {
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

#[tokio::test]
async fn alert_says_more_than_that_the_request_could_not_be_sent() {
    let error = Client::new(config()).over(Ended, "wss://host/").await.map(drop).unwrap_err();
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    assert!(error.to_string().contains("wants a certificate of the client"), "{error}");
}
