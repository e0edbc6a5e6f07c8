//! Keeps the list of the public API, `supply/api.txt`, true. `supply/check-api` runs it.
//!
//!     api SUPPLY/api.txt JSON...             compares, and fails where they differ
//!     api --write SUPPLY/api.txt JSON...     writes the list
//!
//! Each JSON file is rustdoc's account of the library with the features that the file is named after: `none.json`, one for
//! each feature, `all.json`.
//!
//! Fails too where an item is gone with a feature on, for features only add, and where an item names a crate that has no
//! place in the API (see [`foreign`]).

mod foreign;
mod list;

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use list::List;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let write = arguments.first().is_some_and(|first| first == "--write");
    if write {
        arguments.remove(0);
    }
    let Some((kept, files)) = arguments.split_first().filter(|(_, files)| !files.is_empty()) else {
        eprintln!("usage: api [--write] LIST JSON...");
        return ExitCode::from(2);
    };
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    match run(kept, &files, write) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(kept: &str, files: &[PathBuf], write: bool) -> Result<(), String> {
    let list = List::read(files)?;
    let mut faults = list.taken_away();
    faults.extend(list.foreign());
    let text = list.to_string();
    if write {
        fs::write(kept, &text).map_err(|error| format!("{kept}: {error}"))?;
    } else {
        let was = fs::read_to_string(kept).map_err(|error| format!("{kept}: {error}"))?;
        faults.extend(list::difference(&was, &text));
    }
    println!("{}", list.summary());
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}
