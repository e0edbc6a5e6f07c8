//! The command line.

use std::path::PathBuf;

pub const USAGE: &str = "\
usage: cargo run --release -p bench -- [SECTION ...] [options]

  SECTION             what to run, all if none is named: ";

pub const OPTIONS: &str = "
  --quick             fewer rounds and, over TCP, fewer peers
  --out DIR           where results.json and the charts go (target/bench)
  --pin               loopback: a core for the writer, another for the reader
  --peer NAME         only peers whose name contains NAME ('' for all; ours always runs)
  --size BYTES        only this payload
  --column NAME       cost: srv-read, cli-read, srv-write or cli-write; loopback: up or down";

#[derive(Debug, Default)]
pub struct Options {
    /// Empty for all.
    sections: Vec<String>,
    pub quick: bool,
    pub pin: bool,
    pub out: PathBuf,
    peer: Option<String>,
    size: Option<usize>,
    column: Option<String>,
}

impl Options {
    /// `known` are the names of the sections.
    pub fn parse(mut args: impl Iterator<Item = String>, known: &[&str]) -> Result<Self, String> {
        let mut options = Options { out: "target/bench".into(), ..Options::default() };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match &*arg {
                "--quick" => options.quick = true,
                "--pin" => options.pin = true,
                "--out" => options.out = value()?.into(),
                "--peer" => options.peer = Some(value()?),
                "--size" => options.size = Some(value()?.parse().map_err(|_| "--size needs a number")?),
                "--column" => options.column = Some(value()?),
                section if known.contains(&section) => options.sections.push(arg),
                _ => return Err(format!("unknown argument {arg}")),
            }
        }
        Ok(options)
    }

    pub fn wants_section(&self, name: &str) -> bool {
        self.sections.is_empty() || self.sections.iter().any(|section| section == name)
    }

    pub fn wants_peer(&self, name: &str) -> bool {
        self.peer.as_ref().is_none_or(|peer| name.contains(peer))
    }

    pub fn names_peers(&self) -> bool {
        self.peer.is_some()
    }

    pub fn wants_size(&self, size: usize) -> bool {
        self.size.is_none_or(|only| only == size)
    }

    pub fn wants_column(&self, name: &str) -> bool {
        self.column.as_ref().is_none_or(|column| column == name)
    }
}
