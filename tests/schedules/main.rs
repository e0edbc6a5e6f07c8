//! Every order of events there is, in small scenarios: tasks that use one stream in one of its forms, the peer's frames, a
//! transport that becomes ready in parts and keeps only the last waker of each direction, calls that are dropped, and tasks
//! that go on with another waker. PROMISES 2.11, 2.12, 3.2, 3.3, 4.1 to 4.4, 5.1 to 5.4.
//!
//! A task is polled only if it was woken, or is new. At each step all that could happen next is an alternative; the explorer
//! takes all of them, depth first, by counting up a vector of choices (`explore`). Whenever all tasks sleep, one alternative is
//! that the environment falls silent for ever: then nobody may sleep over work, and all that is due must have been done (`check`).
//!
//! ```text
//! cargo test --no-default-features --test schedules                           all of them
//! SCHEDULE=name:0,2,1 cargo test --no-default-features --test schedules       one of them again, step by step
//! tests/schedules/seeded                                                      faults put in by hand are found
//! ```
//!
//! A schedule that is run again prints its steps; where it prints none, there is no scenario of that name.
//!
//! How many schedules there are, and after how many each fault is found, is in `RESULTS.md`, which `seeded` writes.

// A test binary exports nothing, may panic, and casts small numbers.
#![allow(unreachable_pub, clippy::cast_possible_truncation, clippy::unwrap_used)]

mod check;
mod ends;
mod explore;
mod scenario;
mod scenarios;
mod tasks;
mod transport;
#[allow(dead_code)]
#[path = "../contract/support/wire.rs"]
mod wire;
mod world;

use scenario::Scenario;
use transport::Habits;

/// Explores a scenario over each kind of transport, and prints how many schedules that is.
fn every_schedule(name: &str, scenario: &Scenario) {
    for (habits, suffix) in [(Habits { forgets: false }, "keeps"), (Habits { forgets: true }, "forgets")] {
        let name = format!("{name}/{suffix}");
        let count =
            explore::explore(&name, |choices, seen, log| world::run(scenario, habits, choices, seen, log));
        println!("schedules {name} {count}");
    }
}
