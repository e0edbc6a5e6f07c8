//! What was measured, for JSON and charts, and what was checked.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::stats::Summary;
use crate::table::{Table, verdict};

/// One figure. All sections give these; JSON and charts are made of them.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    pub section: &'static str,
    /// A peer's name.
    pub who: String,
    /// The axes: "payload" is "64 KiB", "column" is "srv-read".
    pub what: BTreeMap<&'static str, String>,
    pub metric: &'static str,
    pub unit: &'static str,
    pub median: f64,
    /// Half the distance of the quartiles; 0 for counts.
    pub spread: f64,
}

impl Record {
    pub fn new<const N: usize>(
        section: &'static str,
        who: impl Into<String>,
        what: [(&'static str, String); N],
        (metric, unit): (&'static str, &'static str),
        summary: Summary,
    ) -> Self {
        let Summary { median, spread } = summary;
        Record { section, who: who.into(), what: what.into(), metric, unit, median, spread }
    }

    /// Where it is on an axis.
    pub fn at(&self, axis: &str) -> &str {
        self.what.get(axis).map_or("", String::as_str)
    }
}

/// Something that no load can move.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub name: String,
    pub holds: bool,
    pub detail: String,
}

#[derive(Default)]
pub struct Results {
    records: Vec<Record>,
    checks: Vec<Check>,
}

impl Results {
    pub fn push(&mut self, record: Record) {
        self.records.push(record);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    pub fn check(&mut self, name: impl Into<String>, holds: bool, detail: impl Into<String>) {
        self.checks.push(Check { name: name.into(), holds, detail: detail.into() });
    }

    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    pub fn all_hold(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }

    pub fn print_checks(&self) {
        if self.checks.is_empty() {
            return;
        }
        let mut table = Table::new(["check", "found", "holds"]);
        for Check { name, holds, detail } in &self.checks {
            table.row([name, detail, verdict(*holds)]);
        }
        table.print("Checks: what no load can move");
    }
}
