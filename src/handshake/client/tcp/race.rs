//! Which address is tried when (RFC 8305, "Happy Eyeballs").

use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::sleep;

/// How long an attempt is alone. "a simple implementation can have a fixed delay [...] This specification recommends 250 ms"
/// (section 5).
const DELAY: Duration = Duration::from_millis(250);

/// The most addresses that an error names.
const NAMED: usize = 4;

/// The families in turn, the resolver's first one first; nothing twice (section 4).
pub(super) fn interleave(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut unique: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    let first_is_ipv6 = unique.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (Vec<_>, Vec<_>) =
        unique.into_iter().rev().partition(|address| address.is_ipv6() == first_is_ipv6);
    let mut addresses = Vec::with_capacity(first.len() + second.len());
    // Ends: each turn takes one.
    while let Some(address) = first.pop() {
        addresses.push(address);
        std::mem::swap(&mut first, &mut second);
        if first.is_empty() {
            std::mem::swap(&mut first, &mut second);
        }
    }
    addresses
}

/// How long an attempt is alone; `None` for until it fails.
///
/// Without a time limit, a runtime without timers must do for addresses of one family.
pub(super) fn delay(addresses: &[SocketAddr], is_limited: bool) -> Option<Duration> {
    let has_both = addresses.iter().any(SocketAddr::is_ipv4) && addresses.iter().any(SocketAddr::is_ipv6);
    (is_limited || has_both).then_some(DELAY)
}

/// Connects to whichever address answers first. The next one is tried when an attempt fails, and after the delay.
///
/// Attempts go on until one has won or this is dropped, so an address that does not answer costs the others nothing but
/// the delay. `addresses` is not empty.
pub(super) async fn race<T, F>(
    addresses: Vec<SocketAddr>,
    delay: Option<Duration>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = addresses.into_iter();
    let mut attempts = Vec::new();
    let mut failures = Vec::new();
    // Ends: each turn takes an address out of `waiting` or an attempt out of `attempts`.
    loop {
        match waiting.next() {
            Some(address) => attempts.push((address, Box::pin(connect(address)))),
            None if attempts.is_empty() => return Err(unreached(failures)),
            None => {}
        }
        let is_last = waiting.len() == 0;
        let due = async {
            match delay {
                Some(delay) if !is_last => sleep(delay).await,
                _ => pending().await,
            }
        };
        match next(&mut attempts, due).await {
            Some((_, Ok(connected))) => return Ok(connected),
            Some((address, Err(error))) => failures.push((address, error)),
            None => {}
        }
    }
}

/// The next attempt to end, which is taken out; `None` when it is time for another one.
async fn next<T, F>(
    attempts: &mut Vec<(SocketAddr, Pin<Box<F>>)>,
    due: impl Future<Output = ()>,
) -> Option<(SocketAddr, io::Result<T>)>
where
    F: Future<Output = io::Result<T>>,
{
    let mut due = pin!(due);
    poll_fn(|cx| {
        // Whichever wakes, all are polled: there are few.
        for index in 0..attempts.len() {
            if let Poll::Ready(result) = attempts[index].1.as_mut().poll(cx) {
                return Poll::Ready(Some((attempts.remove(index).0, result)));
            }
        }
        due.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// No attempt has won. With one address it is that attempt's error; else [`Unreached`], with the kind of the one that tells
/// most.
fn unreached(mut failures: Vec<(SocketAddr, io::Error)>) -> io::Error {
    let tried: Vec<SocketAddr> = failures.iter().map(|(address, _)| *address).collect();
    // The first of those that tell the same.
    failures.sort_by_key(|(_, error)| vagueness(error.kind()));
    let (address, error) = failures.swap_remove(0);
    if tried.len() == 1 {
        return error;
    }
    io::Error::new(error.kind(), Unreached { tried, address, error })
}

/// A host that refuses tells more than a network that is not there: where a host has no route for IPv6, that is not the news.
fn vagueness(kind: io::ErrorKind) -> u8 {
    use io::ErrorKind;
    match kind {
        ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable | ErrorKind::Unsupported => 3,
        ErrorKind::HostUnreachable => 2,
        ErrorKind::TimedOut => 1,
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::PermissionDenied => 0,
        _ => 2,
    }
}

/// Several addresses were tried in vain.
#[derive(Debug)]
struct Unreached {
    tried: Vec<SocketAddr>,
    /// Whose error it is.
    address: SocketAddr,
    error: io::Error,
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "none of {} addresses can be reached (", self.tried.len())?;
        for (index, address) in self.tried.iter().take(NAMED).enumerate() {
            write!(f, "{}{address}", if index > 0 { ", " } else { "" })?;
        }
        let more = self.tried.len().saturating_sub(NAMED);
        if more > 0 {
            write!(f, ", {more} more")?;
        }
        write!(f, "); the error is that of {}", self.address)
    }
}

impl StdError for Unreached {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests;
