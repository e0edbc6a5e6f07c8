//! What the stream costs, next to its peers. See README.md for what is measured and how.

mod alloc;
mod cost;
mod diy;
mod loopback;
mod machine;
mod memory;
mod options;
mod peers;
mod progress;
mod stats;
mod table;

use std::process::ExitCode;

use options::Options;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// The caller's buffer for reading, the same in every measurement.
const READ_BUFFER: usize = 64 * 1024;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}\n\n{}", options::USAGE);
            return ExitCode::FAILURE;
        }
    };
    machine::print();
    if options.cost {
        cost::run(&options);
    }
    if options.loopback {
        loopback::run(&options);
    }
    ExitCode::SUCCESS
}
