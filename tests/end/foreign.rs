//! The same programs with another implementation at the other end, one that reads on after its own Close: PROMISES 2.4, 2.5,
//! 5.2, 5.4, 5.6.

mod peers;

use std::io::ErrorKind;

use fastwebsockets_stream::{Role, WebSocketStream};
use tokio::io::AsyncWriteExt;

use crate::programs::{Ending, answer, ask, drain, echo, exchange, proxy, push_until_the_end};
use crate::support::defaults;
use crate::support::links::tcp;
use crate::support::matrix::{End, Load, Program, Running, request, response, run_all};
use peers::{Library, Peer};

type Theirs = fn(Peer, Load) -> Running;

/// With both libraries, each in both roles.
async fn meet(theirs: Theirs, ours: Program, ends: [End; 2]) {
    let mut wrong = Vec::new();
    for library in [Library::Tungstenite, Library::Fastwebsockets] {
        let name = format!("{library:?}");
        let ended = run_all(&name, ends, move |run, load| {
            Box::pin(async move {
                let (near, far) = tcp().await;
                let is_client = run / 5 % 2 == 0;
                let (our_role, their_role) =
                    if is_client { (Role::Client, Role::Server) } else { (Role::Server, Role::Client) };
                let stream = WebSocketStream::from_transport(near, our_role, [], defaults());
                let peer = Peer::new(library, far, their_role).await;
                (theirs(peer, load), ours(Box::new(stream), load))
            })
        });
        wrong.extend(ended.await);
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Sends, closes, and reads on: the same must come back, and the Close be answered.
fn exchanging(peer: Peer, load: Load) -> Running {
    Box::pin(async move {
        let (bytes, code) = (request(load), code(load));
        End::of(peer.exchange(&bytes, code).await, &(bytes.clone(), code))
    })
}

fn asking(peer: Peer, load: Load) -> Running {
    Box::pin(async move {
        let code = code(load);
        End::of(peer.exchange(&request(load), code).await, &(response(load), code))
    })
}

fn asking_for_nothing(peer: Peer, load: Load) -> Running {
    Box::pin(async move {
        let code = code(load);
        End::of(peer.exchange(&request(load), code).await, &(Vec::new(), code))
    })
}

/// The two Closes that end one direction only.
fn code(load: Load) -> Option<u16> {
    (!load.seed.is_multiple_of(3)).then_some(1000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_of_what_another_library_sends_loses_nothing() {
    let echoing: Program =
        |io, load| Box::pin(async move { End::of(echo(io, Ending::Shutdown).await, &(load.size as u64)) });
    meet(exchanging, echoing, [End::Whole; 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_for_another_library_loses_nothing() {
    let other: Program = |io, load| {
        Box::pin(async move {
            let (near, far) = tcp().await;
            let (carried, _) = tokio::join!(proxy(io, near), echo(far, Ending::Nothing));
            End::of(carried, &(load.size as u64, load.size as u64))
        })
    };
    meet(exchanging, other, [End::Whole; 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_to_another_library_arrives_whole() {
    let answering: Program =
        |io, load| Box::pin(async move { End::of(answer(io, &response(load)).await, &request(load)) });
    meet(asking, answering, [End::Whole; 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handler_that_reads_to_the_end_and_returns_has_answered_another_library() {
    let draining: Program = |io, load| Box::pin(async move { End::of(drain(io).await, &request(load)) });
    meet(asking_for_nothing, draining, [End::Whole; 2]).await;
}

/// They answer the Close as soon as they read it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_to_another_library_arrives_whole_and_is_answered() {
    fn theirs(peer: Peer, load: Load) -> Running {
        Box::pin(async move { End::of(peer.drain().await, &(request(load), Some(1000))) })
    }
    let asking: Program =
        |io, load| Box::pin(async move { End::of(ask(io, &request(load)).await, &Vec::new()) });
    meet(theirs, asking, [End::Whole; 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_by_another_library_loses_nothing() {
    fn theirs(peer: Peer, load: Load) -> Running {
        Box::pin(async move { End::of(peer.echo().await, &(load.size, Some(1000))) })
    }
    let asking: Program = |io, load| {
        Box::pin(async move {
            let bytes = request(load);
            End::of(exchange(io, &bytes, load.slow).await, &bytes)
        })
    };
    meet(theirs, asking, [End::Whole; 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_that_is_cut_off_is_an_error_to_another_library() {
    let other: Program = |mut io, load| {
        Box::pin(async move {
            tokio::io::copy(&mut io, &mut tokio::io::sink()).await.unwrap();
            io.write_all(&response(load)).await.unwrap();
            io.write_all(b"cut").await.unwrap();
            End::Cut
        })
    };
    meet(asking, other, [End::Error(ErrorKind::Other), End::Cut]).await;
}

/// 1000, no code, 1001; to the last one writes fail, if they come first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_until_another_library_leaves_ends_cleanly() {
    fn theirs(peer: Peer, load: Load) -> Running {
        Box::pin(async move {
            let code = [None, Some(1000), Some(1001)][load.seed as usize % 3];
            End::of(peer.leave(load.size, code).await, &code)
        })
    }
    let other: Program = |io, load| {
        Box::pin(async move {
            match push_until_the_end(io, Ending::Shutdown).await {
                Err(error) if error.kind() == ErrorKind::BrokenPipe && load.seed % 3 == 2 => End::Whole,
                result => End::of(result, &()),
            }
        })
    };
    meet(theirs, other, [End::Whole; 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_to_another_library_that_is_gone_fails() {
    fn theirs(peer: Peer, load: Load) -> Running {
        Box::pin(async move { End::of(peer.go(load.size).await, &()) })
    }
    let other: Program =
        |io, _| Box::pin(async move { End::of(push_until_the_end(io, Ending::Nothing).await, &()) });
    meet(theirs, other, [End::Whole, End::Error(ErrorKind::Other)]).await;
}
