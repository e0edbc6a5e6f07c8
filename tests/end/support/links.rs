//! Links: each gives connected pairs, client and server.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use fastwebsockets_stream::axum::WebSocketUpgrade;
use fastwebsockets_stream::{Client, Http2, Listener, Role, WebSocketStream, connect, upgrade};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Mutex, mpsc};

use super::{defaults, tls, within};

/// What programs are written for.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {
    /// The one call that a `TcpStream` does not have: `close`, where one shuts down and discards what still comes.
    fn close(&mut self, code: u16) -> Pin<Box<dyn Future<Output = io::Result<Option<u16>>> + Send + '_>>;
}

impl Io for TcpStream {
    fn close(&mut self, _: u16) -> Pin<Box<dyn Future<Output = io::Result<Option<u16>>> + Send + '_>> {
        Box::pin(async {
            self.shutdown().await?;
            tokio::io::copy(self, &mut tokio::io::sink()).await?;
            Ok(None)
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Io for WebSocketStream<S> {
    fn close(&mut self, code: u16) -> Pin<Box<dyn Future<Output = io::Result<Option<u16>>> + Send + '_>> {
        Box::pin(async move {
            let close = WebSocketStream::close(self, code, "").await?;
            Ok(close.and_then(|close| close.code).map(u16::from))
        })
    }
}

pub type Stream = Box<dyn Io>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Plain sockets: what all others are compared to.
    Tcp,
    /// `from_transport` over plain sockets.
    Raw,
    /// `Listener` and `connect`.
    Listener,
    /// `Listener` and `Client`, by `wss://`.
    Tls,
    /// `upgrade` in a service of hyper's.
    Hyper,
    Axum,
    /// `upgrade` in a service of hyper's over HTTP/2; all pairs share one connection.
    Http2,
}

/// All but plain sockets.
pub const LINKS: [Link; 6] = [Link::Raw, Link::Listener, Link::Tls, Link::Hyper, Link::Axum, Link::Http2];

/// Those that this crate has opened: dropping their streams leaves the end to a task.
pub const OWNED: [Link; 5] = [Link::Listener, Link::Tls, Link::Hyper, Link::Axum, Link::Http2];

/// Both ends of as many connections as are wanted.
pub struct Network {
    client: Connect,
    /// One at a time, so that the two ends belong together.
    server: Mutex<mpsc::UnboundedReceiver<Stream>>,
}

enum Connect {
    Tcp(String),
    Raw(String),
    Url(String),
    Client(Client, String),
    Http2(Http2, String),
}

impl Network {
    pub async fn new(link: Link) -> Self {
        let (sender, server) = mpsc::unbounded_channel();
        let client = within(open(link, sender)).await;
        Network { client, server: Mutex::new(server) }
    }

    /// Client and server.
    pub async fn pair(&self) -> (Stream, Stream) {
        let mut server = self.server.lock().await;
        let client: Stream = match &self.client {
            Connect::Tcp(address) => Box::new(dial(address).await),
            Connect::Raw(address) => {
                let io = dial(address).await;
                Box::new(WebSocketStream::from_transport(io, Role::Client, [], defaults()))
            }
            Connect::Url(url) => Box::new(connect(url, defaults()).await.unwrap()),
            Connect::Client(client, url) => Box::new(client.connect(url).await.unwrap().0),
            Connect::Http2(http2, url) => Box::new(http2.connect(url).await.unwrap().0),
        };
        (client, server.recv().await.unwrap())
    }
}

async fn dial(address: &str) -> TcpStream {
    let io = TcpStream::connect(address).await.unwrap();
    io.set_nodelay(true).unwrap();
    io
}

/// Both ends of a TCP connection.
pub async fn tcp() -> (TcpStream, TcpStream) {
    let listener = bind();
    let address = listener.local_addr().unwrap().to_string();
    let (near, far) = tokio::join!(dial(&address), listener.accept());
    let far = far.unwrap().0;
    far.set_nodelay(true).unwrap();
    (near, far)
}

/// With buffers so small that a few hundred kilobytes fill them.
fn bind() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(64 * 1024).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.listen(128).unwrap()
}

/// Serves; the server's ends go to `sender`.
async fn open(link: Link, sender: mpsc::UnboundedSender<Stream>) -> Connect {
    if matches!(link, Link::Listener | Link::Tls) {
        return listen(link, sender).await;
    }
    let listener = bind();
    let address = listener.local_addr().unwrap().to_string();
    let url = format!("ws://{address}/");
    if link == Link::Axum {
        let handler = move |upgrade: WebSocketUpgrade| {
            let sender = sender.clone();
            async { upgrade.on_upgrade(async move |stream| drop(sender.send(Box::new(stream)))) }
        };
        let router = axum::Router::new().route("/", axum::routing::any(handler));
        tokio::spawn(async { axum::serve(listener, router).await });
        return Connect::Url(url);
    }
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            io.set_nodelay(true).unwrap();
            serve(link, io, sender.clone());
        }
    });
    match link {
        Link::Tcp => Connect::Tcp(address),
        Link::Raw => Connect::Raw(address),
        Link::Http2 => Connect::Http2(Client::new(defaults()).http2(&url).await.unwrap(), url),
        _ => Connect::Url(url),
    }
}

async fn listen(link: Link, sender: mpsc::UnboundedSender<Stream>) -> Connect {
    let mut listener = Listener::new(bind(), defaults()).unwrap();
    let port = listener.local_addr().port();
    let connect = if link == Link::Tls {
        let (server, client) = tls::configs();
        listener = listener.tls(Arc::new(server));
        Connect::Client(Client::new(defaults()).tls(Arc::new(client)), format!("wss://localhost:{port}/"))
    } else {
        Connect::Url(format!("ws://127.0.0.1:{port}/"))
    };
    tokio::spawn(async move {
        while let Some(accepted) = listener.accept().await {
            sender.send(Box::new(accepted.stream)).ok();
        }
    });
    connect
}

fn serve(link: Link, io: TcpStream, sender: mpsc::UnboundedSender<Stream>) {
    if link == Link::Tcp {
        sender.send(Box::new(io)).ok();
        return;
    }
    if link == Link::Raw {
        sender.send(Box::new(WebSocketStream::from_transport(io, Role::Server, [], defaults()))).ok();
        return;
    }
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (response, stream) = upgrade(request, defaults());
        let sender = sender.clone();
        tokio::spawn(async move { sender.send(Box::new(stream.await.unwrap())).ok() });
        async { Ok::<_, Infallible>(response) }
    });
    let io = TokioIo::new(io);
    tokio::spawn(async move {
        // How a connection ends shows at the client.
        if link == Link::Http2 {
            let mut http = http2::Builder::new(TokioExecutor::new());
            // As hyper comes, one stream that is not read takes the window of the whole connection.
            http.enable_connect_protocol().initial_stream_window_size(64 * 1024);
            http.serve_connection(io, service).await.ok();
        } else {
            http1::Builder::new().serve_connection(io, service).with_upgrades().await.ok();
        }
    });
}
