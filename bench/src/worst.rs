//! What the worst peers and callers cost: the smallest pieces, frames that carry nothing, lengths that are announced.
//!
//! A server reads from memory, see [`Script`]. Time is that of one pass over the input, allocations the most of
//! later ones; the peak, and the calls, are those of a process of its own, which has no pools yet and which ends nothing
//! else if it ends by a signal.

use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::{Duration, Instant};

use fastwebsockets_stream::Role;
use serde::{Deserialize, Serialize};

use crate::alloc::{self, Tracking};
use crate::inside;
use crate::memory::pattern;
use crate::options::Options;
use crate::peers::duplex::{self, Duplex, DuplexVisitor};
use crate::peers::{Ours, Peer, Raw};
use crate::progress::Progress;
use crate::results::{Record, Results};
use crate::script::{Script, frame, poll_read};
use crate::stats::Summary;
use crate::table::{Table, figure};

/// The process that does one pass, for [`inside`].
pub const PASS: &str = "worst";

/// Far more than any takes that takes an end.
const LONGEST: Duration = Duration::from_secs(10);

const PINGS: u64 = 100_000;
const EMPTY: u64 = 1_000_000;

/// What comes, how it is read, and what ours may take for it.
struct Case {
    name: &'static str,
    /// What the time is for.
    unit: &'static str,
    units: u64,
    input: Script,
    /// The caller's buffer.
    buf: usize,
    payload: u64,
    most: Most,
}

struct Most {
    reads: u64,
    writes: u64,
    /// Exactly so many.
    written: u64,
    heap: i64,
}

/// Memory that does not grow: what a stream borrows to read ahead, and the thread's shelf for it.
const READ_AHEAD: i64 = 18 << 10;

fn cases() -> Vec<Case> {
    let kilobytes = 256;
    let payload = pattern(1 << 10);
    let frames = Script::new(&frame(2, true, 1 << 10, &payload)).ending_after(kilobytes * (1032));
    let wire = frames.length();
    let large = frame(2, true, 1 << 20, &pattern(1 << 20));
    let ping = frame(9, true, 125, &pattern(125));
    let pings = Script::new(&ping).ending_after(PINGS * ping.len() as u64);
    let empty = frame(2, true, 0, b"");
    let empty = Script::new(&empty).ending_after(EMPTY * empty.len() as u64);
    let announced = frame(2, true, 60 << 20, &pattern(64 << 10));
    let quiet = Most { reads: u64::MAX, writes: 0, written: 0, heap: 0 };
    let blocks = |wire: u64, block: u64| wire.div_ceil(block) + 1;
    vec![
        Case {
            name: "reads of 1 byte",
            unit: "byte",
            units: kilobytes << 10,
            input: frames.clone(),
            buf: 1,
            payload: kilobytes << 10,
            most: Most { reads: blocks(wire, 16 << 10), heap: READ_AHEAD, ..quiet },
        },
        Case {
            name: "transport that gives 1 byte at a time",
            unit: "byte",
            units: kilobytes << 10,
            input: frames.in_pieces(1),
            buf: 64 << 10,
            payload: kilobytes << 10,
            most: Most { reads: wire, ..quiet },
        },
        Case {
            name: "1 MiB frame in reads of 16 bytes",
            unit: "read",
            units: 64 << 10,
            input: Script::new(&large).ending_after(large.len() as u64),
            buf: 16,
            payload: 1 << 20,
            most: Most { reads: blocks(large.len() as u64, 16 << 10), heap: READ_AHEAD, ..quiet },
        },
        Case {
            name: "flood of Pings, answers are taken",
            unit: "Ping",
            units: PINGS,
            input: pings.clone(),
            buf: 64 << 10,
            payload: 0,
            most: Most {
                reads: blocks(pings.length(), 64 << 10),
                writes: PINGS / 4,
                written: PINGS * 127,
                heap: 4 << 10,
            },
        },
        Case {
            name: "flood of Pings, answers are not taken",
            unit: "Ping",
            units: PINGS,
            most: Most { reads: blocks(pings.length(), 64 << 10), heap: 4 << 10, ..quiet },
            input: pings.blocked(),
            buf: 64 << 10,
            payload: 0,
        },
        Case {
            name: "a million empty frames",
            unit: "frame",
            units: EMPTY,
            most: Most { reads: blocks(empty.length(), 64 << 10), ..quiet },
            input: empty,
            buf: 64 << 10,
            payload: 0,
        },
        Case {
            name: "60 MiB announced, 64 KiB there",
            unit: "pass",
            units: 1,
            input: Script::new(&announced).ending_after(announced.len() as u64),
            buf: 64 << 10,
            payload: 64 << 10,
            most: Most { reads: 2, ..quiet },
        },
    ]
}

/// What one pass took.
#[derive(Default, Serialize, Deserialize)]
struct Pass {
    outcome: String,
    time: Duration,
    allocations: u64,
    peak: i64,
    reads: u64,
    writes: u64,
    written: u64,
}

/// How all that was read went: as it should, unless it says otherwise.
const FINE: &str = "";

fn pass<P: Duplex>(case: &Case) -> Pass {
    let io = case.input.fresh();
    let counts = io.counts().clone();
    let mut buf = vec![0; case.buf];
    let tracking = Tracking::start();
    let mut stream = P::duplex(io, Role::Server);
    let before = alloc::count();
    let start = Instant::now();
    let mut payload = 0;
    let mut idle = 0;
    let outcome = loop {
        let read = counts.read.load(Relaxed);
        let stopped = match poll_read(&mut stream, &mut buf) {
            Poll::Ready(Ok(0)) => Some("end of file".into()),
            Poll::Ready(Ok(n)) => {
                payload += n as u64;
                None
            }
            Poll::Ready(Err(error)) => Some(error.to_string()),
            Poll::Pending if read == case.input.length() => Some(match payload {
                _ if payload == case.payload => FINE.into(),
                0 => "gives nothing yet".into(),
                _ if payload > case.payload => "gives control frames as data".into(),
                _ => "gives not all".into(),
            }),
            // Somebody who waits for a writer may read no further.
            Poll::Pending => {
                idle = if counts.read.load(Relaxed) == read { idle + 1 } else { 0 };
                (idle == 3).then(|| "reads no further".into())
            }
        };
        if let Some(stopped) = stopped {
            break stopped;
        }
        if payload % 1024 == 0 && start.elapsed() > LONGEST {
            break format!("not done after {LONGEST:?}");
        }
    };
    Pass {
        outcome,
        time: start.elapsed(),
        allocations: alloc::count() - before,
        peak: tracking.peak(),
        reads: counts.reads.load(Relaxed),
        writes: counts.writes.load(Relaxed),
        written: counts.written.load(Relaxed),
    }
}

/// One peer in one case.
struct Row {
    peer: &'static str,
    pass: fn(&Case) -> Pass,
    /// In a process of its own.
    first: Pass,
    passes: Vec<Pass>,
}

impl Row {
    /// Whether the process has told what it took.
    fn has_lived(&self) -> bool {
        self.first.time > Duration::ZERO
    }
}

struct Rows<'a> {
    options: &'a Options,
    case: &'a Case,
    rows: Vec<Row>,
}

impl DuplexVisitor for Rows<'_> {
    fn visit<P: Duplex>(&mut self) {
        if P::NAME == Raw::NAME || (P::NAME != Ours::NAME && !self.options.wants_peer(P::NAME)) {
            return;
        }
        let first =
            pass_apart(P::NAME, self.case).unwrap_or_else(|ended| Pass { outcome: ended, ..Pass::default() });
        self.rows.push(Row { peer: P::NAME, pass: pass::<P>, first, passes: Vec::new() });
    }
}

/// Does one pass in a process of its own; an error is how that has ended.
fn pass_apart(who: &str, case: &Case) -> Result<Pass, String> {
    let output = std::env::current_exe()
        .and_then(|program| Command::new(program).args([inside::FLAG, PASS, who, case.name]).output())
        .map_err(|error| error.to_string())?;
    let log = String::from_utf8_lossy(&output.stderr);
    match serde_json::from_slice(&output.stdout) {
        Ok(pass) if output.status.success() => Ok(pass),
        _ if log.contains("overflowed its stack") => Err("overflows the stack".into()),
        _ => Err(format!("ends: {}", output.status)),
    }
}

/// Prints what a pass took. Arguments: a contender and a case.
pub fn inside(args: &[String]) -> Result<(), String> {
    struct Apart<'a>(&'a str, &'a Case, Option<Pass>);
    impl DuplexVisitor for Apart<'_> {
        fn visit<P: Duplex>(&mut self) {
            if P::NAME == self.0 {
                self.2 = Some(pass::<P>(self.1));
            }
        }
    }
    let cases = cases();
    let understood = || {
        let [who, name] = args else { return None };
        Some(Apart(who, cases.iter().find(|case| case.name == name)?, None))
    };
    let mut apart = understood().ok_or_else(|| format!("{PASS} {args:?}: not understood"))?;
    duplex::visit_all(&mut apart);
    println!("{}", serde_json::to_string(&apart.2).map_err(|error| error.to_string())?);
    Ok(())
}

pub fn run(options: &Options, results: &mut Results) {
    let rounds = if options.quick { 3 } else { 9 };
    let head =
        ["case", "who", "ns", "per", "allocs", "peak heap", "reads", "writes", "written", "went wrong"];
    let mut table = Table::new(head);
    let cases = cases();
    let mut progress = Progress::new("worst", cases.len());
    for case in &cases {
        progress.step(case.name);
        let mut rows = Rows { options, case, rows: Vec::new() };
        duplex::visit_all(&mut rows);
        // The first warms up.
        for _ in 0..=rounds {
            for row in rows.rows.iter_mut().filter(|row| row.has_lived()) {
                row.passes.push((row.pass)(case));
            }
        }
        for row in &rows.rows {
            report(case, row, &mut table, results);
        }
    }
    drop(progress);
    table.print("Worst cases: a server reads");
}

fn report(case: &Case, row: &Row, table: &mut Table, results: &mut Results) {
    if !row.has_lived() {
        let nothing = std::iter::repeat_n(String::new(), 7);
        let outcome = row.first.outcome.clone();
        table
            .row([case.name.to_owned(), row.peer.into()].into_iter().chain(nothing).chain([outcome.clone()]));
        if row.peer == Ours::NAME {
            results.check(format!("worst: {}", case.name), false, outcome);
        }
        return;
    }
    let passes = &row.passes[1..];
    let times: Vec<_> = passes.iter().map(|pass| pass.time.as_nanos() as f64 / case.units as f64).collect();
    let time = Summary::of(&times);
    let allocations = passes.iter().map(|pass| pass.allocations).max().unwrap_or_default();
    let Pass { outcome, peak, reads, writes, written, .. } = &row.first;
    table.row([
        case.name.to_owned(),
        row.peer.into(),
        format!("{} ±{:.0}%", figure(time.median), time.percent()),
        case.unit.into(),
        allocations.to_string(),
        peak.to_string(),
        reads.to_string(),
        writes.to_string(),
        written.to_string(),
        outcome.clone(),
    ]);
    let mut push = |metric, summary| {
        let what = [("case", case.name.into()), ("per", case.unit.into())];
        results.push(Record::new("worst", row.peer, what, metric, summary));
    };
    push(("time", "ns"), time);
    push(("allocations", ""), Summary::exact(allocations as f64));
    push(("peak heap", "bytes"), Summary::exact(*peak as f64));
    push(("transport reads", ""), Summary::exact(*reads as f64));
    push(("transport writes", ""), Summary::exact(*writes as f64));

    if row.peer == Ours::NAME {
        let most = &case.most;
        let found =
            format!("{peak} B of heap, of at most {}; {allocations} allocations; {outcome}", most.heap);
        let holds = outcome == FINE && *peak <= most.heap && allocations == 0;
        results.check(format!("worst: {}: constant memory", case.name), holds, found);
        let found =
            format!("{reads} reads, of at most {}; {writes} writes, of at most {}", most.reads, most.writes);
        let holds = *reads <= most.reads && *writes <= most.writes && *written == most.written;
        results.check(
            format!("worst: {}: few calls", case.name),
            holds,
            format!("{found}; {written} bytes written, of {}", most.written),
        );
    }
}
