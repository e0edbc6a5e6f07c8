//! Certificates made for the test.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// For `localhost`: the server's configuration, and that of a client that trusts it.
pub fn configs() -> (ServerConfig, ClientConfig) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let server =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
    (server.unwrap(), client)
}

pub async fn connect(address: SocketAddr, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let connector = TlsConnector::from(Arc::new(config));
    super::within(connector.connect("localhost".try_into().unwrap(), tcp)).await
}
