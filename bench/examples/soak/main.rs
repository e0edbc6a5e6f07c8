//! Thousands of connections for minutes, which come and go in every way there is.
//!
//!     cargo run --release -p bench --example soak -- --connections 10000 --seconds 180
//!
//! The server is a process of its own, because each end of a connection takes a descriptor. Conversations are those of
//! `tests/soak`: every byte is compared at both ends, and each end knows how its kind of conversation must end.

#[path = "../../src/alloc.rs"]
#[allow(dead_code)]
mod alloc;
#[path = "../../src/process.rs"]
mod process;
#[path = "../../src/results.rs"]
#[allow(dead_code)]
mod results;
mod sample;
mod server;
#[path = "../../src/stats.rs"]
#[allow(dead_code)]
mod stats;
#[path = "../../src/table.rs"]
#[allow(dead_code)]
mod table;
#[path = "../../../tests/soak/talk/mod.rs"]
mod talk;
mod verdict;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use crate::alloc::Tracking;
use crate::process::raise_limit;
use crate::results::Results;
use sample::{Both, Sample, Server};
use talk::Sequence;
use talk::client::{Measure, Servers, converse};
use talk::dice::Dice;
use talk::tally::Tally;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// The first argument of the server's process.
const SERVER: &str = "--server";

const CONNECTIONS: u64 = 10_000;
const SECONDS: u64 = 180;

/// Threads of each runtime.
const WORKERS: usize = 2;

/// The server's. A silent client lets two of them pass; nobody else is silent for so long.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

const MEASURE: Measure = Measure { bytes: 64 << 10, pause: Duration::from_secs(12), parts: 3 };

/// From one look at the memory to the next.
const LOOK: Duration = Duration::from_secs(3);

/// What ends by itself has ended by then.
const REST: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let soaked = match &args[..] {
        [flag, connections] if flag == SERVER => {
            return match connections.parse().map_err(io::Error::other).and_then(server::serve) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        args => options(args).and_then(|(connections, seconds)| {
            raise_limit();
            let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
            runtime.block_on(soak(connections, Duration::from_secs(seconds)))
        }),
    };
    let mut results = Results::default();
    match soaked {
        Ok(soaked) => verdict::report(&soaked, &mut results),
        Err(error) => results.check("soak", false, error.to_string()),
    }
    results.print_checks();
    if results.all_hold() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many connections, and for how long.
fn options(args: &[String]) -> io::Result<(u64, u64)> {
    let (mut connections, mut seconds) = (CONNECTIONS, SECONDS);
    for pair in args.chunks(2) {
        match pair {
            [name, value] if name == "--connections" => {
                connections = value.parse().map_err(io::Error::other)?
            }
            [name, value] if name == "--seconds" => seconds = value.parse().map_err(io::Error::other)?,
            _ => {
                return Err(io::Error::other(format!(
                    "{pair:?}: --connections N and --seconds N are all there is"
                )));
            }
        }
    }
    Ok((connections, seconds))
}

/// What was seen.
struct Soaked {
    connections: u64,
    lasted: Duration,
    /// When all had come and gone once.
    before: Both,
    during: Vec<Both>,
    after: Both,
    client: Vec<String>,
}

async fn soak(connections: u64, lasts: Duration) -> io::Result<Soaked> {
    let tracking = Tracking::start();
    let mut server = Server::start(connections)?;
    let crowd = Crowd {
        sequence: Arc::new(Sequence::new()),
        tally: Arc::new(Tally::default()),
        stop: Arc::new(AtomicBool::new(false)),
    };
    // What there is once for as many connections is there from then on.
    eprintln!("soak: {connections} connections, once each");
    crowd.stop.store(true, Relaxed);
    crowd.come(connections, 1, server.addresses.clone()).await;
    let before = rest(&mut server, &tracking, &crowd).await?;

    eprintln!("soak: {connections} connections for {} s", lasts.as_secs());
    crowd.stop.store(false, Relaxed);
    let servers = server.addresses.clone();
    let start = Instant::now();
    let mut during = Vec::new();
    let looking = async {
        while start.elapsed() < lasts {
            tokio::time::sleep(LOOK).await;
            during.push(Both { client: Sample::here(&tracking, &crowd.tally), server: server.ask()? });
            if during.len() % 10 == 0 {
                eprintln!("soak: {} s, {} open", start.elapsed().as_secs(), crowd.tally.open.load(Relaxed));
            }
        }
        crowd.stop.store(true, Relaxed);
        io::Result::Ok(start.elapsed())
    };
    let coming = crowd.come(connections, 2, servers);
    let (looked, ()) = tokio::join!(looking, coming);
    let lasted = looked?;
    server.close()?;
    let after = rest(&mut server, &tracking, &crowd).await?;
    Ok(Soaked { connections, lasted, before, during, after, client: crowd.tally.wrongs() })
}

/// Waits until nothing is left at both ends, or for as long as it may take.
async fn rest(server: &mut Server, tracking: &Tracking, crowd: &Crowd) -> io::Result<Both> {
    let start = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let both = Both { client: Sample::here(tracking, &crowd.tally), server: server.ask()? };
        let is_over =
            both.client.tasks == 0 && both.server.tasks <= both.server.listeners && both.server.open == 0;
        if is_over || start.elapsed() > REST {
            return Ok(both);
        }
    }
}

struct Crowd {
    sequence: Arc<Sequence>,
    tally: Arc<Tally>,
    /// Whether each conversation is the last.
    stop: Arc<AtomicBool>,
}

impl Crowd {
    /// A task for each connection, one conversation after the other.
    async fn come(&self, connections: u64, seed: u64, servers: Servers) {
        let servers = Arc::new(servers);
        let tasks: Vec<_> = (0..connections)
            .map(|at| {
                let Crowd { sequence, tally, stop } = self;
                let (sequence, tally, stop) = (sequence.clone(), tally.clone(), stop.clone());
                let servers = servers.clone();
                tokio::spawn(async move {
                    let mut dice = Dice::new(seed << 32 | at);
                    // They come within seconds, not all at once.
                    tokio::time::sleep(Duration::from_millis(2 * at)).await;
                    loop {
                        converse(&servers, MEASURE, &mut dice, &sequence, &tally).await;
                        if stop.load(Relaxed) {
                            break;
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            if task.await.is_err() {
                self.tally.wrong("a client has panicked".into());
            }
        }
    }
}
