//! Instructions per frame, counted by valgrind: the figure that does not move with the machine's load.
//!
//! The program runs itself under callgrind, which does a number of frames of one cell of the library cost, and then three
//! times as many: the difference has no start-up in it. Which vectors the code chooses at run time is for the processor
//! that valgrind offers, which has AVX2 at most.

use std::collections::BTreeMap;
use std::io;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::READ_BUFFER;
use crate::cost::{self, COLUMNS, Column};
use crate::frames::{self, Contender, Kind, Visitor};
use crate::inside;
use crate::options::Options;
use crate::peers::{Ours, Peer};
use crate::progress::Progress;
use crate::results::{Record, Results};
use crate::split;
use crate::stats::Summary;
use crate::table::{Table, bytes, figure};

const OURS: &str = <Ours as Peer>::NAME;

const SIZES: [usize; 3] = [16, 1 << 10, 64 << 10];

/// What ours took when somebody last looked, printed by `cargo run --release -p bench -- --inside instructions`.
const COMMITTED: &str = include_str!("../instructions.json");

const RUSTC: &str = env!("BENCH_RUSTC");

/// C libraries and machines differ by a little.
const MARGIN: f64 = 1.1;

/// The process that does some frames, for [`inside`].
pub const FRAMES: &str = "frames";

/// The process that prints what is committed.
pub const REFRESH: &str = "instructions";

/// The committed figures: instructions per frame of each cell.
#[derive(Default, Serialize, Deserialize)]
struct Committed {
    /// The widest there were.
    vectors: String,
    rustc: String,
    cells: BTreeMap<String, f64>,
}

impl Committed {
    /// Whether they are of the same compiler, and of a processor with the same vectors.
    fn is_of(&self, vectors: &str) -> bool {
        self.rustc == RUSTC && self.vectors == vectors
    }
}

/// One cell of one contender.
struct Cell {
    who: &'static str,
    column: &'static Column,
    size: usize,
}

impl Cell {
    fn name(&self) -> String {
        format!("{} of {}", self.column.name, bytes(self.size))
    }

    /// Instructions per frame, and the vectors there were.
    fn count(&self) -> io::Result<(f64, String)> {
        // Enough to spread what happens now and then, such as new random numbers.
        let frames = ((256 << 10) / self.size).max(64);
        let few = self.run(frames)?;
        let many = self.run(3 * frames)?;
        Ok(((many.instructions - few.instructions) / (many.frames - few.frames), many.vectors))
    }

    fn run(&self, frames: usize) -> io::Result<Run> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            // Or else glibc copies by `rep movsb`, of which each byte counts as an instruction.
            .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS")
            .arg(std::env::current_exe()?)
            .args([inside::FLAG, FRAMES, self.who, self.column.name])
            .args([self.size, frames].map(|n| n.to_string()))
            .output()?;
        let (out, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Run::parse(&out, &log)
            .filter(|_| output.status.success())
            .ok_or_else(|| io::Error::other(log.into_owned()))
    }
}

struct Run {
    frames: f64,
    vectors: String,
    instructions: f64,
}

impl Run {
    /// The process says what it did, callgrind what it took: `==12345== Collected : 67890`.
    fn parse(out: &str, log: &str) -> Option<Self> {
        let (frames, vectors) = out.trim().split_once(' ')?;
        let (_, collected) = log.split_once("Collected :")?;
        Some(Run {
            frames: frames.parse().ok()?,
            vectors: vectors.into(),
            instructions: collected.split_whitespace().next()?.parse().ok()?,
        })
    }
}

/// Does some frames, and says how many, and which vectors the processor has. Arguments: contender, column, payload, frames.
pub fn frames(args: &[String]) -> Result<(), String> {
    struct Work<'a> {
        who: &'a str,
        column: &'static Column,
        size: usize,
        frames: u64,
        done: f64,
    }
    impl Visitor for Work<'_> {
        fn visit<C: Contender>(&mut self) {
            if C::NAME == self.who {
                self.done = cost::batch::<C>(self.column, self.size, READ_BUFFER)(self.frames);
            }
        }
    }
    let parse = || {
        let [who, column, size, frames] = args else { return None };
        let column = COLUMNS.iter().find(|known| known.name == column)?;
        Some(Work { who, column, size: size.parse().ok()?, frames: frames.parse().ok()?, done: 0.0 })
    };
    let mut work = parse().ok_or_else(|| format!("{FRAMES} {args:?}: not understood"))?;
    frames::visit_all(&mut work);
    split::visit_all(&mut work);
    println!("{} {}", work.done, vectors());
    Ok(())
}

/// The widest vectors of the processor.
fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return "x86-64 with AVX-512";
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            return "x86-64 with AVX2";
        }
    }
    std::env::consts::ARCH
}

/// Prints what is to be committed as `bench/instructions.json`.
pub fn refresh() -> Result<(), String> {
    let cells = cells(&[OURS], &Options::default());
    let mut committed = Committed { rustc: RUSTC.into(), ..Committed::default() };
    for (cell, counted) in cells.iter().zip(count(&cells)) {
        let (instructions, vectors) = counted.map_err(|error| error.to_string())?;
        committed.vectors = vectors;
        committed.cells.insert(cell.name(), instructions.round());
    }
    println!("{}", serde_json::to_string_pretty(&committed).map_err(|error| error.to_string())?);
    Ok(())
}

fn cells(who: &[&'static str], options: &Options) -> Vec<Cell> {
    let mut cells = Vec::new();
    for size in SIZES.into_iter().filter(|size| options.wants_size(*size)) {
        for column in COLUMNS.iter().filter(|column| options.wants_column(column.name)) {
            cells.extend(who.iter().map(|who| Cell { who, column, size }));
        }
    }
    cells
}

/// Instructions per frame in one cell, whoever it is.
pub fn count_one(who: &'static str, column: &'static Column, size: usize) -> io::Result<f64> {
    Cell { who, column, size }.count().map(|(instructions, _)| instructions)
}

/// Counts all, as many at a time as there are cores: it is not the time that counts.
fn count(cells: &[Cell]) -> Vec<io::Result<(f64, String)>> {
    let next = AtomicUsize::new(0);
    let progress = Mutex::new(Progress::new("instructions", cells.len()));
    let counted = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Relaxed);
                    let Some(cell) = cells.get(at) else { break };
                    progress.lock().expect("no thread panics").step(&format!(
                        "{}, {}",
                        cell.who,
                        cell.name()
                    ));
                    let count = cell.count();
                    counted.lock().expect("no thread panics").push((at, count));
                }
            });
        }
    });
    let mut counted = counted.into_inner().expect("no thread panics");
    counted.sort_by_key(|(at, _)| *at);
    counted.into_iter().map(|(_, count)| count).collect()
}

pub fn run(options: &Options, results: &mut Results) {
    struct Names<'a>(&'a Options, Vec<&'static str>);
    impl Visitor for Names<'_> {
        fn visit<C: Contender>(&mut self) {
            let wanted = match Kind::of::<C>() {
                Kind::Ours => C::NAME == OURS || !self.0.quick,
                // In short, only what is checked.
                _ => self.0.wants_peer(C::NAME) && (!self.0.quick || self.0.names_peers()),
            };
            if wanted {
                self.1.push(C::NAME);
            }
        }
    }
    if let Err(error) = Command::new("valgrind").arg("--version").output() {
        println!("\n### Instructions per frame\n\nNot counted: valgrind cannot be run ({error}).");
        return;
    }
    let mut names = Names(options, Vec::new());
    frames::visit_all(&mut names);
    let cells = cells(&names.1, options);
    let committed: Committed = serde_json::from_str(COMMITTED).unwrap_or_default();

    let mut table =
        Table::new(["payload", "column", "who", "instructions", "per byte", "committed", "of it"]).left(3);
    let mut seen = String::new();
    for (cell, counted) in cells.iter().zip(count(&cells)) {
        let (instructions, vectors) = match counted {
            Ok(counted) => counted,
            Err(error) => {
                let name = format!("instructions: {}, {}", cell.who, cell.name());
                results.check(name, false, error.to_string());
                continue;
            }
        };
        let what = [("payload", bytes(cell.size)), ("column", cell.column.name.into())];
        let metric = ("instructions per frame", "");
        results.push(Record::new("instructions", cell.who, what, metric, Summary::exact(instructions)));
        let known = committed.cells.get(&cell.name()).filter(|_| cell.who == OURS);
        table.row([
            bytes(cell.size),
            cell.column.name.into(),
            cell.who.into(),
            format!("{instructions:.0}"),
            figure(instructions / cell.size as f64),
            known.map_or(String::new(), |known| format!("{known:.0}")),
            known.map_or(String::new(), |known| format!("{:.2}", instructions / known)),
        ]);
        // With other vectors, or by another compiler, it is another figure.
        if cell.who == OURS && committed.is_of(&vectors) {
            let most = known.map_or(0.0, |known| known * MARGIN);
            results.check(
                format!("instructions: {}", cell.name()),
                instructions <= most,
                format!("{instructions:.0} per frame, of at most {most:.0}"),
            );
        }
        seen = vectors;
    }
    table.print("Instructions per frame, by valgrind --tool=callgrind");
    println!(
        "\nValgrind offers {seen}, the compiler is {RUSTC}; the committed figures are for {} and {}.",
        committed.vectors, committed.rustc
    );
    if !committed.is_of(&seen) {
        println!("So nothing is checked here.");
    }
}
