//! The order by paused time, and the sockets by a listener that drops SYNs.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

#[cfg(target_os = "linux")]
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

use super::*;

/// What becomes of an attempt, and after how many milliseconds; `None` for nothing ever.
type Fate = Option<(u64, Result<(), ErrorKind>)>;

/// When which attempt begins, and how it all ends. Addresses have their index as port, from 1.
async fn run(
    fates: &[Fate],
    delay: Option<Duration>,
) -> (Vec<(u128, u16)>, Result<u16, (Vec<SocketAddr>, io::Error)>) {
    let start = Instant::now();
    let begun = Rc::new(RefCell::new(Vec::new()));
    let addresses =
        (1..=u16::try_from(fates.len()).unwrap()).map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
    let connect = |address: SocketAddr| {
        let begun = begun.clone();
        async move {
            let port = address.port();
            begun.borrow_mut().push((start.elapsed().as_millis(), port));
            let Some((after, result)) = fates[usize::from(port) - 1] else { return pending().await };
            sleep(Duration::from_millis(after)).await;
            result.map(|()| port).map_err(io::Error::from)
        }
    };
    let result = race(addresses.collect(), delay, connect).await;
    (begun.take(), result)
}

#[tokio::test(start_paused = true)]
async fn next_address_is_tried_after_the_delay_or_at_once_when_one_fails() {
    let refused = |after| Some((after, Err(ErrorKind::ConnectionRefused)));
    let wins = |after| Some((after, Ok(())));
    let (begun, result) = run(&[None, None, wins(10)], Some(DELAY)).await;
    assert_eq!((begun, result.unwrap()), (vec![(0, 1), (250, 2), (500, 3)], 3));
    // A failure starts the delay again.
    let (begun, result) = run(&[None, refused(50), None, wins(1)], Some(DELAY)).await;
    assert_eq!((begun, result.unwrap()), (vec![(0, 1), (250, 2), (300, 3), (550, 4)], 4));
    // An attempt that is slow can still win, and then no other begins.
    let (begun, result) = run(&[wins(400), None, None], Some(DELAY)).await;
    assert_eq!((begun, result.unwrap()), (vec![(0, 1), (250, 2)], 1));
    // So can one after which all others have failed.
    let (begun, result) = run(&[wins(10_000), refused(0), refused(0)], Some(DELAY)).await;
    assert_eq!((begun, result.unwrap()), (vec![(0, 1), (250, 2), (250, 3)], 1));
}

#[tokio::test(start_paused = true)]
async fn without_a_delay_an_address_is_tried_when_the_one_before_has_failed() {
    let refused = Some((7, Err(ErrorKind::ConnectionRefused)));
    let (begun, result) = run(&[refused, Some((1_000, Ok(()))), None], None).await;
    assert_eq!((begun, result.unwrap()), (vec![(0, 1), (7, 2)], 2));
}

#[tokio::test(start_paused = true)]
async fn error_counts_all_addresses_and_has_the_kind_that_tells_most() {
    let fails = |after, kind| Some((after, Err(kind)));
    let (unreachable, refused) = (ErrorKind::NetworkUnreachable, ErrorKind::ConnectionRefused);
    for fates in [
        &[fails(0, unreachable), fails(9, refused)][..],
        &[fails(9, refused), fails(0, unreachable)],
        &[fails(0, ErrorKind::TimedOut), fails(0, refused), fails(0, unreachable)],
        &[fails(0, refused)],
    ] {
        let (tried, error) = run(fates, Some(DELAY)).await.1.unwrap_err();
        assert_eq!((tried.len(), error.kind()), (fates.len(), refused));
    }
}

#[test]
fn families_take_turns_and_the_resolvers_first_begins() {
    let order = |found: &str| {
        let addresses = found.split(' ').map(|ip| SocketAddr::new(ip.parse().unwrap(), 80));
        let ips: Vec<_> = interleave(addresses).iter().map(|address| address.ip().to_string()).collect();
        ips.join(" ")
    };
    assert_eq!(order("::1 ::2 ::3 1.1.1.1 1.1.1.2"), "::1 1.1.1.1 ::2 1.1.1.2 ::3");
    assert_eq!(order("1.1.1.1 1.1.1.2 1.1.1.3 ::1"), "1.1.1.1 ::1 1.1.1.2 1.1.1.3");
    assert_eq!(order("1.1.1.1 ::1 ::2 ::3"), "1.1.1.1 ::1 ::2 ::3");
    assert_eq!(order("1.1.1.2 1.1.1.1 1.1.1.2"), "1.1.1.2 1.1.1.1");
    assert!(interleave(std::iter::empty()).is_empty());
}

#[test]
fn delay_needs_a_limit_or_both_families() {
    let four = SocketAddr::from(([1, 1, 1, 1], 80));
    let six = SocketAddr::from(([0u16; 8], 80));
    assert_eq!(delay(&[four, four], false), None);
    assert_eq!(delay(&[six], false), None);
    assert_eq!(delay(&[four, six], false), Some(DELAY));
    assert_eq!(delay(&[four], true), Some(DELAY));
}

/// A port whose SYNs get no answer, as long as what is returned lives.
#[cfg(target_os = "linux")]
async fn deaf() -> Option<(SocketAddr, (TcpListener, Vec<TcpStream>))> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    // Ends: the queue is short, where the system has one.
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await
    {
        queue.push(connected.ok().filter(|_| queue.len() < 64)?);
    }
    Some((address, (listener, queue)))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn address_that_drops_syns_does_not_use_up_the_time_of_the_next() {
    let Some((dropping, _queue)) = deaf().await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = listener.local_addr().unwrap();
    let tcp = race(vec![dropping, dropping, there], Some(DELAY), TcpStream::connect).await.unwrap();
    assert_eq!(tcp.peer_addr().unwrap(), there);
}

#[tokio::test]
async fn race_that_is_dropped_drops_its_attempts() {
    let alive = Rc::new(());
    let connect = |_| {
        let alive = alive.clone();
        async move {
            let _alive = alive;
            pending::<io::Result<()>>().await
        }
    };
    let addresses = vec![SocketAddr::from(([10, 0, 0, 1], 1)); 3];
    let racing = race(addresses, Some(Duration::ZERO), connect);
    tokio::time::timeout(Duration::from_millis(20), racing).await.unwrap_err();
    assert_eq!(Rc::strong_count(&alive), 1);
}
