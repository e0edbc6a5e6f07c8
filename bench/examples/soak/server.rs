//! The server's process.

use std::io::{self, Read, Write, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fastwebsockets_stream::{Config, Listener, PayloadType};
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use super::sample::Sample;
use super::talk::tally::Tally;
use super::talk::{Sequence, server};
use super::{KEEP_ALIVE, WORKERS};
use crate::alloc::Tracking;
use crate::process::raise_limit;

/// Of each handshake, and each `close`.
const LIMIT: Duration = Duration::from_secs(120);

/// So many addresses share the ports there are.
const ADDRESSES: u8 = 4;

/// Prints its addresses; ends when who asks has gone.
pub fn serve(connections: usize) -> io::Result<()> {
    raise_limit();
    let tracking = Tracking::start();
    let (sequence, tally) = (Arc::new(Sequence::new()), Arc::new(Tally::default()));
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let (close, closed) = watch::channel(false);
    let addresses: Vec<Vec<SocketAddr>> = runtime.block_on(async {
        let mut addresses = Vec::new();
        for payload_type in [PayloadType::Binary, PayloadType::Text] {
            let mut of_type = Vec::new();
            for at in 1..=ADDRESSES {
                let config = Config::new(payload_type).keep_alive(KEEP_ALIVE).close_timeout(LIMIT);
                let mut closed = closed.clone();
                let listener = Listener::bind((Ipv4Addr::new(127, 0, 0, at), 0), config).await?;
                // All of them may come at once, from one address, to a machine that has other work: none is to give way.
                let listener = listener.time_limit(LIMIT).max_handshakes(connections);
                let listener = listener.graceful_shutdown(async move {
                    let _ = closed.wait_for(|closed| *closed).await;
                });
                of_type.push(listener.local_addr());
                tokio::spawn(server::serve(listener, sequence.clone(), tally.clone()));
            }
            addresses.push(of_type);
        }
        io::Result::Ok(addresses)
    })?;
    println!("{}", serde_json::to_string(&addresses)?);
    let handle = runtime.handle().clone();
    let answering = thread::spawn(move || answer(&handle, &tracking, &tally, &close));
    // The runtime's own threads serve.
    answering.join().unwrap_or_else(|_| Err(io::Error::other("who answers has panicked")))
}

fn answer(
    runtime: &Handle,
    tracking: &Tracking,
    tally: &Tally,
    close: &watch::Sender<bool>,
) -> io::Result<()> {
    let _entered = runtime.enter();
    let (mut questions, mut answers) = (stdin().lock(), stdout().lock());
    let mut question = [0];
    while questions.read(&mut question)? > 0 {
        if question == *b"c" {
            close.send_replace(true);
            continue;
        }
        let listeners = if *close.borrow() { 0 } else { 2 * usize::from(ADDRESSES) };
        let sample = Sample { listeners, ..Sample::here(tracking, tally) };
        writeln!(answers, "{}", serde_json::to_string(&sample)?)?;
        answers.flush()?;
    }
    Ok(())
}
