//! Servers.

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use fastwebsockets_stream::{Upgrade, UpgradedStream, Upgrader};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

pub type Ours = UpgradedStream;

/// What a service makes of a request: its answer, and the stream's future, which the test gets.
pub type Answered = (Response<Full<Bytes>>, Upgrade);

/// Who serves HTTP.
#[derive(Clone, Copy, Debug)]
pub enum Http {
    /// hyper, HTTP/1.1.
    One,
    /// The same without `with_upgrades()`.
    OneWithoutUpgrades,
    /// hyper, HTTP/2, with `enable_connect_protocol()`.
    Two,
    /// The same without.
    TwoUnannounced,
    /// hyper-util, whichever version the client begins with.
    Auto,
}

/// A server, and the upgrades that it has answered with.
pub struct Server {
    pub address: SocketAddr,
    pub upgrades: mpsc::UnboundedReceiver<Upgrade>,
}

impl Server {
    pub async fn new(http: Http, upgrader: Upgrader) -> Self {
        Self::with(http, move |request| upgrader.upgrade(request)).await
    }

    pub async fn with<A>(http: Http, answer: A) -> Self
    where
        A: Fn(&mut Request<Incoming>) -> Answered + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, upgrades) = mpsc::unbounded_channel();
        let service = Arc::new(move |mut request: Request<Incoming>| {
            let (response, upgrade) = answer(&mut request);
            sender.send(upgrade).ok();
            response
        });
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tcp.set_nodelay(true).unwrap();
                tokio::spawn(serve(http, tcp, service.clone()));
            }
        });
        Server { address, upgrades }
    }

    pub async fn upgrade(&mut self) -> Upgrade {
        super::within(self.upgrades.recv()).await.unwrap()
    }

    /// The next stream.
    pub async fn stream(&mut self) -> Ours {
        let upgrade = self.upgrade().await;
        super::within(upgrade).await.unwrap()
    }
}

async fn serve<F>(http: Http, tcp: TcpStream, service: Arc<F>)
where
    F: Fn(Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    let io = TokioIo::new(tcp);
    let service = service_fn(move |request| ready(Ok::<_, Infallible>(service(request))));
    // How a connection ends shows at the client.
    match http {
        Http::One => drop(http1::Builder::new().serve_connection(io, service).with_upgrades().await),
        Http::OneWithoutUpgrades => drop(http1::Builder::new().serve_connection(io, service).await),
        Http::Two => {
            let mut http = http2::Builder::new(TokioExecutor::new());
            // As hyper comes, one stream that is not read takes the window of the whole connection.
            http.enable_connect_protocol().initial_stream_window_size(64 * 1024);
            drop(http.serve_connection(io, service).await);
        }
        Http::TwoUnannounced => {
            drop(http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await);
        }
        Http::Auto => {
            let mut http = auto::Builder::new(TokioExecutor::new());
            http.http2().enable_connect_protocol();
            drop(http.serve_connection_with_upgrades(io, service).await);
        }
    }
}
