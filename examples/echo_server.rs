//! cargo run --example echo_server -- 127.0.0.1:8080
//!
//! Sends back whatever comes, on any number of connections at once. Ctrl-C says goodbye to all of them.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use fastwebsockets_stream::{CloseCode, Config, PayloadType};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

mod common;

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
    let listener = TcpListener::bind(&address).await?;
    let mut ctrl_c = std::pin::pin!(tokio::signal::ctrl_c());
    let stop = CancellationToken::new();
    let mut connections = JoinSet::new();

    let mut stdout = io::stdout();
    writeln!(stdout, "listening on ws://{}/", listener.local_addr()?)?;
    stdout.flush()?;

    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => {
                    let stop = stop.clone();
                    connections.spawn(async move {
                        if let Err(error) = serve(tcp, stop).await {
                            eprintln!("{peer}: {error}");
                        }
                    });
                }
                Err(error) => {
                    eprintln!("echo_server: {error}");
                    // Out of file descriptors, most likely; connections that end will free some.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            // Keeps the set from growing.
            Some(_) = connections.join_next() => {}
            signal = &mut ctrl_c => break signal?,
        }
    }
    stop.cancel();
    while connections.join_next().await.is_some() {}
    Ok(())
}

async fn serve(tcp: TcpStream, stop: CancellationToken) -> io::Result<()> {
    // Half-close: when the client has sent everything, what is still on its way back must reach it.
    let config = Config::new(PayloadType::Binary).half_close(true).close_timeout(Duration::from_secs(2));
    let Some(stream) = stop.run_until_cancelled(common::accept(tcp, config)).await else {
        return Ok(());
    };
    let (mut reader, mut writer) = tokio::io::split(stream?);
    tokio::select! {
        echoed = tokio::io::copy(&mut reader, &mut writer) => {
            echoed?;
            writer.shutdown().await
        }
        () = stop.cancelled() => {
            let mut stream = reader.unsplit(writer);
            stream.close(CloseCode::Away, "the server is shutting down").await?;
            Ok(())
        }
    }
}
