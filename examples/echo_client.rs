//! cargo run -p examples --example echo_client -- ws://127.0.0.1:8080/
//!
//! Sends standard input to a server and prints what it answers, like `nc`: start `echo_server` first, then try
//! `echo hi | cargo run -p examples --example echo_client -- ws://127.0.0.1:8080/`. With `--features tls` it speaks wss:// too.

use std::env;
use std::io;
use std::process;

use fastwebsockets_stream::{Config, PayloadType, connect};
use tokio::io::AsyncWriteExt;

#[tokio::main]
async fn main() {
    let outcome = run().await;
    if let Err(error) = &outcome {
        eprintln!("echo_client: {error}");
    }
    // Not by returning: the runtime would wait for a read of standard input, which cannot be cancelled.
    process::exit(outcome.is_err().into());
}

async fn run() -> io::Result<()> {
    let url = env::args().nth(1).ok_or_else(|| io::Error::other("usage: echo_client URL"))?;
    let stream = connect(&url, Config::new(PayloadType::Binary)).await?;

    let (mut reader, mut writer) = stream.into_split();
    let send = async {
        tokio::io::copy(&mut tokio::io::stdin(), &mut writer).await?;
        writer.shutdown().await
    };
    let mut stdout = tokio::io::stdout();
    tokio::select! {
        // Sending may end first; only if it fails, that is the end of everything.
        Err(error) = send => return Err(error),
        received = tokio::io::copy(&mut reader, &mut stdout) => received?,
    };
    // Answers the server's Close, if nothing has been said yet.
    writer.shutdown().await
}
