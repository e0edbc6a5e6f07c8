//! The kit: raw HTTP, servers of every kind, proxies, certificates, log events.

pub mod authority;
pub mod child;
pub mod client;
pub mod clock;
pub mod h2;
pub mod log;
pub mod proxies;
pub mod raw;
pub mod serve;
pub mod tls;
#[path = "../../contract/support/wire.rs"]
#[allow(dead_code)]
pub mod wire;
pub mod with;

use std::io;
use std::time::Duration;

use fastwebsockets_stream::{Config, PayloadType, Rejection, WebSocketStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split};

pub fn binary() -> Config {
    Config::new(PayloadType::Binary)
}

/// What a future gives, which must not take long.
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it hangs")
}

/// Many bytes that do not repeat where a buffer or a frame ends.
pub fn bulk(len: usize, seed: u64) -> Vec<u8> {
    let start = seed.wrapping_mul(1_000_003);
    (start..start + len as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// Sends back what comes until the peer's Close, which is answered.
pub async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: WebSocketStream<S>) -> io::Result<()> {
    let (mut reader, mut writer) = split(stream);
    copy(&mut reader, &mut writer).await?;
    writer.shutdown().await
}

/// Sends the bytes to an echo, reads them back meanwhile, and closes; both ends must keep half-closed connections.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(stream: WebSocketStream<S>, bytes: &[u8]) {
    let (mut reader, mut writer) = split(stream);
    let mut received = Vec::new();
    let send = async {
        writer.write_all(bytes).await?;
        writer.shutdown().await
    };
    let (sent, read) = tokio::join!(send, reader.read_to_end(&mut received));
    sent.unwrap();
    read.unwrap();
    assert!(received == bytes, "{} bytes came back, of {}", received.len(), bytes.len());
}

/// The reason inside the error of a stream that was refused.
#[track_caller]
pub fn rejection(error: &io::Error) -> &Rejection {
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error:?}");
    error.get_ref().and_then(|inner| inner.downcast_ref()).expect("no rejection inside")
}
