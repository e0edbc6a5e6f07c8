//! Clients that others have written.

use std::net::SocketAddr;

use bytes::Bytes;
use fastwebsockets::{Frame, OpCode, Payload};
use fastwebsockets_stream::Upgrader;
use futures_util::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::Request;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::serve::{Http, Server};
use crate::support::{binary, bulk, echo, within};

/// Where a server echoes what comes, to its end.
async fn server(upgrader: Upgrader) -> SocketAddr {
    let mut server = Server::new(Http::One, upgrader.config(binary())).await;
    let address = server.address;
    tokio::spawn(async move {
        while let Some(upgrade) = server.upgrades.recv().await {
            tokio::spawn(async { echo(upgrade.await?).await });
        }
    });
    address
}

#[tokio::test]
async fn tungstenite_is_accepted_echoed_and_closed() {
    let address = server(Upgrader::new(binary()).subprotocols(["tunnel"]).unwrap()).await;
    let mut request = format!("ws://{}/", address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "chat, tunnel".parse().unwrap());
    let (mut socket, response) = within(tokio_tungstenite::connect_async(request)).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "tunnel");
    let sent = bulk(300_000, 2);
    for piece in sent.chunks(100_000) {
        socket.send(Message::Binary(piece.to_vec().into())).await.unwrap();
    }
    socket.close(Some(CloseFrame { code: 1000.into(), reason: "".into() })).await.unwrap();
    let (mut received, mut close) = (Vec::new(), None);
    while let Some(message) = within(socket.next()).await {
        match message.unwrap() {
            Message::Binary(bytes) => received.extend_from_slice(&bytes),
            Message::Close(frame) => close = frame,
            other => panic!("{other:?}"),
        }
    }
    assert!(received == sent);
    assert_eq!(u16::from(close.unwrap().code), 1000);
}

#[tokio::test]
async fn tungstenite_is_told_when_it_is_refused() {
    let upgrader = Upgrader::new(binary()).origins(fastwebsockets_stream::Origins::same_host());
    let address = server(upgrader).await;
    let mut request = format!("ws://{}/", address).into_client_request().unwrap();
    request.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    let refused = within(tokio_tungstenite::connect_async(request)).await.unwrap_err();
    let Error::Http(response) = refused else { panic!("{refused:?}") };
    assert_eq!(response.status(), 403);
    let body = response.into_body().unwrap();
    assert_eq!(body, b"the origin \"https://evil.example\" is not allowed\n");
}

#[tokio::test]
async fn fastwebsockets_is_accepted_echoed_and_closed() {
    let address = server(Upgrader::new(binary())).await;
    let tcp = TcpStream::connect(address).await.unwrap();
    let request = Request::get("/")
        .header("host", address.to_string())
        .header("upgrade", "websocket")
        .header("connection", "upgrade")
        .header("sec-websocket-key", fastwebsockets::handshake::generate_key())
        .header("sec-websocket-version", "13")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let executor = TokioExecutor::new();
    let handshake = fastwebsockets::handshake::client(&executor, request, tcp);
    let (mut socket, _) = within(handshake).await.unwrap();
    let sent = bulk(100_000, 3);
    socket.write_frame(Frame::binary(Payload::Borrowed(&sent))).await.unwrap();
    let mut received = Vec::new();
    while received.len() < sent.len() {
        received.extend_from_slice(&within(socket.read_frame()).await.unwrap().payload);
    }
    assert!(received == sent);
    socket.write_frame(Frame::close(1000, b"")).await.unwrap();
    let frame = within(socket.read_frame()).await.unwrap();
    assert_eq!((frame.opcode, &frame.payload[..2]), (OpCode::Close, &1000u16.to_be_bytes()[..]));
}
