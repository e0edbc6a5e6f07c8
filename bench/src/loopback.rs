//! Throughput over TCP on the loopback: a writer in one thread, a reader in another, each with a runtime of its own.
//!
//! A peer more is a line in [`visit`].

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use core_affinity::CoreId;
use fastwebsockets_stream::Role;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use crate::READ_BUFFER;
use crate::memory::pattern;
use crate::options::Options;
use crate::peers::{self, Ours, OursBuffered, Peer, Raw, Visitor};
use crate::progress::Progress;
use crate::stats::{Summary, ratio};
use crate::table::{Table, bytes, figure, verdict};

/// Sizes of a write, and the part of raw TCP's throughput that ours must have.
const SIZES: [(usize, Option<f64>); 5] =
    [(64, None), (1 << 10, None), (16 << 10, Some(0.95)), (64 << 10, Some(0.95)), (1 << 20, None)];

/// The writer's role: a client masks.
const DIRECTIONS: [(&str, Role); 2] = [("cli-srv", Role::Client), ("srv-cli", Role::Server)];

/// Long enough for the kernel's buffers to matter little.
const BATCH: Duration = Duration::from_millis(20);

/// Raw TCP and ours are always measured; the others where they are asked for by name.
fn visit(links: &mut Links<'_>) {
    links.visit::<Raw>();
    links.visit::<Ours>();
    links.visit::<OursBuffered>();
    if links.options.names_peers() {
        links.visit::<peers::Published>();
        links.visit::<peers::WsStreamTungstenite>();
        links.visit::<peers::AsyncTungstenite>();
        links.visit::<peers::TokioTungstenite>();
        links.visit::<peers::TokioWebsockets>();
    }
}

/// Each peer gets so many connections in turn: where the threads and buffers of one lie is luck.
const CONNECTIONS: usize = 5;

/// A connection of one peer with itself.
struct Link {
    peer: &'static str,
    /// Writes so often, and returns how long it took until all was read.
    batch: Box<dyn FnMut(u64) -> Duration>,
    writes: u64,
}

impl Link {
    fn new(peer: &'static str, mut batch: Box<dyn FnMut(u64) -> Duration>) -> Self {
        let mut writes = 1;
        while batch(writes) < BATCH / 2 {
            writes *= 2;
        }
        Link { peer, batch, writes }
    }

    /// Bytes per second.
    fn round(&mut self, size: usize) -> f64 {
        let elapsed = (self.batch)(self.writes);
        (self.writes * size as u64) as f64 / elapsed.as_secs_f64()
    }
}

struct Links<'a> {
    options: &'a Options,
    role: Role,
    size: usize,
    links: Vec<Link>,
}

impl Visitor for Links<'_> {
    fn visit<P: Peer>(&mut self) {
        if ![Raw::NAME, Ours::NAME].contains(&P::NAME) && !self.options.wants_peer(P::NAME) {
            return;
        }
        let batch = connect::<P>(self.role, self.size, self.options.pin).expect("the loopback is there");
        self.links.push(Link::new(P::NAME, batch));
    }
}

/// What the reader's thread is asked: to read so many bytes; and when it had them.
type Orders = (Receiver<u64>, Sender<Instant>);

fn connect<P: Peer>(role: Role, size: usize, pinned: bool) -> io::Result<Box<dyn FnMut(u64) -> Duration>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;

    let (order, orders) = channel();
    let (report, reports) = channel();
    let far_role = if role == Role::Client { Role::Server } else { Role::Client };
    if pinned {
        pin(0);
    }
    // Ends when `order` is dropped.
    thread::spawn(move || {
        if pinned {
            pin(1);
        }
        read_on_orders::<P>(far, far_role, (orders, report))
    });

    let runtime = runtime()?;
    let mut writer = P::writer(adopt(&runtime, near)?, role);
    let payload = pattern(size);
    Ok(Box::new(move |writes| {
        let start = Instant::now();
        order.send(writes * payload.len() as u64).expect("the reader runs");
        runtime.block_on(write(&mut writer, &payload, writes)).expect("the loopback takes all");
        reports.recv().expect("the reader runs") - start
    }))
}

fn read_on_orders<P: Peer>(io: std::net::TcpStream, role: Role, (orders, report): Orders) -> io::Result<()> {
    let runtime = runtime()?;
    let mut reader = P::reader(adopt(&runtime, io)?, role);
    let mut buf = vec![0; READ_BUFFER];
    for bytes in orders {
        runtime.block_on(read(&mut reader, &mut buf, bytes))?;
        if report.send(Instant::now()).is_err() {
            break;
        }
    }
    Ok(())
}

/// Left alone, the scheduler may put both threads on one core, which is another thing to measure.
fn pin(at: usize) {
    // Asked once: a thread that is pinned, and those it starts, see no other core.
    static CORES: OnceLock<Vec<CoreId>> = OnceLock::new();
    let cores = CORES.get_or_init(|| core_affinity::get_core_ids().unwrap_or_default());
    if let Some(core) = cores.get(at) {
        core_affinity::set_for_current(*core);
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().build()
}

fn adopt(runtime: &Runtime, io: std::net::TcpStream) -> io::Result<TcpStream> {
    io.set_nodelay(true)?;
    io.set_nonblocking(true)?;
    let _guard = runtime.enter();
    TcpStream::from_std(io)
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

pub fn run(options: &Options) {
    // Of each connection.
    let rounds = if options.quick { 5 } else { 15 };
    let sizes: Vec<_> = SIZES.iter().filter(|(size, _)| options.wants_size(*size)).collect();
    let directions: Vec<_> = DIRECTIONS.iter().filter(|(name, _)| options.wants_column(name)).collect();
    let mut table =
        Table::new(["write", "direction", "who", "MB/s", "spread", "of raw TCP", "target", "holds"]);
    let mut progress = Progress::new("loopback", sizes.len() * directions.len());
    for &&(size, target) in &sizes {
        for &&(direction, role) in &directions {
            progress.step(&format!("{} {direction}", bytes(size)));
            let measured = measure(options, role, size, rounds);
            for (peer, samples) in &measured {
                let ratio = ratio(samples, &measured[0].1);
                let target = target.filter(|_| *peer == Ours::NAME);
                table.row(row(&Summary::of(samples), [&bytes(size), direction, peer], ratio, target));
            }
        }
    }
    drop(progress);
    table.print("Loopback TCP: throughput, flushed once at the end");
}

/// Each peer's throughput, a sample for each round; raw TCP first.
fn measure(options: &Options, role: Role, size: usize, rounds: usize) -> Vec<(&'static str, Vec<f64>)> {
    let mut measured: Vec<(&str, Vec<f64>)> = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut links = Links { options, role, size, links: Vec::new() };
        visit(&mut links);
        measured.resize_with(links.links.len(), Default::default);
        for _ in 0..rounds {
            for (link, (peer, samples)) in links.links.iter_mut().zip(&mut measured) {
                *peer = link.peer;
                samples.push(link.round(size));
            }
        }
    }
    measured
}

fn row(summary: &Summary, what: [&str; 3], ratio: f64, target: Option<f64>) -> Vec<String> {
    let figures = [
        figure(summary.median / 1e6),
        format!("±{:.0}%", summary.percent()),
        format!("{ratio:.2}"),
        target.map_or(String::new(), |target| format!("{target:.2}")),
        target.map_or("", |target| verdict(ratio >= target)).into(),
    ];
    what.map(String::from).into_iter().chain(figures).collect()
}
