//! cargo run -p examples --example chat -- 127.0.0.1:8080
//! cargo run -p examples --example chat -- ws://127.0.0.1:8080/
//!
//! The first is a room, the second someone in it: each line goes to everyone. A browser can join too, it is text.

use std::env;
use std::io;
use std::process;

use fastwebsockets_stream::{Config, Listener, PayloadType, connect};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy, split};
use tokio::sync::broadcast;

#[tokio::main]
async fn main() {
    let outcome = match env::args().nth(1) {
        Some(url) if url.contains("://") => join(&url).await,
        Some(address) => open(&address).await,
        None => Err(io::Error::other("usage: chat ADDRESS | URL")),
    };
    if let Err(error) = &outcome {
        eprintln!("chat: {error}");
    }
    // Not by returning: the runtime would wait for a read of standard input, which cannot be cancelled.
    process::exit(outcome.is_err().into());
}

async fn open(address: &str) -> io::Result<()> {
    let mut listener = Listener::bind(address, Config::new(PayloadType::Text)).await?;
    println!("listening on ws://{}/", listener.local_addr());
    let (say, _) = broadcast::channel::<String>(100);
    while let Some(accepted) = listener.accept().await {
        let (say, mut hear) = (say.clone(), say.subscribe());
        tokio::spawn(async move {
            let (reader, mut writer) = split(accepted.stream);
            let mut lines = BufReader::new(reader).lines();
            loop {
                tokio::select! {
                    line = lines.next_line() => match line? {
                        Some(line) => drop(say.send(line + "\n")),
                        None => return writer.shutdown().await,
                    },
                    // Whoever is too slow misses lines.
                    Ok(line) = hear.recv() => writer.write_all(line.as_bytes()).await?,
                }
            }
        });
    }
    Ok(())
}

async fn join(url: &str) -> io::Result<()> {
    let (mut reader, mut writer) = split(connect(url, Config::new(PayloadType::Text)).await?);
    let (mut stdin, mut stdout) = (tokio::io::stdin(), tokio::io::stdout());
    tokio::select! {
        sent = copy(&mut stdin, &mut writer) => sent?,
        heard = copy(&mut reader, &mut stdout) => heard?,
    };
    writer.shutdown().await
}
