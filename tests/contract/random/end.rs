//! An end that is a stream of this crate, with the tasks that use it.

mod ops;

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Poll;

use fastwebsockets_stream::{Config, Role, WebSocketStream};
use tokio::io::AsyncWrite;

use super::lane::{Home, Lane, Stream};
use super::model::{Failure, Model, Verdict, View, ensure};
use super::net::{Link, Net};
use super::plan::{Lanes, Op, Programme};
use super::tap::{Close, may_be_sent};

pub struct End {
    pub who: usize,
    pub home: Home,
    pub lanes: Vec<Lane>,
    pub model: Model,
    pub programme: Programme,
    config: Config,
    net: Rc<RefCell<Net>>,
    /// Counts the polls: no two writes offer the same.
    serial: u64,
    /// Shutdowns that have failed.
    pub failures: u32,
    pub tries: u32,
}

/// What a poll has done to its operation.
enum Step {
    Ready,
    Pending,
}

impl<T> From<&Poll<T>> for Step {
    fn from(polled: &Poll<T>) -> Self {
        if polled.is_ready() { Step::Ready } else { Step::Pending }
    }
}

impl End {
    pub fn new(who: usize, programme: &Programme, net: &Rc<RefCell<Net>>) -> Self {
        let config = programme.setup.config();
        let role = if who == 0 { Role::Client } else { Role::Server };
        let link = Link { net: net.clone(), end: who };
        let stream = WebSocketStream::from_transport(link, role, [], config.clone());
        let mut lanes = vec![Lane::new(&programme.ops[0])];
        if programme.lanes != Lanes::One {
            lanes.push(Lane::new(&programme.ops[1]));
        }
        if let ([one, two], Lanes::Joined) = (&mut lanes[..], programme.lanes) {
            two.join(one);
        }
        End {
            who,
            home: Rc::new(RefCell::new(Some(stream))),
            lanes,
            model: Model::new(programme.setup),
            programme: programme.clone(),
            config,
            net: net.clone(),
            serial: 0,
            failures: 0,
            tries: 0,
        }
    }

    pub fn is_lent(&self) -> bool {
        self.lanes.iter().any(|lane| lane.closing.is_some())
    }

    /// Takes note of who has been woken.
    pub fn wake(&mut self) {
        for i in 0..self.lanes.len() {
            if self.lanes[i].was_woken() {
                for j in 0..self.lanes.len() {
                    let shares = self.lanes[i].shares_task(&self.lanes[j]);
                    self.lanes[j].runnable |= shares;
                }
            }
        }
    }

    /// The lane that can be polled, if `starts` also with something new.
    pub fn can_run(&self, lane: usize, starts: bool) -> bool {
        let here = &self.lanes[lane];
        let has_work = here.current.is_some() || (starts && !here.ops.is_empty());
        here.runnable && has_work && (here.closing.is_some() || !self.is_lent())
    }

    pub fn cancel(&mut self, lane: usize) {
        self.log(|_| format!("task {lane} is cancelled"));
        if self.lanes[lane].closing.is_some() {
            // The other task was kept from the stream.
            self.lanes.iter_mut().for_each(|lane| lane.runnable = true);
        }
        self.lanes[lane].cancel();
    }

    fn log(&self, line: impl FnOnce(&Self) -> String) {
        let mut net = self.net.borrow_mut();
        if net.trace.is_some() {
            let line = line(self);
            net.log(|| format!("{} {line}", ["A", "B"][self.who]));
        }
    }

    /// A look at both directions.
    fn view<T>(&mut self, look: impl FnOnce(&mut Model, &View<'_>) -> T) -> T {
        let net = self.net.borrow();
        look(&mut self.model, &View { out: &net.pipes[self.who], inn: &net.pipes[1 - self.who] })
    }

    /// Polls a task once.
    pub fn poll(&mut self, lane: usize) -> Verdict {
        let here = &mut self.lanes[lane];
        here.runnable = false;
        let op = match here.current.take() {
            Some(op) => op,
            None => {
                let Some(op) = here.ops.pop_front() else { return Ok(()) };
                here.polls = 0;
                op
            }
        };
        if here.polls == 0 || (here.bytes ^ u64::from(here.polls)).is_multiple_of(5) {
            // Now and then, what was pending is offered with other bytes.
            self.serial += 1;
            here.bytes = self.serial << 8 | self.who as u64;
        }
        here.polls += 1;
        self.net.borrow_mut().start_poll(self.who);
        self.log(|_| format!("polls {op:?}"));
        let knew = self.view(|model, view| model.end_is_known(view));
        let step = self.step(lane, &op)?;
        let read = matches!(op, Op::Look(_) | Op::Read(1..) | Op::ReadToEnd(_)) || is_closing(&op);
        self.observe(read)?;
        if !knew && self.view(|model, view| model.end_is_known(view)) {
            self.check_writer(lane)?;
        }
        let goes_on = matches!(op, Op::ReadToEnd(_)) && self.model.read_end.is_none();
        let here = &mut self.lanes[lane];
        match step {
            Step::Pending => here.current = Some(op),
            Step::Ready if goes_on => {
                here.current = Some(op);
                here.runnable = true;
            }
            Step::Ready => here.runnable = true,
        }
        Ok(())
    }

    /// This task has met the end of the reading: a writer that waits must look again.
    fn check_writer(&mut self, lane: usize) -> Verdict {
        self.wake();
        for (_, other) in self.lanes.iter().enumerate().filter(|(i, _)| *i != lane) {
            let writes = matches!(other.current, Some(Op::Write(_) | Op::Flush | Op::Shutdown));
            ensure("4.3 the end of the reading wakes a waiting writer", !writes || other.runnable, || {
                format!("{:?}", other.current)
            })?;
        }
        Ok(())
    }

    /// What is on the wires now.
    fn observe(&mut self, read: bool) -> Verdict {
        let peer_close = self.home.borrow().as_ref().map(|stream| stream.peer_close().map(close_of));
        self.view(|model, view| {
            model.note(view);
            model.observe(view, peer_close, read)
        })
    }

    fn step(&mut self, lane: usize, op: &Op) -> Result<Step, Failure> {
        match op {
            Op::Read(room) | Op::ReadToEnd(room) => self.read(lane, *room),
            Op::Look(most) => self.look(lane, *most),
            Op::Write(lengths) => self.write(lane, lengths),
            Op::Invalid if !self.programme.setup.text => Ok(Step::Ready),
            Op::Invalid => {
                let polled = self.with(lane, |stream, cx| stream.poll_write(cx, b"\xff"));
                self.show(&polled);
                self.view(|model, view| model.after_invalid(&polled, view))?;
                Ok(Step::from(&polled))
            }
            Op::Flush => self.flush(lane).map(|polled| Step::from(&polled)),
            Op::Shutdown => {
                self.view(|model, view| model.begin(None, view));
                let polled = self.with(lane, |stream, cx| stream.poll_shutdown(cx));
                self.show(&polled);
                self.failures += u32::from(matches!(polled, Poll::Ready(Err(_))));
                self.view(|model, view| model.after_shutdown(&polled, view))?;
                Ok(Step::from(&polled))
            }
            Op::Close(code, reason, most) => self.close(lane, *code, reason, *most, is_closing(op)),
            Op::Apart => {
                self.rebuild(lane, |stream, _| Stream::from_parts(stream.into_parts()));
                Ok(Step::Ready)
            }
            Op::Inner => self.inner(lane),
            Op::Drop => self.leave(),
        }
    }

    fn leave(&mut self) -> Result<Step, Failure> {
        self.lanes.iter_mut().for_each(|lane| {
            lane.cancel();
            lane.ops.clear();
        });
        self.drop_stream()?;
        Ok(Step::Ready)
    }

    /// Drops the stream, if it is still there.
    pub fn drop_stream(&mut self) -> Verdict {
        let Some(stream) = self.home.borrow_mut().take() else { return Ok(()) };
        self.net.borrow_mut().start_poll(self.who);
        self.log(|_| "drops the stream".into());
        let (answers, before) = self.view(|model, view| (model.before_drop(view), view.out.sent.bytes));
        drop(stream);
        self.view(|model, view| model.after_drop(answers, before, view))
    }
}

/// A `close` that does what it is asked for.
fn is_closing(op: &Op) -> bool {
    matches!(op, Op::Close(code, reason, _) if may_be_sent(*code) && reason.len() <= 123)
}

fn close_of(frame: &fastwebsockets_stream::CloseFrame) -> Close {
    (frame.code.map(u16::from), frame.reason.clone())
}
