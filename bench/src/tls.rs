//! The loopback again, with TLS below the WebSocket: what of the difference is left where encryption costs more.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::link::Network;
use crate::loopback;
use crate::options::Options;
use crate::peers::Transport;
use crate::results::Results;

pub fn run(options: &Options, results: &mut Results) {
    loopback::measure_all("tls", "TLS", &Tls::new(), options, results);
}

#[derive(Clone)]
struct Tls {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

/// What rustls takes at a time: a frame of 64 KiB with its header, which its own limit of 64 KiB would cut in two.
const LIMIT: usize = 65 * 1024;

const HOST: &str = "localhost";

impl Tls {
    /// With a certificate made for the occasion.
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("a certificate can be made");
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).expect("it is a certificate");
        let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let server = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
        Tls {
            connector: Arc::new(client).into(),
            acceptor: Arc::new(server.expect("the key is the certificate's")).into(),
        }
    }
}

impl Network for Tls {
    async fn near(&self, io: TcpStream) -> io::Result<impl Transport> {
        let name = ServerName::try_from(HOST).expect("a name");
        self.connector.connect_with(name, io, |tls| tls.set_buffer_limit(Some(LIMIT))).await
    }

    async fn far(&self, io: TcpStream) -> io::Result<impl Transport> {
        self.acceptor.accept_with(io, |tls| tls.set_buffer_limit(Some(LIMIT))).await
    }
}
