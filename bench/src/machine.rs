//! Where it was measured, and whom.

use std::fs;

use crate::peers::{self, Peer, Visitor};

const LOCK: &str = include_str!("../../Cargo.lock");

pub fn print() {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("cpu    {} ({cores} cores)", cpu().unwrap_or_else(|| "unknown".into()));
    println!("rustc  {}", env!("BENCH_RUSTC"));
    struct Names(Vec<String>);
    impl Visitor for Names {
        fn visit<P: Peer>(&mut self) {
            let (package, prefix) = P::PACKAGE;
            let version = version(package, prefix).unwrap_or("?");
            self.0.push(format!("{} ({package} {version})", P::NAME));
        }
    }
    let mut names = Names(Vec::new());
    peers::visit_all(&mut names);
    println!("who    {}", names.0.join("\n       "));
}

fn cpu() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
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
