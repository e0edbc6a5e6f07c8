//! Real connections: sockets, TLS, and a limit on how long a test may take.

use std::sync::Arc;
use std::time::Duration;

use rcgen::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::pattern;

/// What a future gives, which must not take long.
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it hangs")
}

/// Both ends of a TCP connection.
pub async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// Many bytes, quickly made, that do not repeat where a buffer or a frame ends.
pub fn bulk(len: usize) -> Vec<u8> {
    let mut bytes = pattern(65521).repeat(len / 65521 + 1);
    bytes.truncate(len);
    bytes
}

/// TLS between the two ends, client and server.
pub async fn tls<A, B>(client: A, server: B) -> (TlsStream<A>, TlsStream<B>)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let connector = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let acceptor =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
    let (client, server) = tokio::join!(
        TlsConnector::from(Arc::new(connector)).connect("localhost".try_into().unwrap(), client),
        TlsAcceptor::from(Arc::new(acceptor.unwrap())).accept(server),
    );
    (client.unwrap().into(), server.unwrap().into())
}
