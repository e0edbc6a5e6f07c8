//! Two ends of this crate, from the handshake to the end, over a network that does its worst: one-byte windows, delays, resets,
//! silence, and a cut at every byte. PROMISES 2.5, 2.6, 3.9, 5.1 to 5.6, 9.11.
//!
//! Each run ends with all bytes delivered; or the end that misses some has an error, and so has the one that wrote them, unless it
//! had already read the peer's clean end. Never silence, never wrong bytes, never a clean end of a stream that was cut. Time is
//! simulated, and nobody waits longer than the limits that are set allow. A seed gives the same run for ever.
//!
//! ```text
//! alias faults='cargo test --no-default-features --features connect,listener --test faults'
//! faults                                      every cut of the small dialogues, and some thousand seeds
//! FAULTS_RUNS=1000000 faults random           so many seeds; FAULTS_FIRST=N begins there
//! FAULTS_SEED=17 faults random                one of them, shown
//! FAULTS_CASE=echo:narrow:0:212:Reset faults cut    one cut: dialogue, network, direction, byte, what happens there
//! ```
//!
//! `RESULTS.md` has the last long run.

// A test binary exports nothing, may panic, and casts small numbers.
#![allow(unreachable_pub, clippy::cast_possible_truncation, clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "../contract/random/dice.rs"]
mod dice;
mod judge;
mod network;
mod plan;
mod users;

use judge::Outcome;
use network::{Disaster, Fate};
use plan::{DIALOGUES, NETWORKS, Plan};

const COMMAND: &str = "cargo test --no-default-features --features connect,listener --test faults";

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

fn show(plan: &Plan, outcome: &Outcome) -> String {
    let lines = outcome.reports.iter().map(|report| {
        format!(
            "opened {}, accepted {}, got {}, clean {}, ended {}, gave up {}, errors {:?}",
            report.opened,
            report.accepted.len(),
            report.got.len(),
            report.clean,
            report.ended,
            report.gave_up,
            report.errors
        )
    });
    let lines: Vec<String> = lines.collect();
    format!("{plan:#?}\n{}\nit took {:?}, {:?} happened", lines.join("\n"), outcome.took, outcome.happened)
}

#[test]
fn cut_at_every_byte_of_handshake_data_and_closing_is_told_at_both_ends() {
    let wanted = std::env::var("FAULTS_CASE").ok();
    let (mut count, mut failures) = (0, Vec::new());
    // The handshake is that of every dialogue: it is cut once over each network.
    let (_, users) = DIALOGUES[0];
    let shake = judge::run(&Plan::small(users, NETWORKS[0].1, None)).handshake;
    for (i, (dialogue, users)) in DIALOGUES.into_iter().enumerate() {
        for (network, traits) in NETWORKS {
            let whole = judge::run(&Plan::small(users, traits, None));
            assert_eq!(
                whole.verdict,
                Ok(()),
                "{dialogue} over {network} without a fault: {}",
                show(&Plan::small(users, traits, None), &whole)
            );
            for fate in [Fate::End, Fate::Reset, Fate::Silence] {
                let first = |way: usize| if i == 0 { 0 } else { shake[way] };
                let cuts = |way: usize| (first(way)..=whole.passed[way]).map(move |at| (way, at));
                for (way, at) in cuts(0).chain(cuts(1)) {
                    let case = format!("{dialogue}:{network}:{way}:{at}:{fate:?}");
                    if wanted.as_ref().is_some_and(|wanted| *wanted != case) {
                        continue;
                    }
                    let plan = Plan::small(users, traits, Some(Disaster { way, at, fate }));
                    let outcome = judge::run(&plan);
                    count += 1;
                    if wanted.is_some() {
                        println!("{}", show(&plan, &outcome));
                    }
                    // The Close is the last that either end sends.
                    let is_cut = at < whole.passed[way] && outcome.reports[1 - way].clean;
                    let cut =
                        if is_cut { Err("a clean end, and no whole Close has come".into()) } else { Ok(()) };
                    if let Err(failure) = outcome.verdict.and(cut) {
                        failures.push(format!("FAULTS_CASE={case} {COMMAND} cut: {failure}"));
                    }
                }
            }
        }
    }
    println!("{count} cuts");
    let shown = &failures[..failures.len().min(20)];
    assert!(failures.is_empty(), "{} of {count} runs fail:\n{}", failures.len(), shown.join("\n"));
    assert!(count > 0, "there is no such case");
}

#[test]
fn random_network_between_two_programs_loses_nothing_silently() {
    let one = number("FAULTS_SEED");
    let first = one.or_else(|| number("FAULTS_FIRST")).unwrap_or(0);
    let count = if one.is_some() { 1 } else { number("FAULTS_RUNS").unwrap_or(4000) };
    let (mut failures, mut with_fault) = (Vec::new(), 0);
    for seed in first..first + count {
        let plan = Plan::draw(seed);
        let outcome = judge::run(&plan);
        with_fault += u64::from(outcome.happened.is_some());
        if one.is_some() {
            println!("{}", show(&plan, &outcome));
        }
        if let Err(failure) = &outcome.verdict {
            failures.push(format!("FAULTS_SEED={seed} {COMMAND} random: {failure}"));
        }
        if (seed + 1).is_multiple_of(100_000) {
            println!("{} seeds, {} failures", seed + 1 - first, failures.len());
        }
    }
    println!("{count} seeds, {with_fault} with a fault");
    let shown = &failures[..failures.len().min(20)];
    assert!(failures.is_empty(), "{} of {count} runs fail:\n{}", failures.len(), shown.join("\n"));
}
