//! Whether a test fails.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::list::Mutants;

/// A test that takes so long has hung: without a mutant the slowest takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same of a test that is quick.
const SHORT_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Failed,
    Hung,
    Survived,
}

const VERDICTS: [Verdict; 3] = [Verdict::Failed, Verdict::Hung, Verdict::Survived];

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

/// What is known of the mutants. Each verdict is written down as it falls, so that a run that was ended can go on.
pub struct Verdicts {
    /// With which tests they were judged.
    known: BTreeMap<u32, (String, Verdict)>,
    file: File,
}

impl Verdicts {
    pub fn open(path: &Path, mutants: &Mutants, resumes: bool) -> Result<Self> {
        if !resumes {
            fs::write(path, "")?;
        }
        let ids: BTreeMap<&str, u32> = mutants.iter().map(|(id, mutant)| (&*mutant.name, *id)).collect();
        let written = fs::read_to_string(path).unwrap_or_default();
        let known = written.lines().filter_map(|line| {
            let (tests, rest) = line.split_once(' ')?;
            let (verdict, name) = rest.split_once(' ')?;
            let verdict = VERDICTS.into_iter().find(|known| format!("{known:?}") == verdict)?;
            Some((*ids.get(name)?, (tests.to_owned(), verdict)))
        });
        let known = known.collect();
        Ok(Verdicts { known, file: File::options().append(true).create(true).open(path)? })
    }

    pub fn survivors(&self, ids: &[u32]) -> impl Iterator<Item = u32> {
        self.of(ids).into_iter().filter(|(_, verdict)| *verdict == Verdict::Survived).map(|(id, _)| id)
    }

    pub fn of(&self, ids: &[u32]) -> BTreeMap<u32, Verdict> {
        ids.iter().filter_map(|id| Some((*id, self.known.get(id)?.1))).collect()
    }

    /// Judges those that these tests have not judged yet.
    pub fn judge(&mut self, suite: &str, tests: &[PathBuf], ids: &[u32], mutants: &Mutants) -> Result<()> {
        for run in &runs(tests, "") {
            let start = Instant::now();
            if judge_by(run, 0) != Verdict::Survived {
                return Err(format!("{} fails without a mutant", run.tests.display()).into());
            }
            println!("{} without a mutant: {:?}", run.tests.display(), start.elapsed());
        }
        let is_open = |id: &&u32| {
            let known = self.known.get(id);
            known.is_none_or(|(tests, verdict)| tests != suite && *verdict == Verdict::Survived)
        };
        let ids: Vec<u32> = ids.iter().filter(is_open).copied().collect();
        println!("{} are judged", ids.len());
        let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(self));
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    while let Some(&id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let verdict = judge_one(tests, id, mutants);
                        verdicts.lock().expect("no thread panics").note(suite, id, verdict, mutants);
                    }
                });
            }
        });
        Ok(())
    }

    fn note(&mut self, suite: &str, id: u32, verdict: Verdict, mutants: &Mutants) {
        let name = &mutants[&id].name;
        if verdict != Verdict::Failed {
            println!("{verdict:?} {name}");
        }
        writeln!(self.file, "{suite} {verdict:?} {name}").expect("there is room for it");
        self.known.insert(id, (suite.to_owned(), verdict));
    }
}

fn judge_one(tests: &[PathBuf], id: u32, mutants: &Mutants) -> Verdict {
    let runs = runs(tests, &mutants[&id].file);
    let mut verdicts = runs.iter().map(|run| judge_by(run, id));
    verdicts.find(|verdict| *verdict != Verdict::Survived).unwrap_or(Verdict::Survived)
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
