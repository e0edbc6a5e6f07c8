//! Requests, responses and uploads, each direction with an end of its own: PROMISES 5.1, 5.4, 5.6, 5.7.

use std::io::ErrorKind;

use fastwebsockets_stream::{Client, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::programs::{answer, ask, drain, exchange, upload};
use crate::support::links::{LINKS, OWNED, Stream};
use crate::support::matrix::{End, Load, Row, Running, as_over_tcp, compare, request, response};
use crate::support::{bulk, defaults, within};

fn asking(io: Stream, load: Load) -> Running {
    Box::pin(async move { End::of(ask(io, &request(load)).await, &response(load)) })
}

fn asking_for_nothing(io: Stream, load: Load) -> Running {
    Box::pin(async move { End::of(ask(io, &request(load)).await, &Vec::new()) })
}

fn uploading(io: Stream, load: Load) -> Running {
    Box::pin(async move { End::of(upload(io, &request(load)).await, &()) })
}

fn answering(io: Stream, load: Load) -> Running {
    Box::pin(async move { End::of(answer(io, &response(load)).await, &request(load)) })
}

fn draining(io: Stream, load: Load) -> Running {
    Box::pin(async move { End::of(drain(io).await, &request(load)) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_after_the_end_of_the_request_arrives_whole() {
    as_over_tcp(asking, answering, [End::Whole; 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handler_that_reads_to_the_end_and_returns_ends_cleanly() {
    as_over_tcp(asking_for_nothing, draining, [End::Whole; 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_that_shuts_down_and_goes_arrives_whole() {
    as_over_tcp(uploading, draining, [End::Whole; 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ends_that_send_at_once_get_everything() {
    fn one(io: Stream, load: Load) -> Running {
        Box::pin(async move { End::of(exchange(io, &request(load), load.slow).await, &response(load)) })
    }
    fn other(io: Stream, load: Load) -> Running {
        Box::pin(async move { End::of(exchange(io, &response(load), false).await, &request(load)) })
    }
    as_over_tcp(one, other, [End::Whole; 2]).await;
}

/// Who answers ends first; then the other end still sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_after_the_end_of_the_download_arrives_whole() {
    as_over_tcp(
        answering,
        |io, load| Box::pin(async move { End::of(ask(io, &request(load)).await, &response(load)) }),
        [End::Whole; 2],
    )
    .await;
}

/// The length says where the request ends, and the end is not read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_of_a_handler_that_reads_only_what_it_needs_arrives_whole() {
    fn one(mut io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let visit = async {
                io.write_all(&request(load)).await?;
                io.shutdown().await?;
                load.signal.notify_one();
                drain(io).await
            };
            End::of(visit.await, &response(load))
        })
    }
    fn other(mut io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let serve = async {
                let mut received = vec![0; load.size];
                io.read_exact(&mut received).await?;
                load.signal.notified().await;
                upload(io, &response(load)).await.map(|()| received)
            };
            End::of(serve.await, &request(load))
        })
    }
    compare(Row { one, other, tcp: Some([End::Whole; 2]), here: [End::Whole; 2], links: &OWNED }).await;
}

/// As above, to a client that has room for a part of it. A socket that is closed with the client's Close unread is reset, and
/// takes the rest along.
#[tokio::test]
async fn response_behind_a_close_that_nobody_reads_arrives_whole() {
    let mut listener = Listener::bind("127.0.0.1:0", defaults()).await.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = listener.local_addr();
    let io = socket.connect(address).await.unwrap();
    let client = Client::new(defaults());
    let connecting = async { tokio::join!(client.over(io, "ws://here/"), listener.accept()) };
    let (connected, accepted) = within(connecting).await;
    let (mut near, mut far) = (connected.unwrap().0, accepted.unwrap().stream);

    near.write_all(b"ask").await.unwrap();
    far.read_exact(&mut [0; 3]).await.unwrap();
    near.shutdown().await.unwrap();
    within(upload(far, &bulk(50_000, 1))).await.unwrap();
    assert!(within(drain(near)).await.unwrap() == bulk(50_000, 1));
}

/// TCP cannot tell a program that has said everything from one that has been cut off; here they are told apart by a
/// shutdown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_without_a_shutdown_behind_it_is_not_whole() {
    fn other(mut io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let serve = async {
                let mut received = Vec::new();
                io.read_to_end(&mut received).await?;
                io.write_all(&response(load)).await?;
                io.write_all(b".").await.map(|()| received)
            };
            End::of(serve.await, &request(load))
        })
    }
    fn one(io: Stream, load: Load) -> Running {
        Box::pin(
            async move { End::of(ask(io, &request(load)).await, &[response(load), b".".to_vec()].concat()) },
        )
    }
    let here = [End::Error(ErrorKind::UnexpectedEof), End::Whole];
    compare(Row { one, other, tcp: Some([End::Whole; 2]), here, links: &LINKS }).await;
}

/// As above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_without_a_shutdown_behind_it_is_not_whole() {
    fn one(mut io: Stream, load: Load) -> Running {
        Box::pin(async move { End::of(io.write_all(&request(load)).await, &()) })
    }
    let here = [End::Whole, End::Error(ErrorKind::UnexpectedEof)];
    compare(Row { one, other: draining, tcp: Some([End::Whole; 2]), here, links: &LINKS }).await;
}
