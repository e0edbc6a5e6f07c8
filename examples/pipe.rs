//! cargo run --release -p examples --example pipe -- FILE
//!
//! Streams FILE through a WebSocket to a server and back, and checks that every byte arrived in both directions.
//! `-` is standard input; without FILE it is 1 GiB of pseudo-random bytes. The server is in the same process, but
//! the TCP connection and the HTTP upgrade between the two are real.

use std::env;
use std::fmt::{self, Display};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use fastwebsockets_stream::{Config, Listener, PayloadType, WebSocketStream, connect};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Without FILE.
const GENERATED: u64 = 1024 * 1024 * 1024;

#[tokio::main]
async fn main() {
    let path = env::args_os().nth(1).map(PathBuf::from);
    let outcome = run(path.as_deref()).await;
    let printed = outcome.and_then(|report| writeln!(io::stdout(), "{report}"));
    if let Err(error) = printed {
        eprintln!("pipe: {}: {error}", name(path.as_deref()));
        // Not by returning: the runtime would wait for a read of standard input, which cannot be cancelled.
        process::exit(1);
    }
}

async fn run(path: Option<&Path>) -> io::Result<Report> {
    let (source, length) = open(path).await?;
    let progress = progress_bar(length)?;
    let outcome = there_and_back(source, &progress).await;
    progress.finish_and_clear();
    outcome
}

fn name(path: Option<&Path>) -> String {
    match path {
        None => "generated data".into(),
        Some(path) if path == "-" => "standard input".into(),
        Some(path) => path.display().to_string(),
    }
}

/// What is to be sent, and how much it is, where that is known.
async fn open(path: Option<&Path>) -> io::Result<(Box<dyn AsyncRead + Unpin>, Option<u64>)> {
    match path {
        None => Ok((Box::new(Noise(StdRng::seed_from_u64(1)).take(GENERATED)), Some(GENERATED))),
        Some(path) if path == "-" => Ok((Box::new(tokio::io::stdin()), None)),
        Some(path) => {
            let file = File::open(path).await?;
            let metadata = file.metadata().await?;
            Ok((Box::new(file), metadata.is_file().then_some(metadata.len())))
        }
    }
}

/// On a terminal; indicatif draws nothing where standard error is something else.
fn progress_bar(length: Option<u64>) -> io::Result<ProgressBar> {
    let template = match length {
        Some(_) => "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        None => "{spinner} {bytes}, {bytes_per_sec}",
    };
    let style = ProgressStyle::with_template(template).map_err(io::Error::other)?;
    Ok(ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr()).with_style(style))
}

/// Starts a server, connects to it, and sends it everything.
async fn there_and_back(source: impl AsyncRead + Unpin, progress: &ProgressBar) -> io::Result<Report> {
    let mut listener = Listener::bind("127.0.0.1:0", config()).await?;
    let url = format!("ws://{}/", listener.local_addr());
    let server = tokio::spawn(async move {
        let accepted = listener.accept().await.ok_or_else(|| io::Error::other("the listener is closed"))?;
        echo(accepted.stream).await
    });
    let client = connect(&url, config()).await?;

    let start = Instant::now();
    let ((sent, returned), received) =
        tokio::try_join!(send_and_receive(source, client, progress), async { server.await? })?;
    let elapsed = start.elapsed();

    if sent != received {
        return Err(io::Error::other(format!("the server got {received} for {sent}")));
    }
    if sent != returned {
        return Err(io::Error::other(format!("the server got {sent}, but {returned} came back")));
    }
    Ok(Report { data: sent, elapsed })
}

fn config() -> Config {
    Config::new(PayloadType::Binary)
}

/// The server: sends back whatever comes.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: WebSocketStream<S>) -> io::Result<Summary> {
    let (reader, writer) = tokio::io::split(stream);
    copy(reader, writer, ProgressBar::hidden()).await
}

/// The client: sends `source` and takes in what comes back, both at the same time.
// Visible to the tests, of which one has a connection break under it.
pub(crate) async fn send_and_receive<S: AsyncRead + AsyncWrite + Unpin>(
    source: impl AsyncRead + Unpin,
    stream: WebSocketStream<S>,
    progress: &ProgressBar,
) -> io::Result<(Summary, Summary)> {
    let (reader, writer) = tokio::io::split(stream);
    let send = copy(source, writer, ProgressBar::hidden());
    let receive = copy(reader, tokio::io::sink(), progress.clone());
    tokio::try_join!(send, receive)
}

/// `tokio::io::copy`, but it looks at what passes, and shuts the writer down at the end.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    progress: ProgressBar,
) -> io::Result<Summary> {
    let mut buffer = vec![0; 64 * 1024];
    let mut digest = Sha256::new();
    let mut bytes = 0;
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            to.shutdown().await?;
            return Ok(Summary { bytes, sha256: digest.finalize().into() });
        }
        digest.update(&buffer[..n]);
        to.write_all(&buffer[..n]).await?;
        bytes += n as u64;
        progress.inc(n as u64);
    }
}

/// What has passed one place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    bytes: u64,
    sha256: [u8; 32],
}

impl Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes with SHA-256 ", self.bytes)?;
        self.sha256.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

struct Report {
    data: Summary,
    elapsed: Duration,
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let rate = self.data.bytes as f64 / 1e6 / seconds;
        write!(f, "{} went up and came back in {seconds:.3} s, {rate:.1} MB/s each way", self.data)
    }
}

/// Pseudo-random bytes without end.
struct Noise(StdRng);

impl AsyncRead for Noise {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.fill_bytes(buf.initialize_unfilled());
        buf.advance(buf.remaining());
        Poll::Ready(Ok(()))
    }
}
