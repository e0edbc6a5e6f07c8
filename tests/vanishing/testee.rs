//! Both ends of a connection whose path or peer falls silent, see `tests/vanishing/run`.
//!
//!     vanishing serve ADDRESS      prints its URL, takes what comes, and never ends first
//!     vanishing CASE URL           prints `ready`, then how it ended

use std::env;
use std::io::{self, Write};
use std::time::Duration;

use fastwebsockets_stream::{Config, Listener, MaybeTlsStream, PayloadType, WebSocketStream, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// Of keep-alive, and for a stall: the shortest that a socket can be told.
const INTERVAL: Duration = Duration::from_secs(1);

type Stream = WebSocketStream<MaybeTlsStream>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [what, to] = &args[..] else {
        return Err(io::Error::other("usage: vanishing serve|CASE ADDRESS|URL"));
    };
    let config = Config::new(PayloadType::Binary);
    let watched = config.clone().keep_alive(INTERVAL);
    let ended = match &**what {
        "serve" => return serve(to).await,
        "silent" => silent(connect(to, watched).await?).await,
        "half-closed" => half_closed(connect(to, watched).await?).await,
        "writing" => writing(connect(to, config.stall_timeout(INTERVAL)).await?).await,
        "paused" => paused(connect(to, watched).await?).await,
        _ => return Err(io::Error::other("there is no such case")),
    };
    match ended {
        Ok(()) => say("clean"),
        Err(error) => say(&format!("{:?}", error.kind())),
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

async fn serve(address: &str) -> io::Result<()> {
    let mut listener = Listener::bind(address, Config::new(PayloadType::Binary)).await?;
    say(&format!("ws://{}/", listener.local_addr()))?;
    while let Some(accepted) = listener.accept().await {
        tokio::spawn(async move {
            let mut stream = accepted.stream;
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok();
            std::future::pending::<()>().await;
        });
    }
    Ok(())
}

/// Reads, and nothing comes.
async fn silent(mut stream: Stream) -> io::Result<()> {
    say("ready")?;
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

/// Has said all, and waits for the rest of the response.
async fn half_closed(mut stream: Stream) -> io::Result<()> {
    stream.write_all(b"request").await?;
    stream.shutdown().await?;
    say("ready")?;
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

/// Never stops writing.
async fn writing(mut stream: Stream) -> io::Result<()> {
    say("ready")?;
    let chunk = vec![0; 256 * 1024];
    loop {
        stream.write_all(&chunk).await?;
    }
}

/// Writes more than fits on the way, and goes on when the peer does, however long that takes.
async fn paused(mut stream: Stream) -> io::Result<()> {
    say("ready")?;
    let bytes = vec![0; 32 * 1024 * 1024];
    let mut write = Box::pin(async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    });
    // Longer than keep-alive gives a peer that does not answer.
    if let Ok(ended) = timeout(4 * INTERVAL, &mut write).await {
        return ended;
    }
    say("waiting")?;
    write.await
}
