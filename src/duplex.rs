//! A connected pair in memory, for tests.

use tokio::io::DuplexStream;

use crate::{Config, Role, WebSocketStream};

/// Makes a client and a server that are connected in memory, for the tests of code that takes a [`WebSocketStream`].
///
/// Each direction holds up to `max_buf_size` bytes of the wire, as [`tokio::io::duplex`] has it: with few, writes wait for
/// the other end to read. Both ends have the same `config`. The streams are real ones: they send frames, answer Pings, and
/// close with a handshake. It needs no socket, and works with paused time
/// ([`tokio::time::pause`](https://docs.rs/tokio/latest/tokio/time/fn.pause.html)).
///
/// To write raw frames, or broken ones, make one end by [`WebSocketStream::from_transport`] and keep the other end of the
/// pipe.
///
/// # Panics
///
/// As [`tokio::io::duplex`], if `max_buf_size` is 0.
///
/// # Examples
///
/// ```
/// use fastwebsockets_stream::{Config, PayloadType, WebSocketStream, duplex};
/// use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt};
///
/// /// What is to be tested: answers each line.
/// async fn serve<S>(mut stream: WebSocketStream<S>) -> std::io::Result<()>
/// where
///     S: AsyncRead + AsyncWrite + Unpin,
/// {
///     let mut line = String::new();
///     while stream.read_line(&mut line).await? > 0 {
///         stream.write_all(line.to_uppercase().as_bytes()).await?;
///         line.clear();
///     }
///     stream.shutdown().await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let (mut client, server) = duplex(1024, Config::new(PayloadType::Text));
/// let serving = tokio::spawn(serve(server));
///
/// client.write_all(b"hello\n").await?;
/// let mut answer = String::new();
/// client.read_line(&mut answer).await?;
/// assert_eq!(answer, "HELLO\n");
///
/// client.close(1000, "").await?;
/// serving.await??;
/// # Ok(())
/// # }
/// ```
pub fn duplex(
    max_buf_size: usize,
    config: Config,
) -> (WebSocketStream<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (client, server) = tokio::io::duplex(max_buf_size);
    (
        WebSocketStream::from_transport(client, Role::Client, [], config.clone()),
        WebSocketStream::from_transport(server, Role::Server, [], config),
    )
}
