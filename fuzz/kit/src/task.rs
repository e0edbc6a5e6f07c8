//! A task that is polled by hand, and of which it shows whether it was woken.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, ReadBuf};

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
pub struct Task(Arc<Flag>);

impl Task {
    pub fn waker(&self) -> Waker {
        self.0.clone().into()
    }

    /// Whether it was woken since this was last asked.
    pub fn was_woken(&self) -> bool {
        self.0.0.swap(false, Ordering::Relaxed)
    }

    pub fn run<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        poll(&mut Context::from_waker(&self.waker()))
    }

    pub fn read(&self, stream: &mut (impl AsyncRead + Unpin), room: usize) -> Poll<io::Result<Vec<u8>>> {
        let mut bytes = vec![0xaa; room];
        let mut buf = ReadBuf::new(&mut bytes);
        self.run(|cx| Pin::new(stream).poll_read(cx, &mut buf)).map_ok(|()| buf.filled().to_vec())
    }
}
