//! One type for the streams of both kinds of HTTP.

// The crate's own `http`, for those who have no other.
use fastwebsockets_stream::http::Uri;
use fastwebsockets_stream::{Client, ClientIo, ClientStream, Http2Stream, Role, Upgrader, WebSocketStream};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::support::client::{accept_by_hand, read_head, serve, switching};
use crate::support::serve::{Http, Server};
use crate::support::{binary, bulk, echo, exchange, wire, within};

/// With http2 as without.
#[test]
fn stream_of_either_kind_is_send_sync_and_unpin() {
    fn is_all<T: Send + Sync + Unpin>() {}
    is_all::<ClientStream>();
    is_all::<WebSocketStream<Http2Stream>>();
}

#[tokio::test]
async fn streams_of_both_kinds_go_into_one_list_and_echo() {
    let mut streams: Vec<ClientStream> = Vec::new();
    for http in [Http::One, Http::Two] {
        let mut server = Server::new(http, Upgrader::new(binary())).await;
        let client = Client::new(binary());
        let uri: Uri = format!("ws://{}/", server.address).parse().unwrap();
        streams.push(match http {
            Http::Two => client.http2(&uri).await.unwrap().connect(&uri).await.unwrap().0.into(),
            _ => client.connect(&uri).await.unwrap().0.into(),
        });
        let stream = streams.last().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), server.address);
        assert_ne!(stream.local_addr().unwrap(), server.address);
        tokio::spawn(echo(server.stream().await));
    }
    assert!(matches!(streams[0].get_ref(), ClientIo::Http1(_)), "{streams:?}");
    assert!(matches!(streams[1].get_ref(), ClientIo::Http2(_)), "{streams:?}");
    // As the transport inside.
    assert_eq!(
        streams.iter().map(|stream| stream.get_ref().is_write_vectored()).collect::<Vec<_>>(),
        [true, false]
    );
    for stream in streams {
        within(exchange(stream, &bulk(3 << 20, 5))).await;
    }
}

#[tokio::test]
async fn stream_that_is_converted_in_the_middle_of_a_frame_loses_nothing() {
    let (sender, converted) = oneshot::channel();
    let (port, server) = serve(async move |mut io: TcpStream| {
        let head = read_head(&mut io).await;
        let bytes = bulk(1000, 6);
        let frame = wire::from_peer(Role::Client, true, wire::BINARY, &bytes);
        let (first, second) = frame.split_at(500);
        io.write_all(&[switching(&head, "").as_bytes(), first].concat()).await.unwrap();
        converted.await.unwrap();
        io.write_all(second).await.unwrap();
        let mut stream = WebSocketStream::from_transport(io, Role::Server, [], binary());
        assert_eq!(stream.read_u8().await.unwrap(), 7);
    })
    .await;
    let (mut stream, _) = Client::new(binary()).connect(format!("ws://localhost:{port}/")).await.unwrap();
    let mut bytes = vec![0; 1000];
    within(stream.read_exact(&mut bytes[..10])).await.unwrap();
    let mut stream = ClientStream::from(stream);
    sender.send(()).unwrap();
    within(stream.read_exact(&mut bytes[10..])).await.unwrap();
    assert_eq!(bytes, bulk(1000, 6));
    stream.write_all(&[7]).await.unwrap();
    within(server).await.unwrap();
}

/// The socket is not closed while the server still sends: that would reset it.
#[tokio::test]
async fn stream_over_http1_that_was_shut_down_and_dropped_takes_what_still_comes() {
    let (sender, dropped) = oneshot::channel();
    let (port, server) = serve(async move |io: TcpStream| {
        let (stream, _) = accept_by_hand(io).await;
        let mut io = stream.into_parts().transport;
        dropped.await.unwrap();
        for _ in 0..4 {
            io.write_all(&wire::from_peer(Role::Client, true, wire::BINARY, &[0; 30_000])).await.unwrap();
        }
        io.write_all(&wire::close(Role::Client, Some(1000), "")).await.unwrap();
        let mut received = Vec::new();
        io.read_to_end(&mut received).await.unwrap();
        assert_eq!(wire::opcodes(&wire::decode(&received)), [wire::CLOSE]);
    })
    .await;
    let (stream, _) = Client::new(binary()).connect(format!("ws://localhost:{port}/")).await.unwrap();
    let mut stream = ClientStream::from(stream);
    stream.shutdown().await.unwrap();
    drop(stream);
    sender.send(()).unwrap();
    within(server).await.unwrap();
}

#[tokio::test]
async fn stream_over_http2_that_was_shut_down_and_dropped_ends_before_it_is_reset() {
    let mut server = Server::new(Http::Two, Upgrader::new(binary())).await;
    let uri = format!("ws://{}/", server.address);
    let http2 = Client::new(binary()).http2(&uri).await.unwrap();
    let (near, _) = http2.connect(&uri).await.unwrap();
    let mut far = server.stream().await;
    let mut near = ClientStream::from(near);
    near.write_all(b"bytes").await.unwrap();
    near.shutdown().await.unwrap();
    drop(near);
    assert!(http2.wait_idle().now_or_never().is_none(), "it was cut off");
    let mut bytes = Vec::new();
    within(far.read_to_end(&mut bytes)).await.unwrap();
    assert_eq!(bytes, b"bytes");
    drop(far);
    within(http2.wait_idle()).await;

    // The end of one that is held waits for the server's.
    let (near, _) = http2.connect(&uri).await.unwrap();
    let mut near = ClientStream::from(near);
    tokio::spawn(echo(server.stream().await));
    near.shutdown().await.unwrap();
    assert_eq!(within(near.read(&mut [0])).await.unwrap(), 0);
    http2.wait_idle().now_or_never().expect("the end came before END_STREAM");
}
