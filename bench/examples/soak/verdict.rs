//! What must hold, and the figures.

use super::sample::Sample;
use super::talk::ask::KINDS;
use super::{Both, Soaked, WORKERS};
use crate::results::{Record, Results};
use crate::stats::Summary;
use crate::table::Table;

/// How much more resident memory there may be at the end than in the middle: two percent, and 2 MB.
const GROWTH: (f64, f64) = (1.02, 2e6);

/// The pools of buffers of each thread that has polled a stream, `block_on`'s included, and 256 KiB for what the runtime's lists
/// have grown by.
const HEAP: i64 = (WORKERS as i64 + 1) * (998 << 10) + (256 << 10);

/// Name, and how to have it.
type End = (&'static str, fn(&Both) -> &Sample);

const ENDS: [End; 2] = [("server", |both| &both.server), ("client", |both| &both.client)];

pub fn report(soaked: &Soaked, results: &mut Results) {
    let Soaked { connections, lasted, before, during, after, client } = soaked;
    for kind in KINDS {
        let [asked, served] = [&after.client, &after.server].map(|end| end.done.get(kind as usize).copied());
        println!("{kind:?}: {} asked, {} served", asked.unwrap_or_default(), served.unwrap_or_default());
    }
    let mut table =
        Table::new(["s", "open", "server RSS", "heap", "client RSS", "heap", "conversations", "MB"]);
    let step = during.len().div_ceil(20).max(1);
    for (at, both) in during.iter().enumerate().filter(|(at, _)| at % step == 0 || at + 1 == during.len()) {
        let second = lasted.as_secs_f64() * (at + 1) as f64 / during.len() as f64;
        let conversations: u64 = both.client.done.iter().sum();
        let mut row = vec![format!("{second:.0}"), both.server.open.to_string()];
        for end in [&both.server, &both.client] {
            row.extend([end.rss, end.heap].map(|bytes| format!("{:.1}", bytes as f64 / 1e6)));
        }
        row.push(conversations.to_string());
        row.push(format!("{:.0}", (both.client.bytes + both.server.bytes) as f64 / 1e6));
        table.row(row);
    }
    table.print(&format!("Soak: {connections} connections; memory in MB"));

    let wrong: Vec<_> = client.iter().chain(&after.server.wrong).collect();
    for wrong in &wrong {
        println!("{wrong}");
    }
    results.check("soak: nothing is wrong", wrong.is_empty(), format!("{:?}", wrong.first()));
    let asked: u64 = after.client.done.iter().sum();
    let served: u64 = after.server.done.iter().sum::<u64>() + after.server.cut;
    let found = format!("{asked} asked, {served} served, of which {} were cut off unread", after.server.cut);
    results.check("soak: all conversations ended as they should at both ends", asked == served, found);
    let most = during.iter().map(|both| both.server.open).max().unwrap_or_default();
    let enough = most * 10 >= connections * 8;
    results.check("soak: connections at a time", enough, format!("{most} of {connections}"));

    for (name, end) in ENDS {
        let (first, last) = (end(before), end(after));
        let found = format!("{} tasks, {} connections", last.tasks, last.open);
        results.check(format!("soak: no task is left, {name}"), last.tasks == 0 && last.open == 0, found);
        // Each listener has had one.
        let files = first.files - first.listeners;
        let found = format!("{} descriptors, {files} before", last.files);
        results.check(format!("soak: no descriptor is left, {name}"), last.files == files, found);
        let found = format!("{} bytes more than before, of at most {HEAP}", last.heap - first.heap);
        results.check(format!("soak: heap is given back, {name}"), last.heap - first.heap <= HEAP, found);

        let quarter = during.len() / 4;
        let median =
            |part: &[Both]| Summary::of(&part.iter().map(|both| end(both).rss as f64).collect::<Vec<_>>());
        let (middle, late) = (median(&during[quarter..2 * quarter]), median(&during[3 * quarter..]));
        let flat = late.median <= middle.median * GROWTH.0 + GROWTH.1;
        let found = format!(
            "{:.1} MB in the second quarter, {:.1} MB in the last",
            middle.median / 1e6,
            late.median / 1e6
        );
        results.check(format!("soak: memory is flat, {name}"), flat, found);
        let what = [("connections", connections.to_string()), ("quarter", "last".into())];
        results.push(Record::new("soak", name, what, ("memory", "bytes"), late));
    }
}
