//! What the stream costs, next to its peers. See README.md for what is measured and how.

mod alloc;
mod behaviour;
mod calls;
mod chart;
mod charts;
mod cost;
mod diy;
mod frames;
mod heap;
mod inside;
mod instructions;
mod kernel;
mod latency;
mod line;
mod link;
mod loopback;
mod machine;
mod memory;
mod options;
mod peers;
mod plain;
mod process;
mod progress;
mod proxy;
mod report;
mod results;
mod scale;
mod script;
mod split;
mod stats;
mod table;
mod tls;
mod worst;

use std::process::ExitCode;

use options::Options;
use results::Results;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// The caller's buffer for reading, the same in every measurement.
const READ_BUFFER: usize = 64 * 1024;

type Section = fn(&Options, &mut Results);

const SECTIONS: &[(&str, Section)] = &[
    ("behaviour", behaviour::run),
    ("cost", cost::run),
    ("instructions", instructions::run),
    ("split", split::run),
    ("calls", calls::run),
    ("worst", worst::run),
    ("kernel", kernel::run),
    ("loopback", loopback::run),
    ("tls", tls::run),
    ("proxy", proxy::run),
    ("latency", latency::run),
    ("scale", scale::run),
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).peekable();
    if args.next_if(|arg| arg == inside::FLAG).is_some() {
        return inside::run(args);
    }
    let names: Vec<_> = SECTIONS.iter().map(|(name, _)| *name).collect();
    let options = match Options::parse(args, &names) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}\n\n{}{}{}", options::USAGE, names.join(", "), options::OPTIONS);
            return ExitCode::FAILURE;
        }
    };
    let machine = machine::Machine::here();
    machine.print();

    let mut results = Results::default();
    for (name, run) in SECTIONS {
        if options.wants_section(name) {
            run(&options, &mut results);
        }
    }
    results.print_checks();
    if let Err(error) = report::write(&options, &machine, &results) {
        eprintln!("{}: {error}", options.out.display());
        return ExitCode::FAILURE;
    }
    if results.all_hold() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
