//! The options of a socket that this crate has opened or accepted.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::Config;

/// What the system counts in, and the most it takes: Linux has seconds, up to 32767 of them.
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(32_767);

/// So many probes may be lost before the connection is.
const PROBES: u32 = 3;

/// Sets TCP_NODELAY, because a frame for each write meets Nagle's algorithm and delayed acknowledgements otherwise, and what
/// [`Config::keep_alive`] and [`Config::stall_timeout`] ask of the system.
pub(super) fn prepare(tcp: &TcpStream, config: &Config) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    if let Some(interval) = config.interval() {
        socket.set_tcp_keepalive(&probing(interval.clamp(LEAST, MOST)))?;
    }
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux", target_os = "cygwin"))]
    if let Some(limit) = config.stall_limit() {
        // Milliseconds, in 32 bits of which the system takes the positive half.
        socket.set_tcp_user_timeout(Some(limit.min(Duration::from_millis(i32::MAX as u64))))?;
    }
    Ok(())
}

/// After this long without an answer a probe, and again after as long, where the system can be told so.
fn probing(interval: Duration) -> TcpKeepalive {
    let probing = TcpKeepalive::new().with_time(interval);
    #[cfg(any(
        target_os = "android",
        target_os = "freebsd",
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "windows"
    ))]
    let probing = probing.with_interval(interval).with_retries(PROBES);
    probing
}
