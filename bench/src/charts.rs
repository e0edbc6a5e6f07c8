//! Which charts there are. They are made of records alone, and only where there are some.

use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::chart::{Bars, Drawn, Lines, Panel, Series};
use crate::peers::{Peer, Raw};
use crate::results::{Record, Results};
use crate::table::{bytes, parse_bytes};

/// Returns what it wrote.
pub fn write(out: &Path, results: &Results) -> Result<Vec<PathBuf>, Box<dyn Error + Send + Sync>> {
    type Chart = fn(&Path, &[&Record]) -> Drawn;
    const CHARTS: [(&str, &str, &[&str], Chart); 5] = [
        ("cost.svg", "cost", &["time per frame"], cost),
        ("loopback.svg", "loopback", &["throughput"], |path, records| {
            throughput(path, records, "Throughput over TCP on the loopback, MB/s")
        }),
        ("tls.svg", "tls", &["throughput"], |path, records| {
            throughput(path, records, "Throughput over TLS on the loopback, MB/s")
        }),
        ("latency.svg", "latency", &["round trip"], latency),
        ("memory.svg", "scale", &[RESIDENT, HEAP], memory),
    ];
    let mut written = Vec::new();
    for (name, section, metrics, draw) in CHARTS {
        let wanted = |record: &&Record| record.section == section && metrics.contains(&record.metric);
        let records: Vec<_> = results.iter().filter(wanted).collect();
        if !records.is_empty() {
            let path = out.join(name);
            draw(&path, &records)?;
            written.push(path);
        }
    }
    Ok(written)
}

fn cost(path: &Path, records: &[&Record]) -> Drawn {
    let lines = Lines {
        title: "Library cost: ns per frame",
        x_title: "payload of a frame",
        y_title: "ns",
        x_label: |x| bytes(x as usize),
        panels: panels(
            records,
            |record| record.at("column").to_owned(),
            |record| parse_bytes(record.at("payload")),
        ),
    };
    lines.draw(path)
}

fn throughput(path: &Path, records: &[&Record], title: &str) -> Drawn {
    let panel = |record: &Record| {
        let masked = if record.at("direction") == "up" { "masked" } else { "not masked" };
        format!("{} ({masked}), flushed {}", record.at("direction"), record.at("flush"))
    };
    let lines = Lines {
        title,
        x_title: "bytes in a write",
        y_title: "MB/s",
        x_label: |x| bytes(x as usize),
        panels: panels(records, panel, |record| parse_bytes(record.at("payload"))),
    };
    lines.draw(path)
}

fn latency(path: &Path, records: &[&Record]) -> Drawn {
    let group = |record: &Record| format!("{}, {}", record.at("payload"), record.at("percentile"));
    let groups = distinct(records.iter().map(|record| group(record))).into_iter().map(|name| {
        let bars = records.iter().filter(|record| group(record) == name);
        let bars = bars.map(|record| (record.who.clone(), record.median)).collect();
        (name, bars)
    });
    let bars = Bars { title: "Echo over TCP: round trip", y_title: "µs", groups: groups.collect() };
    bars.draw(path)
}

const RESIDENT: &str = "memory per connection";
const HEAP: &str = "heap per connection";

/// With fewer connections, pages and the first allocations are what one sees.
const LEAST_CONNECTIONS: f64 = 100.0;

fn memory(path: &Path, records: &[&Record]) -> Drawn {
    let connections = |record: &Record| record.at("connections").replace(',', "").parse().ok();
    let many = records.iter().filter(|record| connections(record).is_some_and(|n| n >= LEAST_CONNECTIONS));
    let raw = |of: &Record| {
        let same = |raw: &&&Record| raw.metric == of.metric && raw.what == of.what;
        records.iter().filter(|record| record.who == Raw::NAME).find(same).map(|raw| raw.median)
    };
    let above = many
        .filter(|record| record.who != Raw::NAME)
        .filter_map(|record| Some(Record { median: record.median - raw(record)?, ..(*record).clone() }));
    let above: Vec<_> = above.collect();
    let panel = |record: &Record| match record.metric {
        RESIDENT => "resident".to_owned(),
        _ => "heap".to_owned(),
    };
    let lines = Lines {
        title: "Memory of a server's idle connection, above raw TCP's",
        x_title: "connections in the process",
        y_title: "bytes",
        x_label: |x| grouped(x as u64),
        panels: panels(&above.iter().collect::<Vec<_>>(), panel, connections),
    };
    lines.draw(path)
}

/// A curve for everybody, in a panel for every name that `panel` gives. What is not above 0 has no logarithm, and is
/// left out.
fn panels(
    records: &[&Record],
    panel: impl Fn(&Record) -> String,
    x: impl Fn(&Record) -> Option<f64>,
) -> Vec<Panel> {
    let series = |title: &str, who: String| {
        let of = records.iter().filter(|record| panel(record) == title && record.who == who);
        let points = of.filter_map(|record| Some((x(record)?, record.median)));
        Series { points: points.filter(|(x, y)| *x > 0.0 && *y > 0.0).collect(), who }
    };
    let titles = distinct(records.iter().map(|record| panel(record)));
    let panels = titles.into_iter().map(|title| {
        let who = distinct(records.iter().map(|record| record.who.clone()));
        let series =
            who.into_iter().map(|who| series(&title, who)).filter(|series| !series.points.is_empty());
        Panel { series: series.collect(), title }
    });
    panels.collect()
}

/// In the order in which they come.
fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.fold(Vec::new(), |mut seen, item| {
        if !seen.contains(&item) {
            seen.push(item);
        }
        seen
    })
}

/// 10,000 rather than 10000.
fn grouped(n: impl Display) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Summary;

    #[test]
    fn charts_of_all_records_are_written() {
        let mut results = Results::default();
        let mut push = |section, who, what: [(&'static str, &str); 3], metric, y| {
            let what = what.map(|(axis, at)| (axis, at.to_owned()));
            results.push(Record::new(section, who, what, metric, Summary::exact(y)));
        };
        for (at, who) in ["ours", "transport alone", "somebody"].into_iter().enumerate() {
            let y = 10.0 + at as f64;
            for payload in ["16 B", "1 MiB"] {
                let column = [("payload", payload), ("column", "srv-read"), ("", "")];
                push("cost", who, column, ("time per frame", "ns"), y);
                let lane = [("payload", payload), ("direction", "up"), ("flush", "at the end")];
                push("loopback", who, lane, ("throughput", "MB/s"), y);
                push("tls", who, lane, ("throughput", "MB/s"), y);
                let half = [("payload", payload), ("percentile", "p50"), ("", "")];
                push("latency", who, half, ("round trip", "µs"), y);
            }
            for connections in ["1", "10,000"] {
                let many = [("connections", connections), ("", ""), ("", "")];
                push("scale", who, many, ("memory per connection", "bytes"), y * 30.0);
            }
        }
        // Nothing to draw in the first, nothing at all in the second.
        let zero = [("connections", "1"), ("", ""), ("", "")];
        push("scale", "nothing", zero, ("memory per connection", "bytes"), 0.0);
        push("worst", "ours", zero, ("time", "ns"), 1.0);

        let out = std::env::temp_dir().join(format!("bench-charts-{}", std::process::id()));
        std::fs::create_dir_all(&out).unwrap();
        let written = write(&out, &results).unwrap();
        assert_eq!(written.len(), 5, "{written:?}");
        for path in written {
            let svg = std::fs::read_to_string(&path).unwrap();
            assert!(svg.contains("somebody") && !svg.contains("NaN") && !svg.contains("inf"), "{path:?}");
        }
        std::fs::remove_dir_all(out).unwrap();
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([1, 999, 1000, 20_000, 1_000_000].map(grouped).join(" "), "1 999 1,000 20,000 1,000,000");
    }
}
