//! tokio's `copy_bidirectional` between two streams, and our own: a client talks to a proxy, which talks to a server, each in a
//! thread of its own.
//!
//! Only the proxy is the peer's: client and server are ours for all of them, so that they do not count.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use fastwebsockets_stream::{Role, copy_bidirectional};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional_with_sizes};

use crate::READ_BUFFER;
use crate::link::{adopt, runtime};
use crate::memory::pattern;
use crate::options::Options;
use crate::peers::duplex::{self, Duplex, DuplexVisitor};
use crate::peers::{Ours, OursBuffered, Peer, Published, Raw, TokioTungstenite, TokioWebsockets};
use crate::progress::Progress;
use crate::results::{Record, Results};
use crate::stats::{Summary, ratio};
use crate::table::{Table, bytes, figure};

/// Sizes of a write, and of the proxy's buffers; 8 KiB is what `copy_bidirectional` takes.
const SIZES: [(usize, usize); 3] = [(1 << 10, 8 << 10), (64 << 10, 8 << 10), (64 << 10, 64 << 10)];

/// The writer's role.
const DIRECTIONS: [(&str, Role); 2] = [("up", Role::Client), ("down", Role::Server)];

/// Who copies in the proxy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// tokio, with buffers of this size.
    Tokio(usize),
    Ours,
}

const BATCH: Duration = Duration::from_millis(20);

/// So many in turn. Each gives one figure of the proxy's processor time.
const CONNECTIONS: usize = 5;
const QUICK_CONNECTIONS: usize = 3;

/// A writer, a proxy and a reader.
struct Link {
    peer: String,
    /// Writes so often, and returns how long it took until all was read.
    batch: Box<dyn FnMut(u64) -> Duration>,
    proxy: JoinHandle<Duration>,
    writes: u64,
    /// All that went through.
    written: u64,
}

impl Link {
    fn new<P: Duplex>(role: Role, size: usize, by: By) -> io::Result<Self> {
        let (client, inbound) = pair()?;
        let (outbound, server) = pair()?;
        let proxy = thread::spawn(move || proxy::<P>(inbound, outbound, by).expect("the loopback is there"));
        let (near, far) = if role == Role::Client { (client, server) } else { (server, client) };
        let batch = if P::FRAMES {
            connect::<Ours>(near, far, role, size)
        } else {
            connect::<Raw>(near, far, role, size)
        }?;
        let peer = match by {
            By::Tokio(_) => P::NAME.into(),
            By::Ours => format!("{}, by our copy", P::NAME),
        };
        let mut link = Link { peer, batch, proxy, writes: 1, written: 0 };
        while link.run() < BATCH / 2 {
            link.writes *= 2;
        }
        Ok(link)
    }

    fn run(&mut self) -> Duration {
        self.written += self.writes;
        (self.batch)(self.writes)
    }

    /// Bytes per second.
    fn round(&mut self, size: usize) -> f64 {
        let elapsed = self.run();
        (self.writes * size as u64) as f64 / elapsed.as_secs_f64()
    }

    /// Seconds of the proxy's processor time for each byte.
    fn end(self, size: usize) -> f64 {
        drop(self.batch);
        let time = self.proxy.join().expect("the proxy ends when both ends have gone");
        time.as_secs_f64() / (self.written * size as u64) as f64
    }
}

/// Ends when both ends have gone; returns the processor's time.
fn proxy<P: Duplex>(
    inbound: std::net::TcpStream,
    outbound: std::net::TcpStream,
    by: By,
) -> io::Result<Duration> {
    let runtime = runtime()?;
    let mut inbound = P::duplex(adopt(&runtime, inbound)?, Role::Server);
    let mut outbound = P::duplex(adopt(&runtime, outbound)?, Role::Client);
    let start = ThreadTime::now();
    // Neither end says goodbye, which is an error to most.
    runtime.block_on(async {
        match by {
            By::Tokio(buffer) => {
                let _ = copy_bidirectional_with_sizes(&mut inbound, &mut outbound, buffer, buffer).await;
            }
            By::Ours => {
                let _ = copy_bidirectional(&mut inbound, &mut outbound).await;
            }
        }
    });
    Ok(start.elapsed())
}

/// What the reader's thread is asked: to read so many bytes; and when it had them.
type Orders = (Receiver<u64>, Sender<Instant>);

fn connect<P: Duplex>(
    near: std::net::TcpStream,
    far: std::net::TcpStream,
    role: Role,
    size: usize,
) -> io::Result<Box<dyn FnMut(u64) -> Duration>> {
    let (order, orders) = channel();
    let (report, reports) = channel();
    let far_role = if role == Role::Client { Role::Server } else { Role::Client };
    // Ends when `order` is dropped.
    thread::spawn(move || read_on_orders::<P>(far, far_role, (orders, report)));

    let runtime = runtime()?;
    let mut writer = P::duplex(adopt(&runtime, near)?, role);
    let payload = pattern(size);
    Ok(Box::new(move |writes| {
        let start = Instant::now();
        order.send(writes * payload.len() as u64).expect("the reader runs");
        runtime.block_on(write(&mut writer, &payload, writes)).expect("the proxy takes all");
        reports.recv().expect("the reader runs") - start
    }))
}

fn read_on_orders<P: Duplex>(
    io: std::net::TcpStream,
    role: Role,
    (orders, report): Orders,
) -> io::Result<()> {
    let runtime = runtime()?;
    let mut reader = P::duplex(adopt(&runtime, io)?, role);
    let mut buf = vec![0; READ_BUFFER];
    for bytes in orders {
        runtime.block_on(read(&mut reader, &mut buf, bytes))?;
        if report.send(Instant::now()).is_err() {
            break;
        }
    }
    Ok(())
}

fn pair() -> io::Result<(std::net::TcpStream, std::net::TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = std::net::TcpStream::connect(listener.local_addr()?)?;
    Ok((near, listener.accept()?.0))
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), payload: &[u8], writes: u64) -> io::Result<()> {
    for _ in 0..writes {
        writer.write_all(payload).await?;
    }
    writer.flush().await
}

async fn read(reader: &mut (impl AsyncRead + Unpin), buf: &mut [u8], bytes: u64) -> io::Result<()> {
    let mut left = bytes;
    while left > 0 {
        match reader.read(buf).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => left -= n as u64,
        }
    }
    Ok(())
}

struct Links<'a> {
    options: &'a Options,
    role: Role,
    sizes: (usize, usize),
    links: Vec<Link>,
}

impl Links<'_> {
    fn add<P: Duplex>(&mut self, by: By) {
        self.links.push(Link::new::<P>(self.role, self.sizes.0, by).expect("the loopback is there"));
    }
}

impl DuplexVisitor for Links<'_> {
    fn visit<P: Duplex>(&mut self) {
        // It cannot write while a read waits, which in a proxy one always does.
        if P::NAME == Published::NAME {
            return;
        }
        let always = [Raw::NAME, Ours::NAME, OursBuffered::NAME].contains(&P::NAME);
        let fastest = [TokioTungstenite::NAME, TokioWebsockets::NAME].contains(&P::NAME);
        // In short, only the fastest of them.
        let skipped = self.options.quick && !fastest && !self.options.names_peers();
        if always || (self.options.wants_peer(P::NAME) && !skipped) {
            self.add::<P>(By::Tokio(self.sizes.1));
        }
        if [Raw::NAME, Ours::NAME].contains(&P::NAME) {
            self.add::<P>(By::Ours);
        }
    }
}

/// What was measured of one peer: bytes per second, and seconds per byte.
#[derive(Default)]
struct Measured {
    peer: String,
    throughput: Vec<f64>,
    cpu: Vec<f64>,
}

fn measure(options: &Options, role: Role, sizes: (usize, usize), rounds: usize) -> Vec<Measured> {
    let mut measured: Vec<Measured> = Vec::new();
    for _ in 0..if options.quick { QUICK_CONNECTIONS } else { CONNECTIONS } {
        let mut links = Links { options, role, sizes, links: Vec::new() };
        duplex::visit_all(&mut links);
        links.visit::<OursBuffered>();
        let mut links = links.links;
        measured.resize_with(links.len(), Default::default);
        for _ in 0..rounds {
            for (link, measured) in links.iter_mut().zip(&mut measured) {
                measured.throughput.push(link.round(sizes.0));
            }
        }
        for (link, measured) in links.into_iter().zip(&mut measured) {
            measured.peer = link.peer.clone();
            measured.cpu.push(link.end(sizes.0));
        }
    }
    measured
}

pub fn run(options: &Options, results: &mut Results) {
    // Of each connection.
    let rounds = if options.quick { 3 } else { 15 };
    let sizes: Vec<_> = SIZES.into_iter().filter(|(size, _)| options.wants_size(*size)).collect();
    let mut table = Table::new([
        "write",
        "buffers",
        "direction",
        "who",
        "MB/s",
        "spread",
        "of raw TCP",
        "CPU s/GB",
        "spread",
        "of raw TCP",
    ])
    .left(4);
    let mut progress = Progress::new("proxy", sizes.len() * DIRECTIONS.len());
    for sizes in sizes {
        let (size, buffer) = sizes;
        for (direction, role) in DIRECTIONS {
            progress.step(&format!("{} {direction}, buffers of {}", bytes(size), bytes(buffer)));
            let measured = measure(options, role, sizes, rounds);
            let raw = measured.iter().find(|peer| peer.peer == Raw::NAME).expect("raw TCP is measured");
            for peer in &measured {
                let megabytes: Vec<_> = peer.throughput.iter().map(|bytes| bytes / 1e6).collect();
                let seconds: Vec<_> = peer.cpu.iter().map(|seconds| seconds * 1e9).collect();
                let (throughput, cpu) = (Summary::of(&megabytes), Summary::of(&seconds));
                table.row([
                    bytes(size),
                    bytes(buffer),
                    direction.into(),
                    peer.peer.clone(),
                    figure(throughput.median),
                    format!("±{:.0}%", throughput.percent()),
                    format!("{:.2}", ratio(&peer.throughput, &raw.throughput)),
                    figure(cpu.median),
                    format!("±{:.0}%", cpu.percent()),
                    format!("{:.2}", ratio(&peer.cpu, &raw.cpu)),
                ]);
                let mut push = |metric, summary| {
                    let what = [
                        ("payload", bytes(size)),
                        ("buffer", bytes(buffer)),
                        ("direction", direction.into()),
                    ];
                    results.push(Record::new("proxy", &peer.peer, what, metric, summary));
                };
                push(("throughput", "MB/s"), throughput);
                push(("proxy's CPU time", "s/GB"), cpu);
            }
        }
    }
    drop(progress);
    table.print("Proxy: copy_bidirectional between two streams, over loopback TCP");
}
