//! Over a transport that is there.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use fastwebsockets_stream::Upgrader;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::Instant;

use super::{is_refused, refusal};
use crate::support::raw::{Raw, Request};
use crate::support::{binary, rejection, wire, within};

/// A client that has asked.
async fn asking(request: &Request) -> (Raw<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(1 << 16);
    let mut raw = Raw::new(near);
    raw.send(&request.bytes()).await;
    (raw, far)
}

#[tokio::test]
async fn request_is_accepted_with_every_byte_behind_it() {
    let frame = wire::data(fastwebsockets_stream::Role::Server, b"early");
    let (mut raw, far) = asking(&Request::new().then(&frame)).await;
    let request = within(Upgrader::new(binary()).request_over(far)).await.unwrap();
    assert_eq!((request.peer_addr(), request.local_addr()), (None, None));
    let mut opened = within(request.accept()).await.unwrap();
    assert_eq!(raw.answer().await.status(), 101);
    let mut early = [0; 5];
    opened.stream.read_exact(&mut early).await.unwrap();
    assert_eq!(&early, b"early");
}

#[tokio::test]
async fn refused_request_is_read_by_the_client_before_the_connection_ends() {
    let (mut raw, far) = asking(&Request::new()).await;
    let request = within(Upgrader::new(binary()).request_over(far)).await.unwrap();
    let refusing = async { request.refuse(refusal(403, "Not you.\n")).await.unwrap() };
    let reading = async move {
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.body.as_str()), (403, "Not you.\n"));
        assert_eq!(raw.rest().await, b"");
    };
    within(async { tokio::join!(refusing, reading) }).await;
}

#[tokio::test]
async fn dropped_request_is_answered_with_503_as_far_as_that_goes_without_waiting() {
    let (mut raw, far) = asking(&Request::new()).await;
    drop(within(Upgrader::new(binary()).request_over(far)).await.unwrap());
    is_refused(&mut raw, 503).await;
}

#[tokio::test(start_paused = true)]
async fn time_limit_includes_the_decision() {
    let (raw, far) = asking(&Request::new()).await;
    let begun = Instant::now();
    let mut request = Upgrader::new(binary()).request_over(far).await.unwrap();
    let reading = tokio::spawn(async move {
        let mut raw = raw;
        let status = raw.answer().await.status();
        (status, begun.elapsed())
    });
    let error = request.wait_for(std::future::pending::<()>()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("longer than 10s"), "{error}");
    assert_eq!(reading.await.unwrap(), (503, Duration::from_secs(10)));
    assert_eq!(request.accept().await.unwrap_err().kind(), ErrorKind::TimedOut);
}

/// Also where nobody was waiting when the time passed.
#[tokio::test(start_paused = true)]
async fn decision_that_comes_too_late_is_503() {
    for accept in [true, false] {
        let (mut raw, far) = asking(&Request::new()).await;
        let upgrader = Upgrader::new(binary()).time_limit(Duration::from_secs(1));
        let request = upgrader.request_over(far).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let reading = tokio::spawn(async move { is_refused(&mut raw, 503).await });
        let error = match accept {
            true => request.accept().await.map(drop),
            false => request.refuse(refusal(403, "")).await,
        };
        assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
        reading.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn client_that_does_not_take_the_answer_is_an_error_that_says_so() {
    for accept in [true, false] {
        let (mut near, far) = duplex(300);
        near.write_all(&Request::new().bytes()).await.unwrap();
        let request = Upgrader::new(binary()).request_over(far).await.unwrap();
        let error = match accept {
            true => request.header("X", "y".repeat(1000)).unwrap().accept().await.map(drop),
            false => {
                request.refuse(http::Response::builder().status(403).body(vec![b'y'; 1000]).unwrap()).await
            }
        };
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(
            error.to_string(),
            "the handshake took longer than 10s: the client did not take the answer"
        );
        drop(near);
    }
}

#[tokio::test(start_paused = true)]
async fn over_has_a_time_limit_of_ten_seconds_that_can_be_set() {
    for (upgrader, limit) in
        [(Upgrader::new(binary()), 10), (Upgrader::new(binary()).time_limit(Duration::from_secs(3)), 3)]
    {
        for sent in ["", "GET / HTTP/1.1\r\n"] {
            let (mut near, far) = duplex(1 << 16);
            near.write_all(sent.as_bytes()).await.unwrap();
            let begun = Instant::now();
            let error = upgrader.over(far).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            let says = format!("the handshake took longer than {limit}s: the request had not come");
            assert_eq!(error.to_string(), says);
            assert_eq!(begun.elapsed(), Duration::from_secs(limit));
        }
        // A client that does not read is not waited for either.
        let (mut near, far) = duplex(300);
        near.write_all(&Request::new().bytes()).await.unwrap();
        let (mut near_reader, _keep) = tokio::io::split(near);
        let stuck = Upgrader::new(binary()).time_limit(Duration::from_secs(limit));
        let stuck = stuck.header("X", "y".repeat(1000)).unwrap();
        let error = stuck.over(far).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the handshake took longer than {limit}s: the client did not take the answer")
        );
        let mut head = [0; 12];
        near_reader.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 101");
    }
}

#[test]
fn no_timer_is_needed_without_a_time_limit() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (near, far) = duplex(1 << 16);
        let mut near = near;
        near.write_all(&Request::new().bytes()).await.unwrap();
        let upgrader = Upgrader::new(binary()).time_limit(Duration::MAX);
        let request = upgrader.request_over(far).await.unwrap();
        request.accept().await.unwrap();
        let mut head = [0; 12];
        near.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 101");
    });
}

/// A request that is refused for its own faults is so before anybody is asked.
#[tokio::test]
async fn request_that_breaks_a_rule_is_refused_and_the_error_has_the_reason() {
    let (raw, far) = asking(&Request::new().without("Host")).await;
    let reading = async move {
        let mut raw = raw;
        is_refused(&mut raw, 400).await;
    };
    let upgrader = Upgrader::new(binary());
    let (request, ()) = within(async { tokio::join!(upgrader.request_over(far), reading) }).await;
    assert_eq!(rejection(&request.unwrap_err()).to_string(), "the field host is missing");
}

#[tokio::test]
async fn transport_needs_no_more_than_to_be_read_and_written() {
    let reads = Cell::new((0, 0));
    let (mut raw, far) = asking(&Request::new()).await;
    let request =
        within(Upgrader::new(binary()).request_over(Local(far, &reads, Rc::new(())))).await.unwrap();
    within(request.accept()).await.unwrap();
    assert_eq!(raw.answer().await.status(), 101);
    // The request, and whether the client is still there.
    assert_eq!(reads.get().0, 2);
}

#[tokio::test]
async fn no_more_than_16_kib_is_kept_of_what_comes_before_the_decision() {
    let (near, far) = duplex(1 << 20);
    let mut raw = Raw::new(near);
    let reads = Cell::new((0, 0));
    let frame = wire::data(fastwebsockets_stream::Role::Server, &[b'x'; 100_000]);
    raw.send(&Request::new().then(&frame).bytes()).await;
    let mut request =
        within(Upgrader::new(binary()).request_over(Local(far, &reads, Rc::new(())))).await.unwrap();
    for _ in 0..10 {
        assert!(request.closed().now_or_never().is_none());
    }
    let mut opened = within(request.accept()).await.unwrap();
    let read = reads.get().1;
    // Its head, and what came with it, in one read of 4 KiB.
    assert!((16 << 10..=(16 << 10) + (4 << 10)).contains(&read), "{read}");
    let mut received = vec![0; 100_000];
    within(opened.stream.read_exact(&mut received)).await.unwrap();
    assert!(received.iter().all(|octet| *octet == b'x'));
}

/// Neither `Send` nor `'static`. Counts the reads, and what they gave.
struct Local<'a>(DuplexStream, &'a Cell<(u32, usize)>, #[allow(dead_code)] Rc<()>);

impl AsyncRead for Local<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.0).poll_read(cx, buf);
        let (reads, octets) = self.1.get();
        self.1.set((reads + 1, octets + buf.filled().len() - before));
        polled
    }
}

impl AsyncWrite for Local<'_> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
