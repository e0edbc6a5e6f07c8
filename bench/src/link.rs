//! A connection over the loopback: a writer in one thread, a reader in another, each with a runtime of its own.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use core_affinity::CoreId;
use cpu_time::ThreadTime;
use fastwebsockets_stream::Role;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use crate::READ_BUFFER;
use crate::frames::{self, Contender};
use crate::memory::pattern;
use crate::peers::Transport;

/// What a TCP connection becomes before a contender gets it.
pub trait Network: Clone + Send + 'static {
    /// Where the writer is.
    async fn near(&self, io: TcpStream) -> io::Result<impl Transport>;
    /// Where the reader is.
    async fn far(&self, io: TcpStream) -> io::Result<impl Transport>;
}

/// TCP as it is.
#[derive(Clone)]
pub struct Tcp;

impl Network for Tcp {
    async fn near(&self, io: TcpStream) -> io::Result<impl Transport> {
        Ok(io)
    }

    async fn far(&self, io: TcpStream) -> io::Result<impl Transport> {
        Ok(io)
    }
}

#[derive(Clone, Copy)]
pub struct Way {
    /// The writer's; a client masks.
    pub role: Role,
    /// Bytes in a write.
    pub size: usize,
    pub flush_each: bool,
    pub pin: bool,
}

/// What some writes took, until the last byte had been read.
#[derive(Clone, Copy)]
pub struct Took {
    pub wall: Duration,
    /// Of the processor, at either end.
    pub writer: Duration,
    pub reader: Duration,
}

/// Does so many writes.
pub type Batch = Box<dyn FnMut(u64) -> Took>;

/// What the reader's thread is asked: to read so many bytes; and when it had them, and what they cost.
type Orders = (Receiver<u64>, Sender<(Instant, Duration)>);

pub fn connect<C: Contender, N: Network>(network: &N, way: Way) -> io::Result<Batch> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;

    let (order, orders) = channel();
    let (report, reports) = channel();
    if way.pin {
        pin(0);
    }
    // Ends when `order` is dropped.
    let far_network = network.clone();
    thread::spawn(move || {
        if way.pin {
            pin(1);
        }
        read_on_orders::<C, N>(far_network, far, way.role, (orders, report))
    });

    let runtime = runtime()?;
    let near = adopt(&runtime, near)?;
    let mut sink = C::sink(runtime.block_on(network.near(near))?, way.role);
    let payload = pattern(way.size);
    Ok(Box::new(move |writes| {
        let cpu = ThreadTime::now();
        let start = Instant::now();
        order.send(writes * payload.len() as u64).expect("the reader runs");
        runtime
            .block_on(frames::write(&mut sink, &payload, writes, way.flush_each))
            .expect("the loopback takes all");
        let writer = cpu.elapsed();
        let (end, reader) = reports.recv().expect("the reader runs");
        Took { wall: end - start, writer, reader }
    }))
}

fn read_on_orders<C: Contender, N: Network>(
    network: N,
    io: std::net::TcpStream,
    writer: Role,
    (orders, report): Orders,
) -> io::Result<()> {
    let role = if writer == Role::Client { Role::Server } else { Role::Client };
    let runtime = runtime()?;
    let io = adopt(&runtime, io)?;
    let mut source = C::source(runtime.block_on(network.far(io))?, role);
    let mut buf = vec![0; READ_BUFFER];
    for bytes in orders {
        let cpu = ThreadTime::now();
        runtime.block_on(frames::read(&mut source, &mut buf, bytes))?;
        if report.send((Instant::now(), cpu.elapsed())).is_err() {
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

/// Of one thread, without timers.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().build()
}

/// A socket of the standard library's, for this runtime.
pub fn adopt(runtime: &Runtime, io: std::net::TcpStream) -> io::Result<TcpStream> {
    io.set_nodelay(true)?;
    io.set_nonblocking(true)?;
    let _guard = runtime.enter();
    TcpStream::from_std(io)
}
