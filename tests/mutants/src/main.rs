//! Runs the tests of the core against every mutant of it, all of them in one program.
//!
//! cargo-mutants says what the mutants are, and would build the tests anew for each: hours. Here they are all in one copy of
//! the sources, and `MUTANT=17` says which one is in force. What cannot be decided when the program runs (constants,
//! `if let … && …`, fields that are left out), or does not compile together with the rest, is left to cargo-mutants.
//!
//! ```text
//! cargo run --release -p mutants                  all
//! cargo run --release -p mutants -- utf8          those that have this in their name
//! cargo run --release -p mutants -- --resume      all that a run which was ended has not judged, of the same sources
//! ```
//!
//! `RESULTS.md` has the last run, `SURVIVORS.md` what no test can notice, and why.

mod build;
mod judge;
mod list;
mod weave;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use build::Woven;
use judge::{Verdict, Verdicts};
use list::{Mutant, Mutants};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace");
    let (options, wanted): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let resumes = match &options[..] {
        [] => false,
        [option] if option == "--resume" => true,
        _ => return Err(format!("there is no {}", options.join(" ")).into()),
    };
    let all = list::list(root)?;
    println!("{} mutants", all.len());
    let copy = build::Copy::new(root, &all)?;
    let woven = copy.weave(&all)?;
    let chosen = |id: &&u32| wanted.is_empty() || wanted.iter().any(|part| all[id].name.contains(part));
    let ids: Vec<u32> = woven.mutants.iter().filter(chosen).copied().collect();
    println!("{} are in one program, {} do not compile", woven.mutants.len(), woven.hopeless.len());
    let mut verdicts = Verdicts::open(&root.join("target/mutants-verdicts.txt"), &all, resumes)?;
    verdicts.judge("core", &copy.build(&build::CORE)?, &ids, &all)?;
    // What has a reason to survive needs no second look.
    let excused = excused();
    let survivors = verdicts.survivors(&ids).filter(|id| !excused.contains(&*all[id].change()));
    let survivors: Vec<u32> = survivors.collect();
    if !survivors.is_empty() {
        println!("{} survive so far", survivors.len());
        verdicts.judge("all", &copy.build(&build::HANDSHAKE)?, &survivors, &all)?;
    }
    report(&all, &woven, &verdicts.of(&ids), root)
}

/// What survives for a reason, as `SURVIVORS.md` has it: without the place in the file.
fn excused() -> BTreeSet<&'static str> {
    let lines = include_str!("../SURVIVORS.md").lines();
    lines.filter_map(|line| line.strip_prefix("- `")?.split('`').next()).collect()
}

/// Fails on a mutant that survives without a reason.
fn report(all: &Mutants, woven: &Woven, verdicts: &BTreeMap<u32, Verdict>, root: &Path) -> Result<()> {
    let count = |verdict: Verdict| verdicts.values().filter(|v| **v == verdict).count();
    println!("\n{} killed by a test, {} by a test that hung", count(Verdict::Failed), count(Verdict::Hung));
    let left: String = all
        .iter()
        .filter(|(id, _)| !woven.mutants.contains(id) && !woven.hopeless.contains(id))
        .map(|(_, mutant)| mutant.name.clone() + "\n")
        .collect();
    std::fs::write(root.join("target/mutants-left.txt"), &left)?;
    println!("{} are left to cargo-mutants: target/mutants-left.txt", left.lines().count());
    let excused = excused();
    let survivors =
        verdicts.iter().filter(|(_, verdict)| **verdict == Verdict::Survived).map(|(id, _)| &all[id]);
    let (known, unknown): (Vec<&Mutant>, Vec<&Mutant>) =
        survivors.partition(|mutant| excused.contains(&*mutant.change()));
    println!("{} survive, for reasons that SURVIVORS.md has", known.len());
    if unknown.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = unknown.iter().map(|mutant| &*mutant.name).collect();
    Err(format!("{} survive without a reason:\n{}", names.len(), names.join("\n")).into())
}
