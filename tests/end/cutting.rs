//! Handlers that are cut off in the middle of a response: PROMISES 2.5, 5.6, 5.7.
//!
//! Over TCP the response looks whole.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::programs::{Duplex, ask, push};
use crate::support::links::{LINKS, Stream};
use crate::support::matrix::{End, Load, Program, Row, Running, as_over_tcp, compare, request, response};

fn asking(io: Stream, load: Load) -> Running {
    Box::pin(async move { End::of(ask(io, &request(load)).await, &whole(load)) })
}

fn whole(load: Load) -> Vec<u8> {
    [response(load), b"and the rest".to_vec()].concat()
}

/// Reads the request, and sends most of the response.
async fn begin(io: &mut impl Duplex, load: Load) -> io::Result<()> {
    tokio::io::copy(io, &mut tokio::io::sink()).await?;
    io.write_all(&response(load)).await?;
    io.write_all(b"and").await
}

async fn cut_everywhere(other: Program) {
    let here = [End::Error(ErrorKind::UnexpectedEof), End::Cut];
    compare(Row { one: asking, other, tcp: Some([End::Short, End::Cut]), here, links: &LINKS }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_of_a_handler_that_is_aborted_is_an_error() {
    cut_everywhere(|mut io, load| {
        Box::pin(async move {
            let handler = tokio::spawn(async move {
                begin(&mut io, load).await.unwrap();
                load.signal.notify_one();
                std::future::pending::<()>().await;
                drop(io);
            });
            load.signal.notified().await;
            handler.abort();
            assert!(handler.await.unwrap_err().is_cancelled());
            End::Cut
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_of_a_handler_that_is_aborted_in_a_write_is_an_error() {
    fn one(mut io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let visit = async {
                io.write_all(&request(load)).await?;
                io.shutdown().await?;
                io.read_exact(&mut [0; 20_000]).await?;
                load.signal.notify_one();
                let mut rest = Vec::new();
                io.read_to_end(&mut rest).await.map(|_| rest)
            };
            End::of(visit.await, &Vec::new())
        })
    }
    fn other(mut io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let handler = tokio::spawn(async move {
                begin(&mut io, load).await?;
                push(io).await
            });
            load.signal.notified().await;
            handler.abort();
            assert!(handler.await.unwrap_err().is_cancelled());
            End::Cut
        })
    }
    let here = [End::Error(ErrorKind::UnexpectedEof), End::Cut];
    compare(Row { one, other, tcp: Some([End::Short, End::Cut]), here, links: &LINKS }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_of_a_handler_that_times_out_is_an_error() {
    cut_everywhere(|mut io, load| {
        Box::pin(async move {
            begin(&mut io, load).await.unwrap();
            let rest = async {
                std::future::pending::<()>().await;
                io.write_all(b" the rest").await
            };
            tokio::time::timeout(Duration::from_millis(1), rest).await.unwrap_err();
            End::Cut
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_of_a_handler_that_returns_early_is_an_error() {
    async fn handle(mut io: impl Duplex, load: Load) -> io::Result<()> {
        begin(&mut io, load).await?;
        let rest = tokio::fs::read("there/is/no/such/file").await?;
        io.write_all(&rest).await?;
        io.shutdown().await
    }
    cut_everywhere(|io, load| {
        Box::pin(async move {
            assert_eq!(handle(io, load).await.unwrap_err().kind(), ErrorKind::NotFound);
            End::Cut
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_of_a_handler_that_panics_is_an_error() {
    cut_everywhere(|mut io, load| {
        Box::pin(async move {
            let handler = tokio::spawn(async move {
                begin(&mut io, load).await.unwrap();
                // A panic that is not printed.
                std::panic::resume_unwind(Box::new("on purpose"));
            });
            assert!(handler.await.unwrap_err().is_panic());
            End::Cut
        })
    })
    .await;
}

/// Before it has said anything: there is nothing that could look whole, but neither is it an orderly end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_of_a_handler_that_panics_is_an_error() {
    let other: Program = |mut io, _| {
        Box::pin(async move {
            let handler = tokio::spawn(async move {
                tokio::io::copy(&mut io, &mut tokio::io::sink()).await.unwrap();
                std::panic::resume_unwind(Box::new("on purpose"));
            });
            assert!(handler.await.unwrap_err().is_panic());
            End::Cut
        })
    };
    let here = [End::Error(ErrorKind::UnexpectedEof), End::Cut];
    compare(Row { one: asking, other, tcp: Some([End::Short, End::Cut]), here, links: &LINKS }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_to_a_handler_that_is_aborted_is_an_error() {
    fn one(io: Stream, _: Load) -> Running {
        Box::pin(async move { End::of(push(io).await, &()) })
    }
    fn other(mut io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let handler = tokio::spawn(async move {
                io.read_exact(&mut vec![0; load.size + 1]).await.unwrap();
                load.signal.notify_one();
                tokio::io::copy(&mut io, &mut tokio::io::sink()).await
            });
            load.signal.notified().await;
            handler.abort();
            assert!(handler.await.unwrap_err().is_cancelled());
            End::Cut
        })
    }
    as_over_tcp(one, other, [End::Error(ErrorKind::Other), End::Cut]).await;
}
