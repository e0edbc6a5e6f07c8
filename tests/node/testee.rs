//! What Node's `ws` talks to: the programs of `tests/end`, one for each path. `tests/node/run` builds and runs it.
//!
//! It prints its URL, and serves until the client asks for its verdict: whether each program ended here as expected.

// Not all of the programs are for it.
#[allow(dead_code, unreachable_pub)]
#[path = "../end/programs.rs"]
mod programs;

use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastwebsockets_stream::{
    Accepted, CloseCode, Config, Listener, MaybeTlsStream, PayloadType, WebSocketStream,
};
use tokio::io::{AsyncWriteExt, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use programs::{Ending, answer, drain, echo, proxy, push_until_the_end};

type Stream = WebSocketStream<MaybeTlsStream>;

#[tokio::main]
async fn main() -> io::Result<ExitCode> {
    let mut listener = Listener::bind("127.0.0.1:0", Config::new(PayloadType::Binary)).await?;
    println!("ws://{}/", listener.local_addr());
    let wrong = Arc::new(AtomicUsize::new(0));
    let (said, mut verdict) = mpsc::channel(1);
    loop {
        let accepted = tokio::select! {
            Some(accepted) = listener.accept() => accepted,
            _ = verdict.recv() => break,
        };
        let (wrong, said) = (wrong.clone(), said.clone());
        tokio::spawn(async move {
            let uri = accepted.request.uri.clone();
            if uri.path() == "/verdict" {
                let text = format!("node: {} programs ended badly here", wrong.load(Ordering::Relaxed));
                answer(accepted.stream, text.as_bytes()).await.ok();
                said.send(()).await.ok();
            } else if let Err(error) = run(accepted).await {
                eprintln!("node: {uri}: here: {error}");
                wrong.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    Ok(if wrong.load(Ordering::Relaxed) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The same in the client: it repeats only after 2^32 bytes.
fn octets(size: u32) -> Vec<u8> {
    (0..size).map(|at| at.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]).collect()
}

async fn run(accepted: Accepted) -> io::Result<()> {
    let (uri, stream) = (accepted.request.uri, accepted.stream);
    let size = uri.query().and_then(|size| size.parse().ok()).unwrap_or(0);
    match uri.path() {
        "/echo" => is(echo(stream, Ending::Shutdown).await?, size.into()),
        "/echo-and-drop" => is(echo(stream, Ending::Nothing).await?, size.into()),
        "/proxy" => is(carry(stream).await?, (size.into(), size.into())),
        "/drain" => is(drain(stream).await?, octets(size)),
        "/answer" => is(answer(stream, &octets(size)).await?, octets(size)),
        "/cut" => cut(stream, size).await,
        "/push" => match push_until_the_end(stream, Ending::Shutdown).await {
            // After 1001 a write may be the first to notice.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => result,
        },
        "/push-into-the-void" => is(push_until_the_end(stream, Ending::Nothing).await.is_err(), true),
        "/stop" => stop(stream, size).await,
        other => Err(io::Error::other(format!("no such case: {other}"))),
    }
}

fn is<T: PartialEq>(found: T, expected: T) -> io::Result<()> {
    if found == expected { Ok(()) } else { Err(io::Error::other("something is missing")) }
}

/// A proxy, to an echo over TCP.
async fn carry(stream: Stream) -> io::Result<(u64, u64)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    let (carried, echoed) = tokio::join!(proxy(stream, near?), echo(far?.0, Ending::Nothing));
    echoed?;
    carried
}

async fn cut(mut stream: Stream, size: u32) -> io::Result<()> {
    copy(&mut stream, &mut sink()).await?;
    stream.write_all(&octets(size)).await?;
    stream.write_all(b"and").await
}

async fn stop(mut stream: Stream, size: u32) -> io::Result<()> {
    stream.write_all(&octets(size)).await?;
    let close = stream.close(CloseCode::AWAY, "").await?;
    is(close.and_then(|close| close.code), Some(CloseCode::AWAY))
}
