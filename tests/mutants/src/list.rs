//! The mutants, as cargo-mutants lists them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::Result;

/// One change of the sources.
#[derive(Clone, Debug, Deserialize)]
pub struct Mutant {
    /// What cargo-mutants calls it: place and change.
    pub name: String,
    pub file: String,
    pub genre: Genre,
    pub replacement: String,
    span: Span,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum Genre {
    FnValue,
    BinaryOperator,
    UnaryOperator,
    MatchArm,
    MatchArmGuard,
    StructField,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Span {
    start: Place,
}

/// Both count from 1; a column is a character.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Place {
    line: usize,
    column: usize,
}

impl Mutant {
    /// Where it begins, in bytes of its file.
    pub fn offset(&self, text: &str) -> usize {
        let Place { line, column } = self.span.start;
        let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        start + text[start..].chars().take(column - 1).map(char::len_utf8).sum::<usize>()
    }

    /// Its name without line and column, which every edit of the file changes.
    pub fn change(&self) -> String {
        let change = self.name.splitn(4, ':').last().unwrap_or_default();
        format!("{}:{change}", self.file)
    }
}

/// Numbered from 1; 0 is none.
pub type Mutants = BTreeMap<u32, Mutant>;

pub fn list(root: &Path) -> Result<Mutants> {
    let output = Command::new("cargo").args(["mutants", "--list", "--json"]).current_dir(root).output()?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "`cargo mutants` fails; is it installed (cargo install --locked cargo-mutants)?\n{why}"
        )
        .into());
    }
    let mutants: Vec<Mutant> = serde_json::from_slice(&output.stdout)?;
    Ok((1..).zip(mutants).collect())
}
