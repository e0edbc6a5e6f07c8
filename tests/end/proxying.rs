//! A proxy by `copy_bidirectional`: PROMISES 5.4, 5.6.

use std::io::{self, ErrorKind};

use fastwebsockets_stream::{Role, WebSocketStream};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::programs::{Duplex, Ending, answer, ask, drain, echo, exchange, proxy};
use crate::support::defaults;
use crate::support::links::{LINKS, Stream, tcp};
use crate::support::matrix::{End, Load, Row, Running, as_over_tcp, compare, request, response};

type WebSocket = WebSocketStream<TcpStream>;

async fn websockets() -> (WebSocket, WebSocket) {
    let (near, far) = tcp().await;
    let stream = |io, role| WebSocketStream::from_transport(io, role, [], defaults());
    (stream(near, Role::Client), stream(far, Role::Server))
}

/// Between a stream and another one, at whose other end a program runs.
async fn between<T: Duplex>(
    io: Stream,
    (near, far): (T, T),
    upstream: impl AsyncFnOnce(T) -> io::Result<bool>,
) -> io::Result<(bool, (u64, u64))> {
    // The proxy reports, also when the program behind it fails first.
    let (carried, ended) = tokio::join!(proxy(io, near), upstream(far));
    let carried = carried?;
    Ok((ended?, carried))
}

fn exchanging(io: Stream, load: Load) -> Running {
    Box::pin(async move {
        let bytes = request(load);
        End::of(exchange(io, &bytes, load.slow).await, &bytes)
    })
}

fn asking(io: Stream, load: Load) -> Running {
    Box::pin(async move { End::of(ask(io, &request(load)).await, &response(load)) })
}

async fn echo_here(io: impl Duplex) -> io::Result<bool> {
    echo(io, Ending::Shutdown).await.map(|_| true)
}

fn sizes(load: Load) -> (u64, u64) {
    (request(load).len() as u64, response(load).len() as u64)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_to_an_echo_over_tcp_loses_nothing() {
    as_over_tcp(
        exchanging,
        |io, load| {
            Box::pin(async move {
                let (there, size) = (tcp().await, load.size as u64);
                End::of(between(io, there, echo_here).await, &(true, (size, size)))
            })
        },
        [End::Whole; 2],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_to_an_echo_over_a_websocket_loses_nothing() {
    as_over_tcp(
        exchanging,
        |io, load| {
            Box::pin(async move {
                let (there, size) = (websockets().await, load.size as u64);
                End::of(between(io, there, echo_here).await, &(true, (size, size)))
            })
        },
        [End::Whole; 2],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_to_a_server_that_answers_at_the_end_loses_nothing() {
    as_over_tcp(
        asking,
        |io, load| {
            Box::pin(async move {
                let serve = async |io| Ok(answer(io, &response(load)).await? == request(load));
                End::of(between(io, tcp().await, serve).await, &(true, sizes(load)))
            })
        },
        [End::Whole; 2],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_to_a_server_that_ends_first_loses_nothing() {
    fn one(io: Stream, load: Load) -> Running {
        Box::pin(async move { End::of(answer(io, &request(load)).await, &response(load)) })
    }
    as_over_tcp(
        one,
        |io, load| {
            Box::pin(async move {
                let serve = async |io| Ok(ask(io, &response(load)).await? == request(load));
                End::of(between(io, tcp().await, serve).await, &(true, sizes(load)))
            })
        },
        [End::Whole; 2],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_to_a_server_that_only_reads_ends_cleanly() {
    fn one(io: Stream, load: Load) -> Running {
        Box::pin(async move { End::of(ask(io, &request(load)).await, &Vec::new()) })
    }
    as_over_tcp(
        one,
        |io, load| {
            Box::pin(async move {
                let serve = async |io| Ok(drain(io).await? == request(load));
                End::of(between(io, websockets().await, serve).await, &(true, (load.size as u64, 0)))
            })
        },
        [End::Whole; 2],
    )
    .await;
}

/// A pipe: TCP at the outside, the link between two proxies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_proxies_with_the_link_between_them_lose_nothing() {
    fn one(io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let (bytes, size) = (request(load), load.size as u64);
            let visit = async |io| Ok(exchange(io, &bytes, load.slow).await? == bytes);
            End::of(between(io, tcp().await, visit).await, &(true, (size, size)))
        })
    }
    as_over_tcp(
        one,
        |io, load| {
            Box::pin(async move {
                let (there, size) = (tcp().await, load.size as u64);
                End::of(between(io, there, echo_here).await, &(true, (size, size)))
            })
        },
        [End::Whole; 2],
    )
    .await;
}

/// The proxy fails with the server, and what it has carried so far must not look like everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_to_a_server_that_is_cut_off_does_not_end_cleanly() {
    fn other(io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let serve = async |mut io: WebSocket| {
                tokio::io::copy(&mut io, &mut tokio::io::sink()).await?;
                io.write_all(&response(load)).await?;
                io.write_all(b"cut").await.map(|()| true)
            };
            End::of(between(io, websockets().await, serve).await, &(true, (0, 0)))
        })
    }
    let cut = End::Error(ErrorKind::UnexpectedEof);
    compare(Row { one: asking, other, tcp: Some([End::Short, cut]), here: [cut, cut], links: &LINKS }).await;
}
