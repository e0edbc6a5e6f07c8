//! cargo run -p examples --features axum --example axum -- 127.0.0.1:8080
//!
//! The stream out of an axum handler: numbers the lines that come and sends them back. Try it with
//! `printf 'one\ntwo\n' | cargo run -p examples --example echo_client -- ws://127.0.0.1:8080/`.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use axum::Router;
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt;
use fastwebsockets_stream::axum::WebSocketUpgrade;
use fastwebsockets_stream::{Config, PayloadType, WebSocketStream};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("axum: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> io::Result<()> {
    let address = env::args().nth(1).ok_or_else(|| io::Error::other("usage: axum ADDRESS"))?;
    let listener = TcpListener::bind(&address).await?;
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on ws://{}/", listener.local_addr()?)?;
    stdout.flush()?;

    let listener = listener.tap_io(|tcp| {
        if let Err(error) = tcp.set_nodelay(true) {
            eprintln!("axum: {error}");
        }
    });
    axum::serve(listener, Router::new().route("/", any(handler))).await
}

async fn handler(upgrade: WebSocketUpgrade) -> Response {
    // Answers go out together while more lines are there to be read.
    let config = Config::new(PayloadType::Binary).write_buffer(16 * 1024);
    upgrade.config(config).on_upgrade(|stream| async {
        if let Err(error) = number_lines(stream).await {
            eprintln!("axum: {error}");
        }
    })
}

async fn number_lines<S>(mut stream: WebSocketStream<S>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            break;
        }
        stream.write_all(format!("{number}: {line}").as_bytes()).await?;
    }
    stream.shutdown().await
}
