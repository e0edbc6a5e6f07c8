//! What the library alone costs: frames come from memory, writes vanish in a counter, one thread polls.

use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use fastwebsockets_stream::Role;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::memory::{Memory, Wire, pattern};
use crate::options::Options;
use crate::peers::{self, Ours, Peer, Raw, Visitor};
use crate::progress::Progress;
use crate::stats::{Summary, ratio};
use crate::table::{Table, bytes, figure, verdict};
use crate::{READ_BUFFER, alloc};

/// Payloads, and the part of the fastest peer's time that ours may take.
const SIZES: [(usize, f64); 6] =
    [(16, 0.25), (128, 0.25), (1 << 10, 0.4), (16 << 10, 1.0), (64 << 10, 1.0), (1 << 20, 1.0)];

const COLUMNS: [Column; 4] = [
    Column { name: "srv-read", role: Role::Server, reads: true },
    Column { name: "cli-read", role: Role::Client, reads: true },
    Column { name: "srv-write", role: Role::Server, reads: false },
    Column { name: "cli-write", role: Role::Client, reads: false },
];

struct Column {
    name: &'static str,
    role: Role,
    reads: bool,
}

/// Some frames of one peer in turn with the same of the others: long enough for the clock, short enough for all
/// to have the same weather.
const BATCH: Duration = Duration::from_micros(500);

/// One peer in one cell of the table.
struct Case {
    peer: &'static str,
    /// Reads or writes so many frames, or a few more where a read brings several; returns how many.
    batch: Box<dyn FnMut(u64) -> f64>,
    frames: u64,
    /// Nanoseconds for a frame, a sample for each round.
    samples: Vec<f64>,
    allocations: u64,
    done: f64,
}

impl Case {
    fn new(peer: &'static str, mut batch: Box<dyn FnMut(u64) -> f64>) -> Self {
        let mut frames = 1;
        loop {
            let start = Instant::now();
            batch(frames);
            if start.elapsed() >= BATCH / 2 {
                break;
            }
            frames *= 2;
        }
        Case { peer, batch, frames, samples: Vec::new(), allocations: 0, done: 0.0 }
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

    fn allocations_per_frame(&self) -> f64 {
        self.allocations as f64 / self.done
    }
}

/// The cases of one cell, one for each peer.
struct Cell<'a> {
    options: &'a Options,
    column: &'a Column,
    size: usize,
    cases: Vec<Case>,
}

impl Visitor for Cell<'_> {
    fn visit<P: Peer>(&mut self) {
        if P::NAME != Ours::NAME && !self.options.wants_peer(P::NAME) {
            return;
        }
        let payload = pattern(self.size);
        let wire = match self.column.role {
            _ if !P::FRAMES => Wire::Bare,
            Role::Server => Wire::Client,
            Role::Client => Wire::Server,
        };
        let io = Memory::new(&payload, wire);
        let batch: Box<dyn FnMut(u64) -> f64> = if self.column.reads {
            let mut reader = P::reader(io, self.column.role);
            check(&mut reader, &payload);
            let mut buf = vec![0; READ_BUFFER];
            let length = payload.len() as u64;
            Box::new(move |frames| read(&mut reader, &mut buf, frames * length) as f64 / length as f64)
        } else {
            let mut writer = P::writer(io, self.column.role);
            Box::new(move |frames| {
                (0..frames).for_each(|_| write(&mut writer, &payload));
                frames as f64
            })
        };
        self.cases.push(Case::new(P::NAME, batch));
    }
}

impl Cell<'_> {
    fn measure(&mut self, rounds: usize) {
        peers::visit_all(self);
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

    fn fastest_peer(&self) -> Option<(&Case, Summary)> {
        let peers = self.cases.iter().filter(|case| ![Ours::NAME, Raw::NAME].contains(&case.peer));
        let peers = peers.map(|case| (case, Summary::of(&case.samples)));
        peers.min_by(|a, b| a.1.median.total_cmp(&b.1.median))
    }
}

pub fn run(options: &Options) {
    let rounds = if options.quick { 40 } else { 200 };
    let columns: Vec<_> = COLUMNS.iter().filter(|column| options.wants_column(column.name)).collect();
    let sizes: Vec<_> = SIZES.iter().filter(|(size, _)| options.wants_size(*size)).collect();

    let head = |first: &[&'static str]| {
        first.iter().copied().chain(columns.iter().map(|column| column.name)).collect::<Vec<_>>()
    };
    let mut times = Table::new(head(&["payload", "who"]));
    let mut allocations = Table::new(head(&["payload", "who"]));
    let mut targets = Table::new([
        "payload",
        "column",
        "ours",
        "fastest peer",
        "ns",
        "ratio",
        "target",
        "holds",
        "allocs",
        "holds",
    ]);

    let mut progress = Progress::new("cost", sizes.len() * columns.len());
    for &&(size, target) in &sizes {
        let mut cells = Vec::new();
        for &column in &columns {
            progress.step(&format!("{} {}", bytes(size), column.name));
            let mut cell = Cell { options, column, size, cases: Vec::new() };
            cell.measure(rounds);
            if let Some(row) = target_row(&cell, target) {
                targets.row(row);
            }
            cells.push(cell);
        }
        for at in 0..cells.first().map_or(0, |cell| cell.cases.len()) {
            let row = |figure: fn(&Case) -> String| {
                let first = [bytes(size), cells[0].cases[at].peer.to_owned()];
                first
                    .into_iter()
                    .chain(cells.iter().map(move |cell| figure(&cell.cases[at])))
                    .collect::<Vec<_>>()
            };
            times.row(row(|case| {
                let summary = Summary::of(&case.samples);
                format!("{} ±{:.0}%", figure(summary.median), summary.percent())
            }));
            allocations.row(row(|case| format!("{:.2}", case.allocations_per_frame())));
        }
    }
    drop(progress);

    times.print("Library cost: ns per frame, median ± half the distance of the quartiles");
    allocations.print("Allocations per frame");
    targets.print("Library cost: ours and the fastest peer");
}

fn target_row(cell: &Cell<'_>, target: f64) -> Option<[String; 10]> {
    let (peer, theirs) = cell.fastest_peer()?;
    let ours = cell.ours();
    let ratio = ratio(&ours.samples, &peer.samples);
    Some([
        bytes(cell.size),
        cell.column.name.into(),
        figure(Summary::of(&ours.samples).median),
        peer.peer.into(),
        figure(theirs.median),
        format!("{ratio:.2}"),
        format!("{target:.2}"),
        verdict(ratio <= target).into(),
        format!("{:.2}", ours.allocations_per_frame()),
        verdict(ours.allocations == 0).into(),
    ])
}

/// Reads at least `bytes`, and returns how many it were.
fn read(reader: &mut (impl AsyncRead + Unpin), buf: &mut [u8], bytes: u64) -> u64 {
    let mut read = 0;
    while read < bytes {
        read += poll_read(reader, buf).len() as u64;
    }
    read
}

fn poll_read<'a>(reader: &mut (impl AsyncRead + Unpin), buf: &'a mut [u8]) -> &'a [u8] {
    let mut into = ReadBuf::new(buf);
    let polled = Pin::new(reader).poll_read(&mut Context::from_waker(Waker::noop()), &mut into);
    let n = into.filled().len();
    assert!(matches!(polled, Poll::Ready(Ok(()))) && n > 0, "memory has more to read: {polled:?}");
    black_box(&buf[..n])
}

/// Writes one frame, and flushes it.
fn write(writer: &mut (impl AsyncWrite + Unpin), payload: &[u8]) {
    let cx = &mut Context::from_waker(Waker::noop());
    match Pin::new(&mut *writer).poll_write(cx, black_box(payload)) {
        Poll::Ready(Ok(n)) if n == payload.len() => {}
        polled => panic!("a frame is taken whole: {polled:?}"),
    }
    match Pin::new(writer).poll_flush(cx) {
        Poll::Ready(Ok(())) => {}
        polled => panic!("a counter has nothing to flush: {polled:?}"),
    }
}

/// Whether the peer delivers what was sent.
fn check(reader: &mut (impl AsyncRead + Unpin), payload: &[u8]) {
    let mut expected = payload.iter().cycle();
    let mut buf = vec![0; READ_BUFFER];
    let mut left = 2 * payload.len();
    while left > 0 {
        let read = poll_read(reader, &mut buf);
        assert!(read.iter().all(|octet| expected.next() == Some(octet)), "the payload arrives unchanged");
        left = left.saturating_sub(read.len());
    }
}
