//! An echo by `copy`: PROMISES 5.4, 5.6, 5.7.

use std::io::ErrorKind;

use crate::programs::{Ending, echo, exchange, exchange_into};
use crate::support::links::{Link, OWNED, Stream};
use crate::support::matrix::{End, Load, Program, Row, Running, as_over_tcp, compare, request};

fn asking(io: Stream, load: Load) -> Running {
    Box::pin(async move {
        let bytes = request(load);
        End::of(exchange(io, &bytes, load.slow).await, &bytes)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_by_copy_that_shuts_down_loses_nothing() {
    let echoing: Program =
        |io, load| Box::pin(async move { End::of(echo(io, Ending::Shutdown).await, &(load.size as u64)) });
    as_over_tcp(asking, echoing, [End::Whole; 2]).await;
}

fn echoing_and_going(io: Stream, load: Load) -> Running {
    Box::pin(async move { End::of(echo(io, Ending::Nothing).await, &(load.size as u64)) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_by_copy_that_is_dropped_at_its_end_loses_nothing() {
    let here = [End::Whole; 2];
    compare(Row { one: asking, other: echoing_and_going, tcp: Some(here), here, links: &OWNED }).await;
}

/// Over a transport of the caller's the Close leaves only if the socket takes it at once: a reader that is far behind may
/// miss that, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_by_copy_that_is_dropped_at_its_end_over_a_borrowed_transport_loses_no_byte() {
    fn one(io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let (bytes, mut received) = (request(load), Vec::new());
            let result = exchange_into(io, &bytes, load.slow, &mut received).await;
            let close_may_be_missing = load.size > 1 && received == bytes;
            match result {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof && close_may_be_missing => End::Whole,
                result => End::of(result.map(|()| received), &bytes),
            }
        })
    }
    let here = [End::Whole; 2];
    compare(Row { one, other: echoing_and_going, tcp: Some(here), here, links: &[Link::Raw] }).await;
}
