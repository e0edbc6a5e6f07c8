//! Whose cryptography `wss://` uses, where no configuration is given. What the platform trusts is read once in a process, and a
//! default is chosen once, so these are processes of their own.

#![cfg(target_os = "linux")]

use std::io::ErrorKind;
use std::path::PathBuf;

use fastwebsockets_stream::rustls::NamedGroup;
use fastwebsockets_stream::rustls::crypto::{CryptoProvider, ring};
use fastwebsockets_stream::{ConnectError, MaybeTlsStream, connect};
use tokio_rustls::TlsStream;

use crate::support::authority::Authority;
use crate::support::child;
use crate::support::client::{assert_echo, config, echo, listen};

/// A server that echoes over TLS, for this many connections, and a file with its authority.
async fn server(connections: usize) -> (String, PathBuf, Authority) {
    let authority = Authority::new();
    let acceptor = authority.acceptor("localhost", &[]);
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        for _ in 0..connections {
            let (io, _) = listener.accept().await.unwrap();
            if let Ok(tls) = acceptor.accept(io).await {
                echo(tls).await;
            }
        }
    });
    let file = format!("fastwebsockets-stream-{}-{port}.pem", std::process::id());
    (format!("wss://localhost:{port}/"), std::env::temp_dir().join(file), authority)
}

/// Connects, and says by which group keys were exchanged.
async fn group(uri: &str) -> NamedGroup {
    let stream = connect(uri, config()).await.unwrap();
    let MaybeTlsStream::Tls(tls) = stream.get_ref() else { panic!("no TLS") };
    let TlsStream::Client(tls) = &**tls else { panic!("no client") };
    let group = tls.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_echo(stream).await;
    group
}

#[tokio::test]
async fn cryptography_that_the_application_installs_is_the_one_that_is_used_and_none_is_installed_before() {
    const NAME: &str = "client::cryptography::cryptography_that_the_application_installs_is_the_one_that_is_used_and_none_is_installed_before";
    if let Some(uri) = child::task() {
        // What rustls was built with.
        assert_ne!(group(&uri).await, NamedGroup::secp384r1);
        assert!(CryptoProvider::get_default().is_none());
        // Another one, known by the only group that it has.
        let own = CryptoProvider { kx_groups: vec![ring::kx_group::SECP384R1], ..ring::default_provider() };
        own.install_default().unwrap();
        assert_eq!(group(&uri).await, NamedGroup::secp384r1);
        return assert_eq!(group(&uri).await, NamedGroup::secp384r1);
    }
    let (uri, roots, authority) = server(3).await;
    std::fs::write(&roots, authority.pem()).unwrap();
    child::run(NAME, &uri, &[("SSL_CERT_FILE", roots.to_str()), ("SSL_CERT_DIR", None)]).await;
    std::fs::remove_file(&roots).unwrap();
}

#[tokio::test]
async fn roots_that_could_not_be_loaded_are_loaded_the_next_time() {
    const NAME: &str = "client::cryptography::roots_that_could_not_be_loaded_are_loaded_the_next_time";
    if let Some(uri) = child::task() {
        let roots = PathBuf::from(std::env::var_os("SSL_CERT_FILE").unwrap());
        let error = connect(&uri, config()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
        assert_ne!(error.kind(), ErrorKind::InvalidData, "the roots were there: {error:?}");
        std::fs::rename(roots.with_extension("later"), roots).unwrap();
        return assert_echo(connect(&uri, config()).await.unwrap()).await;
    }
    let (uri, roots, authority) = server(1).await;
    std::fs::write(roots.with_extension("later"), authority.pem()).unwrap();
    child::run(NAME, &uri, &[("SSL_CERT_FILE", roots.to_str()), ("SSL_CERT_DIR", None)]).await;
    std::fs::remove_file(&roots).unwrap();
}
