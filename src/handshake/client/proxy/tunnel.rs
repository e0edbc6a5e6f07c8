//! From a proxy to a transport that leads to the server.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};

use tracing::debug;

use super::super::uri::Target;
use super::super::{Client, ConnectError, Deadline, MaybeTlsStream, Phase, ProxyError, tcp};
use super::connect;
use super::exact::{self, Unread};
use super::socks5::{self, Destination, MOST_OF_NAME, Next, Socks5};
use super::url::{ProxyUrl, Scheme};
use crate::handshake::http1::send;

/// What is the same whichever way the proxy is spoken to.
struct Tunnel<'a> {
    client: &'a Client,
    target: &'a Target,
    proxy: &'a ProxyUrl,
    deadline: Deadline,
}

/// Connects to a server by way of a proxy.
pub(in crate::handshake::client) async fn open(
    client: &Client,
    target: &Target,
    proxy: &ProxyUrl,
    deadline: Deadline,
) -> Result<MaybeTlsStream, ConnectError> {
    let tunnel = Tunnel { client, target, proxy, deadline };
    let io = match proxy.scheme {
        Scheme::Http | Scheme::Https => tunnel.by_connect().await,
        Scheme::Socks5h => tunnel.by_socks().await,
        Scheme::Socks5 => tunnel.by_socks_to_addresses().await,
    }?;
    debug!(%proxy, "the proxy has opened the way to the server");
    Ok(io)
}

impl Tunnel<'_> {
    async fn by_connect(&self) -> Result<MaybeTlsStream, ConnectError> {
        let credentials = self.proxy.credentials.as_ref();
        let mut io = self.reach().await?;
        let request = connect::request(self.target, credentials);
        let head = self.answer(async { Ok(connect::ask(&mut io, &request).await) }).await?;
        let failure = match head {
            Ok(head) => connect::refusal(&mut io, head, credentials.is_some(), self.deadline).await,
            Err(error) => Some(error),
        };
        failure.map_or(Ok(io), |source| Err(self.failed(None, source)))
    }

    async fn by_socks(&self) -> Result<MaybeTlsStream, ConnectError> {
        let host = &*self.target.host;
        let destination = match host.parse() {
            Ok(address) => Destination::Address(address),
            Err(_) if host.len() > MOST_OF_NAME => {
                return Err(ConnectError::Uri {
                    uri: self.target.authority.clone(),
                    reason: format!(
                        "its host has {} bytes, and a SOCKS5 proxy takes {MOST_OF_NAME}",
                        host.len()
                    ),
                });
            }
            Err(_) => Destination::Name(host),
        };
        self.negotiate(destination).await?.map_err(|source| self.failed(None, source))
    }

    async fn by_socks_to_addresses(&self) -> Result<MaybeTlsStream, ConnectError> {
        let addresses = tcp::resolve(&self.target.host, self.target.port, self.deadline).await?;
        self.by_socks_to(&addresses).await
    }

    /// One after another: which of them the proxy can reach shows only by asking.
    async fn by_socks_to(&self, addresses: &[SocketAddr]) -> Result<MaybeTlsStream, ConnectError> {
        let mut failure = tcp::no_address(&self.target.host, self.target.port);
        for address in addresses {
            let address = address.ip();
            match self.negotiate(Destination::Address(address)).await? {
                Ok(io) => return Ok(io),
                Err(error) => {
                    debug!(%address, kind = %error.kind(), "the proxy has not opened the way to this address");
                    let is_of_this_address = socks5::is_of_this_address(&error);
                    failure = self.failed(Some(address), error);
                    if !is_of_this_address {
                        break;
                    }
                }
            }
        }
        Err(failure)
    }

    /// The outer error is one of the way to the proxy, the inner one the proxy's.
    async fn negotiate(
        &self,
        destination: Destination<'_>,
    ) -> Result<Result<MaybeTlsStream, ProxyError>, ConnectError> {
        let mut io = self.reach().await?;
        let (mut socks, greeting) =
            Socks5::new(destination, self.target.port, self.proxy.credentials.as_ref());
        let negotiating = async {
            send(&mut io, &greeting).await.map_err(failed)?;
            // Ends: there are three answers.
            while let Next::Send(octets) = receive(&mut io, &mut socks).await? {
                send(&mut io, &octets).await.map_err(failed)?;
            }
            Ok(())
        };
        let negotiated = self.answer(async { Ok(negotiating.await) }).await?;
        Ok(negotiated.map(|()| io))
    }

    /// A connection to the proxy. If there is none, the error says so: whoever asks for a server may know of no proxy.
    async fn reach(&self) -> Result<MaybeTlsStream, ConnectError> {
        self.connect().await.map_err(|error| match error {
            ConnectError::Resolve { .. } | ConnectError::Dial { .. } | ConnectError::Tls { .. } => {
                self.failed(None, ProxyError::NotReached { source: Box::new(error) })
            }
            ConnectError::Unsupported { needs, .. } => {
                ConnectError::Unsupported { what: "a proxy by https://", needs }
            }
            error => error,
        })
    }

    async fn connect(&self) -> Result<MaybeTlsStream, ConnectError> {
        let Tunnel { client, proxy, deadline, .. } = *self;
        #[cfg(feature = "tls")]
        if proxy.needs_tls() {
            // What is missing shows before anything is dialled.
            let tls = super::super::tls::Tls::new(client, &proxy.host, proxy.port, b"http/1.1")?;
            let io = tcp::connect(client, &proxy.host, proxy.port, deadline).await?;
            return deadline.keep(Phase::Tls, &proxy.host, proxy.port, tls.handshake(io)).await;
        }
        tcp::connect(client, &proxy.host, proxy.port, deadline).await
    }

    async fn answer<T>(
        &self,
        work: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        self.deadline.keep(Phase::Proxy, &self.proxy.host, self.proxy.port, work).await
    }

    fn failed(&self, address: Option<IpAddr>, source: ProxyError) -> ConnectError {
        let at = address.filter(|address| address.to_string() != self.target.host);
        let at = at.map_or_else(String::new, |address| format!(" (at {address})"));
        let to = format!("{} port {}{at}", self.target.host, self.target.port);
        ConnectError::Proxy { proxy: self.proxy.to_string(), to, source }
    }
}

async fn receive(io: &mut MaybeTlsStream, socks: &mut Socks5) -> Result<Next, ProxyError> {
    exact::read(io, |octets| socks.receive(octets)).await.map_err(|unread| match unread {
        Unread::Wrong(error) => error,
        Unread::Ended { begun } => ProxyError::Ended { begun },
        Unread::Failed(source) => ProxyError::Io { source },
    })
}

fn failed(source: io::Error) -> ProxyError {
    ProxyError::Io { source }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::{Config, PayloadType};

    /// What becomes of the addresses of a server, by a proxy that has a code for each; and how many it was asked for.
    async fn ask(codes: &[u8]) -> (Result<MaybeTlsStream, ConnectError>, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("socks5://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let last_octets = 1..=u8::try_from(codes.len()).unwrap();
        let addresses: Vec<_> = last_octets.map(|last| SocketAddr::from(([192, 0, 2, last], 80))).collect();
        let proxy = async {
            let mut asked = 0;
            for code in codes {
                let Ok((mut io, _)) = listener.accept().await else { break };
                io.read_exact(&mut [0; 3]).await.unwrap();
                io.write_all(&[5, 0]).await.unwrap();
                let mut request = [0; 10];
                io.read_exact(&mut request).await.unwrap();
                asked += 1;
                assert_eq!(usize::from(request[7]), asked);
                io.write_all(&[5, *code, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
                if matches!(code, 0 | 2) {
                    break;
                }
            }
            asked
        };
        let client = Client::new(Config::new(PayloadType::Binary));
        let tunnel = Tunnel {
            client: &client,
            target: &Target::parse("ws://server.example").unwrap(),
            proxy: &ProxyUrl::parse(&url).unwrap(),
            deadline: Deadline::after(Duration::from_secs(60)),
        };
        tokio::join!(tunnel.by_socks_to(&addresses), proxy)
    }

    #[tokio::test]
    async fn next_address_is_tried_when_the_proxy_does_not_reach_one() {
        for (codes, asked, failed_at) in [
            (&[0, 0][..], 1, None),
            (&[5, 4, 8, 1, 3, 6, 0, 0], 7, None),
            (&[5, 4], 2, Some("server.example port 80 (at 192.0.2.2)")),
            // It would not take the next one either.
            (&[2, 0], 1, Some("server.example port 80 (at 192.0.2.1)")),
        ] {
            let (opened, found) = ask(codes).await;
            let failed = opened.map(drop).err().map(|error| error.to_string());
            assert_eq!(found, asked, "{codes:?}");
            assert_eq!(failed.is_some(), failed_at.is_some(), "{failed:?}");
            assert!(failed.unwrap_or_default().contains(failed_at.unwrap_or_default()), "{codes:?}");
        }
    }
}
