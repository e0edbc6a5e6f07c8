//! All schedules of a scenario: a vector of choices that is counted up, so that each comes once, and any of them comes again.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// One choice: which alternative was taken, of how many.
struct Choice {
    taken: usize,
    of: usize,
}

/// The choices of one schedule, in the order in which they are met.
#[derive(Default)]
pub struct Choices {
    vector: Vec<Choice>,
    met: usize,
    /// So many repeat an earlier schedule.
    repeats: usize,
    /// The vector came from outside: how many alternatives there are is not known before.
    replays: bool,
}

impl Choices {
    fn replay(vector: &[usize]) -> Self {
        let vector: Vec<_> = vector.iter().map(|taken| Choice { taken: *taken, of: 0 }).collect();
        Choices { repeats: vector.len() + 1, vector, met: 0, replays: true }
    }

    /// One of so many alternatives; where there is only one, nothing is recorded.
    pub fn pick(&mut self, of: usize) -> usize {
        if of == 1 {
            return 0;
        }
        if self.met == self.vector.len() {
            self.vector.push(Choice { taken: 0, of });
        }
        let choice = &mut self.vector[self.met];
        self.met += 1;
        assert!(
            self.replays || choice.of == of,
            "the same choices led elsewhere: a schedule cannot be repeated"
        );
        assert!(choice.taken < of, "there is no such schedule: {} of {of}", choice.taken);
        choice.taken
    }

    /// Whether the last choice to be taken in another way has been.
    pub fn leads_on(&self) -> bool {
        self.met >= self.repeats
    }

    /// The next vector: the last choice that has an alternative left takes it. False after the last schedule.
    fn count_up(&mut self) -> bool {
        self.vector.truncate(self.met);
        self.met = 0;
        while let Some(last) = self.vector.last_mut() {
            last.taken += 1;
            if last.taken < last.of {
                self.repeats = self.vector.len();
                return true;
            }
            self.vector.pop();
        }
        false
    }

    fn show(&self) -> String {
        let taken: Vec<String> =
            self.vector[..self.met].iter().map(|choice| choice.taken.to_string()).collect();
        taken.join(",")
    }
}

/// All that has been seen so far, in its order, as one number.
#[derive(Clone, Default)]
pub struct History(DefaultHasher);

impl History {
    pub fn add(&mut self, event: &impl Hash) {
        event.hash(&mut self.0);
    }

    pub fn number(&self) -> u64 {
        self.0.finish()
    }
}

/// The situations that have been met. What can follow one of them has been explored: it was met first in an earlier schedule,
/// and the explorer comes to another one only when it has been through with all that follows.
#[derive(Default)]
pub struct Seen(RefCell<HashSet<u64>>);

impl Seen {
    /// Whether it is new.
    pub fn is_first(&self, situation: u64) -> bool {
        self.0.borrow_mut().insert(situation)
    }
}

/// What happened in a schedule, kept only where it is shown.
#[derive(Default)]
pub struct Log(Option<RefCell<Vec<String>>>);

impl Log {
    pub fn line(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.0 {
            lines.borrow_mut().push(line());
        }
    }

    fn text(self) -> String {
        self.0.map_or_else(String::new, |lines| lines.into_inner().join("\n"))
    }
}

/// One schedule; a panic is a failure like any other.
fn run_one(
    run: &impl Fn(&mut Choices, &Seen, &Log) -> Result<(), String>,
    choices: &mut Choices,
    seen: &Seen,
    log: &Log,
) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| run(choices, seen, log))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("it panics: {}", text.unwrap_or_default()))
    })
}

/// Something has failed; for `seeded` that is enough.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

/// Runs every schedule and says how many there are; the first that fails is shown, with what repeats it.
pub fn explore(name: &str, run: impl Fn(&mut Choices, &Seen, &Log) -> Result<(), String>) -> u64 {
    let again = |vector: &[usize]| {
        let (mut choices, log) = (Choices::replay(vector), Log(Some(RefCell::default())));
        let result = run_one(&run, &mut choices, &Seen::default(), &log);
        (result, log.text())
    };
    if let Ok(wanted) = std::env::var("SCHEDULE") {
        let Some(vector) = wanted.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) else {
            return 0;
        };
        let vector: Vec<usize> =
            vector.split(',').filter(|n| !n.is_empty()).map(|n| n.parse().expect("a number")).collect();
        let (result, text) = again(&vector);
        println!("{text}");
        assert_eq!(result, Ok(()), "{wanted}");
        return 1;
    }
    if std::env::var_os("SCHEDULES_FIRST").is_some() && HAS_FAILED.load(Relaxed) {
        return 0;
    }
    let (mut choices, seen) = (Choices::default(), Seen::default());
    let mut count = 0;
    loop {
        count += 1;
        if let Err(failure) = run_one(&run, &mut choices, &seen, &Log::default()) {
            HAS_FAILED.store(true, Relaxed);
            let vector = choices.show();
            let taken: Vec<usize> = choices.vector[..choices.met].iter().map(|choice| choice.taken).collect();
            panic!(
                "{name}: schedule {count} fails: {failure}\n{}\nSCHEDULE={name}:{vector} cargo test \
                 --no-default-features --test schedules",
                again(&taken).1
            );
        }

        if !choices.count_up() {
            return count;
        }
    }
}

#[test]
fn every_vector_of_choices_comes_once() {
    let seen = RefCell::new(Vec::new());
    let count = explore("counting", |choices, _, _| {
        let first = choices.pick(3);
        // One branch has a choice less, one has one more.
        let rest = if first == 1 { vec![choices.pick(1)] } else { vec![choices.pick(2), choices.pick(2)] };
        seen.borrow_mut().push((first, rest));
        Ok(())
    });
    let seen = seen.into_inner();
    let all: std::collections::BTreeSet<_> = seen.iter().collect();
    assert!(std::env::var("SCHEDULE").is_ok() || (count, all.len()) == (9, 9), "{seen:?}");
}
