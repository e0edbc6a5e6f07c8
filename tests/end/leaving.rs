//! Servers that push, and clients that leave: PROMISES 2.4, 5.3, 5.4, 5.6.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::programs::{Ending, push, push_until_the_end};
use crate::support::links::{LINKS, Stream};
use crate::support::matrix::{End, Load, Program, Row, Running, as_over_tcp, compare};

/// Reads as much as it wants.
async fn read_some(io: &mut Stream, load: Load) {
    io.read_exact(&mut vec![0; 1 + load.size]).await.unwrap();
}

fn pushing(io: Stream, _: Load) -> Running {
    Box::pin(async move { End::of(push(io).await, &()) })
}

fn pushing_until_the_end(io: Stream, _: Load) -> Running {
    Box::pin(async move { End::of(push_until_the_end(io, Ending::Nothing).await, &()) })
}

fn pushing_until_the_end_and_shutting_down(io: Stream, _: Load) -> Running {
    Box::pin(async move { End::of(push_until_the_end(io, Ending::Shutdown).await, &()) })
}

fn dropping(mut io: Stream, load: Load) -> Running {
    Box::pin(async move {
        read_some(&mut io, load).await;
        End::Whole
    })
}

fn shutting_down(mut io: Stream, load: Load) -> Running {
    Box::pin(async move {
        read_some(&mut io, load).await;
        End::of(io.shutdown().await, &())
    })
}

/// The whole closing handshake.
fn closing(mut io: Stream, load: Load) -> Running {
    Box::pin(async move {
        read_some(&mut io, load).await;
        End::of(io.close(1000).await.map(|_| ()), &())
    })
}

/// The answer may be missing: a server whose write fails does not wait until it has left.
fn going_away(mut io: Stream, load: Load) -> Running {
    Box::pin(async move {
        read_some(&mut io, load).await;
        End::of(io.close(1001).await.map(|code| code.unwrap_or(1001)), &1001)
    })
}

const NOTICED: [End; 2] = [End::Whole, End::Error(ErrorKind::Other)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_to_a_client_that_is_gone_fails() {
    as_over_tcp(dropping, pushing, NOTICED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_to_a_client_that_shuts_down_and_goes_fails() {
    as_over_tcp(shutting_down, pushing, NOTICED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_until_the_client_closes_ends_cleanly() {
    as_over_tcp(closing, pushing_until_the_end, [End::Whole; 2]).await;
    as_over_tcp(closing, pushing_until_the_end_and_shutting_down, [End::Whole; 2]).await;
}

/// 1001 says that the client reads no more: whoever writes notices, or else whoever reads. TCP has no such thing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_until_the_client_goes_away_ends_at_once() {
    let other: Program = |io, _| {
        Box::pin(async move {
            match push_until_the_end(io, Ending::Shutdown).await {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => End::Error(error.kind()),
                _ => End::Whole,
            }
        })
    };
    compare(Row { one: going_away, other, tcp: None, here: [End::Whole; 2], links: &LINKS }).await;
}
