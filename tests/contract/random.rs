//! Two ends of this crate against each other, over a transport that does its worst, by chance.
//!
//! A run is drawn from its seed: the options of each end, what its tasks do and in which order, how the transport cuts,
//! holds back, buffers and fails. One end may be a peer that is written down instead. All of it is one thread, polled by
//! hand, where only a task that has been woken is polled; so a seed gives the same run for ever.
//! After each poll the stream is held against the contract, on what it says and on what it sends.
//!
//! ```text
//! RANDOM_RUNS=30000 cargo test --all-features --test contract random     so many runs
//! RANDOM_SEED=17 cargo test --all-features --test contract random        the run of this seed, step by step
//! RANDOM_SKIP=2.4,5.6                                                    rules that are not looked at
//! ```
//!
//! A failing run is made as short as it gets, and shown.

pub mod dice;
mod end;
mod lane;
mod model;
mod net;
mod plan;
mod raw;
mod shorten;
mod tap;
mod world;

use std::collections::BTreeMap;

use model::SKIPPED;
use plan::Plan;

/// More polls than this without an end, and somebody spins.
const MAX_POLLS: usize = 4000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

#[test]
fn two_ends_keep_the_contract_over_a_transport_that_does_its_worst() {
    if let Ok(skipped) = std::env::var("RANDOM_SKIP") {
        SKIPPED.set(skipped.split(',').map(str::to_owned).collect());
    }
    if let Some(seed) = number("RANDOM_SEED") {
        let plan = Plan::draw(seed);
        let outcome = world::run(&plan, true);
        println!("{plan:#?}\n{}", outcome.trace.join("\n"));
        if let Some(failure) = outcome.failure {
            panic!(
                "seed {seed} breaks {}: {}\n{}",
                failure.rule,
                failure.text,
                shorten::show(&plan, &failure)
            );
        }
        return;
    }
    let first = number("RANDOM_FIRST").unwrap_or(0);
    let mut broken: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut shown = String::new();
    for seed in first..first + number("RANDOM_RUNS").unwrap_or(8000) {
        let plan = Plan::draw(seed);
        let Some(failure) = world::run(&plan, false).failure else { continue };
        let seeds = broken.entry(failure.rule).or_default();
        if seeds.is_empty() {
            shown += &shorten::show(&plan, &failure);
        }
        seeds.push(seed);
    }
    let list: Vec<String> = broken
        .iter()
        .map(|(rule, seeds)| {
            format!("{:6} times {rule}: seeds {:?}", seeds.len(), &seeds[..seeds.len().min(5)])
        })
        .collect();
    assert!(broken.is_empty(), "{shown}\n{}\n", list.join("\n"));
}
