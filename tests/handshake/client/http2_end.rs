//! How streams of HTTP/2 end, against hyper's server: END_STREAM both ways, and nothing is lost.

mod by_hand;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use fastwebsockets_stream::{Client, CloseCode, Config, Http2, Http2Stream, Role, Upgrader, WebSocketStream};
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::support::serve::{Http, Ours, Server};
use crate::support::{binary, bulk, h2, wire, within};

/// How many bytes, how many times.
const SIZES: [(usize, usize); 3] = [(1, 30), (10_000, 30), (20 << 20, 2)];

/// How an end that has said everything takes its leave, before it drops the stream.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Leave {
    Shutdown,
    ShutdownAndRead,
    Close,
}

const LEAVES: [Leave; 3] = [Leave::Shutdown, Leave::ShutdownAndRead, Leave::Close];

/// And what the other end does, which reads.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Listen {
    /// It shuts down before it reads: both Closes are there while the bytes are on the way.
    ShutdownFirst,
    ShutdownLast,
    /// It reads to the end and drops the stream.
    Drop,
}

const LISTENS: [Listen; 3] = [Listen::ShutdownFirst, Listen::ShutdownLast, Listen::Drop];

async fn write_and_leave<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: WebSocketStream<S>,
    bytes: &[u8],
    leave: Leave,
) -> io::Result<()> {
    for part in bytes.chunks(64 << 10) {
        stream.write_all(part).await?;
    }
    match leave {
        Leave::Shutdown => stream.shutdown().await,
        Leave::ShutdownAndRead => {
            stream.shutdown().await?;
            assert_eq!(stream.read(&mut [0; 16]).await?, 0);
            Ok(())
        }
        Leave::Close => {
            let close = stream.close(CloseCode::NORMAL, "").await?;
            assert_eq!(close.unwrap().code, Some(CloseCode::NORMAL));
            Ok(())
        }
    }
}

async fn read_all<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: WebSocketStream<S>,
    listen: Listen,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if listen == Listen::ShutdownFirst {
        stream.shutdown().await?;
    }
    stream.read_to_end(&mut bytes).await?;
    if listen == Listen::ShutdownLast {
        stream.shutdown().await?;
    }
    Ok(bytes)
}

async fn connected(config: Config) -> (Server, Http2, String) {
    let server = Server::new(Http::Two, Upgrader::new(binary())).await;
    let uri = format!("ws://{}/", server.address);
    let http2 = within(Client::new(config).http2(&uri)).await.unwrap();
    (server, http2, uri)
}

async fn both_ends(server: &mut Server, http2: &Http2, uri: &str) -> (WebSocketStream<Http2Stream>, Ours) {
    let (near, _) = within(http2.connect(uri)).await.unwrap();
    (near, server.stream().await)
}

/// Each way to leave with each way to listen; every byte arrives, and both ends see a clean end.
async fn assert_nothing_is_lost(client_writes: bool) {
    let (mut server, http2, uri) = connected(binary()).await;
    for (size, runs) in SIZES {
        let bytes = bulk(size, 9);
        for (leave, listen) in LEAVES.into_iter().flat_map(|leave| LISTENS.map(|listen| (leave, listen))) {
            for run in 0..runs {
                let (near, far) = both_ends(&mut server, &http2, &uri).await;
                // In two tasks, so that two threads do it.
                let (left, read) = if client_writes {
                    let read = tokio::spawn(read_all(far, listen));
                    (within(write_and_leave(near, &bytes, leave)).await, within(read).await.unwrap())
                } else {
                    let read = tokio::spawn(read_all(near, listen));
                    (within(write_and_leave(far, &bytes, leave)).await, within(read).await.unwrap())
                };
                let read = read.map(|read| read == bytes);
                assert!(
                    left.is_ok() && matches!(read, Ok(true)),
                    "{size} bytes, {leave:?}, {listen:?}, run {run}: {left:?}, {read:?}"
                );
            }
        }
    }
    within(http2.wait_idle()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_client_has_sent_is_lost_however_it_leaves() {
    assert_nothing_is_lost(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_server_has_sent_is_lost_however_it_leaves() {
    assert_nothing_is_lost(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_that_was_not_shut_down_is_cut_off() {
    let (mut server, http2, uri) = connected(binary()).await;
    for _ in 0..30 {
        let (mut near, mut far) = both_ends(&mut server, &http2, &uri).await;
        near.write_all(&[7; 10_000]).await.unwrap();
        drop(near);
        let error = within(far.read_to_end(&mut Vec::new())).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        // It is gone at once.
        within(http2.wait_idle()).await;
    }
}

/// The transport is full of what was written before, with any number of frames: nothing runs meanwhile.
#[tokio::test]
async fn answer_that_finds_no_room_leaves_after_the_stream_was_dropped() {
    let mut server = Server::new(Http::Two, Upgrader::new(binary().write_buffer(1024))).await;
    let uri = format!("ws://{}/", server.address);
    let http2 = within(Client::new(binary()).http2(&uri)).await.unwrap();
    for count in 0.. {
        let (mut near, mut far) = both_ends(&mut server, &http2, &uri).await;
        // They come together.
        far.write_all(b"x").await.unwrap();
        far.shutdown().await.unwrap();
        assert_eq!(within(near.read_u8()).await.unwrap(), b'x');
        assert!(near.is_closed());
        let written = (0..count).take_while(|_| near.write_all(&[7; 1024]).now_or_never().is_some()).count();
        if written < count {
            // A write that waits was not accepted: there are no more cases.
            assert!(count > 1);
            break;
        }
        assert_eq!(near.read(&mut [0]).now_or_never().unwrap().unwrap(), 0);
        drop(near);
        assert_eq!(within(read_all(far, Listen::Drop)).await.unwrap().len(), count * 1024);
        within(http2.wait_idle()).await;
    }
}

#[tokio::test]
async fn connection_is_idle_when_every_stream_has_ended() {
    let (mut server, http2, uri) = connected(binary()).await;
    // Of one that was dropped, only when the server has ended it.
    let (mut near, mut far) = both_ends(&mut server, &http2, &uri).await;
    near.write_all(b"bytes").await.unwrap();
    near.shutdown().await.unwrap();
    drop(near);
    let other = http2.clone();
    let mut idle = Box::pin(other.wait_idle());
    assert!(idle.as_mut().now_or_never().is_none());
    let mut bytes = Vec::new();
    within(far.read_to_end(&mut bytes)).await.unwrap();
    assert_eq!(bytes, b"bytes");
    assert!(idle.as_mut().now_or_never().is_none());
    drop(far);
    within(idle).await;

    // One that is held has ended when its end was read.
    let (mut near, far) = both_ends(&mut server, &http2, &uri).await;
    near.shutdown().await.unwrap();
    assert!(http2.wait_idle().now_or_never().is_none());
    let far = tokio::spawn(read_all(far, Listen::Drop));
    assert_eq!(within(near.read(&mut [0])).await.unwrap(), 0);
    http2.wait_idle().now_or_never().unwrap();
    within(far).await.unwrap().unwrap();
    drop(near);

    // A request counts while it waits for its answer, and not if it is given up.
    let mut request = Box::pin(http2.connect(&uri));
    assert!(request.as_mut().now_or_never().is_none());
    assert!(http2.wait_idle().now_or_never().is_none());
    drop(request);
    http2.wait_idle().now_or_never().unwrap();
}

#[tokio::test]
async fn stream_that_was_taken_apart_ends_as_one_that_was_not() {
    let (mut server, http2, uri) = connected(binary()).await;
    let (mut near, far) = both_ends(&mut server, &http2, &uri).await;
    near.shutdown().await.unwrap();
    drop(WebSocketStream::from_parts(near.into_parts()));
    assert!(http2.wait_idle().now_or_never().is_none(), "it was cut off");
    assert_eq!(within(read_all(far, Listen::Drop)).await.unwrap(), []);
    within(http2.wait_idle()).await;

    let (mut near, far) = both_ends(&mut server, &http2, &uri).await;
    let far = tokio::spawn(read_all(far, Listen::Drop));
    near.shutdown().await.unwrap();
    let mut near = WebSocketStream::from_parts(near.into_parts());
    assert_eq!(within(near.read(&mut [0])).await.unwrap(), 0);
    http2.wait_idle().now_or_never().expect("the end came before END_STREAM");
    within(far).await.unwrap().unwrap();
}

/// A reset would fail the writes of a client that is not of this crate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_has_left_resets_nothing_before_the_client_has_ended() {
    let mut server = Server::new(Http::Two, Upgrader::new(binary())).await;
    let client = h2::Client::connect(server.address).await;
    drop(server.upgrade().await);
    for leave in [Leave::Shutdown, Leave::Close] {
        for _ in 0..30 {
            let mut near = client.stream(binary()).await;
            let far = server.stream().await;
            let far = tokio::spawn(async move { write_and_leave(far, &[7; 10_000], leave).await });
            let mut bytes = Vec::new();
            within(near.read_to_end(&mut bytes)).await.unwrap();
            assert_eq!(bytes, [7; 10_000]);
            if leave == Leave::Shutdown {
                within(far).await.unwrap().unwrap();
                within(near.write_all(&[7; 100_000])).await.unwrap();
                within(near.shutdown()).await.unwrap();
            } else {
                within(near.shutdown()).await.unwrap();
                within(far).await.unwrap().unwrap();
            }
        }
    }
}
