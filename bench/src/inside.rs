//! What the program runs of itself, in processes of their own.

use std::process::ExitCode;

use crate::{instructions, scale, worst};

/// The first argument of such a process.
pub const FLAG: &str = "--inside";

/// Does what it was started for.
pub fn run(mut args: impl Iterator<Item = String>) -> ExitCode {
    let what = args.next().unwrap_or_default();
    let args: Vec<_> = args.collect();
    let done = match &*what {
        instructions::FRAMES => instructions::frames(&args),
        instructions::REFRESH => instructions::refresh(),
        scale::SERVER => scale::server::run(&args),
        scale::CLIENT => scale::client::run(&args),
        worst::PASS => worst::inside(&args),
        _ => Err(format!("{FLAG} {what}: there is no such thing")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
