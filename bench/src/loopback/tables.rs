//! What the cells say, for people.

use super::{Case, Cell, Lane};
use crate::frames::Kind;
use crate::stats::{Summary, ratios};
use crate::table::{Table, bytes, figure, verdict};

pub struct Tables {
    targets: Table,
    throughput: Table,
    cpu: Table,
}

impl Tables {
    pub fn new(sizes: &[usize]) -> Self {
        let head = || {
            let first = ["flushed", "direction", "who"].map(String::from);
            first.into_iter().chain(sizes.iter().map(|size| bytes(*size)))
        };
        let targets = [
            "flushed",
            "direction",
            "write",
            "who",
            "against",
            "MB/s",
            "theirs",
            "ratio",
            "±",
            "target",
            "holds",
        ];
        Tables {
            targets: Table::new(targets).left(5),
            throughput: Table::new(head()).left(3),
            cpu: Table::new(head()).left(3),
        }
    }

    /// All sizes of one lane.
    pub fn add(&mut self, lane: &Lane, cells: &[Cell<'_>]) {
        for cell in cells {
            self.add_targets(cell);
        }
        for at in 0..cells.first().map_or(0, |cell| cell.cases.len()) {
            let row = |of: fn(&Case) -> String| {
                let first = [lane.flush, lane.direction, cells[0].cases[at].who].map(String::from);
                first.into_iter().chain(cells.iter().map(move |cell| of(&cell.cases[at]))).collect::<Vec<_>>()
            };
            self.throughput.row(row(|case| {
                let throughput = case.throughput();
                format!("{} ±{:.0}%", figure(throughput.median / 1e6), throughput.percent())
            }));
            self.cpu.row(row(|case| figure(Summary::of(&case.both).median * 1e9)));
        }
    }

    fn add_targets(&mut self, cell: &Cell<'_>) {
        if let Some(raw) = cell.raw() {
            self.add_target(cell, cell.ours(), raw, |_| of_raw(cell));
        }
        let Some(peer) = cell.fastest(Kind::is_peer) else { return };
        // Writes that are flushed cannot gather.
        let gathers = cell.size <= 1 << 10 && !cell.lane.flush_each;
        if let Some(buffered) = cell.buffered().filter(|_| gathers) {
            self.add_target(cell, buffered, peer, |_| 1.5);
        } else if let Some(ours) = cell.fastest(Kind::is_ours) {
            let rounds = ours.throughput.len();
            self.add_target(cell, ours, peer, |ratio| 1.0 - ratio.noise(rounds).min(MOST_NOISE));
        }
    }

    fn add_target(&mut self, cell: &Cell<'_>, ours: &Case, theirs: &Case, target: impl Fn(&Summary) -> f64) {
        let ratio = ratios(&ours.throughput, &theirs.throughput);
        let target = target(&ratio);
        self.targets.row([
            cell.lane.flush.into(),
            cell.lane.direction.into(),
            bytes(cell.size),
            ours.who.into(),
            theirs.who.into(),
            figure(ours.throughput().median / 1e6),
            figure(theirs.throughput().median / 1e6),
            format!("{:.2}", ratio.median),
            format!("{:.2}", ratio.spread),
            format!("{target:.2}"),
            verdict(ratio.median >= target).into(),
        ]);
    }

    pub fn print(&self, network: &str) {
        self.targets.print(&format!("Loopback, {network}: ours and the others"));
        self.throughput.print(&format!("Loopback, {network}: throughput, MB/s"));
        self.cpu.print(&format!("Loopback, {network}: the processor's seconds per GB, both ends"));
    }
}

/// Ours may be below the fastest peer by the noise; but noise beyond this excuses nothing.
const MOST_NOISE: f64 = 0.1;

/// The part of the bare transport's throughput that ours must have. Two passes over large data are not free.
fn of_raw(cell: &Cell<'_>) -> f64 {
    let masks = cell.lane.role == fastwebsockets_stream::Role::Client;
    if cell.size >= 1 << 20 && masks { 0.85 } else { 0.95 }
}
