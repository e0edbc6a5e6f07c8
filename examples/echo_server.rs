//! cargo run -p examples --example echo_server -- 127.0.0.1:8080
//!
//! Sends back whatever comes, on any number of connections at once. Ctrl-C says goodbye to all of them.

use std::env;
use std::io::{self, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use fastwebsockets_stream::{CloseCode, Config, Listener, MaybeTlsStream, PayloadType, WebSocketStream};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo_server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> io::Result<()> {
    let address = env::args().nth(1).ok_or_else(|| io::Error::other("usage: echo_server ADDRESS"))?;
    let config = Config::new(PayloadType::Binary).close_timeout(Duration::from_secs(2));
    let mut listener = Listener::bind(&address, config).await?;
    let stop = CancellationToken::new();
    let mut connections = JoinSet::new();
    let mut ctrl_c = pin!(tokio::signal::ctrl_c());

    let mut stdout = io::stdout();
    writeln!(stdout, "listening on ws://{}/", listener.local_addr())?;
    stdout.flush()?;

    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Some(accepted) = accepted else { break };
                let stop = stop.clone();
                connections.spawn(async move {
                    if let Err(error) = serve(accepted.stream, stop).await {
                        eprintln!("{}: {error}", accepted.peer_addr);
                    }
                });
            }
            // Keeps the set from growing.
            Some(_) = connections.join_next() => {}
            signal = &mut ctrl_c, if !stop.is_cancelled() => {
                signal?;
                stop.cancel();
                listener.close(); // What is still under way comes out before `None`, and is sent away at once.
            }
        }
    }
    while connections.join_next().await.is_some() {}
    Ok(())
}

async fn serve(stream: WebSocketStream<MaybeTlsStream>, stop: CancellationToken) -> io::Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    tokio::select! {
        echoed = tokio::io::copy(&mut reader, &mut writer) => {
            echoed?;
            writer.shutdown().await
        }
        () = stop.cancelled() => {
            drop(reader); // What still comes is discarded.
            writer.close(CloseCode::AWAY, "the server is shutting down").await?;
            Ok(())
        }
    }
}
