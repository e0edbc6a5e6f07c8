//! Echo round trips over TCP on the loopback: the echo in one thread, who asks in another, each with a runtime of its
//! own.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Instant;

use fastwebsockets_stream::Role;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::READ_BUFFER;
use crate::link::{adopt, runtime};
use crate::memory::pattern;
use crate::options::Options;
use crate::peers::duplex::{self, Duplex, DuplexVisitor};
use crate::peers::{Ours, Peer, Raw};
use crate::progress::Progress;
use crate::results::{Record, Results};
use crate::stats::{Summary, ratio};
use crate::table::{Table, bytes, verdict};

const SIZES: [usize; 2] = [64, 4 << 10];

const PERCENTILES: [(&str, f64); 2] = [("p50", 0.5), ("p99", 0.99)];

/// Of raw TCP's round trip.
const TARGET: f64 = 1.05;

/// Round trips of one peer, before it is the next one's turn.
const BATCH: usize = 300;

/// Each peer gets so many connections in turn: where the threads of one lie is luck.
const CONNECTIONS: usize = 4;

/// The percentiles of each batch, in microseconds.
type Samples = [Vec<f64>; PERCENTILES.len()];

struct Link {
    peer: &'static str,
    batch: Box<dyn FnMut() -> Vec<f64>>,
}

impl Link {
    fn round(&mut self, samples: &mut Samples) {
        let mut times = (self.batch)();
        times.sort_by(f64::total_cmp);
        for (samples, (_, part)) in samples.iter_mut().zip(PERCENTILES) {
            samples.push(percentile(&times, part));
        }
    }
}

struct Links<'a> {
    options: &'a Options,
    size: usize,
    links: Vec<Link>,
}

impl DuplexVisitor for Links<'_> {
    fn visit<P: Duplex>(&mut self) {
        if [Raw::NAME, Ours::NAME].contains(&P::NAME) || self.options.wants_peer(P::NAME) {
            let batch = connect::<P>(self.size).expect("the loopback is there");
            self.links.push(Link { peer: P::NAME, batch });
        }
    }
}

fn connect<P: Duplex>(size: usize) -> io::Result<Box<dyn FnMut() -> Vec<f64>>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    // Ends when the other end is dropped.
    thread::spawn(move || {
        let runtime = runtime()?;
        let mut stream = P::duplex(adopt(&runtime, far)?, Role::Server);
        runtime.block_on(echo(&mut stream, &mut vec![0; READ_BUFFER]))
    });

    let runtime = runtime()?;
    let mut stream = P::duplex(adopt(&runtime, near)?, Role::Client);
    let payload = pattern(size);
    let mut buf = vec![0; READ_BUFFER];
    Ok(Box::new(move || {
        runtime.block_on(async {
            let mut times = Vec::with_capacity(BATCH);
            for _ in 0..BATCH {
                let start = Instant::now();
                round_trip(&mut stream, &payload, &mut buf).await.expect("the echo answers");
                times.push(start.elapsed().as_nanos() as f64 / 1e3);
            }
            times
        })
    }))
}

/// Of sorted samples.
pub fn percentile(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

/// Gives back what comes, until nothing comes any more.
pub async fn echo(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), buf: &mut [u8]) -> io::Result<()> {
    loop {
        match stream.read(buf).await? {
            0 => return Ok(()),
            n => stream.write_all(&buf[..n]).await?,
        }
        stream.flush().await?;
    }
}

/// Writes, flushes, and reads as much again.
pub async fn round_trip(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    payload: &[u8],
    buf: &mut [u8],
) -> io::Result<()> {
    stream.write_all(payload).await?;
    stream.flush().await?;
    let mut left = payload.len();
    while left > 0 {
        match stream.read(buf).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => left -= n.min(left),
        }
    }
    Ok(())
}

pub fn run(options: &Options, results: &mut Results) {
    // Of each connection.
    let rounds = if options.quick { 8 } else { 60 };
    let mut table =
        Table::new(["payload", "who", "p50 µs", "of raw TCP", "target", "holds", "p99 µs", "of raw TCP"]);
    let sizes: Vec<_> = SIZES.into_iter().filter(|size| options.wants_size(*size)).collect();
    let mut progress = Progress::new("latency", sizes.len() * CONNECTIONS);
    for size in sizes {
        let mut measured: Vec<(&str, Samples)> = Vec::new();
        for _ in 0..CONNECTIONS {
            progress.step(&bytes(size));
            let mut links = Links { options, size, links: Vec::new() };
            duplex::visit_all(&mut links);
            measured.resize_with(links.links.len(), Default::default);
            for round in 0..=rounds {
                for (link, (peer, samples)) in links.links.iter_mut().zip(&mut measured) {
                    *peer = link.peer;
                    // The first warms up.
                    let mut forgotten = Samples::default();
                    link.round(if round == 0 { &mut forgotten } else { samples });
                }
            }
        }
        let raw =
            measured.iter().find(|(peer, _)| *peer == Raw::NAME).expect("raw TCP is measured").1.clone();
        for (peer, samples) in &measured {
            let mut row = vec![bytes(size), (*peer).to_owned()];
            for (at, (percentile, _)) in PERCENTILES.into_iter().enumerate() {
                let summary = Summary::of(&samples[at]);
                let what = [("payload", bytes(size)), ("percentile", percentile.into())];
                results.push(Record::new("latency", *peer, what, ("round trip", "µs"), summary));
                let ratio = ratio(&samples[at], &raw[at]);
                row.push(format!("{:.1} ±{:.0}%", summary.median, summary.percent()));
                row.push(format!("{ratio:.2}"));
                if at == 0 {
                    let ours = *peer == Ours::NAME;
                    row.push(if ours { format!("{TARGET:.2}") } else { String::new() });
                    row.push(if ours { verdict(ratio <= TARGET).into() } else { String::new() });
                }
            }
            table.row(row);
        }
    }
    drop(progress);
    table.print("Latency: echo round trips over loopback TCP");
}
