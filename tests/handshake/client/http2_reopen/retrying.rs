//! Which requests are sent again: those that the server says it has not processed (RFC 9113, section 8.7). By a server that
//! writes its frames by hand.

use tokio::net::TcpListener;

use super::*;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

/// A connection of which the test writes each frame.
struct Frames(TcpStream);

impl Frames {
    /// Up to the SETTINGS, which allow WebSockets.
    async fn accept(listener: &TcpListener) -> Self {
        let mut frames = Frames(soon(listener.accept()).await.unwrap().0);
        soon(frames.0.read_exact(&mut [0; 24])).await.unwrap();
        frames.send(SETTINGS, 0, 0, &[0, 8, 0, 0, 0, 1]).await;
        frames
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = vec![0, 0, payload.len() as u8, kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    async fn go_away(&mut self, last_stream: u32, code: u32) {
        let payload = [last_stream.to_be_bytes(), code.to_be_bytes()].concat();
        self.send(GOAWAY, 0, 0, &payload).await;
    }

    async fn reset(&mut self, stream: u32, code: u32) {
        self.send(RST_STREAM, 0, stream, &code.to_be_bytes()).await;
    }

    /// 200, the eighth entry of HPACK's table.
    async fn accept_stream(&mut self, stream: u32) {
        self.send(HEADERS, 4, stream, &[0x88]).await;
    }

    /// The stream of the next request; `None` if the connection ends.
    async fn next_request(&mut self) -> Option<u32> {
        loop {
            let mut head = [0; 9];
            soon(self.0.read_exact(&mut head)).await.ok()?;
            let len = usize::from(head[1]) << 8 | usize::from(head[2]);
            soon(self.0.read_exact(&mut vec![0; len])).await.ok()?;
            match head[3] {
                HEADERS => return Some(u32::from_be_bytes([head[5], head[6], head[7], head[8]])),
                SETTINGS if head[4] == 0 => self.send(SETTINGS, 1, 0, &[]).await,
                _ => {}
            }
        }
    }

    async fn request(&mut self) -> u32 {
        self.next_request().await.expect("the connection has ended")
    }
}

/// Asks for a stream of a server that does this.
async fn ask<T: Send + 'static>(serve: impl AsyncFnOnce(TcpListener) -> T) -> (Result<(), ConnectError>, T) {
    let (listener, port) = listen().await;
    let uri = format!("ws://localhost:{port}/");
    let call = async {
        let http2 = Client::new(binary()).http2(&uri).await.unwrap();
        soon(http2.connect(&uri)).await.map(drop)
    };
    soon(async { tokio::join!(call, serve(listener)) }).await
}

#[tokio::test]
async fn request_beyond_the_last_stream_of_a_goaway_is_sent_again_on_another_connection() {
    for code in [NO_ERROR, INTERNAL_ERROR] {
        let (asked, ()) = ask(async |listener| {
            let mut one = Frames::accept(&listener).await;
            assert_eq!(one.request().await, 1);
            one.go_away(0, code).await;
            let mut two = Frames::accept(&listener).await;
            let stream = two.request().await;
            two.accept_stream(stream).await;
        })
        .await;
        asked.unwrap();
    }
}

#[tokio::test]
async fn request_whose_stream_is_refused_is_sent_again_on_the_same_connection() {
    let (asked, ()) = ask(async |listener| {
        let mut one = Frames::accept(&listener).await;
        let stream = one.request().await;
        one.reset(stream, REFUSED_STREAM).await;
        let stream = one.request().await;
        one.accept_stream(stream).await;
    })
    .await;
    asked.unwrap();
}

#[tokio::test]
async fn request_that_is_never_processed_is_given_up_after_four_times() {
    let (asked, requests) = ask(async |listener| {
        let mut one = Frames::accept(&listener).await;
        let mut requests = 0;
        // The handle goes with the call, and so does the connection.
        while let Some(stream) = one.next_request().await {
            requests += 1;
            one.reset(stream, REFUSED_STREAM).await;
        }
        requests
    })
    .await;
    assert!(matches!(asked, Err(ConnectError::Http2 { .. })), "{asked:?}");
    assert_eq!(requests, 4);

    let (asked, connections) = ask(async |listener| {
        for _ in 0..4 {
            let mut frames = Frames::accept(&listener).await;
            frames.request().await;
            frames.go_away(0, NO_ERROR).await;
        }
        listener
    })
    .await;
    assert!(matches!(asked, Err(ConnectError::Http2 { .. })), "{asked:?}");
    assert!(connections.accept().now_or_never().is_none(), "it was dialled a fifth time");
}

#[tokio::test]
async fn request_that_may_have_been_processed_is_not_sent_again() {
    /// How a server leaves a request without an answer.
    #[derive(Clone, Copy, Debug)]
    enum Leave {
        Reset(u32),
        /// The request is not beyond it.
        GoAway(u32),
        /// The first of the two GOAWAYs of a graceful end: any stream may have been processed.
        GoAwayAtFirst,
        End,
    }
    for leave in [
        Leave::Reset(CANCEL),
        Leave::Reset(INTERNAL_ERROR),
        Leave::GoAway(NO_ERROR),
        Leave::GoAway(INTERNAL_ERROR),
        Leave::GoAwayAtFirst,
        Leave::End,
    ] {
        let (asked, (listener, requests)) = ask(async |listener| {
            let mut one = Frames::accept(&listener).await;
            let stream = one.request().await;
            match leave {
                Leave::Reset(code) => {
                    one.reset(stream, code).await;
                    return (listener, usize::from(one.next_request().await.is_some()));
                }
                Leave::GoAway(code) => one.go_away(stream, code).await,
                Leave::GoAwayAtFirst => one.go_away(0x7fff_ffff, NO_ERROR).await,
                Leave::End => {}
            }
            (listener, 0)
        })
        .await;
        let error = asked.unwrap_err();
        assert!(
            matches!(error, ConnectError::Http2 { .. } | ConnectError::Http2Ended { .. }),
            "{leave:?}: {error:?}"
        );
        assert_eq!(requests, 0, "{leave:?}: it was sent again");
        assert!(listener.accept().now_or_never().is_none(), "{leave:?}: another connection was opened");
    }
}
