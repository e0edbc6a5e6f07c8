//! What the library alone costs: frames come from memory, writes vanish in a counter, one thread polls.

mod tables;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use fastwebsockets_stream::Role;

use crate::frames::{self, Contender, Kind, Sink, Source, Visitor};
use crate::heap::{self, Heap};
use crate::memory::{Memory, Wire, pattern};
use crate::options::Options;
use crate::plain::OnePass;
use crate::progress::Progress;
use crate::results::{Record, Results};
use crate::stats::Summary;
use crate::table::bytes;
use crate::{READ_BUFFER, alloc};
use tables::Tables;

/// Payloads, and the part of the fastest peer's time that ours may take.
const SIZES: [(usize, f64); 6] =
    [(16, 0.25), (128, 0.25), (1 << 10, 0.4), (16 << 10, 1.0), (64 << 10, 1.0), (1 << 20, 1.0)];

pub const COLUMNS: [Column; 4] = [
    Column { name: "srv-read", role: Role::Server, reads: true },
    Column { name: "cli-read", role: Role::Client, reads: true },
    Column { name: "srv-write", role: Role::Server, reads: false },
    Column { name: "cli-write", role: Role::Client, reads: false },
];

pub struct Column {
    pub name: &'static str,
    role: Role,
    reads: bool,
}

impl Column {
    /// Clients write masked, servers read so.
    fn masks(&self) -> bool {
        self.reads == (self.role == Role::Server)
    }
}

/// Some frames of one peer in turn with the same of the others: long enough for the clock, short enough for all
/// to have the same weather.
const BATCH: Duration = Duration::from_micros(500);

/// So many bytes go through a stream before its heap is looked at.
const TRAFFIC: usize = 1 << 20;

/// Does so many frames, or a few more where a read brings several; returns how many.
pub type Batch = Box<dyn FnMut(u64) -> f64>;

/// One peer in one cell of the table.
struct Case {
    who: &'static str,
    kind: Kind,
    batch: Batch,
    frames: u64,
    /// Nanoseconds for a frame, a sample for each round.
    samples: Vec<f64>,
    allocations: u64,
    done: f64,
    heap: Heap,
}

impl Case {
    fn new(who: &'static str, kind: Kind, mut batch: Batch, heap: Heap) -> Self {
        let (start, mut frames) = (Instant::now(), 1.0);
        // By the mean: where a read brings several frames, the others cost nothing.
        let done = loop {
            frames += batch(frames as u64);
            if start.elapsed() >= 2 * BATCH {
                break frames;
            }
        };
        let frames = (done * BATCH.div_duration_f64(start.elapsed())).ceil() as u64;
        Case { who, kind, batch, frames, samples: Vec::new(), allocations: 0, done: 0.0, heap }
    }

    fn round(&mut self) {
        let before = alloc::count();
        let start = Instant::now();
        let done = (self.batch)(self.frames);
        let elapsed = start.elapsed();
        self.allocations += alloc::count() - before;
        self.done += done;
        self.samples.push(elapsed.as_nanos() as f64 / done);
    }

    fn forget(&mut self) {
        (self.allocations, self.done) = (0, 0.0);
        self.samples.clear();
    }

    fn time(&self) -> Summary {
        Summary::of(&self.samples)
    }

    fn allocations_per_frame(&self) -> f64 {
        self.allocations as f64 / self.done
    }
}

/// The cases of one cell, one for each peer.
struct Cell<'a> {
    options: &'a Options,
    column: &'a Column,
    size: usize,
    /// Of the fastest peer's time.
    target: f64,
    cases: Vec<Case>,
}

impl Visitor for Cell<'_> {
    fn visit<C: Contender>(&mut self) {
        let kind = Kind::of::<C>();
        if kind.is_peer() && !self.options.wants_peer(C::NAME) {
            return;
        }
        let (role, size) = (self.column.role, self.size);
        let payload = pattern(size);
        let memory = Memory::new(&payload, wire::<C>(role));
        let frames = TRAFFIC.div_ceil(size).max(2) as u64;
        let (heap, batch): (Heap, Batch) = if self.column.reads {
            if C::FRAMES {
                check(&mut C::source(memory.clone(), role), &payload);
            }
            let input = || (memory.clone(), vec![0; READ_BUFFER]);
            let reads = |(io, buf): (Memory, Vec<u8>)| reads(C::source(io, role), buf, size);
            (heap::of([input(), input()], frames, reads), Box::new(reads(input())))
        } else {
            let input = || (memory.clone(), payload.clone());
            let writes = |(io, payload): (Memory, Vec<u8>)| writes(C::sink(io, role), payload);
            (heap::of([input(), input()], frames, writes), Box::new(writes(input())))
        };
        self.cases.push(Case::new(C::NAME, kind, batch, heap));
    }
}

impl Cell<'_> {
    fn measure(&mut self, rounds: usize) {
        frames::visit_all(self);
        self.visit::<OnePass>();
        for round in 0..=rounds {
            self.cases.iter_mut().for_each(Case::round);
            // The first warms up.
            if round == 0 {
                self.cases.iter_mut().for_each(Case::forget);
            }
        }
    }

    fn ours(&self) -> &Case {
        &self.cases[0]
    }

    fn fastest(&self, kind: Kind) -> Option<&Case> {
        let peers = self.cases.iter().filter(|case| case.kind == kind);
        peers.min_by(|a, b| a.time().median.total_cmp(&b.time().median))
    }

    fn one_pass(&self) -> Option<&Case> {
        self.cases.iter().find(|case| case.who == OnePass::NAME)
    }

    /// What the columns of a table are, and the axes of a chart.
    fn what(&self) -> [(&'static str, String); 2] {
        [("payload", bytes(self.size)), ("column", self.column.name.into())]
    }

    fn record(&self, results: &mut Results) {
        for case in &self.cases {
            let mut push = |metric, summary| {
                results.push(Record::new("cost", case.who, self.what(), metric, summary));
            };
            push(("time per frame", "ns"), case.time());
            let throughput: Vec<_> = case.samples.iter().map(|ns| self.size as f64 / ns).collect();
            push(("throughput", "GB/s"), Summary::of(&throughput));
            push(("allocations per frame", ""), Summary::exact(case.allocations_per_frame()));
            push(("peak heap", "bytes"), Summary::exact(case.heap.peak as f64));
            push(("heap at rest", "bytes"), Summary::exact(case.heap.at_rest as f64));
        }
    }
}

/// What ours allocated in one column, over all payloads.
#[derive(Default)]
struct Allocated {
    allocations: u64,
    frames: f64,
    /// The most of any payload.
    at_rest: i64,
}

impl Allocated {
    fn add(&mut self, case: &Case) {
        self.allocations += case.allocations;
        self.frames += case.done;
        self.at_rest = self.at_rest.max(case.heap.at_rest);
    }

    fn check(&self, who: &str, column: &str, results: &mut Results) {
        let found = format!(
            "{} allocations in {:.0} frames, {} B on the heap at rest",
            self.allocations, self.frames, self.at_rest
        );
        let name = format!("{who}, {column}: nothing is allocated, nothing is kept");
        results.check(name, self.allocations == 0 && self.at_rest == 0, found);
    }
}

/// A machine that has rested takes seconds to get to its full speed.
fn warm_up(options: &Options) {
    let start = Instant::now();
    let long = Duration::from_secs(if options.quick { 1 } else { 6 });
    while start.elapsed() < long {
        black_box(pattern(READ_BUFFER));
    }
}

pub fn run(options: &Options, results: &mut Results) {
    warm_up(options);
    let rounds = if options.quick { 40 } else { 200 };
    let columns: Vec<_> = COLUMNS.iter().filter(|column| options.wants_column(column.name)).collect();
    let sizes: Vec<_> = SIZES.iter().filter(|(size, _)| options.wants_size(*size)).collect();

    let mut tables = Tables::new(columns.iter().map(|column| column.name));
    let mut allocated = BTreeMap::<_, Allocated>::new();
    let mut progress = Progress::new("cost", sizes.len() * columns.len());
    for &&(size, target) in &sizes {
        let mut cells = Vec::new();
        for &column in &columns {
            progress.step(&format!("{} {}", bytes(size), column.name));
            let mut cell = Cell { options, column, size, target, cases: Vec::new() };
            cell.measure(rounds);
            cell.record(results);
            for case in cell.cases.iter().filter(|case| case.kind.is_ours()) {
                allocated.entry((case.who, column.name)).or_default().add(case);
            }
            cells.push(cell);
        }
        tables.add(&cells);
    }
    drop(progress);
    tables.print();
    for ((who, column), allocated) in allocated {
        allocated.check(who, column, results);
    }
}

/// What one contender does in one cell, for whoever measures something else; reads go to a buffer with this room.
pub fn batch<C: Contender>(column: &Column, size: usize, room: usize) -> Batch {
    let payload = pattern(size);
    let memory = Memory::new(&payload, wire::<C>(column.role));
    if column.reads {
        Box::new(reads(C::source(memory, column.role), vec![0; room], size))
    } else {
        Box::new(writes(C::sink(memory, column.role), payload))
    }
}

/// Whose frames somebody in this role reads.
fn wire<C: Contender>(role: Role) -> Wire {
    match role {
        _ if !C::FRAMES => Wire::Bare,
        Role::Server => Wire::Client,
        Role::Client => Wire::Server,
    }
}

fn reads(mut source: impl Source, mut buf: Vec<u8>, size: usize) -> impl FnMut(u64) -> f64 {
    move |frames| now(frames::read(&mut source, &mut buf, frames * size as u64)) as f64 / size as f64
}

/// Each frame is flushed.
fn writes(mut sink: impl Sink, payload: Vec<u8>) -> impl FnMut(u64) -> f64 {
    move |frames| {
        now(frames::write(&mut sink, &payload, frames, true));
        frames as f64
    }
}

/// Memory always has more to read, and takes all.
fn now<T>(future: impl Future<Output = std::io::Result<T>>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(done)) => done,
        Poll::Ready(Err(error)) => panic!("memory does not fail: {error}"),
        Poll::Pending => panic!("memory is never pending"),
    }
}

/// Whether the peer delivers what was sent.
fn check(source: &mut impl Source, payload: &[u8]) {
    let mut expected = payload.iter().cycle();
    let mut buf = vec![0; READ_BUFFER];
    let mut left = 2 * payload.len();
    while left > 0 {
        let read = now(source.read(&mut buf));
        assert!(read.iter().all(|octet| expected.next() == Some(octet)), "the payload arrives unchanged");
        left = left.saturating_sub(read.len());
    }
}
