//! A server that stops gracefully while its clients copy from something that does not end: PROMISES 5.3, 5.4.
//!
//! TCP has no such thing: it has no way to say that nothing more will be read.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, repeat, split};

use crate::support::links::{LINKS, Stream};
use crate::support::matrix::{End, Load, Row, Running, compare, response};

/// The client's answer may be missing: it leaves behind what the client has sent before, and the client does not wait for it.
fn stopping(mut io: Stream, load: Load) -> Running {
    Box::pin(async move {
        io.write_all(&response(load)).await.unwrap();
        End::of(io.close(1001).await.map(|code| code.unwrap_or(1001)), &1001)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_copies_without_end_gets_everything_and_notices_the_stop() {
    fn one(io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let (mut reader, mut writer) = split(io);
            let (mut input, mut output) = (repeat(7), Vec::new());
            let (up, down) = tokio::join!(copy(&mut input, &mut writer), reader.read_to_end(&mut output));
            assert_eq!(up.unwrap_err().kind(), ErrorKind::BrokenPipe);
            End::of(down.map(|_| output), &response(load))
        })
    }
    compare(Row { one, other: stopping, tcp: None, here: [End::Whole; 2], links: &LINKS }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_copies_from_a_silent_input_gets_everything_and_ends() {
    fn one(io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let (mut reader, mut writer) = split(io);
            let (mut input, _kept) = tokio::io::duplex(1);
            let mut output = Vec::new();
            let down = tokio::select! {
                up = copy(&mut input, &mut writer) => panic!("{up:?}"),
                down = reader.read_to_end(&mut output) => down,
            };
            End::of(down.map(|_| output), &response(load))
        })
    }
    compare(Row { one, other: stopping, tcp: None, here: [End::Whole; 2], links: &LINKS }).await;
}
