//! Time that the test moves, though it waits for sockets.

use std::sync::mpsc;
use std::time::Duration;

use tokio::time;

/// Tokio's clock, paused until this is dropped: no timer fires unless the test [advances](time::advance) it.
pub struct Frozen(mpsc::Sender<()>);

impl Frozen {
    /// Needs a runtime of one thread.
    pub fn new() -> Self {
        time::pause();
        let (sender, dropped) = mpsc::channel();
        // The clock does not advance by itself while a blocking task runs. This one gives up on a test that hangs.
        tokio::task::spawn_blocking(move || dropped.recv_timeout(Duration::from_secs(60)));
        Frozen(sender)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let frozen = self.0.send(()).is_ok();
        assert!(frozen || std::thread::panicking(), "it went on only because the clock did");
    }
}
