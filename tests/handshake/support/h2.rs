//! A client of RFC 8441, by hyper.

use std::net::SocketAddr;

use bytes::Bytes;
use fastwebsockets_stream::{Config, Role, WebSocketStream};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::ext::Protocol;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::serve::Ours;
use super::within;

/// One connection, on which many requests may be made.
pub struct Client {
    sender: SendRequest<Empty<Bytes>>,
    address: SocketAddr,
    /// Whether the server has said that it takes extended CONNECT.
    pub announced: bool,
}

impl Client {
    /// Has the server's SETTINGS, for it has had an answer.
    pub async fn connect(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let http = http2::Builder::new(TokioExecutor::new());
        let (mut sender, mut connection) = http.handshake(TokioIo::new(tcp)).await.unwrap();
        let request = Request::get(format!("http://{address}/")).body(Empty::new()).unwrap();
        let first = within(sender.send_request(request));
        tokio::select! {
            answer = first => assert!(answer.is_ok(), "{answer:?}"),
            ended = &mut connection => panic!("the connection has ended: {ended:?}"),
        }
        let announced = connection.is_extended_connect_protocol_enabled();
        tokio::spawn(connection);
        Client { sender, address, announced }
    }

    /// What asks for a WebSocket, to be changed.
    pub fn request(&self) -> Request<Empty<Bytes>> {
        let request = Request::connect(format!("http://{}/chat", self.address));
        let request = request.extension(Protocol::from_static("websocket"));
        request.header("sec-websocket-version", "13").body(Empty::new()).unwrap()
    }

    pub async fn send(
        &self,
        request: Request<Empty<Bytes>>,
    ) -> hyper::Result<Response<hyper::body::Incoming>> {
        within(self.sender.clone().send_request(request)).await
    }

    /// The answer to a request that is refused, and its body.
    pub async fn refused(&self, request: Request<Empty<Bytes>>) -> (http::response::Parts, String) {
        let (parts, body) = self.send(request).await.unwrap().into_parts();
        let body = within(body.collect()).await.unwrap().to_bytes();
        (parts, String::from_utf8(body.to_vec()).unwrap())
    }

    pub async fn stream(&self, config: Config) -> Ours {
        let response = self.send(self.request()).await.unwrap();
        assert_eq!(response.status(), 200);
        let upgraded = within(hyper::upgrade::on(response)).await.unwrap();
        WebSocketStream::from_transport(upgraded.into(), Role::Client, [], config)
    }
}
