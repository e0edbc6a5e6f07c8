//! cargo run -p examples --example reconnect -- ws://127.0.0.1:8080/ TOKEN
//!
//! Prints what `token_server` sends, and connects again for as long as that makes sense. A session that has expired is renewed at once.
//! A server that is not there, or a connection that broke, is tried again after a pause that grows. A token that is refused ends it.

use std::env;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use fastwebsockets_stream::http::StatusCode;
use fastwebsockets_stream::{Client, CloseCode, Config, ConnectError, PayloadType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const EXPIRED: CloseCode = CloseCode::new(4001);
const PAUSES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];

/// How a session has ended.
enum End {
    /// The server had no more to say.
    Whole,
    Expired,
    /// It will not get better.
    Refused(String),
    Unreachable(String),
    Broken(io::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, token] = &arguments[..] else {
        eprintln!("reconnect: usage: reconnect URL TOKEN");
        return ExitCode::FAILURE;
    };
    let config = Config::new(PayloadType::Text).keep_alive(Duration::from_secs(30));
    let client = Client::new(config).header("authorization", format!("Bearer {token}"));
    let mut failures = 0;
    loop {
        let mut received = 0;
        let end = session(&client, url, &mut received).await;
        // What has worked for a while does not count as failing again and again.
        failures = if received > 0 { 0 } else { failures + 1 };
        let why = match end {
            End::Whole => return ExitCode::SUCCESS,
            End::Refused(why) => {
                eprintln!("reconnect: {why}");
                return ExitCode::FAILURE;
            }
            End::Expired if received > 0 => {
                eprintln!("the session has expired, connecting again");
                continue;
            }
            End::Expired => "the session had expired before anything came".to_owned(),
            End::Unreachable(why) => why,
            End::Broken(error) => error.to_string(),
        };
        let pause = PAUSES[failures.min(PAUSES.len() - 1)];
        eprintln!("{why}; connecting again in {pause:?}");
        tokio::time::sleep(pause).await;
    }
}

/// Connects, and prints what comes until it ends.
async fn session(client: &Client, url: &str, received: &mut u64) -> End {
    let mut stream = match client.connect(url).await {
        Ok((stream, _)) => stream,
        Err(error) => return tell(error),
    };
    let mut stdout = tokio::io::stdout();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return stream.shutdown().await.map_or_else(End::Broken, |()| End::Whole),
            Ok(n) => {
                *received += n as u64;
                if let Err(error) = stdout.write_all(&buffer[..n]).await {
                    return End::Refused(format!("standard output: {error}"));
                }
                let _ = stdout.flush().await;
            }
            Err(error) => {
                let code = stream.peer_close().and_then(|close| close.code);
                return if code == Some(EXPIRED) { End::Expired } else { End::Broken(error) };
            }
        }
    }
}

fn tell(error: ConnectError) -> End {
    match &error {
        ConnectError::Rejected { response, .. } => match response.status() {
            // It may come back.
            status if status.is_server_error() => End::Unreachable(error.to_string()),
            StatusCode::TOO_MANY_REQUESTS => End::Unreachable(error.to_string()),
            _ => End::Refused(error.to_string()),
        },
        // The URL, or what the client was told to send.
        _ if error.kind() == io::ErrorKind::InvalidInput => End::Refused(error.to_string()),
        _ => End::Unreachable(error.to_string()),
    }
}
