//! Throughput over the loopback, and what it costs the processor.

mod tables;

use std::time::Duration;

use fastwebsockets_stream::Role;

use crate::frames::{self, Contender, Fastwebsockets, Kind, Visitor, Yawc};
use crate::link::{self, Batch, Network, Tcp, Took, Way};
use crate::options::Options;
use crate::peers::{OursBuffered, Peer, TokioWebsockets};
use crate::progress::Progress;
use crate::results::{Record, Results};
use crate::stats::Summary;
use crate::table::bytes;
use tables::Tables;

/// Of a write.
const SIZES: [usize; 5] = [64, 1 << 10, 16 << 10, 64 << 10, 1 << 20];

/// The writer's role: a client masks.
const DIRECTIONS: [(&str, Role); 2] = [("up", Role::Client), ("down", Role::Server)];

const FLUSHES: [(&str, bool); 2] = [("each write", true), ("at the end", false)];

/// How much is done.
struct Effort {
    /// Long enough for the kernel's buffers to matter little.
    batch: Duration,
    /// Where the threads and buffers of one connection lie is luck: each contender gets so many in turn.
    connections: usize,
    /// Of each connection.
    rounds: usize,
}

impl Effort {
    fn of(options: &Options) -> Self {
        if options.quick {
            Effort { batch: Duration::from_millis(10), connections: 2, rounds: 4 }
        } else {
            Effort { batch: Duration::from_millis(20), connections: 5, rounds: 10 }
        }
    }
}

pub fn run(options: &Options, results: &mut Results) {
    measure_all("loopback", "TCP", &Tcp, options, results);
}

/// The same over any network.
pub fn measure_all(
    section: &'static str,
    network_name: &str,
    network: &impl Network,
    options: &Options,
    results: &mut Results,
) {
    let sizes: Vec<_> = SIZES.into_iter().filter(|size| options.wants_size(*size)).collect();
    let mut lanes = Vec::new();
    for (flush, flush_each) in FLUSHES {
        for (direction, role) in DIRECTIONS {
            if options.wants_column(direction) {
                lanes.push(Lane { direction, role, flush, flush_each });
            }
        }
    }
    let mut tables = Tables::new(&sizes);
    let mut progress = Progress::new(section, sizes.len() * lanes.len());
    for lane in &lanes {
        let mut cells = Vec::new();
        for &size in &sizes {
            progress.step(&format!("{} {}, flushed {}", bytes(size), lane.direction, lane.flush));
            let cell = Cell::measure(network, options, lane, size);
            cell.record(section, results);
            cells.push(cell);
        }
        tables.add(lane, &cells);
    }
    drop(progress);
    tables.print(network_name);
}

/// Everything but the size.
struct Lane {
    direction: &'static str,
    role: Role,
    flush: &'static str,
    flush_each: bool,
}

/// One contender in one cell.
struct Case {
    who: &'static str,
    kind: Kind,
    /// In a batch.
    writes: u64,
    /// A sample of each for each round: bytes per second, and seconds of the processor per byte.
    throughput: Vec<f64>,
    writer: Vec<f64>,
    reader: Vec<f64>,
    both: Vec<f64>,
}

impl Case {
    fn throughput(&self) -> Summary {
        Summary::of(&self.throughput)
    }

    fn note(&mut self, size: usize, took: Took) {
        let bytes = (self.writes * size as u64) as f64;
        self.throughput.push(bytes / took.wall.as_secs_f64());
        self.writer.push(took.writer.as_secs_f64() / bytes);
        self.reader.push(took.reader.as_secs_f64() / bytes);
        self.both.push((took.writer + took.reader).as_secs_f64() / bytes);
    }
}

/// All contenders with one size; ours first.
struct Cell<'a> {
    lane: &'a Lane,
    size: usize,
    cases: Vec<Case>,
}

impl<'a> Cell<'a> {
    fn measure(network: &impl Network, options: &Options, lane: &'a Lane, size: usize) -> Self {
        let effort = Effort::of(options);
        let mut cell = Cell { lane, size, cases: Vec::new() };
        let way = Way { role: lane.role, size, flush_each: lane.flush_each, pin: options.pin };
        for _ in 0..effort.connections {
            let mut links = Links {
                network,
                options,
                way,
                batch: effort.batch,
                links: Vec::new(),
                cases: &mut cell.cases,
            };
            frames::visit_all(&mut links);
            let mut links = links.links;
            for _ in 0..effort.rounds {
                for (batch, case) in links.iter_mut().zip(&mut cell.cases) {
                    let took = batch(case.writes);
                    case.note(size, took);
                }
            }
        }
        cell
    }

    fn ours(&self) -> &Case {
        &self.cases[0]
    }

    fn buffered(&self) -> Option<&Case> {
        self.cases.iter().find(|case| case.who == <OursBuffered as Peer>::NAME)
    }

    fn raw(&self) -> Option<&Case> {
        self.cases.iter().find(|case| case.kind == Kind::Base)
    }

    fn fastest(&self, among: fn(Kind) -> bool) -> Option<&Case> {
        let cases = self.cases.iter().filter(|case| among(case.kind));
        cases.max_by(|a, b| a.throughput().median.total_cmp(&b.throughput().median))
    }

    fn record(&self, section: &'static str, results: &mut Results) {
        for case in &self.cases {
            let what = || {
                [
                    ("payload", bytes(self.size)),
                    ("direction", self.lane.direction.to_owned()),
                    ("flush", self.lane.flush.to_owned()),
                ]
            };
            let mut push = |metric, summary| {
                results.push(Record::new(section, case.who, what(), metric, summary));
            };
            push(("throughput", "MB/s"), case.throughput().times(1e-6));
            push(("cpu of the writer", "s/GB"), Summary::of(&case.writer).times(1e9));
            push(("cpu of the reader", "s/GB"), Summary::of(&case.reader).times(1e9));
            push(("cpu of both", "s/GB"), Summary::of(&case.both).times(1e9));
        }
    }
}

/// One connection of each contender.
struct Links<'a, N> {
    network: &'a N,
    options: &'a Options,
    way: Way,
    batch: Duration,
    links: Vec<Batch>,
    /// As many as have had a connection before.
    cases: &'a mut Vec<Case>,
}

impl<N: Network> Visitor for Links<'_, N> {
    fn visit<C: Contender>(&mut self) {
        let kind = Kind::of::<C>();
        if kind.is_peer() && !self.wants(C::NAME) {
            return;
        }
        let mut batch = link::connect::<C, N>(self.network, self.way).expect("the loopback is there");
        let at = self.links.len();
        if at == self.cases.len() {
            let mut writes = 1;
            while batch(writes).wall < self.batch / 2 {
                writes *= 2;
            }
            let (throughput, writer, reader, both) = Default::default();
            self.cases.push(Case { who: C::NAME, kind, writes, throughput, writer, reader, both });
        } else {
            // Warms up.
            batch(self.cases[at].writes);
        }
        self.links.push(batch);
    }
}

impl<N> Links<'_, N> {
    /// A quick run has the fastest peers only, unless others are named.
    fn wants(&self, peer: &str) -> bool {
        let quick = self.options.quick && !self.options.names_peers();
        let among_quick = [<TokioWebsockets as Peer>::NAME, Fastwebsockets::NAME, Yawc::NAME].contains(&peer);
        self.options.wants_peer(peer) && (!quick || among_quick)
    }
}
