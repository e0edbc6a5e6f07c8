//! Tasks, of which one is polled only if it was woken, or is new.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::ends::{Closing, Done, Ends, Op};
use crate::scenario;

/// A waker: whether it was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A call that is under way.
struct Call {
    op: Op,
    /// What a write offers, different in each.
    bytes: Vec<u8>,
    closing: Option<Closing>,
    has_waited: bool,
}

#[derive(Default)]
struct Lane {
    ops: VecDeque<Op>,
    call: Option<Call>,
}

pub struct Task {
    flag: Arc<Flag>,
    lanes: Vec<Lane>,
}

impl Task {
    pub fn new(task: &scenario::Task) -> Self {
        let lane = |ops: &Vec<Op>| Lane { ops: ops.iter().copied().collect(), call: None };
        // It is new, and so it is polled.
        Task { flag: Arc::new(Flag(AtomicBool::new(true))), lanes: task.0.iter().map(lane).collect() }
    }

    pub fn is_woken(&self) -> bool {
        self.flag.0.load(Ordering::Relaxed)
    }

    /// Whether it was woken, how many calls are to come, and whether one is under way.
    pub fn situation(&self) -> (bool, Vec<(usize, bool)>) {
        let lanes = self.lanes.iter().map(|lane| (lane.ops.len(), lane.call.is_some()));
        (self.is_woken(), lanes.collect())
    }

    pub fn is_done(&self) -> bool {
        self.lanes.iter().all(|lane| lane.call.is_none() && lane.ops.is_empty())
    }

    pub fn is_closing(&self) -> bool {
        self.lanes.iter().flat_map(|lane| &lane.call).any(|call| call.closing.is_some())
    }

    /// The calls that wait, by lane.
    pub fn waiting(&self) -> impl Iterator<Item = (usize, Op)> {
        let calls = self.lanes.iter().enumerate().filter_map(|(i, lane)| Some((i, lane.call.as_ref()?)));
        calls.filter(|(_, call)| call.has_waited).map(|(i, call)| (i, call.op))
    }

    /// Goes on elsewhere: whoever has the old waker wakes nobody.
    pub fn move_on(&mut self) {
        self.flag = Arc::new(Flag(AtomicBool::new(true)));
    }

    /// Drops a call that waits; what comes next has another waker.
    pub fn cancel(&mut self, lane: usize) -> Option<Op> {
        self.move_on();
        self.lanes[lane].call.take().map(|call| call.op)
    }

    /// One poll of each lane. `serial` counts the writes.
    pub fn poll(&mut self, ends: &mut Ends, serial: &mut u8, mut told: impl FnMut(Op, Option<Done>)) {
        self.flag.0.store(false, Ordering::Relaxed);
        let waker: Waker = self.flag.clone().into();
        let cx = &mut Context::from_waker(&waker);
        for lane in &mut self.lanes {
            let Some(op) = lane.call.as_ref().map(|call| call.op).or_else(|| lane.ops.pop_front()) else {
                continue;
            };
            let call = lane.call.get_or_insert_with(|| Call::new(op, ends, serial));
            match call.poll(ends, cx) {
                Poll::Pending => {
                    call.has_waited = true;
                    told(op, None);
                }
                Poll::Ready(done) => {
                    let is_over = matches!(&done, Done::Failed(_)) || done == Done::Read(Vec::new());
                    if is_over || !matches!(op, Op::ReadToEnd(_) | Op::FillToEnd(_)) {
                        lane.call = None;
                    }
                    told(op, Some(done));
                    // It goes on by itself.
                    self.flag.0.store(true, Ordering::Relaxed);
                }
            }
        }
    }
}

impl Call {
    fn new(op: Op, ends: &Ends, serial: &mut u8) -> Self {
        let mut bytes = Vec::new();
        let mut closing = None;
        match op {
            Op::Write(length) => {
                *serial += 1;
                bytes = vec![*serial; length];
            }
            Op::Close(code) => closing = Some(ends.closing(code)),
            _ => {}
        }
        Call { op, bytes, closing, has_waited: false }
    }

    fn poll(&mut self, ends: &mut Ends, cx: &mut Context<'_>) -> Poll<Done> {
        match &mut self.closing {
            None => ends.poll(self.op, &self.bytes, cx),
            Some(closing) => closing.as_mut().poll(cx).map(|result| match result {
                Ok(_) => Done::Closed,
                Err(error) => Done::Failed(error.kind()),
            }),
        }
    }
}
