//! What the cells say, for people.

use super::{Case, Cell};
use crate::frames::Kind;
use crate::stats::ratio;
use crate::table::{Table, bytes, figure, verdict};

/// Where the data is large enough to be what counts.
const LARGE: usize = 16 << 10;
/// Of the time of one pass over the data, where nothing is masked.
const OF_ONE_PASS: f64 = 1.1;

pub struct Tables {
    against_peers: Table,
    against_one_pass: Table,
    times: Table,
    memory: Table,
}

impl Tables {
    pub fn new(columns: impl Iterator<Item = &'static str> + Clone) -> Self {
        let head = || ["payload", "who"].into_iter().chain(columns.clone());
        Tables {
            against_peers: Table::new([
                "payload",
                "column",
                "ours, ns",
                "target",
                "fastest byte stream",
                "its ns",
                "ratio",
                "holds",
                "fastest frame loop",
                "its ns",
                "ratio",
                "holds",
            ]),
            against_one_pass: Table::new([
                "payload",
                "column",
                "masked",
                "one pass, ns",
                "ours, ns",
                "ratio",
                "target",
                "holds",
            ])
            .left(3),
            times: Table::new(head()),
            memory: Table::new(head()),
        }
    }

    /// All columns of one size.
    pub fn add(&mut self, cells: &[Cell<'_>]) {
        for cell in cells {
            self.add_against_peers(cell);
            if cell.size >= LARGE {
                self.add_against_one_pass(cell);
            }
        }
        for at in 0..cells.first().map_or(0, |cell| cell.cases.len()) {
            let row = |of: fn(&Cell<'_>, &Case) -> String| {
                let first = [bytes(cells[0].size), cells[0].cases[at].who.to_owned()];
                first
                    .into_iter()
                    .chain(cells.iter().map(move |cell| of(cell, &cell.cases[at])))
                    .collect::<Vec<_>>()
            };
            self.times.row(row(time));
            if cells[0].cases[at].kind != Kind::Base {
                self.memory.row(row(memory));
            }
        }
    }

    fn add_against_peers(&mut self, cell: &Cell<'_>) {
        let peers = [Kind::ByteStream, Kind::FrameLoop].map(|kind| cell.fastest(kind));
        if peers.iter().all(Option::is_none) {
            return;
        }
        let mut row = vec![
            bytes(cell.size),
            cell.column.name.into(),
            figure(cell.ours().time().median),
            format!("{:.2}", cell.target),
        ];
        for peer in peers {
            row.extend(peer.map_or_else(Default::default, |peer| {
                let ratio = ratio(&cell.ours().samples, &peer.samples);
                let holds = verdict(ratio <= cell.target).into();
                [peer.who.into(), figure(peer.time().median), format!("{ratio:.2}"), holds]
            }));
        }
        self.against_peers.row(row);
    }

    fn add_against_one_pass(&mut self, cell: &Cell<'_>) {
        let Some(one_pass) = cell.one_pass() else { return };
        let masks = cell.column.masks();
        let ratio = ratio(&cell.ours().samples, &one_pass.samples);
        let (target, holds) = if masks {
            (String::new(), "")
        } else {
            (format!("{OF_ONE_PASS:.2}"), verdict(ratio <= OF_ONE_PASS))
        };
        self.against_one_pass.row([
            bytes(cell.size),
            cell.column.name.into(),
            if masks { "yes" } else { "no" }.into(),
            figure(one_pass.time().median),
            figure(cell.ours().time().median),
            format!("{ratio:.2}"),
            target,
            holds.into(),
        ]);
    }

    pub fn print(&self) {
        self.against_peers.print("Library cost: ours and the fastest peers");
        self.against_one_pass.print("Library cost: ours and one plain pass over the data");
        self.times.print(
            "Library cost: ns per frame, median ± half the distance of the quartiles, GB/s of payload",
        );
        self.memory.print("Allocations per frame, bytes on the heap at the most, and bytes at rest");
    }
}

fn time(cell: &Cell<'_>, case: &Case) -> String {
    let time = case.time();
    let throughput = cell.size as f64 / time.median;
    format!("{} ±{:.0}% {:>5}", figure(time.median), time.percent(), figure(throughput))
}

fn memory(_: &Cell<'_>, case: &Case) -> String {
    format!("{:.2} {:>8} {:>7}", case.allocations_per_frame(), case.heap.peak, case.heap.at_rest)
}
