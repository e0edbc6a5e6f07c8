//! cargo run -p examples --features tls_inside --example tls_inside
//!
//! TLS inside a ws:// stream: whoever runs the proxies in between sees a WebSocket, and not what is in it.

use std::error::Error;
use std::io;
use std::sync::Arc;

use fastwebsockets_stream::{Config, Listener, PayloadType, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const NAME: &str = "inside.example";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client_config, server_config) = certified()?;
    let config = Config::new(PayloadType::Binary);
    let mut listener = Listener::bind("127.0.0.1:0", config.clone()).await?;
    let url = format!("ws://{}/", listener.local_addr());

    let server = tokio::spawn(async move {
        let accepted = listener.accept().await.ok_or_else(|| io::Error::other("the listener is closed"))?;
        let mut tls = TlsAcceptor::from(server_config).accept(accepted.stream).await?;
        let mut request = String::new();
        tls.read_to_string(&mut request).await?;
        tls.write_all(request.to_uppercase().as_bytes()).await?;
        tls.shutdown().await
    });

    let stream = connect(&url, config).await?;
    let mut tls = TlsConnector::from(client_config).connect(NAME.try_into()?, stream).await?;
    tls.write_all(b"hello through the tunnel").await?;
    tls.shutdown().await?;
    let mut response = String::new();
    tls.read_to_string(&mut response).await?;
    println!("{response}, by {:?}", tls.get_ref().1.protocol_version());
    server.await??;
    Ok(())
}

/// A certificate for this run, and both ends' configurations with it.
fn certified() -> Result<(Arc<ClientConfig>, Arc<ServerConfig>), Box<dyn Error>> {
    let certified = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let mut roots = RootCertStore::empty();
    roots.add(certified.cert.der().clone())?;
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let server = ServerConfig::builder().with_no_client_auth();
    let server = server.with_single_cert(vec![certified.cert.der().clone()], key)?;
    Ok((Arc::new(client), Arc::new(server)))
}
