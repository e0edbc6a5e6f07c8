//! From a host and a port to a TCP connection.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::Instant;
use tower_service::Service;

use super::uri::http_uri;
use super::{Client, ConnectError, Deadline, MaybeTlsStream, Phase, error};
use crate::handshake::socket;

/// Resolves and connects; hyper-util races both address families (RFC 8305).
pub(super) async fn connect(
    client: &Client,
    host: &str,
    port: u16,
    deadline: Deadline,
) -> Result<MaybeTlsStream, ConnectError> {
    let failed = |source| ConnectError::Dial { host: host.to_owned(), port, addresses: Vec::new(), source };
    let mut connector = HttpConnector::new();
    // hyper-util divides it among the addresses of a family: one that drops SYNs must not use up the time of the next.
    // A second more than there is, so that with one address it is the limit that ends it, and says so.
    connector.set_connect_timeout(
        deadline.at.map(|at| at.saturating_duration_since(Instant::now()) + Duration::from_secs(1)),
    );
    let connecting = async {
        let uri = http_uri("http", host, port).ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        let connected = match poll_fn(|cx| connector.poll_ready(cx)).await {
            Ok(()) => connector.call(uri).await,
            Err(error) => Err(error),
        };
        connected.map_err(|error| {
            let kind = error::io_inside(&error).map_or(io::ErrorKind::Other, io::Error::kind);
            failed(io::Error::new(kind, error))
        })
    };
    let connected = deadline.keep(Phase::Connect, host, port, connecting).await?;
    let tcp = connected.into_inner();
    socket::prepare(&tcp, &client.config).map_err(failed)?;
    Ok(MaybeTlsStream::Tcp(tcp))
}
