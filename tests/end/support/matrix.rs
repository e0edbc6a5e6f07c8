//! The table: a program over TCP, and over each link.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::links::{LINKS, Link, Network, Stream};
use super::{LIMIT, bulk, within};

/// What a run carries.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub size: usize,
    pub seed: u64,
    /// Whoever reads begins only when the other end's writes are stuck.
    pub slow: bool,
    /// From one end to the other, beside the link.
    pub signal: &'static Notify,
}

/// What the asking end sends.
pub fn request(load: Load) -> Vec<u8> {
    bulk(load.size, load.seed)
}

/// What the answering end sends: another length, from nothing to somewhat more.
pub fn response(load: Load) -> Vec<u8> {
    bulk(load.size + load.size / 7, !load.seed)
}

/// How a program has ended at one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Well, and everything was there.
    Whole,
    /// Well, but something was missing, which nobody would have noticed.
    Short,
    /// With an error.
    Error(ErrorKind),
    /// It was cut off on purpose.
    Cut,
}

impl End {
    /// Of what was read, or was to be.
    pub fn of<T: PartialEq>(result: io::Result<T>, whole: &T) -> End {
        match result {
            Ok(found) if found == *whole => End::Whole,
            Ok(_) => End::Short,
            Err(error) => End::Error(error.kind()),
        }
    }
}

pub type Running = Pin<Box<dyn Future<Output = End> + Send>>;
pub type Program = fn(Stream, Load) -> Running;

/// Two programs that talk, and how they end.
pub struct Row {
    pub one: Program,
    pub other: Program,
    /// Over TCP: `one`, then `other`. `None` where it has nothing of the kind.
    pub tcp: Option<[End; 2]>,
    pub here: [End; 2],
    pub links: &'static [Link],
}

/// Each of these ends by itself.
const AT_ONCE: usize = 8;

/// So many of each; END_RUNS says another number.
pub fn runs() -> u64 {
    std::env::var("END_RUNS").map_or(100, |runs| runs.parse().expect("END_RUNS is a number"))
}

/// Nothing, a byte, a few hundred kilobytes; now and then some megabytes to a slow reader.
pub fn load(run: u64) -> Load {
    let seed = run.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let size = match run % 5 {
        _ if run % 100 == 49 => 2_000_000 + seed as usize % 1_000_000,
        0 => 0,
        1 => 1,
        2 => 300_000,
        3 => seed as usize % 200_000,
        _ => seed as usize % 20_000,
    };
    let slow = run % 100 == 49 || run % 10 == 3;
    Load { size, seed, slow, signal: Box::leak(Box::default()) }
}

/// A program that ends as over TCP, and there like this.
pub async fn as_over_tcp(one: Program, other: Program, ends: [End; 2]) {
    compare(Row { one, other, tcp: Some(ends), here: ends, links: &LINKS }).await;
}

/// Runs the program over TCP and over all links, and compares with what the row says.
pub async fn compare(row: Row) {
    let mut wrong = Vec::new();
    if let Some(expected) = row.tcp {
        wrong.extend(check(Link::Tcp, &row, expected).await);
    }
    for &link in row.links {
        wrong.extend(check(link, &row, row.here).await);
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// What has ended in another way than expected.
async fn check(link: Link, row: &Row, expected: [End; 2]) -> Option<String> {
    let network = Arc::new(Network::new(link).await);
    let (one, other) = (row.one, row.other);
    run_all(&format!("{link:?}"), expected, move |run, load| {
        let network = network.clone();
        Box::pin(async move {
            let (client, server) = within(network.pair()).await;
            // Client and server take turns at either part.
            let (near, far) = if run / 5 % 2 == 0 { (client, server) } else { (server, client) };
            (one(near, load), other(far, load))
        })
    })
    .await
}

/// Both ends of a run, once they are connected.
pub type Connecting = Pin<Box<dyn Future<Output = (Running, Running)> + Send>>;

/// Runs it as often as is asked for, and says what has ended in another way than expected.
pub async fn run_all(
    name: &str,
    expected: [End; 2],
    connect: impl Fn(u64, Load) -> Connecting,
) -> Option<String> {
    let begun = Instant::now();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for run in 0..runs() {
        let (places, connecting) = (places.clone(), connect(run, load(run)));
        running.spawn(async move {
            let _place = places.acquire().await.unwrap();
            let (one, other) = connecting.await;
            let talk = async {
                let (one, other) = (tokio::spawn(one), tokio::spawn(other));
                [one.await.unwrap(), other.await.unwrap()]
            };
            (run, tokio::time::timeout(LIMIT, talk).await.ok())
        });
    }
    let mut others: BTreeMap<Option<[End; 2]>, Vec<u64>> = BTreeMap::new();
    while let Some(ended) = running.join_next().await {
        let (run, ends) = ended.unwrap();
        if !ends.is_some_and(|ends| agree(ends, expected)) {
            others.entry(ends).or_default().push(run);
        }
    }
    println!("{name}: {expected:?}, {} runs in {:.1?}", runs(), begun.elapsed());
    let others = others.into_iter().map(|(ends, mut runs)| {
        runs.sort_unstable();
        let ends = ends.map_or("it hangs".to_owned(), |ends| format!("{ends:?}"));
        let Load { size, slow, .. } = load(runs[0]);
        let first = format!("{size} bytes{}", if slow { ", slow" } else { "" });
        format!("  {ends} in {} runs: {runs:?}; the first with {first}", runs.len())
    });
    let others: Vec<_> = others.collect();
    (!others.is_empty()).then(|| format!("{name}: {expected:?} expected\n{}", others.join("\n")))
}

/// `Other` stands for any kind: TCP has several for a peer that is gone.
fn agree(ends: [End; 2], expected: [End; 2]) -> bool {
    std::iter::zip(ends, expected).all(|(end, expected)| match (end, expected) {
        (End::Error(_), End::Error(ErrorKind::Other)) => true,
        (end, expected) => end == expected,
    })
}
