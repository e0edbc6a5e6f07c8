//! The programs, written as for a `TcpStream`: nothing in here knows what carries them.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, copy_bidirectional, split};
use tokio::sync::Notify;

/// A TCP stream, or what stands for one.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// Writes everything; tells when that has to wait, and when it is over.
async fn write_all(mut io: impl AsyncWrite + Unpin, mut bytes: &[u8], stuck: &Notify) -> io::Result<()> {
    let result = poll_fn(|cx| {
        while !bytes.is_empty() {
            let polled = Pin::new(&mut io).poll_write(cx, bytes);
            if polled.is_pending() {
                stuck.notify_one();
            }
            let n = ready!(polled)?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            bytes = &bytes[n..];
        }
        Poll::Ready(Ok(()))
    });
    let result = result.await;
    stuck.notify_one();
    result
}

/// Reads to the end, some bytes at a time.
async fn read_slowly(mut io: impl AsyncRead + Unpin, received: &mut Vec<u8>) -> io::Result<()> {
    let mut some = [0; 3000];
    loop {
        let n = io.read(&mut some).await?;
        received.extend_from_slice(&some[..n]);
        if n == 0 {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

/// Sends, ends its direction, and reads meanwhile: what came back. If it is slow, only once its writes are stuck.
pub async fn exchange(io: impl Duplex, bytes: &[u8], slow: bool) -> io::Result<Vec<u8>> {
    let mut received = Vec::new();
    exchange_into(io, bytes, slow, &mut received).await.map(|()| received)
}

/// The same; what has come before an error is there too.
pub async fn exchange_into(
    io: impl Duplex,
    bytes: &[u8],
    slow: bool,
    received: &mut Vec<u8>,
) -> io::Result<()> {
    let (mut reader, mut writer) = split(io);
    let stuck = Notify::new();
    let send = async {
        write_all(&mut writer, bytes, &stuck).await?;
        writer.shutdown().await
    };
    let receive = async {
        if slow {
            stuck.notified().await;
            return read_slowly(&mut reader, received).await;
        }
        reader.read_to_end(received).await.map(|_| ())
    };
    let (sent, read) = tokio::join!(send, receive);
    sent.and(read)
}

/// Sends, ends its direction, then reads what comes, and drops it all.
pub async fn ask(mut io: impl Duplex, bytes: &[u8]) -> io::Result<Vec<u8>> {
    io.write_all(bytes).await?;
    io.shutdown().await?;
    let mut received = Vec::new();
    io.read_to_end(&mut received).await?;
    Ok(received)
}

/// Sends, ends its direction, and goes.
pub async fn upload(mut io: impl Duplex, bytes: &[u8]) -> io::Result<()> {
    io.write_all(bytes).await?;
    io.shutdown().await
}

/// Reads to the end, and goes.
pub async fn drain(mut io: impl Duplex) -> io::Result<Vec<u8>> {
    let mut received = Vec::new();
    io.read_to_end(&mut received).await?;
    Ok(received)
}

/// Reads to the end, answers, ends its direction, and goes: what it was asked.
pub async fn answer(mut io: impl Duplex, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut received = Vec::new();
    io.read_to_end(&mut received).await?;
    io.write_all(bytes).await?;
    io.shutdown().await?;
    Ok(received)
}

/// Whether a program ends its direction before it goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Shutdown,
    Nothing,
}

/// Sends back what comes: how much.
pub async fn echo(io: impl Duplex, ending: Ending) -> io::Result<u64> {
    let (mut reader, mut writer) = split(io);
    let copied = copy(&mut reader, &mut writer).await?;
    if ending == Ending::Shutdown {
        writer.shutdown().await?;
    }
    Ok(copied)
}

/// Sends for ever; ends only with an error.
pub async fn push(mut io: impl AsyncWrite + Unpin) -> io::Result<()> {
    loop {
        io.write_all(&[7; 10_000]).await?;
    }
}

/// Sends until the other end has nothing more to say, then ends in one way or the other.
pub async fn push_until_the_end(io: impl Duplex, ending: Ending) -> io::Result<()> {
    let (mut reader, mut writer) = split(io);
    let mut byte = [0];
    tokio::select! {
        read = reader.read(&mut byte) => drop(read?),
        pushed = push(&mut writer) => pushed?,
    }
    if ending == Ending::Shutdown {
        writer.shutdown().await?;
    }
    Ok(())
}

/// Carries both directions: how much each way.
pub async fn proxy(mut near: impl Duplex, mut far: impl Duplex) -> io::Result<(u64, u64)> {
    copy_bidirectional(&mut near, &mut far).await
}
