//! From hyper's box back to the transport, at any moment.

use axum::Router;
use axum::routing::any;
use fastwebsockets_stream::axum::WebSocketUpgrade;
use fastwebsockets_stream::{Role, Upgrader};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::support::h2::Client;
use crate::support::raw::{Raw, Request};
use crate::support::serve::{Http, Ours, Server};
use crate::support::{binary, bulk, wire, within};

#[derive(Clone, Copy, Debug)]
enum Under {
    Hyper,
    HyperUtil,
    Axum,
}

const ALL: [Under; 3] = [Under::Hyper, Under::HyperUtil, Under::Axum];

/// A stream that began with these bytes right behind the request, and its client.
async fn meet(under: Under, early: &[u8]) -> (Ours, Raw) {
    ask(under, Request::new().then(early)).await
}

async fn ask(under: Under, request: Request) -> (Ours, Raw) {
    let upgrader = Upgrader::new(binary());
    let (address, mut server, mut streams) = match under {
        Under::Hyper => {
            let server = Server::new(Http::One, upgrader).await;
            (server.address, Some(server), None)
        }
        Under::HyperUtil => {
            let server = Server::new(Http::Auto, upgrader).await;
            (server.address, Some(server), None)
        }
        Under::Axum => {
            let (sender, streams) = mpsc::unbounded_channel();
            let handler = async move |upgrade: WebSocketUpgrade| {
                upgrade.on_upgrade(async move |stream| drop(sender.send(stream)))
            };
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let router = Router::new().route("/chat", any(handler));
            tokio::spawn(axum::serve(listener, router).into_future());
            (address, None, Some(streams))
        }
    };
    let mut raw = Raw::connect(address).await;
    assert_eq!(raw.ask(&request).await.status(), 101);
    let stream = match (&mut server, &mut streams) {
        (Some(server), _) => server.stream().await,
        (_, Some(streams)) => within(streams.recv()).await.unwrap(),
        _ => unreachable!(),
    };
    (stream, raw)
}

fn data(payload: &[u8]) -> Vec<u8> {
    wire::data(Role::Server, payload)
}

/// Reads exactly these bytes.
async fn expect<S>(stream: &mut fastwebsockets_stream::WebSocketStream<S>, expected: &[u8])
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut bytes = vec![0; expected.len()];
    within(stream.read_exact(&mut bytes)).await.unwrap();
    assert!(bytes == expected, "other bytes than were sent");
}

#[tokio::test]
async fn socket_comes_back_with_what_was_sent_behind_the_request() {
    for under in ALL {
        let early = [data(b"one"), wire::ping(Role::Server, b"?"), data(&bulk(3_000, 1))].concat();
        let (stream, mut raw) = meet(under, &early).await;
        let mut stream = stream.downcast::<TcpStream>().unwrap();
        assert_eq!(stream.get_ref().peer_addr().unwrap(), raw.address(), "{under:?}");
        assert!(stream.role() == Role::Server);
        expect(&mut stream, b"one").await;
        expect(&mut stream, &bulk(3_000, 1)).await;
        assert_eq!(raw.frame().await.payload, b"?");
        stream.write_all(b"two").await.unwrap();
        assert_eq!(raw.frame().await.payload, b"two");
        raw.send(&[data(b"three"), wire::close(Role::Server, Some(1000), "")].concat()).await;
        expect(&mut stream, b"three").await;
        assert_eq!(within(stream.read(&mut [0])).await.unwrap(), 0);
        stream.shutdown().await.unwrap();
        assert_eq!(raw.frame().await.opcode, wire::CLOSE);
    }
}

/// What hyper has read, what the stream has read, and what is still in the socket come in this order, wherever it is cut.
#[tokio::test]
async fn socket_comes_back_in_the_middle_of_a_frame_and_of_a_message() {
    let message = bulk(2_000, 2);
    let frames = [
        wire::from_peer(Role::Server, false, wire::BINARY, &message[..700]),
        wire::ping(Role::Server, b"between"),
        wire::from_peer(Role::Server, false, wire::CONTINUATION, &message[700..1_400]),
        wire::from_peer(Role::Server, true, wire::CONTINUATION, &message[1_400..]),
    ]
    .concat();
    for under in ALL {
        // Bytes sent with the request, payload read before and after the downcast: within headers, keys and payloads.
        for (early, before) in
            [(0, 0), (1, 0), (5, 0), (8, 0), (9, 1), (300, 100), (703, 695), (1_000, 1), (1_000, 800)]
        {
            let (mut stream, mut raw) = meet(under, &frames[..early]).await;
            expect(&mut stream, &message[..before]).await;
            stream.write_all(b"before").await.unwrap();
            let mut stream = stream.downcast::<TcpStream>().unwrap();
            stream.write_all(b"after").await.unwrap();
            raw.send(&frames[early..]).await;
            expect(&mut stream, &message[before..]).await;
            let mut written = Vec::new();
            let mut pong = false;
            while written.len() < 11 || !pong {
                let frame = raw.frame().await;
                match frame.opcode {
                    wire::PONG => pong = frame.payload == b"between",
                    _ => written.extend(frame.payload),
                }
            }
            assert_eq!(written, b"beforeafter", "{under:?} {early} {before}");
            raw.send(&wire::close(Role::Server, Some(1000), "")).await;
            assert_eq!(within(stream.read(&mut [0])).await.unwrap(), 0, "{under:?} {early} {before}");
        }
    }
}

/// After a large head hyper reads by so many bytes at once that the stream's own read-ahead leaves some of them to it.
#[tokio::test]
async fn socket_comes_back_with_what_hyper_and_the_stream_have_both_read_ahead() {
    let message = bulk(100_000, 5);
    for under in ALL {
        let large = Request::new().with(&format!("X: {}", "x".repeat(60_000)));
        let (mut stream, mut raw) = ask(under, large.then(&data(&message))).await;
        expect(&mut stream, &message[..1]).await;
        let mut stream = stream.downcast::<TcpStream>().unwrap();
        expect(&mut stream, &message[1..]).await;
        stream.write_all(b"whole").await.unwrap();
        assert_eq!(raw.frame().await.payload, b"whole");
    }
}

#[tokio::test]
async fn stream_over_another_transport_comes_back_and_goes_on() {
    for under in ALL {
        let message = bulk(1_000, 3);
        let frame = data(&message);
        let (mut stream, mut raw) = meet(under, &frame[..500]).await;
        expect(&mut stream, &message[..200]).await;
        let stream = stream.downcast::<DuplexStream>().unwrap_err();
        // Nearly right is wrong too: the box holds the socket itself.
        let mut stream = stream.downcast::<TokioIo<TokioIo<TcpStream>>>().unwrap_err();
        raw.send(&frame[500..]).await;
        expect(&mut stream, &message[200..]).await;
        stream.write_all(b"still here").await.unwrap();
        assert_eq!(raw.frame().await.payload, b"still here");
        let stream = stream.downcast::<TcpStream>().unwrap();
        assert_eq!(stream.get_ref().peer_addr().unwrap(), raw.address());
    }
}

#[tokio::test]
async fn stream_over_http2_comes_back_in_the_middle_of_a_frame_and_goes_on() {
    for http in [Http::Two, Http::Auto] {
        let mut server = Server::new(http, Upgrader::new(binary())).await;
        let client = Client::connect(server.address).await;
        drop(server.upgrade().await);
        let mut near = client.stream(binary()).await;
        let mut far = server.stream().await;
        let message = bulk(200_000, 4);
        let (first, second) = message.split_at(100_000);
        let send = async {
            near.write_all(first).await.unwrap();
            near.write_all(second).await.unwrap();
        };
        let receive = async {
            expect(&mut far, &message[..60_001]).await;
            let mut far = far.downcast::<TcpStream>().unwrap_err();
            expect(&mut far, &message[60_001..]).await;
            far.write_all(b"still here").await.unwrap();
            far
        };
        let ((), mut far) = within(async { tokio::join!(send, receive) }).await;
        expect(&mut near, b"still here").await;
        near.shutdown().await.unwrap();
        assert_eq!(within(far.read(&mut [0])).await.unwrap(), 0, "{http:?}");
    }
}

/// The closing state goes with it: no second Close is sent, and the peer's end is still the end.
#[tokio::test]
async fn socket_comes_back_after_a_close() {
    let (mut stream, mut raw) = meet(Under::Axum, &data(b"one")).await;
    stream.shutdown().await.unwrap();
    let mut stream = stream.downcast::<TcpStream>().unwrap();
    assert_eq!(stream.write(b"more").await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    expect(&mut stream, b"one").await;
    raw.send(&wire::close(Role::Server, Some(1000), "")).await;
    assert_eq!(within(stream.read(&mut [0])).await.unwrap(), 0);
    stream.shutdown().await.unwrap();
    assert_eq!(raw.frame().await.opcode, wire::CLOSE);
    drop(stream);
    assert!(raw.rest().await.is_empty());
}
