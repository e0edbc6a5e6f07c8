//! A run: two ends, what is between them, and whoever decides what happens next.

mod ending;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::MAX_POLLS;
use super::end::End;
use super::model::{Failure, Verdict, View, ensure};
use super::net::{Net, Pipe};
use super::plan::{Event, Lanes, Party, Plan};
use super::raw::Raw;
use super::tap::Tap;
use ending::{again, check_rest, start_to_end};

pub struct Outcome {
    pub failure: Option<Failure>,
    pub trace: Vec<String>,
}

struct World<'a> {
    plan: &'a Plan,
    net: Rc<RefCell<Net>>,
    ends: Vec<End>,
    raw: Option<Raw>,
    clock: Option<Runtime>,
}

/// Runs a plan to its end, or to the first failure.
pub fn run(plan: &Plan, trace: bool) -> Outcome {
    let clock = plan.mood.clock.then(|| {
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
    });
    let handle = clock.as_ref().map(|clock| clock.handle().clone());
    let _guard = handle.as_ref().map(|handle| handle.enter());
    let mut world = World::new(plan, clock, trace);
    let verdict = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run()));
    let failure = verdict.map_or_else(
        |panic| {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            Some(Failure { rule: "2.6 nothing panics", text })
        },
        Result::err,
    );
    let trace = world.net.borrow_mut().trace.take().unwrap_or_default();
    Outcome { failure, trace }
}

fn is_text(party: &Party, other: &Party) -> bool {
    match (party, other) {
        (Party::Stream(programme), _) | (_, Party::Stream(programme)) => programme.setup.text,
        _ => false,
    }
}

impl<'a> World<'a> {
    fn new(plan: &'a Plan, clock: Option<Runtime>, trace: bool) -> Self {
        let pipe = |end: usize| {
            let (from, to) = (&plan.ends[end], &plan.ends[1 - end]);
            let sent = Tap::of_sender(end == 0, is_text(from, to));
            let got = Tap::of_receiver(end == 0, is_text(to, from));
            Pipe::new(plan.traits[end].clone(), plan.windows[end], sent, got)
        };
        let net = Rc::new(RefCell::new(Net::new([pipe(0), pipe(1)], plan.seed, plan.resets, trace)));
        let (mut ends, mut raw) = (Vec::new(), None);
        for (who, party) in plan.ends.iter().enumerate() {
            match party {
                Party::Stream(programme) => ends.push(End::new(who, programme, &net)),
                Party::Raw(script) => raw = Some(Raw::new(script.clone(), who)),
            }
        }
        World { plan, net, ends, raw, clock }
    }

    fn run(&mut self) -> Verdict {
        for event in &self.plan.events {
            self.apply(*event)?;
        }
        self.net.borrow_mut().log(|| "everything opens, and everybody ends".into());
        self.open();
        self.ends.iter_mut().for_each(start_to_end);
        self.drive(true)?;
        self.check_end()?;
        self.ends.iter_mut().try_for_each(End::drop_stream)
    }

    fn apply(&mut self, event: Event) -> Verdict {
        let is_mute = matches!(event, Event::Run(_) | Event::Raw(_));
        if !is_mute {
            self.net.borrow_mut().log(|| format!("{event:?}").replace(&usize::MAX.to_string(), "any"));
        }
        match event {
            Event::Run(n) => {
                let lanes = self.lanes(|end, lane| end.can_run(lane, true));
                return if lanes.is_empty() { Ok(()) } else { self.poll(lanes[n % lanes.len()]) };
            }
            Event::Spurious(n) => {
                let lanes = self.lanes(|end, lane| {
                    let here = &end.lanes[lane];
                    here.current.is_some() && (here.closing.is_some() || !end.is_lent())
                });
                return if lanes.is_empty() { Ok(()) } else { self.poll(lanes[n % lanes.len()]) };
            }
            Event::Cancel(n) => {
                let lanes = self.lanes(|end, lane| end.lanes[lane].current.is_some());
                if let Some(&(end, lane)) = lanes.get(n % lanes.len().max(1)) {
                    self.ends[end].cancel(lane);
                    if n % 2 == 0 && self.ends[end].programme.lanes == Lanes::Two {
                        self.ends[end].lanes[lane].move_on();
                    }
                }
            }
            Event::Settle => return self.settle(),
            Event::Advance(ms) => self.advance(Duration::from_millis(ms)),
            Event::Raw(n) => {
                if let Some(raw) = &mut self.raw {
                    raw.send(&mut self.net.borrow_mut(), n);
                }
            }
            Event::Window(pipe, n) => {
                let pipe = &mut self.net.borrow_mut().pipes[pipe];
                pipe.window = n;
                pipe.wake_writer();
            }
            Event::Deliver(pipe, n) => self.net.borrow_mut().pipes[pipe].deliver(n),
            Event::BlockFlush(pipe, blocked) => {
                let pipe = &mut self.net.borrow_mut().pipes[pipe];
                pipe.flush_blocked = blocked;
                pipe.wake_writer();
            }
            Event::BlockShutdown(pipe, blocked) => {
                let pipe = &mut self.net.borrow_mut().pipes[pipe];
                pipe.shut_blocked = blocked;
                pipe.wake_writer();
            }
            Event::Due(pipe) => {
                self.net.borrow_mut().pipes[pipe].settle();
            }
            Event::Kill(pipe, fate) => self.net.borrow_mut().pipes[pipe].kill(fate),
        }
        Ok(())
    }

    /// The tasks of which this is true, by end and lane.
    fn lanes(&mut self, is_wanted: impl Fn(&End, usize) -> bool) -> Vec<(usize, usize)> {
        let mut lanes = Vec::new();
        for (i, end) in self.ends.iter_mut().enumerate() {
            end.wake();
            lanes.extend((0..end.lanes.len()).filter(|lane| is_wanted(end, *lane)).map(|lane| (i, lane)));
        }
        lanes
    }

    fn poll(&mut self, (end, lane): (usize, usize)) -> Verdict {
        self.ends[end].poll(lane)
    }

    fn advance(&mut self, by: Duration) {
        if let Some(clock) = &self.clock {
            clock.block_on(tokio::time::advance(by));
            self.ends.iter_mut().for_each(|end| end.model.passed += by);
        }
    }

    /// The transport takes everything.
    fn open(&mut self) {
        for pipe in &mut self.net.borrow_mut().pipes {
            (pipe.window, pipe.flush_blocked, pipe.shut_blocked) = (usize::MAX, false, false);
            pipe.wake_writer();
        }
    }

    /// Polls whoever has been woken until nobody is: at the end with all that they still have to do.
    fn drive(&mut self, ends: bool) -> Verdict {
        let mut ticks = 0;
        for turn in 0.. {
            ensure("2.12 nobody is woken for ever", turn < MAX_POLLS, String::new)?;
            let lanes = self.lanes(|end, lane| end.can_run(lane, ends));
            if !lanes.is_empty() {
                let (end, lane) = lanes[turn % lanes.len()];
                self.poll((end, lane))?;
                if ends {
                    again(&mut self.ends[end]);
                }
                continue;
            }
            if self.settle_net(ends) {
                continue;
            }
            // Time is of use only with a peer that says nothing.
            let waits = self.ends.iter().any(|end| end.lanes.iter().any(|lane| !lane.is_done()));
            if ends && waits && self.raw.as_ref().is_some_and(Raw::is_silent) && ticks < 60 {
                ticks += 1;
                self.advance(Duration::from_secs(1));
                continue;
            }
            break;
        }
        Ok(())
    }

    /// What happens by itself while nobody runs; false if nothing does.
    fn settle_net(&mut self, ends: bool) -> bool {
        let mut net = self.net.borrow_mut();
        let mut happens = false;
        for pipe in &mut net.pipes {
            if ends && self.plan.tells {
                pipe.tell_reader();
            }
            happens |= pipe.settle();
        }
        if let Some(raw) = &mut self.raw {
            raw.take(&mut net);
            happens |= ends && raw.finish(&mut net);
        }
        happens
    }

    /// Everything opens: what has been started goes on as far as it can, and what waits then waits for the peer.
    fn settle(&mut self) -> Verdict {
        let closed = {
            let net = self.net.borrow();
            [0, 1].map(|i| (net.pipes[i].window, net.pipes[i].flush_blocked, net.pipes[i].shut_blocked))
        };
        self.open();
        self.drive(false)?;
        for end in &self.ends {
            let net = self.net.borrow();
            check_rest(end, &View { out: &net.pipes[end.who], inn: &net.pipes[1 - end.who] })?;
        }
        for (pipe, before) in self.net.borrow_mut().pipes.iter_mut().zip(closed) {
            (pipe.window, pipe.flush_blocked, pipe.shut_blocked) = before;
        }
        Ok(())
    }

    fn check_end(&self) -> Verdict {
        for end in &self.ends {
            for lane in end.lanes.iter().filter(|lane| !lane.is_done()) {
                let silent = self.raw.as_ref().is_some_and(Raw::is_silent);
                let timed = end.programme.setup.keep_alive && !end.model.began;
                let timed = timed || (end.programme.setup.limit && lane.closing.is_some());
                ensure("4.3 nobody waits for ever", silent && !timed, || {
                    format!("{} waits in {:?}, then {:?}", end.who, lane.current, lane.ops)
                })?;
            }
        }
        if let [one, two] = &self.ends[..] {
            for (reader, writer) in [(&one.model, &two.model), (&two.model, &one.model)] {
                let same = one.programme.setup.text == two.programme.setup.text;
                let is_prefix = !same || writer.accepted.starts_with(&reader.delivered);
                ensure("2.1 reads give what writes took", is_prefix, String::new)?;
                let whole = writer.accepted.len() - writer.tail.len();
                let all = reader.delivered.len() >= whole;
                let clean = reader.read_end == Some(Ok(())) && !reader.discarding;
                ensure("2.5 a clean end comes after everything", !clean || all, || {
                    format!("{} of {whole} bytes were delivered", reader.delivered.len())
                })?;
            }
        }
        Ok(())
    }
}
