//! Whether a test fails.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::list::Mutants;

/// A test that takes so long has hung: without a mutant the slowest takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same of a test that is quick.
const SHORT_PATIENCE: Duration = Duration::from_secs(8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Failed,
    Hung,
    Survived,
}

/// Tests that take longer than a quarter of a second are run last.
const SLOW: [&str; 15] = [
    "complete_frames_and_one_cut",
    "conformance::",
    "continuing::",
    "every_",
    "exhaustive::",
    "fragments_of_any_size",
    "halves_on_several",
    "illegal_text",
    "keys_",
    "legal_frames",
    "orders::",
    "properties::",
    "random::",
    "strict::",
    "what_one_end_writes",
];

/// A program of tests, and which of them.
struct Run<'a> {
    tests: &'a Path,
    args: Vec<&'a str>,
    patience: Duration,
}

/// First what is quick; but bytes are parsed where the unit tests know them.
fn runs<'a>(tests: &'a [PathBuf], file: &str) -> Vec<Run<'a>> {
    let quick: Vec<&str> = SLOW.iter().flat_map(|slow| ["--skip", slow]).collect();
    let all = |args: Vec<&'static str>, patience| {
        tests.iter().map(move |tests| Run { tests, args: args.clone(), patience })
    };
    let mut runs: Vec<Run<'_>> = all(quick, SHORT_PATIENCE).chain(all(SLOW.to_vec(), PATIENCE)).collect();
    if file.starts_with("src/frame") || file.ends_with("utf8.rs") {
        let slow = runs.remove(tests.len());
        runs.insert(1, slow);
    }
    runs
}

pub fn judge(tests: &[PathBuf], ids: &[u32], mutants: &Mutants) -> Result<BTreeMap<u32, Verdict>> {
    for run in &runs(tests, "") {
        let start = Instant::now();
        if judge_by(run, 0) != Verdict::Survived {
            return Err(format!("{} fails without a mutant", run.tests.display()).into());
        }
        println!("{} without a mutant: {:?}", run.tests.display(), start.elapsed());
    }
    let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = runs(tests, &mutants[&id].file)
                        .iter()
                        .map(|run| judge_by(run, id))
                        .find(|verdict| *verdict != Verdict::Survived);
                    let verdict = verdict.unwrap_or(Verdict::Survived);
                    if verdict != Verdict::Failed {
                        println!("{verdict:?} {}", mutants[&id].name);
                    }
                    verdicts.lock().expect("no thread panics").insert(id, verdict);
                }
            });
        }
    });
    Ok(verdicts.into_inner()?)
}

/// Ends with the first test that fails.
fn judge_by(run: &Run<'_>, id: u32) -> Verdict {
    // A mutant may ask for memory without end.
    let mut child = Command::new("bash")
        .args(["-c", "ulimit -v 4000000; exec \"$0\" --test-threads=1 \"$@\""])
        .arg(run.tests)
        .args(&run.args)
        .env("MUTANT", id.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the test runs");
    let verdict = watch(&mut child, run.patience);
    let _ = child.kill();
    let succeeds = child.wait().is_ok_and(|status| status.success());
    verdict.unwrap_or(if succeeds { Verdict::Survived } else { Verdict::Failed })
}

/// `None` if it has ended.
fn watch(child: &mut Child, patience: Duration) -> Option<Verdict> {
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let (send, lines) = mpsc::channel();
    thread::spawn(move || output.lines().map_while(|line| line.ok()).try_for_each(|line| send.send(line)));
    loop {
        match lines.recv_timeout(patience) {
            Ok(line) if line.ends_with("FAILED") => return Some(Verdict::Failed),
            Ok(_) => {}
            Err(mpsc::RecvTimeoutError::Timeout) => return Some(Verdict::Hung),
            // A process that was killed has not said all.
            Err(mpsc::RecvTimeoutError::Disconnected) => return None,
        }
    }
}
