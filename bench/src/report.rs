//! What stays of a run: a JSON file, and charts.

use std::fs;
use std::io;

use serde_json::json;

use crate::charts;
use crate::machine::Machine;
use crate::options::Options;
use crate::results::Results;

pub fn write(options: &Options, machine: &Machine, results: &Results) -> io::Result<()> {
    let report = json!({
        "machine": machine,
        "versions": machine.versions,
        "command": std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        "quick": options.quick,
        "checks": results.checks(),
        "records": results.iter().collect::<Vec<_>>(),
    });
    fs::create_dir_all(&options.out)?;
    let path = options.out.join("results.json");
    fs::write(&path, serde_json::to_string_pretty(&report)? + "\n")?;
    println!("\n{}", path.display());
    for path in charts::write(&options.out, results).map_err(io::Error::other)? {
        println!("{}", path.display());
    }
    Ok(())
}
