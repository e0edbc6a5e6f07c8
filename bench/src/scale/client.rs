//! Opens connections, looks at what they take, and uses a few of them.

use std::future::poll_fn;
use std::io::{self, BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use fastwebsockets_stream::{Client, Config, PayloadType, Role};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

use super::{Figures, HANDSHAKE, server};
use crate::alloc::Tracking;
use crate::latency::{percentile, round_trip};
use crate::peers::duplex::{self, Duplex, DuplexVisitor};
use crate::process::{raise_limit, rss};

/// Bytes of an echo.
pub const PAYLOAD: usize = 64;

/// Round trips, one at a time, on the active connections in turn.
const ROUND_TRIPS: usize = 4_000;

/// For all of it.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Prints its figures. Arguments: a contender, how many connections, and the server's ports.
pub fn run(args: &[String]) -> Result<(), String> {
    let understood = || {
        let [who, connections, ports @ ..] = args else { return None };
        let ports = ports.iter().map(|port| port.parse().ok()).collect::<Option<Vec<u16>>>()?;
        let (questions, ports) = ports.split_first()?;
        Some((who, connections.parse().ok()?, *questions, ports.to_vec()))
    };
    let (who, connections, questions, ports) =
        understood().ok_or_else(|| format!("{args:?}: not understood"))?;
    let figures = figures(who, connections, questions, &ports).map_err(|error| error.to_string())?;
    println!("{}", serde_json::to_string(&figures).map_err(|error| error.to_string())?);
    Ok(())
}

fn figures(who: &str, connections: usize, questions: u16, ports: &[u16]) -> io::Result<Figures> {
    raise_limit();
    let questions = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, questions))?;
    questions.set_nodelay(true)?;
    let run = Run { connections, questions: BufReader::new(questions), tracking: Tracking::start() };
    if who != HANDSHAKE {
        let mut opening = Opening { who, ports, run: Some(run), figures: None };
        duplex::visit_all(&mut opening);
        return opening.figures.unwrap_or_else(|| Err(io::Error::other(format!("{who}: nobody known"))));
    }
    let client = Client::new(Config::new(PayloadType::Binary));
    run.all(async |at| {
        let io = connect(ports, at).await?;
        let uri = format!("ws://{}:{}/", server::address(at), ports[at % ports.len()]);
        client.over(io, &uri).await.map(|(stream, _)| stream).map_err(io::Error::other)
    })
}

struct Opening<'a> {
    who: &'a str,
    ports: &'a [u16],
    run: Option<Run>,
    figures: Option<io::Result<Figures>>,
}

impl DuplexVisitor for Opening<'_> {
    fn visit<P: Duplex>(&mut self) {
        if P::NAME == self.who
            && let Some(run) = self.run.take()
        {
            let open = async |at| Ok(P::duplex(connect(self.ports, at).await?, Role::Client));
            self.figures = Some(run.all(open));
        }
    }
}

async fn connect(ports: &[u16], at: usize) -> io::Result<TcpStream> {
    let io = TcpStream::connect((server::address(at), ports[at % ports.len()])).await?;
    io.set_nodelay(true)?;
    Ok(io)
}

struct Memory {
    heap: i64,
    rss: i64,
}

struct Run {
    connections: usize,
    questions: BufReader<std::net::TcpStream>,
    tracking: Tracking,
}

impl Run {
    fn all<S>(self, open: impl AsyncFn(usize) -> io::Result<S>) -> io::Result<Figures>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        // One task does it all: with tokio's budget, most of its reads would not get as far as the socket.
        let measured = tokio::task::coop::unconstrained(self.measure(open));
        runtime.block_on(async { tokio::time::timeout(TIME_LIMIT, measured).await? })
    }

    async fn measure<S>(mut self, open: impl AsyncFn(usize) -> io::Result<S>) -> io::Result<Figures>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let payload = [7; PAYLOAD];
        let mut buf = [0; PAYLOAD];
        // What is there once, whether for one connection or a thousand, is there before the counting begins.
        let mut first = open(0).await?;
        round_trip(&mut first, &payload, &mut buf).await?;
        drop(first);
        loop {
            // The runtime frees what it had for the socket when it is next idle.
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.ask()?.1 == 0 {
                break;
            }
        }
        let (server_before, _) = self.ask()?;
        let before = Memory { heap: self.tracking.live(), rss: rss() };

        let mut streams = Vec::with_capacity(self.connections);
        let start = Instant::now();
        for at in 0..self.connections {
            let mut stream = open(at).await?;
            round_trip(&mut stream, &payload, &mut buf).await?;
            streams.push(stream);
        }
        let opened = start.elapsed();
        for stream in &mut streams {
            park(stream, &mut buf).await?;
        }
        let (server, open) = self.ask()?;
        if open != self.connections as i64 {
            return Err(io::Error::other(format!("the server has {open} connections")));
        }
        let after = Memory { heap: self.tracking.live(), rss: rss() };

        let mut times = self.round_trips(&mut streams).await?;
        times.sort_by(f64::total_cmp);
        let each = |bytes: i64| bytes as f64 / self.connections as f64;
        Ok(Figures {
            server_heap: each(server.heap - server_before.heap),
            server_rss: each(server.rss - server_before.rss),
            client_heap: each(after.heap - before.heap),
            client_rss: each(after.rss - before.rss),
            open: opened.as_secs_f64() * 1e6 / self.connections as f64,
            p50: percentile(&times, 0.5),
            p99: percentile(&times, 0.99),
        })
    }

    /// In microseconds.
    async fn round_trips<S>(&self, streams: &mut [S]) -> io::Result<Vec<f64>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let payload = [7; PAYLOAD];
        let mut buf = [0; PAYLOAD];
        let mut times = Vec::with_capacity(ROUND_TRIPS);
        // One in a hundred, all over the row.
        let active = self.connections.div_ceil(100);
        for turn in 0..ROUND_TRIPS {
            let stream = &mut streams[(turn % active) * 100 % self.connections];
            let start = Instant::now();
            round_trip(stream, &payload, &mut buf).await?;
            times.push(start.elapsed().as_nanos() as f64 / 1e3);
        }
        Ok(times)
    }

    /// The server's memory, and how many connections it has.
    fn ask(&mut self) -> io::Result<(Memory, i64)> {
        self.questions.get_mut().write_all(b"?")?;
        let mut line = String::new();
        self.questions.read_line(&mut line)?;
        let figures: Vec<i64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [heap, rss, open] = figures[..] else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        Ok((Memory { heap, rss }, open))
    }
}

/// Lets a read wait, as it does in a program that has nothing else to do.
async fn park(stream: &mut (impl AsyncRead + Unpin), buf: &mut [u8]) -> io::Result<()> {
    poll_fn(|cx| match Pin::new(&mut *stream).poll_read(cx, &mut ReadBuf::new(buf)) {
        Poll::Pending => Poll::Ready(Ok(())),
        Poll::Ready(read) => Poll::Ready(Err(io::Error::other(format!("it is not idle: {read:?}")))),
    })
    .await
}
