//! Many connections at a time, most of them idle.
//!
//! A server and a client in a process each, started anew for each figure, so that neither has the other's memory, or
//! that of what was before. The server has a task for each connection, with a read parked in it; the client has its ends
//! in a row, each with a read waiting.

pub mod client;
pub mod server;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::inside;
use crate::line::Line;
use crate::options::Options;
use crate::peers::duplex::{self, Duplex, DuplexVisitor};
use crate::peers::{Ours, Peer, Raw};
use crate::process::raise_limit;
use crate::progress::Progress;
use crate::results::{Record, Results};
use crate::stats::Summary;
use crate::table::{Table, figure, verdict};

/// The processes, for [`inside`].
pub const SERVER: &str = "scale-server";
pub const CLIENT: &str = "scale-client";

/// Ours by `Listener` and `Client`; the others begin where the handshake has ended.
pub const HANDSHAKE: &str = "ours, with handshake";

const COUNTS: [usize; 5] = [1, 100, 1_000, 10_000, 20_000];

/// Peers go no further: their memory makes a line too, and not a small one.
const PEERS_UP_TO: usize = 1_000;

/// Of heap, above raw TCP's, for an idle connection at a server.
const TARGET: f64 = 300.0;

/// The same at a client, whose task is as long as the type: what that may weigh, see PROMISES 7.2.
const TYPE: f64 = 320.0;

/// Descriptors for all that is no connection.
const RESERVED: u64 = 64;

/// What the client's process finds out. Memory is in bytes for one connection, times are in microseconds.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Figures {
    server_heap: f64,
    server_rss: f64,
    client_heap: f64,
    client_rss: f64,
    /// For one connection, until its first echo is back.
    open: f64,
    p50: f64,
    p99: f64,
}

type Metric = (&'static str, &'static str, fn(&Figures) -> f64);

/// Name, unit and value; the first is what the chart shows.
const METRICS: [Metric; 7] = [
    ("memory per connection", "bytes", |of| of.server_rss),
    ("heap per connection", "bytes", |of| of.server_heap),
    ("client's memory per connection", "bytes", |of| of.client_rss),
    ("client's heap per connection", "bytes", |of| of.client_heap),
    ("time to open", "µs", |of| of.open),
    ("echo p50", "µs", |of| of.p50),
    ("echo p99", "µs", |of| of.p99),
];

const SERVER_RSS: usize = 0;
const SERVER_HEAP: usize = 1;
const CLIENT_HEAP: usize = 3;
const OPEN: usize = 4;
const P50: usize = 5;

/// All that was measured of one contender with so many connections.
struct Point {
    who: &'static str,
    connections: usize,
    figures: Vec<Figures>,
}

impl Point {
    fn summary(&self, metric: usize) -> Summary {
        Summary::of(&self.figures.iter().map(METRICS[metric].2).collect::<Vec<_>>())
    }
}

/// A process that ends with this.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(args: &[&str]) -> Result<(Process, BufReader<std::process::ChildStdout>), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.arg(inside::FLAG).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let out = child.stdout.take().ok_or("it has no output")?;
    Ok((Process(child), BufReader::new(out)))
}

fn measure(who: &str, connections: usize) -> Result<Figures, String> {
    let line = |mut out: BufReader<_>| {
        let mut line = String::new();
        out.read_line(&mut line).map_err(|error| error.to_string())?;
        if line.is_empty() { Err("it has ended".to_owned()) } else { Ok(line) }
    };
    let (_server, out) = start(&[SERVER, who])?;
    let ports = line(out)?;
    let count = connections.to_string();
    let args: Vec<_> = [CLIENT, who, &count].into_iter().chain(ports.split_whitespace()).collect();
    let (mut client, out) = start(&args)?;
    let Ok(line) = line(out) else {
        let mut log = String::new();
        let _ = client.0.stderr.take().map(|mut err| err.read_to_string(&mut log));
        return Err(log.trim().to_owned());
    };
    serde_json::from_str(&line).map_err(|error| error.to_string())
}

fn contenders(options: &Options, connections: usize) -> Vec<&'static str> {
    struct Names<'a>(&'a Options, Vec<&'static str>);
    impl DuplexVisitor for Names<'_> {
        fn visit<P: Duplex>(&mut self) {
            if self.0.wants_peer(P::NAME) {
                self.1.push(P::NAME);
            }
        }
    }
    let mut names = Names(options, vec![Raw::NAME, Ours::NAME, HANDSHAKE]);
    if connections <= PEERS_UP_TO || options.names_peers() {
        duplex::visit_peers(&mut names);
    }
    names.1
}

pub fn run(options: &Options, results: &mut Results) {
    let limit = raise_limit();
    let most = usize::try_from(limit.saturating_sub(RESERVED)).unwrap_or(usize::MAX);
    let wanted = if options.quick { &COUNTS[..4] } else { &COUNTS };
    let mut counts: Vec<_> = wanted.iter().map(|count| *count.min(&most)).collect();
    counts.dedup();
    let mut progress = Progress::new("scale", counts.len());
    let mut points: Vec<Point> = Vec::new();
    let mut failed: BTreeMap<&str, String> = BTreeMap::new();
    for &connections in &counts {
        progress.step(&format!("{connections} connections"));
        let rounds = match connections {
            1_000.. if options.quick => 1,
            _ => 3,
        };
        let names = contenders(options, connections);
        let first = points.len();
        points.extend(names.iter().map(|who| Point { who, connections, figures: Vec::new() }));
        for _ in 0..rounds {
            for point in &mut points[first..] {
                if failed.contains_key(point.who) {
                    continue;
                }
                match measure(point.who, connections) {
                    Ok(figures) => point.figures.push(figures),
                    Err(error) => drop(failed.insert(point.who, error)),
                }
            }
        }
    }
    drop(progress);
    points.retain(|point| !point.figures.is_empty());
    for point in &points {
        for (at, (name, unit, _)) in METRICS.into_iter().enumerate() {
            let what = [("connections", point.connections.to_string())];
            results.push(Record::new("scale", point.who, what, (name, unit), point.summary(at)));
        }
    }
    print_points(&points);
    print_growth(&points, results);
    for (who, error) in failed {
        println!("\n{who} could not be measured: {error}");
        if [Raw::NAME, Ours::NAME, HANDSHAKE].contains(&who) {
            results.check(format!("scale: {who}"), false, error);
        }
    }
    if counts.last() < wanted.last() {
        let wanted = wanted[wanted.len() - 1];
        println!("\n{wanted} connections did not fit: a process may have {limit} descriptors here.");
    }
}

fn print_points(points: &[Point]) {
    let head = ["connections", "who"].into_iter().map(String::from);
    let memory = ["server heap", "server RSS", "client heap", "client RSS"];
    let memory = memory.into_iter().flat_map(|what| [what.to_owned(), "above raw".into()]);
    let times = ["open µs", "echo p50 µs", "p99 µs"].into_iter().map(String::from);
    let mut table = Table::new(head.chain(memory).chain(times));
    for point in points {
        let raw = points.iter().find(|raw| raw.who == Raw::NAME && raw.connections == point.connections);
        let mut row = vec![point.connections.to_string(), point.who.to_owned()];
        for metric in [SERVER_HEAP, SERVER_RSS, CLIENT_HEAP, CLIENT_HEAP - 1] {
            let bytes = point.summary(metric).median;
            row.push(format!("{bytes:.0}"));
            row.push(raw.map_or(String::new(), |raw| format!("{:.0}", bytes - raw.summary(metric).median)));
        }
        row.extend((OPEN..METRICS.len()).map(|metric| figure(point.summary(metric).median)));
        table.row(row);
    }
    table.print("Scale: bytes for each connection, one percent of them active");
}

/// How something grows with the number of connections, if there is more than one point.
fn growth(points: &[Point], who: &str, of: impl Fn(&Point) -> f64) -> Option<Line> {
    let points: Vec<_> = points.iter().filter(|point| point.who == who).collect();
    let points: Vec<_> = points.iter().map(|point| (point.connections as f64, of(point))).collect();
    (points.len() > 1).then(|| Line::through(&points))
}

fn total(metric: usize) -> impl Fn(&Point) -> f64 {
    move |point| point.summary(metric).median * point.connections as f64
}

fn print_growth(points: &[Point], results: &mut Results) {
    const MILLION: f64 = 1e6;
    let mut table = Table::new([
        "who",
        "server heap",
        "above raw",
        "target",
        "holds",
        "R²",
        "server RSS",
        "R²",
        "RSS for a million, GB",
        "above raw, GB",
        "open µs",
        "R²",
        "echo p50, ns per 1000",
    ])
    .left(1);
    let mut names: Vec<_> = points.iter().map(|point| point.who).collect();
    names.sort_unstable();
    names.dedup();
    let slope = |who, metric| growth(points, who, total(metric)).map(|line| line.slope);
    for who in names {
        let lines = [SERVER_HEAP, SERVER_RSS, OPEN].map(|metric| growth(points, who, total(metric)));
        let [Some(heap), Some(rss), Some(open)] = lines else { continue };
        let above = slope(Raw::NAME, SERVER_HEAP).map(|raw| heap.slope - raw);
        let rss_above =
            growth(points, Raw::NAME, total(SERVER_RSS)).map(|raw| rss.at(MILLION) - raw.at(MILLION));
        let echo = growth(points, who, |point| point.summary(P50).median);
        let ours = who == Ours::NAME || who == HANDSHAKE;
        table.row([
            who.to_owned(),
            format!("{:.0}", heap.slope),
            above.map_or(String::new(), |above| format!("{above:.0}")),
            if ours { format!("{TARGET:.0}") } else { String::new() },
            above.filter(|_| ours).map_or(String::new(), |above| verdict(above <= TARGET).into()),
            format!("{:.4}", heap.fit),
            format!("{:.0}", rss.slope),
            format!("{:.4}", rss.fit),
            figure(rss.at(MILLION) / 1e9),
            rss_above.map_or(String::new(), |above| figure(above / 1e9)),
            figure(open.slope),
            format!("{:.4}", open.fit),
            echo.map_or(String::new(), |echo| format!("{:.0}", echo.slope * 1e6)),
        ]);
        if ours {
            // tokio rounds a server's task up to the next 128 bytes; a client's end is as long as its type.
            for (end, metric, most) in [("server", SERVER_HEAP, TARGET), ("client", CLIENT_HEAP, TYPE)] {
                let above = slope(who, metric).zip(slope(Raw::NAME, metric)).map_or(f64::NAN, |(a, b)| a - b);
                results.check(
                    format!("scale: {who}, {end}: heap of an idle connection above raw TCP"),
                    above <= most,
                    format!("{above:.1} bytes, of at most {most}"),
                );
            }
        }
    }
    table.print("Scale: bytes, and time, for one connection more; slopes of straight lines by least squares");
}
