//! How often the transport is asked, and how many bytes go over it: on a socket, each call is a system call.
//!
//! A counting transport in memory is exact where a tracer would be noise. tokio's `TcpStream` makes one `recv`, `send` or
//! `writev` of each call (and one more read only to find out that nothing is left, which it mostly saves).

use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use fastwebsockets_stream::Role;

use crate::READ_BUFFER;
use crate::memory::pattern;
use crate::options::Options;
use crate::peers::duplex::{self, Duplex, DuplexVisitor};
use crate::peers::{Ours, OursBuffered, Peer, Raw};
use crate::results::{Record, Results};
use crate::script::{Script, flush, frame, poll_read, write};
use crate::stats::Summary;
use crate::table::{Table, bytes};

const SIZES: [usize; 6] = [16, 128, 1 << 10, 16 << 10, 64 << 10, 1 << 20];

const ROLES: [(&str, Role); 2] = [("srv", Role::Server), ("cli", Role::Client)];

/// As much payload is written, or read, for each figure.
const VOLUME: usize = 4 << 20;

/// So many of them are counted.
fn writes(size: usize) -> usize {
    (VOLUME / size).min(4096)
}

/// Of one peer in one role with one payload.
struct Figures {
    /// Transport writes for each write, flushed each time.
    flushed: f64,
    /// The same, flushed once at the end.
    gathered: f64,
    flushes: f64,
    /// Bytes for each write beyond its payload.
    overhead: f64,
    /// Transport reads for each 64 KiB of payload.
    reads: f64,
    /// Transport reads for each read.
    reads_per_read: f64,
}

fn measure<P: Duplex>(role: Role, size: usize) -> Figures {
    let payload = pattern(size);
    let writes = writes(size);
    let per = |n: u64| n as f64 / writes as f64;

    let mut io = Script::new(&[0]);
    let counts = io.counts().clone();
    let mut stream = P::duplex(io, role);
    for _ in 0..writes {
        write(&mut stream, &payload);
        flush(&mut stream);
    }
    let flushed = per(counts.writes.load(Relaxed));
    let flushes = per(counts.flushes.load(Relaxed));
    let overhead = per(counts.written.load(Relaxed)) - size as f64;

    counts.reset();
    (0..writes).for_each(|_| write(&mut stream, &payload));
    flush(&mut stream);
    let gathered = per(counts.writes.load(Relaxed));

    let wire = if P::FRAMES { frame(2, role == Role::Server, size as u64, &payload) } else { payload };
    io = Script::new(&wire);
    let counts = io.counts().clone();
    let mut stream = P::duplex(io, role);
    let mut buf = vec![0; READ_BUFFER];
    let (mut read, mut times) = (0, 0);
    while read < VOLUME {
        match poll_read(&mut stream, &mut buf) {
            Poll::Ready(Ok(n)) if n > 0 => (read, times) = (read + n, times + 1),
            polled => panic!("there is more to read: {polled:?}"),
        }
    }
    let reads = counts.reads.load(Relaxed) as f64;
    Figures {
        flushed,
        gathered,
        flushes,
        overhead,
        reads: reads * 65536.0 / read as f64,
        reads_per_read: reads / f64::from(times),
    }
}

struct Rows<'a> {
    options: &'a Options,
    results: &'a mut Results,
    table: Table,
    role: (&'static str, Role),
    size: usize,
}

impl DuplexVisitor for Rows<'_> {
    fn visit<P: Duplex>(&mut self) {
        let always = [Ours::NAME, OursBuffered::NAME, Raw::NAME].contains(&P::NAME);
        if !always && !self.options.wants_peer(P::NAME) {
            return;
        }
        let (role, size) = (self.role, bytes(self.size));
        let figures = measure::<P>(role.1, self.size);
        self.table.row([
            size.clone(),
            P::NAME.into(),
            role.0.into(),
            format!("{:.2}", figures.flushed),
            format!("{:.3}", figures.gathered),
            format!("{:.2}", figures.flushes),
            format!("{:.2}", figures.overhead),
            format!("{:.2}", figures.reads),
            format!("{:.2}", figures.reads_per_read),
        ]);
        let mut push = |metric, count| {
            let what = [("payload", size.clone()), ("role", role.0.into())];
            self.results.push(Record::new("calls", P::NAME, what, (metric, ""), Summary::exact(count)));
        };
        push("transport writes per flushed write", figures.flushed);
        push("transport writes per write", figures.gathered);
        push("transport reads per 64 KiB", figures.reads);
        push("bytes on the wire beyond the payload", figures.overhead);
        if [Ours::NAME, OursBuffered::NAME].contains(&P::NAME) {
            self.check(P::NAME, &figures);
        }
    }
}

impl Rows<'_> {
    fn check(&mut self, who: &str, figures: &Figures) {
        // RFC 6455, section 5.2.
        let header = match self.size {
            0..=125 => 2,
            126..=0xffff => 4,
            _ => 10,
        };
        let masks = self.role.1 == Role::Client;
        let header = if masks { header + 4 } else { header };
        // Masking takes a staging buffer of 256 KiB.
        let each = if masks { self.size.div_ceil(256 << 10) } else { 1 };
        let writes = writes(self.size);
        // As many frames as fit leave together.
        let fit = if who == Ours::NAME { 1 } else { ((64 << 10) / (self.size + header)).max(1) };
        // One more for each large frame, in which a read stops behind the next header, unless it unmasks anyway.
        let stops = if masks && self.size >= 16 << 10 { (64 << 10) as f64 / self.size as f64 } else { 0.0 };
        let reads = 1.0 + stops;
        let gathered = (each * writes).div_ceil(fit) as f64 / writes as f64;
        let holds = figures.overhead == header as f64
            && figures.flushed <= each as f64
            && figures.gathered <= gathered
            && figures.reads_per_read <= reads;
        let detail = format!(
            "{} bytes for the header, of {header}; {} transport writes for a flushed write, of {each}, {:.4} for one \
             that is not, of {gathered:.4}; {:.2} transport reads for a read, of {reads:.2}",
            figures.overhead, figures.flushed, figures.gathered, figures.reads_per_read
        );
        self.results.check(format!("calls: {who}, {}, {}", self.role.0, bytes(self.size)), holds, detail);
    }
}

pub fn run(options: &Options, results: &mut Results) {
    let table = Table::new([
        "payload",
        "who",
        "role",
        "writes per flushed write",
        "writes per write",
        "flushes",
        "bytes beyond payload",
        "reads per 64 KiB",
        "reads per read",
    ])
    .left(3);
    let mut rows = Rows { options, results, table, role: ROLES[0], size: 0 };
    for size in SIZES.into_iter().filter(|size| options.wants_size(*size)) {
        for role in ROLES {
            (rows.size, rows.role) = (size, role);
            rows.visit::<Ours>();
            rows.visit::<OursBuffered>();
            rows.visit::<Raw>();
            duplex::visit_peers(&mut rows);
        }
    }
    rows.table.print("Calls of the transport, which on a socket are system calls");
}
