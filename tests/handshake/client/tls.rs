//! wss:// by rustls, with certificates made here.

use std::io::ErrorKind;

use fastwebsockets_stream::{Client, ConnectError, MaybeTlsStream, connect};
use tokio_rustls::TlsAcceptor;

use crate::support::authority::Authority;
use crate::support::child;
use crate::support::client::{SHORT, assert_echo, chain, config, echo, echo_config, serve};

/// Connects to `localhost` by TLS, and is refused.
async fn refused(client: Client, acceptor: TlsAcceptor) -> ConnectError {
    let (port, server) = serve(async move |io| acceptor.accept(io).await.map(drop)).await;
    let error = client.connect(&format!("wss://localhost:{port}")).await.unwrap_err();
    assert!(server.await.unwrap().is_err(), "the server got a connection");
    error
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# If /secure/ is true, the client MUST perform a TLS handshake
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# all further communication on this channel MUST run through the encrypted tunnel
//= https://www.rfc-editor.org/rfc/rfc6455#section-10.6
//= type=test
//# WebSocket implementations MUST support TLS
#[tokio::test]
async fn certificate_that_is_right_makes_a_stream_over_tls() {
    let authority = Authority::new();
    for protocols in [&[][..], &[&b"http/1.1"[..]], &[b"h2", b"http/1.1"]] {
        let acceptor = authority.acceptor("localhost", protocols);
        let (port, server) = serve(async move |io| {
            let tls = acceptor.accept(io).await.unwrap();
            let agreed = tls.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            echo(tls).await;
            agreed
        })
        .await;
        // What the configuration offers by itself would not do.
        let mut tls = (*authority.trusting()).clone();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let client = Client::new(echo_config()).tls(tls.into());
        let (stream, _) = client.connect(&format!("wss://localhost:{port}/")).await.unwrap();
        assert!(matches!(stream.get_ref(), MaybeTlsStream::Tls(_)));
        assert!(stream.get_ref().tcp().nodelay().unwrap());
        assert_echo(stream).await;
        let agreed = if protocols.is_empty() { None } else { Some(b"http/1.1".to_vec()) };
        assert_eq!(server.await.unwrap(), agreed);
    }
}

#[tokio::test]
async fn certificate_of_an_address_is_right_for_the_address() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("127.0.0.1", &[]);
    let (port, server) = serve(async move |io| echo(acceptor.accept(io).await.unwrap()).await).await;
    let client = Client::new(echo_config()).tls(authority.trusting());
    assert_echo(client.connect(&format!("wss://127.0.0.1:{port}/")).await.unwrap().0).await;
    server.await.unwrap();
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# If this fails (e.g., the server's certificate could not be verified), then the client MUST _Fail the
//# WebSocket Connection_
#[tokio::test]
async fn certificate_that_is_wrong_is_refused_with_its_reason() {
    let authority = Authority::new();
    for (acceptor, reason) in [
        (authority.acceptor("example.com", &[]), "failed: its certificate is for another name: "),
        (authority.expired_acceptor("localhost"), "failed: its certificate has expired: "),
        (
            Authority::new().acceptor("localhost", &[]),
            "failed: the authority of its certificate is not trusted; trust it by Client::tls, if it is yours: ",
        ),
    ] {
        let error = refused(Client::new(config()).tls(authority.trusting()), acceptor).await;
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let text = chain(&error);
        assert!(text.starts_with("TLS with localhost port ") && text.contains(reason), "{text}");
        assert!(text.contains("invalid peer certificate: "), "{text}");
        assert!(matches!(error, ConnectError::Tls { host, .. } if host == "localhost"));
    }
}

#[tokio::test]
async fn platform_does_not_trust_an_authority_that_it_does_not_know() {
    let error = refused(Client::new(config()), Authority::new().acceptor("localhost", &[])).await;
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
}

#[tokio::test]
async fn server_without_tls_is_an_error() {
    let (port, server) = serve(async |mut io| {
        use tokio::io::AsyncWriteExt;
        io.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
    })
    .await;
    let client = Client::new(config()).tls(Authority::new().trusting());
    let error = client.connect(&format!("wss://localhost:{port}")).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Tls { .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(
        error.to_string().contains("what came is no TLS") && chain(&error).contains("try ws://"),
        "{error}"
    );
    server.await.unwrap();
}

#[tokio::test]
async fn tls_that_does_not_come_is_given_up_at_the_limit() {
    let (port, server) = serve(async |mut io| tokio::io::copy(&mut io, &mut tokio::io::sink()).await).await;
    let client = Client::new(config()).tls(Authority::new().trusting()).time_limit(SHORT);
    let error = client.connect(&format!("wss://localhost:{port}")).await.unwrap_err();
    assert!(error.to_string().contains("still in the TLS handshake"), "{error}");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    server.await.unwrap().unwrap();
}

/// What the platform trusts is read once in a process, so this is one of its own.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn platforms_roots_are_trusted_without_a_configuration() {
    const ROOTS: &str = "client::tls::platforms_roots_are_trusted_without_a_configuration";
    if let Some(uri) = child::task() {
        return assert_echo(connect(&uri, echo_config()).await.unwrap()).await;
    }
    let authority = Authority::new();
    let roots = std::env::temp_dir().join(format!("fastwebsockets-stream-{}.pem", std::process::id()));
    std::fs::write(&roots, authority.pem()).unwrap();
    let acceptor = authority.acceptor("localhost", &[]);
    let (port, server) = serve(async move |io| echo(acceptor.accept(io).await.unwrap()).await).await;
    let variables = [("SSL_CERT_FILE", roots.to_str()), ("SSL_CERT_DIR", None)];
    child::run(ROOTS, &format!("wss://localhost:{port}/"), &variables).await;
    std::fs::remove_file(&roots).unwrap();
    server.await.unwrap();
}
