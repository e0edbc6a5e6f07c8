//! What the system says of this process, and lets it have.

use std::fs;

/// As many descriptors as this process may have.
pub fn raise_limit() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or(256)
}

/// Resident memory of this process, in bytes.
pub fn rss() -> i64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok());
    kilobytes.unwrap_or_default() * 1024
}
