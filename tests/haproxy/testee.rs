//! Both ends of WebSockets that go through HAProxy, by HTTP/2 as RFC 8441 has it. `tests/haproxy/run` builds and runs it.
//!
//! It prints its server's port, and reads the port at which HAProxy listens. A request's path says where HAProxy sends it:
//! `/h1` to the server by HTTP/1.1, `/h2` by HTTP/2. Each case is one way to end a stream, and is run many times over one
//! HTTP/2 connection. A run has passed if every byte has arrived, and both ends have seen a clean end.

use std::collections::HashMap;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastwebsockets_stream::{Client, CloseCode, Config, Http2, PayloadType, Upgrader, WebSocketStream};
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How many bytes, how many times.
const SIZES: [(u32, u32); 3] = [(1, 100), (10_000, 100), (20 * 1024 * 1024, 5)];

/// What the client does when it has written all its bytes, and what the server does.
///
/// `early` shuts down before it reads, so that the client has both Closes while its bytes are on the way.
const CLIENT_WRITES: [(&str, [&str; 3]); 3] = [
    ("early", ["shutdown-read-drop", "shutdown-drop", "close"]),
    ("late", ["shutdown-read-drop", "shutdown-drop", "close"]),
    ("late-drop", ["shutdown-read-drop", "shutdown-drop", "close"]),
];

/// What the server does when it has written all its bytes, and what the client does.
const SERVER_WRITES: [(&str, [&str; 3]); 3] = [
    ("serve-shutdown-read-drop", ["read-drop", "read-shutdown-drop", "read-close"]),
    ("serve-shutdown-drop", ["read-drop", "read-shutdown-drop", "read-close"]),
    ("serve-close", ["read-drop", "read-shutdown-drop", "read-close"]),
];

/// No run takes as long, but one that hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// It repeats only after 2^32 bytes, so nothing can be lost or change places unseen.
fn octet(at: u32) -> u8 {
    at.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut WebSocketStream<S>,
    pattern: &[u8],
) -> io::Result<()> {
    for part in pattern.chunks(64 * 1024) {
        stream.write_all(part).await?;
    }
    Ok(())
}

/// Reads to the end, which must be clean and come after just these bytes.
async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut WebSocketStream<S>,
    pattern: &[u8],
) -> Result<(), Error> {
    let (mut buf, mut at) = (vec![0; 64 * 1024], 0);
    loop {
        let n = match stream.read(&mut buf).await {
            Ok(0) if at == pattern.len() => return Ok(()),
            Ok(0) => return Err(format!("the end after {at} bytes").into()),
            Ok(n) => n,
            Err(error) => return Err(format!("after {at} bytes: {error}").into()),
        };
        if pattern.get(at..at + n) != Some(&buf[..n]) {
            return Err(format!("wrong bytes behind byte {at}").into());
        }
        at += n;
    }
}

async fn close<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut WebSocketStream<S>) -> Result<(), Error> {
    match stream.close(CloseCode::NORMAL, "").await? {
        Some(close) if close.code == Some(CloseCode::NORMAL) => Ok(()),
        close => Err(format!("the peer's Close is {close:?}").into()),
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    how: &str,
    mut stream: WebSocketStream<S>,
    pattern: &[u8],
) -> Result<(), Error> {
    match how {
        "early" => {
            stream.shutdown().await?;
            read(&mut stream, pattern).await
        }
        "late" => {
            read(&mut stream, pattern).await?;
            Ok(stream.shutdown().await?)
        }
        "late-drop" => read(&mut stream, pattern).await,
        _ => {
            write(&mut stream, pattern).await?;
            match how {
                "serve-shutdown-read-drop" => {
                    stream.shutdown().await?;
                    read(&mut stream, &[]).await
                }
                "serve-shutdown-drop" => Ok(stream.shutdown().await?),
                "serve-close" => close(&mut stream).await,
                _ => Err("no such case".into()),
            }
        }
    }
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    how: &str,
    mut stream: WebSocketStream<S>,
    pattern: &[u8],
) -> Result<(), Error> {
    if let Some(how) = how.strip_prefix("read-") {
        read(&mut stream, pattern).await?;
        return match how {
            "drop" => Ok(()),
            "shutdown-drop" => Ok(stream.shutdown().await?),
            _ => close(&mut stream).await,
        };
    }
    write(&mut stream, pattern).await?;
    match how {
        "shutdown-read-drop" => {
            stream.shutdown().await?;
            read(&mut stream, &[]).await
        }
        "shutdown-drop" => Ok(stream.shutdown().await?),
        _ => close(&mut stream).await,
    }
}

/// The verdicts of the server's ends, by the number of the run.
#[derive(Default)]
struct Verdicts(Mutex<HashMap<u32, oneshot::Sender<Result<(), Error>>>>);

impl Verdicts {
    fn expect(&self, run: u32) -> oneshot::Receiver<Result<(), Error>> {
        let (sender, verdict) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(run, sender);
        verdict
    }

    fn tell(&self, run: u32, verdict: Result<(), Error>) {
        if let Some(sender) = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&run) {
            sender.send(verdict).ok();
        }
    }
}

fn config() -> Config {
    Config::new(PayloadType::Binary)
}

async fn serve_connection(tcp: TcpStream, verdicts: Arc<Verdicts>, pattern: &'static [u8]) {
    let service = service_fn(move |request: Request<Incoming>| {
        let path = request.uri().path().to_owned();
        let (response, stream) = Upgrader::new(config()).upgrade(request);
        let verdicts = verdicts.clone();
        // The path is "/by/how/size/run".
        tokio::spawn(async move {
            let parts: Vec<_> = path.split('/').skip(2).collect();
            let [how, size, run] = parts[..] else { return };
            let (Ok(size), Ok(run)) = (size.parse::<usize>(), run.parse()) else { return };
            let verdict = match stream.await {
                Ok(stream) => serve(how, stream, &pattern[..size]).await,
                Err(error) => Err(error.into()),
            };
            verdicts.tell(run, verdict);
        });
        async { Ok::<_, io::Error>(response) }
    });
    tcp.set_nodelay(true).ok();
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http2().enable_connect_protocol();
    // How a connection ends shows in the runs.
    drop(http.serve_connection_with_upgrades(TokioIo::new(tcp), service).await);
}

struct Suite {
    verdicts: Arc<Verdicts>,
    pattern: &'static [u8],
    runs: u32,
    failed_cases: u32,
}

impl Suite {
    /// Runs a case, and says how it went.
    async fn case(&mut self, http2: &Http2, port: u16, by: &str, server: &str, client: &str) {
        for (size, times) in SIZES {
            let (mut failed, mut last) = (0, None);
            for _ in 0..times {
                if let Err(error) = self.run(http2, port, by, server, client, size).await {
                    failed += 1;
                    last = Some(error);
                }
            }
            if let Some(error) = last {
                self.failed_cases += 1;
                println!(
                    "haproxy: {by}, server {server}, client {client}, {size} bytes: {failed} of {times} failed: {error}"
                );
            }
        }
    }

    async fn run(
        &mut self,
        http2: &Http2,
        port: u16,
        by: &str,
        server: &str,
        client: &str,
        size: u32,
    ) -> Result<(), Error> {
        self.runs += 1;
        let run = self.runs;
        let verdict = self.verdicts.expect(run);
        let uri = format!("ws://127.0.0.1:{port}/{by}/{server}/{size}/{run}");
        let here = async {
            let (stream, _) = http2.connect(&uri).await?;
            ask(client, stream, &self.pattern[..size as usize]).await
        };
        let here = timeout(LIMIT, here).await.unwrap_or_else(|_| Err("it hangs".into()));
        let there = match timeout(LIMIT, verdict).await {
            Ok(verdict) => verdict?,
            Err(_) => Err("it hangs".into()),
        };
        match (here, there) {
            (Ok(()), Ok(())) => Ok(()),
            (here, there) => Err(format!("client: {here:?}, server: {there:?}").into()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let pattern: Vec<u8> = (0..SIZES.iter().map(|(size, _)| *size).max().unwrap_or(0)).map(octet).collect();
    let pattern: &'static [u8] = pattern.leak();
    let verdicts = Arc::new(Verdicts::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let own_port = listener.local_addr()?.port();
    println!("{own_port}");
    let served = verdicts.clone();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(serve_connection(tcp, served.clone(), pattern));
        }
    });
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let proxy_port = line.trim().parse()?;

    let mut suite = Suite { verdicts, pattern, runs: 0, failed_cases: 0 };
    let client = Client::new(config());
    for (by, port) in [("h1", proxy_port), ("h2", proxy_port), ("straight", own_port)] {
        let (runs, failed) = (suite.runs, suite.failed_cases);
        let http2 = client.http2(&format!("ws://127.0.0.1:{port}")).await?;
        for (server, clients) in CLIENT_WRITES.into_iter().chain(SERVER_WRITES) {
            for client in clients {
                suite.case(&http2, port, by, server, client).await;
            }
        }
        timeout(LIMIT, http2.wait_idle()).await.map_err(|_| "streams are left")?;
        println!("haproxy: {by}: {} runs, {} cases failed", suite.runs - runs, suite.failed_cases - failed);
    }
    Ok(if suite.failed_cases == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
