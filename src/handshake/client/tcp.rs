//! From a host and a port to a TCP connection.

mod race;

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpStream, lookup_host};
use tracing::{debug, field};

use super::{Client, ConnectError, Deadline, MaybeTlsStream, Phase};
use crate::handshake::socket;

/// Resolves the name, and connects to whichever of its addresses answers first (RFC 8305).
pub(super) async fn connect(
    client: &Client,
    host: &str,
    port: u16,
    deadline: Deadline,
) -> Result<MaybeTlsStream, ConnectError> {
    let addresses = resolve(host, port, deadline).await?;
    let failed = |(addresses, source)| ConnectError::Dial { host: host.to_owned(), port, addresses, source };
    let delay = race::delay(&addresses, deadline.at.is_some());
    let racing = async { race::race(addresses, delay, TcpStream::connect).await.map_err(failed) };
    let tcp = deadline.keep(Phase::Connect, host, port, racing).await?;
    debug!(host, address = tcp.peer_addr().ok().map(field::display), "TCP is connected");
    socket::prepare(&tcp, &client.config).map_err(|error| failed((Vec::new(), error)))?;
    Ok(MaybeTlsStream::Tcp(tcp))
}

/// The addresses of a host, in the order in which they are to be tried; at least one. An address needs no resolver.
pub(super) async fn resolve(
    host: &str,
    port: u16,
    deadline: Deadline,
) -> Result<Vec<SocketAddr>, ConnectError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let resolving = async {
        let found = lookup_host((host, port)).await;
        let found = found.map_err(|source| ConnectError::Resolve { host: host.to_owned(), port, source })?;
        let addresses = race::interleave(found);
        debug!(host, addresses = addresses.len(), "the name is resolved");
        if addresses.is_empty() { Err(no_address(host, port)) } else { Ok(addresses) }
    };
    deadline.keep(Phase::Resolve, host, port, resolving).await
}

/// The resolver knows the name, but no address of it.
pub(super) fn no_address(host: &str, port: u16) -> ConnectError {
    let source = io::Error::new(io::ErrorKind::NotFound, "it has no address");
    ConnectError::Resolve { host: host.to_owned(), port, source }
}
