//! One schedule: whatever could happen next is an alternative, until nothing more happens.

use std::collections::VecDeque;

use fastwebsockets_stream::WebSocketStream;

use crate::check;
use crate::ends::{Done, Ends, Op};
use crate::explore::{Choices, Log, Seen};
use crate::scenario::{Close, Event, Scenario};
use crate::tasks::Task;
use crate::transport::{Control, Habits, Way};

/// More polls than this after one event, and somebody spins.
const MAX_POLLS: usize = 40;

/// What can happen next.
#[derive(Clone, Copy, Debug)]
enum Move {
    Poll(usize),
    Happen(usize),
    Wake(Way),
    Cancel(usize, usize),
    /// Polls a task that sleeps, from another task.
    Elsewhere(usize),
    /// The environment falls silent for ever.
    Stop,
}

pub struct World<'a> {
    pub scenario: &'a Scenario,
    pub control: Control,
    pub ends: Ends,
    pub tasks: Vec<Task>,
    environment: Vec<VecDeque<Event>>,
    cancels: usize,
    moves: usize,
    serial: u8,
    polls: usize,
    log: &'a Log,
    pub sent: Sent,
    pub told: Told,
}

/// What the peer and the network have done.
#[derive(Default)]
pub struct Sent {
    pub payload: Vec<u8>,
    pub pings: Vec<Vec<u8>>,
    pub close: Option<Close>,
    pub is_illegal: bool,
    pub has_ended: bool,
    pub write_fails: bool,
}

/// What the tasks were told.
#[derive(Default)]
pub struct Told {
    pub accepted: Vec<u8>,
    pub delivered: Vec<u8>,
    pub read_end: Option<Done>,
    /// This end was asked to end its direction.
    pub ends: bool,
    /// The writing half has gone and leaves to the other one all that waits.
    pub forgot: bool,
    /// What comes is thrown away.
    pub discards: bool,
    pub calls: usize,
    pub failure: Option<String>,
}

/// Runs one schedule.
pub fn run(
    scenario: &Scenario,
    habits: Habits,
    choices: &mut Choices,
    seen: &Seen,
    log: &Log,
) -> Result<(), String> {
    let mut world = World::new(scenario, habits, log);
    while world.step(choices)? {
        if choices.leads_on() && !seen.is_first(world.key()) {
            return Ok(());
        }
    }
    check::check(&mut world)
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, habits: Habits, log: &'a Log) -> Self {
        let (control, link) = Control::new(habits, scenario.room);
        {
            let mut state = control.state();
            state.read_chunk = scenario.read_chunk;
            (state.flush_blocked, state.shut_blocked) = (scenario.flush_blocked, scenario.shut_blocked);
        }
        let stream = WebSocketStream::from_transport(link, scenario.role, [], scenario.config.clone());
        World {
            scenario,
            control,
            ends: Ends::new(stream, scenario.form),
            tasks: scenario.tasks.iter().map(Task::new).collect(),
            environment: scenario.environment.iter().map(|events| events.iter().cloned().collect()).collect(),
            cancels: scenario.cancels,
            moves: scenario.moves,
            serial: 0,
            polls: 0,
            log,
            sent: Sent::default(),
            told: Told::default(),
        }
    }

    /// Whether frames may wait for a flush while the reader sleeps.
    pub fn gathers(&self) -> bool {
        self.scenario.gathers && !self.told.forgot
    }

    /// Whether a task may use the stream, which another one has borrowed while it closes.
    fn is_free(&self, task: usize) -> bool {
        self.tasks[task].is_closing() || !self.ends.is_lent()
    }

    /// The tasks that sleep, in the end or for now.
    pub fn sleepers(&self) -> Vec<usize> {
        let sleeps = |i: &usize| self.tasks[*i].waiting().next().is_some() && !self.tasks[*i].is_woken();
        (0..self.tasks.len()).filter(sleeps).filter(|i| self.is_free(*i)).collect()
    }

    fn alternatives(&self) -> Vec<Move> {
        let tasks = 0..self.tasks.len();
        let runs = |i: &usize| self.tasks[*i].is_woken() && !self.tasks[*i].is_done() && self.is_free(*i);
        let mut moves: Vec<Move> = tasks.clone().filter(runs).map(Move::Poll).collect();
        moves.extend([Way::In, Way::Out].into_iter().filter(|way| self.control.is_due(*way)).map(Move::Wake));
        let all_rest = moves.is_empty();
        let happens = |i: &usize| !self.environment[*i].is_empty();
        moves.extend((0..self.environment.len()).filter(happens).map(Move::Happen));
        if self.cancels > 0 {
            for i in tasks {
                moves.extend(self.tasks[i].waiting().map(|(lane, _)| Move::Cancel(i, lane)));
            }
        }
        if self.moves > 0 {
            moves.extend(self.sleepers().into_iter().map(Move::Elsewhere));
        }
        if all_rest && !moves.is_empty() {
            moves.push(Move::Stop);
        }
        moves
    }

    /// The situation: what the stream has seen, which makes its state, and what is left to happen. Orders of events of which
    /// nobody has seen anything are one order.
    fn key(&self) -> u64 {
        let state = self.control.state();
        let mut key = state.history.clone();
        key.add(&state.wakers());
        key.add(&(self.cancels, self.moves));
        self.environment.iter().for_each(|events| key.add(&events.len()));
        self.tasks.iter().for_each(|task| key.add(&task.situation()));
        key.number()
    }

    /// False if nothing happens any more.
    fn step(&mut self, choices: &mut Choices) -> Result<bool, String> {
        let moves = self.alternatives();
        let Some(next) = moves.get(if moves.is_empty() { 0 } else { choices.pick(moves.len()) }) else {
            return Ok(false);
        };
        self.polls = if matches!(next, Move::Poll(_)) { self.polls } else { 0 };
        match *next {
            Move::Poll(task) => self.poll(task)?,
            Move::Happen(list) => {
                let event = self.environment[list].pop_front().expect("it can happen");
                self.log.line(|| format!("{event:?}"));
                self.happen(event);
            }
            Move::Wake(way) => {
                self.log.line(|| format!("the transport wakes: {way:?}"));
                self.control.wake(way);
            }
            Move::Cancel(task, lane) => {
                self.cancels -= 1;
                let op = self.tasks[task].cancel(lane);
                self.control.state().history.add(&("drops", task, lane));
                self.log.line(|| format!("task {task}: {op:?} is dropped"));
            }
            Move::Elsewhere(task) => {
                self.moves -= 1;
                self.log.line(|| format!("task {task} goes on elsewhere"));
                self.tasks[task].move_on();
                self.control.state().history.add(&("moves", task));
                self.poll(task)?;
            }
            Move::Stop => return Ok(false),
        }
        self.told.failure.take().map_or(Ok(true), Err)
    }

    pub fn poll(&mut self, task: usize) -> Result<(), String> {
        self.polls += 1;
        if self.polls > MAX_POLLS {
            return Err(format!("task {task} is woken for ever"));
        }
        let Self { tasks, ends, serial, told, sent, control, log, .. } = self;
        control.state().history.add(&("polls", task));
        tasks[task].poll(ends, serial, |op, done| {
            log.line(|| format!("task {task}: {op:?} is {}", done.as_ref().map_or("pending".into(), show)));
            told.began(op);
            if let Some(done) = done {
                told.note(op, done, sent, control);
            }
        });
        Ok(())
    }

    fn happen(&mut self, event: Event) {
        let mut state = self.control.state();
        let way = match event {
            Event::Feed(feed) => {
                state.input.extend(feed.bytes);
                self.sent.payload.extend(feed.payload);
                self.sent.pings.extend(feed.ping);
                self.sent.close = self.sent.close.or(feed.close);
                self.sent.is_illegal |= feed.is_illegal;
                Way::In
            }
            Event::End(end) => {
                (state.input_end, self.sent.has_ended) = (Some(end), true);
                Way::In
            }
            Event::Room(room) => {
                state.room = state.room.saturating_add(room);
                Way::Out
            }
            Event::Open => {
                state.room = usize::MAX;
                Way::Out
            }
            Event::WriteFails(kind) => {
                (state.write_fails, self.sent.write_fails) = (Some(kind), true);
                Way::Out
            }
            Event::FlushGoes => {
                state.flush_blocked = false;
                Way::Out
            }
            Event::ShutdownGoes => {
                state.shut_blocked = false;
                Way::Out
            }
        };
        drop(state);
        self.control.ready(way);
    }
}

fn show(done: &Done) -> String {
    format!("ready: {done:?}")
}

impl Told {
    pub fn has_clean_end(&self) -> bool {
        matches!(self.read_end, Some(Done::Read(_)))
    }

    fn began(&mut self, op: Op) {
        self.ends |= matches!(op, Op::Shutdown | Op::Close(_) | Op::DropWriter);
        self.forgot |= op == Op::ForgetWriter;
        self.discards |= matches!(op, Op::Close(_) | Op::DropReader);
    }

    fn note(&mut self, op: Op, done: Done, sent: &Sent, control: &Control) {
        self.calls += 1;
        let verdict = check::result(self, op, &done, sent, control);
        match done {
            Done::Read(ref bytes) if bytes.is_empty() => self.read_end = Some(done),
            Done::Read(bytes) => self.delivered.extend(bytes),
            Done::Wrote(bytes) => self.accepted.extend(bytes),
            Done::Failed(_) if op.reads() => self.read_end = Some(done),
            _ => {}
        }
        if let Err(failure) = verdict {
            self.failure.get_or_insert(failure);
        }
    }
}
