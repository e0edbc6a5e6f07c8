//! cargo run -p examples --example token_server -- 127.0.0.1:8080 TOKEN
//!
//! Looks at the token before the 101: whoever has another one is refused with 401, and no WebSocket is opened. The others are sent three
//! lines; then their session has expired, which the code of the Close says. `reconnect` is a client for it.

use std::env;
use std::io;
use std::process::ExitCode;

use fastwebsockets_stream::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use fastwebsockets_stream::http::{HeaderValue, Response, StatusCode};
use fastwebsockets_stream::{Config, Listener, MaybeTlsStream, PayloadType, UpgradeRequest};
use tokio::io::AsyncWriteExt;

/// Codes from 4000 on are the program's own.
const EXPIRED: u16 = 4001;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, token] = &arguments[..] else {
        eprintln!("token_server: usage: token_server ADDRESS TOKEN");
        return ExitCode::FAILURE;
    };
    let Err(error) = run(address, token).await else { return ExitCode::SUCCESS };
    eprintln!("token_server: {error}");
    ExitCode::FAILURE
}

async fn run(address: &str, token: &str) -> io::Result<()> {
    let mut requests = Listener::bind(address, Config::new(PayloadType::Text)).await?.requests();
    println!("listening on ws://{}/", requests.local_addr());
    let expected = format!("Bearer {token}");
    while let Some(request) = requests.next().await {
        let given = request.head().headers.get(AUTHORIZATION);
        // A real one is looked up: see `UpgradeRequest::wait_for`.
        let is_known = given.is_some_and(|given| given == &expected);
        tokio::spawn(async move {
            let outcome = if is_known { serve(request).await } else { refuse(request).await };
            if let Err(error) = outcome {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

async fn refuse(request: UpgradeRequest<MaybeTlsStream>) -> io::Result<()> {
    let mut response = Response::new("this token is not known\n");
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    request.refuse(response).await
}

async fn serve(request: UpgradeRequest<MaybeTlsStream>) -> io::Result<()> {
    let mut stream = request.accept().await?.stream;
    for line in ["one\n", "two\n", "three\n"] {
        stream.write_all(line.as_bytes()).await?;
    }
    stream.close(EXPIRED, "the session has expired").await?;
    Ok(())
}
