//! Two of our ends against each other, or one against a peer that is written down: the model of `tests/contract/random`, with its
//! dice thrown by the fuzzer instead of by chance.

use crate::random::{dice, plan, shorten, world};

/// Runs what the input says, and panics with the shortest run that breaks the same rule.
pub fn check(data: &[u8]) {
    dice::throw(data);
    let plan = plan::Plan::draw(dice::THROWN);
    let failure = world::run(&plan, false).failure;
    if let Some(failure) = failure {
        eprintln!("fuzz: {}: {}", failure.rule, failure.text);
        if std::env::var_os("FUZZ_TRACE").is_some() {
            eprintln!("{plan:#?}");
        }
        // To shorten it takes many runs, with the same dice, and may take longer than the fuzzer waits: hence the line above.
        panic!("{}: {}\n{}", failure.rule, failure.text, shorten::show(&plan, &failure));
    }
}
