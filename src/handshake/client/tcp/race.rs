//! Which address is tried when (RFC 8305, "Happy Eyeballs").

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
) -> Result<T, (Vec<SocketAddr>, io::Error)>
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

/// No attempt has won: the addresses as they were tried, and the error that tells most.
fn unreached(mut failures: Vec<(SocketAddr, io::Error)>) -> (Vec<SocketAddr>, io::Error) {
    let tried: Vec<SocketAddr> = failures.iter().map(|(address, _)| *address).collect();
    // The first of those that tell the same.
    failures.sort_by_key(|(_, error)| vagueness(error.kind()));
    (tried, failures.swap_remove(0).1)
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

#[cfg(test)]
mod tests;
