//! A task, and what it is doing.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use fastwebsockets_stream::{CloseCode, CloseFrame, WebSocketStream};

use super::net::Link;
use super::plan::Op;

pub type Stream = WebSocketStream<Link>;

/// Where a stream is while nobody has borrowed it.
pub type Home = Rc<RefCell<Option<Stream>>>;

/// Whether a task has been woken.
#[derive(Default)]
pub struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub type Closing = Pin<Box<dyn Future<Output = io::Result<Option<CloseFrame>>>>>;

/// A task. Only one that has been woken is polled.
pub struct Lane {
    flag: Arc<Flag>,
    pub ops: VecDeque<Op>,
    /// What it waits for.
    pub current: Option<Op>,
    pub closing: Option<Closing>,
    /// How often that has been polled, and what its bytes are made of.
    pub polls: u32,
    pub bytes: u64,
    pub runnable: bool,
}

impl Lane {
    pub fn new(ops: &[Op]) -> Self {
        Lane {
            flag: Arc::default(),
            ops: ops.iter().cloned().collect(),
            current: None,
            closing: None,
            polls: 0,
            bytes: 0,
            runnable: true,
        }
    }

    pub fn waker(&self) -> Waker {
        self.flag.clone().into()
    }

    /// One task does what two did.
    pub fn join(&mut self, other: &Lane) {
        self.flag = other.flag.clone();
    }

    /// Goes on in another task: who has the old waker wakes nobody.
    pub fn move_on(&mut self) {
        self.flag = Arc::default();
        self.runnable = true;
    }

    /// Whether it has been woken since this was last asked.
    pub fn was_woken(&self) -> bool {
        self.flag.0.swap(false, Ordering::Relaxed)
    }

    pub fn shares_task(&self, other: &Lane) -> bool {
        Arc::ptr_eq(&self.flag, &other.flag)
    }

    pub fn is_done(&self) -> bool {
        self.current.is_none() && self.ops.is_empty()
    }

    /// Drops what it waits for.
    pub fn cancel(&mut self) {
        self.current = None;
        self.closing = None;
        self.runnable = true;
    }
}

/// A stream that a future has borrowed: it comes back when the future is dropped.
struct Lent {
    stream: Option<Stream>,
    home: Home,
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.home.borrow_mut() = self.stream.take();
    }
}

/// A call of `close`.
pub fn close(home: &Home, code: u16, reason: String) -> Closing {
    let mut lent = Lent { stream: home.borrow_mut().take(), home: home.clone() };
    Box::pin(async move {
        let stream = lent.stream.as_mut().expect("only one task borrows it");
        stream.close(CloseCode::from(code), &reason).await
    })
}
