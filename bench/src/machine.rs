//! Where it was measured, and whom.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde::Serialize;

use crate::frames::{self, Contender, Visitor};

const LOCK: &str = include_str!("../../Cargo.lock");

#[derive(Serialize)]
pub struct Machine {
    cpu: String,
    cores: usize,
    memory: String,
    kernel: String,
    rustc: &'static str,
    /// Of the repository, with a plus where the files are not what was committed.
    commit: Option<String>,
    /// Package and version of each peer, and of what all of them run on.
    #[serde(skip)]
    pub versions: BTreeMap<&'static str, String>,
}

impl Machine {
    pub fn here() -> Self {
        let unknown = || "unknown".to_owned();
        Machine {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory: field("/proc/meminfo", "MemTotal").unwrap_or_else(unknown),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |release| release.trim().into()),
            rustc: env!("BENCH_RUSTC"),
            commit: commit(),
            versions: versions(),
        }
    }

    pub fn print(&self) {
        println!("cpu     {} ({} cores), {} of memory", self.cpu, self.cores, self.memory);
        println!("kernel  {}", self.kernel);
        println!("rustc   {}", self.rustc);
        println!("commit  {}", self.commit.as_deref().unwrap_or("none"));
        let who = self.versions.iter().map(|(name, version)| format!("{name} ({version})"));
        println!("who     {}", who.collect::<Vec<_>>().join("\n        "));
    }
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn commit() -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let changed = git(&["status", "--porcelain"]).is_some_and(|files| !files.is_empty());
    Some(if changed { commit + "+" } else { commit })
}

fn versions() -> BTreeMap<&'static str, String> {
    struct Names(BTreeMap<&'static str, String>);
    impl Visitor for Names {
        fn visit<C: Contender>(&mut self) {
            let (package, prefix) = C::PACKAGE;
            self.0.insert(C::NAME, format!("{package} {}", version(package, prefix).unwrap_or("?")));
        }
    }
    let mut names = Names(BTreeMap::new());
    frames::visit_all(&mut names);
    for package in ["rustls", "tokio"] {
        names.0.insert(package, version(package, "").unwrap_or("?").into());
    }
    names.0
}

fn version(package: &str, prefix: &str) -> Option<&'static str> {
    let name = format!("name = \"{package}\"");
    let mut lines = LOCK.lines();
    while lines.any(|line| line == name) {
        let version = lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?;
        if version.starts_with(prefix) {
            return Some(version);
        }
    }
    None
}
