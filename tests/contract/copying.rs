//! `copy_bidirectional`: PROMISES 2.5, 5.4, 10; pitfalls C1, C22, C23.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::io::ErrorKind::{ConnectionReset, WriteZero};
use std::pin::pin;
use std::task::Poll;

use fastwebsockets_stream::{Copied, CopyError, CopyProgress, CopySide, CopyStep, Role, copy_bidirectional};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::support::net::{bulk, tcp, within};
use crate::support::transport::{Answer, Mock, Transport};
use crate::support::{Task, binary, pair, stream, wire};

/// Polls it until it is not woken any more.
fn settle<F: Future + Unpin>(task: &Task, future: &mut F) -> Poll<F::Output> {
    loop {
        let wakes = task.wakes();
        let polled = task.run(|cx| pin!(&mut *future).poll(cx));
        if polled.is_ready() || task.wakes() == wakes {
            return polled;
        }
    }
}

fn copied(a_to_b: u64, b_to_a: u64) -> Copied {
    Copied { a_to_b, b_to_a }
}

fn transports() -> [(Mock, Transport); 2] {
    [Mock::new(), Mock::new()]
}

#[tokio::test]
async fn tunnel_ends_each_direction_on_its_own_and_loses_nothing() {
    let (up, down) = (bulk(1_000_000), bulk(1_500_000));
    let (up, down) = (&up[..], &down[..]);
    for tcp_ends_first in [false, true] {
        let (mut near, left) = pair(1024, binary());
        let (right, mut far) = tcp().await;
        let talk = async {
            let (mut seen, mut got) = (Vec::new(), Vec::new());
            if tcp_ends_first {
                far.write_all(down).await?;
                far.shutdown().await?;
                near.read_to_end(&mut got).await?;
                near.write_all(up).await?;
                near.shutdown().await?;
                far.read_to_end(&mut seen).await?;
            } else {
                near.write_all(up).await?;
                near.shutdown().await?;
                far.read_to_end(&mut seen).await?;
                far.write_all(down).await?;
                far.shutdown().await?;
                near.read_to_end(&mut got).await?;
            }
            io::Result::Ok((seen, got))
        };
        let (talked, result) = within(async { tokio::join!(talk, copy_bidirectional(left, right)) }).await;
        let (seen, got) = talked.unwrap();
        assert!(seen == up && got == down);
        assert_eq!(result.unwrap(), copied(up.len() as u64, down.len() as u64));
    }
}

#[test]
fn transports_that_hesitate_and_take_a_few_bytes_at_a_time_get_all_of_it() {
    for (hesitant, chunk) in [(false, 1), (true, 1), (true, 7), (true, usize::MAX)] {
        let [(a, left), (b, right)] = transports();
        for mock in [&a, &b] {
            let state = &mut *mock.state();
            (state.hesitant, state.write_chunk, state.read_chunk) = (hesitant, chunk, chunk);
            state.input_end = Answer::Zero;
        }
        a.feed(&bulk(1000));
        b.feed(&bulk(333));
        let task = Task::default();
        let result = settle(&task, &mut copy_bidirectional(left, right));
        assert!(matches!(result, Poll::Ready(Ok(done)) if done == copied(1000, 333)), "{result:?}");
        assert!(b.take_written() == bulk(1000) && a.take_written() == bulk(333));
        assert!(a.state().is_shut && b.state().is_shut);
    }
}

#[test]
fn what_was_copied_is_flushed_before_it_waits_for_more() {
    let [(a, left), (b, right)] = transports();
    a.feed(b"hello");
    b.state().flush = Some(Answer::Pending);
    let (task, mut copying) = (Task::default(), copy_bidirectional(left, right));
    assert!(settle(&task, &mut copying).is_pending());
    assert!(!b.is_flushed());
    b.state().flush = None;
    assert!(b.wake_writer(), "somebody waits for the flush");
    assert!(settle(&task, &mut copying).is_pending());
    assert!(b.is_flushed());
    let flushes = b.state().flushes;
    assert!(settle(&task, &mut copying).is_pending());
    assert_eq!(b.state().flushes, flushes, "nothing was written since");
}

#[test]
fn whoever_becomes_ready_wakes_it() {
    let [(a, left), (b, right)] = transports();
    let (task, mut copying) = (Task::default(), copy_bidirectional(left, right));
    assert!(settle(&task, &mut copying).is_pending());
    for (from, to) in [(&a, &b), (&b, &a)] {
        to.set_room(3);
        from.feed(b"hello");
        assert!(from.wake_reader(), "the reader waits");
        assert!(settle(&task, &mut copying).is_pending());
        assert_eq!(to.take_written(), b"hel");
        to.set_room(usize::MAX);
        assert!(to.wake_writer(), "the writer waits");
        assert!(settle(&task, &mut copying).is_pending());
        assert_eq!(to.take_written(), b"lo");
    }
}

#[test]
fn direction_that_waits_does_not_keep_the_other_from_going_on() {
    let [(a, left), (b, right)] = transports();
    b.set_room(0);
    a.feed(b"stuck");
    let (task, mut copying) = (Task::default(), copy_bidirectional(left, right));
    for _ in 0..3 {
        b.feed(b"more");
        assert!(settle(&task, &mut copying).is_pending());
        assert_eq!(a.take_written(), b"more");
    }
    assert_eq!(copying.progress().copied(), copied(0, 12));
}

#[test]
fn other_tasks_have_their_turn_while_there_is_always_more() {
    let [(a, left), (_b, right)] = transports();
    a.feed(&vec![0; 4 << 20]);
    let (task, mut copying) = (Task::default(), copy_bidirectional(left, right));
    let mut polls = 0;
    let progress = copying.progress();
    while progress.copied().a_to_b < 4 << 20 {
        let wakes = task.wakes();
        let before = progress.copied().a_to_b;
        assert!(task.run(|cx| pin!(&mut copying).poll(cx)).is_pending());
        assert!(progress.copied().a_to_b - before <= 1 << 20);
        assert!(task.wakes() > wakes || progress.copied().a_to_b == 4 << 20, "it goes on by itself");
        polls += 1;
    }
    assert!(polls >= 4, "{polls}");
}

fn failure(prepare: impl FnOnce(&Mock, &Mock)) -> CopyError {
    let [(a, left), (b, right)] = transports();
    prepare(&a, &b);
    match settle(&Task::default(), &mut copy_bidirectional(left, right)) {
        Poll::Ready(Err(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn error_says_which_side_has_failed_at_what_and_after_how_many_bytes() {
    let reset = Answer::Error(ConnectionReset);
    type Prepare = fn(&Mock, &Mock, Answer);
    type Case = (Prepare, CopySide, CopyStep, (u64, u64), &'static str);
    let cases: [Case; 6] = [
        (
            |a, _, reset| {
                a.feed(b"hello");
                a.state().input_end = reset;
            },
            CopySide::A,
            CopyStep::Read,
            (5, 0),
            "cannot read from side A, after 5 bytes from A to B and 0 from B to A",
        ),
        (
            |_, b, reset| {
                b.feed(b"hello");
                b.state().input_end = reset;
            },
            CopySide::B,
            CopyStep::Read,
            (0, 5),
            "cannot read from side B, after 0 bytes from A to B and 5 from B to A",
        ),
        (
            |a, b, reset| {
                a.feed(b"hello");
                (b.state().room, b.state().output_end) = (2, reset);
            },
            CopySide::B,
            CopyStep::Write,
            (2, 0),
            "cannot write to side B, after 2 bytes from A to B and 0 from B to A",
        ),
        (
            |a, b, reset| {
                b.feed(b"hello");
                (a.state().room, a.state().output_end) = (3, reset);
            },
            CopySide::A,
            CopyStep::Write,
            (0, 3),
            "cannot write to side A, after 0 bytes from A to B and 3 from B to A",
        ),
        (
            |a, b, reset| {
                a.feed(b"hello");
                b.state().flush = Some(reset);
            },
            CopySide::B,
            CopyStep::Flush,
            (5, 0),
            "cannot flush side B, after 5 bytes from A to B and 0 from B to A",
        ),
        (
            |a, b, reset| {
                b.state().input_end = Answer::Zero;
                a.state().shutdown = Some(reset);
            },
            CopySide::A,
            CopyStep::Shutdown,
            (0, 0),
            "cannot shut down side A, after 0 bytes from A to B and 0 from B to A",
        ),
    ];
    for (prepare, side, step, (a_to_b, b_to_a), text) in cases {
        let error = failure(|a, b| prepare(a, b, reset));
        assert_eq!((error.side(), error.step()), (side, step));
        assert_eq!(error.copied(), copied(a_to_b, b_to_a));
        assert_eq!(error.to_string(), text);
        let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.map(io::Error::kind), Some(ConnectionReset));
        assert_eq!(io::Error::from(error).kind(), ConnectionReset);
    }
}

#[test]
fn transport_that_takes_nothing_is_an_error() {
    let error = failure(|a, b| {
        a.feed(b"hello");
        (b.state().room, b.state().output_end) = (0, Answer::Zero);
    });
    assert_eq!((error.side(), error.step(), error.kind()), (CopySide::B, CopyStep::Write, WriteZero));
}

#[test]
fn truncated_websocket_is_no_end() {
    let (websocket, mock) = stream(Role::Server, binary());
    mock.feed(&wire::data(Role::Server, b"half"));
    mock.state().input_end = Answer::Zero;
    let (tcp, transport) = Mock::new();
    let Poll::Ready(Err(error)) = settle(&Task::default(), &mut copy_bidirectional(websocket, transport))
    else {
        panic!("it is cut");
    };
    assert_eq!((error.side(), error.kind()), (CopySide::A, io::ErrorKind::UnexpectedEof));
    assert!(tcp.is_flushed(), "what came before the cut has left");
    assert_eq!(tcp.take_written(), b"half");
    assert!(!tcp.state().is_shut, "the other side must not take it for an end");
}

#[tokio::test]
async fn both_come_back_where_they_were_only_lent() {
    let (mut near, mut left) = duplex(64);
    let (mut right, mut far) = duplex(64);
    let copying = copy_bidirectional(&mut left, &mut right);
    let progress: CopyProgress = copying.progress();
    near.write_all(b"hello").await.unwrap();
    drop((near, far.shutdown().await));
    assert_eq!(copying.await.unwrap(), copied(5, 0));
    assert_eq!(progress.copied(), copied(5, 0));
    drop((left, right));
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"hello");
}
