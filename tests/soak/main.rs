//! Many connections at once, for a while: nothing is wrong with a byte, and nothing stays behind. A short one of what
//! `cargo run --release -p bench --example soak` does for minutes with 10,000.

// A test binary exports nothing, and casts small numbers.
#![allow(unreachable_pub, clippy::cast_possible_truncation)]

mod talk;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fastwebsockets_stream::{Config, Listener, PayloadType};
use tokio::runtime::Handle;

use talk::Sequence;
use talk::ask::{KINDS, Kind};
use talk::client::{Measure, Servers, converse};
use talk::dice::Dice;
use talk::tally::{Tally, descriptors};

const CONNECTIONS: u64 = 200;

/// Of each of them, one after the other.
const CONVERSATIONS: u64 = 15;

/// Which a silent client lets pass.
const SOON: Duration = Duration::from_secs(2);

/// Which no other does, however busy the machine is.
const LATE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_connections_that_come_and_go_lose_no_byte_and_leave_nothing_behind() {
    let files = descriptors();
    let sequence = Arc::new(Sequence::new());
    let (server, client) = (Arc::new(Tally::default()), Arc::new(Tally::default()));
    let mut addresses = Vec::new();
    let mut close = Vec::new();
    for (payload_type, keep_alive) in
        [(PayloadType::Binary, LATE), (PayloadType::Text, LATE), (PayloadType::Binary, SOON)]
    {
        let config = Config::new(payload_type).keep_alive(keep_alive).close_timeout(LATE);
        let (closing, closed) = tokio::sync::oneshot::channel::<()>();
        let listener = Listener::bind("127.0.0.1:0", config).await.expect("a port is free");
        let listener = listener.time_limit(LATE).max_handshakes(CONNECTIONS as usize);
        let listener = listener.graceful_shutdown(async {
            let _ = closed.await;
        });
        addresses.push(listener.local_addr());
        close.push(closing);
        tokio::spawn(talk::server::serve(listener, sequence.clone(), server.clone()));
    }
    let [binary, text, silent] = [0, 1, 2].map(|at| vec![addresses[at]]);
    let servers = Servers { binary, text, silent };
    let measure = Measure { bytes: 64 * 1024, pause: Duration::ZERO, parts: 4 };

    let tasks = (0..CONNECTIONS).map(|seed| {
        let (servers, sequence, client) = (servers.clone(), sequence.clone(), client.clone());
        tokio::spawn(async move {
            let mut dice = Dice::new(seed << 32);
            for _ in 0..CONVERSATIONS {
                converse(&servers, measure, &mut dice, &sequence, &client).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no client panics");
    }
    drop(close);
    // Each ends by itself; a limit keeps the test from waiting for ever where one does not.
    let rest = async {
        while Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let left = tokio::time::timeout(Duration::from_secs(60), rest).await;
    let alive = Handle::current().metrics().num_alive_tasks();
    assert!(left.is_ok(), "{alive} tasks are left");

    assert_eq!(client.wrongs(), Vec::<String>::new());
    assert_eq!(server.wrongs(), Vec::<String>::new());
    let (asked, served) = (client.counts(), server.counts());
    assert_eq!(asked.iter().sum::<u64>(), CONNECTIONS * CONVERSATIONS);
    // What the server has not heard of was reset, with what it had received, before it was read.
    let cut = server.cut.load(Relaxed);
    assert_eq!(served.iter().sum::<u64>() + cut, CONNECTIONS * CONVERSATIONS, "{served:?}, {cut} cut");
    for (kind, (asked, served)) in KINDS.iter().zip(asked.iter().zip(&served)) {
        // A reset discards what was sent before it, the question included; nothing else may.
        let all_came = served == asked || (*kind == Kind::Reset && served < asked);
        assert!(*asked > 20 && all_came, "{kind:?}: {asked} asked, {served} served");
    }
    assert_eq!((client.open.load(Relaxed), server.open.load(Relaxed)), (0, 0));
    let bytes = client.bytes.load(Relaxed) + server.bytes.load(Relaxed);
    println!("{asked:?} conversations, {bytes} bytes, at most {} connections", server.most.load(Relaxed));
    assert_eq!(descriptors(), files, "descriptors");
}
