//! What happens in a run, drawn from its seed: who the ends are, what they do, and in which order.

use std::io::ErrorKind;

use fastwebsockets_stream::{Config, PayloadType};

use super::dice::Dice;
use super::net::{Fate, Traits};
use super::raw::Script;

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// The first is the client.
    pub ends: [Party; 2],
    pub traits: [Traits; 2],
    pub windows: [usize; 2],
    pub events: Vec<Event>,
    pub mood: Mood,
    /// The transport tells the far end too that a direction has died.
    pub tells: bool,
    pub resets: bool,
}

/// What kind of run it is.
#[derive(Clone, Copy, Debug)]
pub struct Mood {
    /// Some lengths are beyond every buffer.
    pub large: bool,
    /// Timers run; else no stream has one.
    pub clock: bool,
    /// A reader and a writer have much to do at a transport that stops and goes on, and nothing dies.
    pub busy: bool,
}

#[derive(Clone, Debug)]
pub enum Party {
    Stream(Programme),
    Raw(Script),
}

/// What a user does with a stream.
#[derive(Clone, Debug)]
pub struct Programme {
    pub setup: Setup,
    pub lanes: Lanes,
    /// Of the only task or the writing one, and of the reading one.
    pub ops: [Vec<Op>; 2],
    pub finish: Finish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// One task that does one thing after the other.
    One,
    /// One task that reads and writes at the same time.
    Joined,
    /// A reader and a writer.
    Two,
}

#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub text: bool,
    pub max_frame_len: Option<usize>,
    pub write_buffer: usize,
    pub half_close: bool,
    pub abnormal_is_error: bool,
    pub keep_alive: bool,
    pub limit: bool,
}

#[derive(Clone, Debug)]
pub enum Op {
    Read(usize),
    /// `poll_fill_buf`, and so much of it consumed.
    Look(usize),
    /// Slices of these lengths; one alone is an ordinary write.
    Write(Vec<usize>),
    /// On a Text stream, a write that is no text.
    Invalid,
    Flush,
    Shutdown,
    /// Polled at most so often, then dropped.
    Close(u16, String, u32),
    /// Taken apart and put together.
    Apart,
    /// Back to a `WebSocket`, and a stream made of that.
    Inner,
    ReadToEnd(usize),
    Drop,
}

/// How a programme ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    ShutdownThenRead,
    ReadThenShutdown,
    ReadThenDrop,
    Close,
    Drop,
}

#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// Polls one of the tasks that have been woken.
    Run(usize),
    /// Polls a task that has not been.
    Spurious(usize),
    /// Drops what a task waits for.
    Cancel(usize),
    Window(usize, usize),
    Deliver(usize, usize),
    BlockFlush(usize, bool),
    BlockShutdown(usize, bool),
    /// What a direction owes: wake-ups, news.
    Due(usize),
    Kill(usize, Fate),
    /// A raw end sends so much.
    Raw(usize),
    /// Milliseconds pass.
    Advance(u64),
    /// Everything opens for a moment: what could go on must go on.
    Settle,
}

impl Setup {
    fn draw(dice: &mut Dice, text: bool, clock: bool) -> Self {
        Setup {
            text,
            max_frame_len: dice.one_in(3).then(|| 1 + dice.below(40)),
            write_buffer: if dice.one_in(3) { 1 + dice.below(200) } else { 0 },
            half_close: !dice.one_in(3),
            abnormal_is_error: !dice.one_in(3),
            keep_alive: clock && !dice.one_in(3),
            limit: clock && dice.one_in(2),
        }
    }

    pub fn config(&self) -> Config {
        use std::time::Duration;
        let config = Config::new(if self.text { PayloadType::Text } else { PayloadType::Binary })
            .max_frame_len(self.max_frame_len)
            .write_buffer(self.write_buffer)
            .half_close(self.half_close)
            .abnormal_close_is_error(self.abnormal_is_error)
            .close_timeout(if self.limit { Duration::from_secs(10) } else { Duration::MAX });
        if self.keep_alive { config.keep_alive(Duration::from_secs(5)) } else { config }
    }
}

impl Programme {
    fn draw(dice: &mut Dice, text: bool, mood: Mood) -> Self {
        let (setup, large) = (Setup::draw(dice, text, mood.clock), mood.large);
        let lanes = dice.pick(&[Lanes::One, Lanes::One, Lanes::Two, Lanes::Joined]);
        let lanes = if mood.busy { Lanes::Two } else { lanes };
        let mut ops = [Vec::new(), Vec::new()];
        for _ in 0..dice.below(if mood.busy { 30 } else { 14 }) {
            match lanes {
                Lanes::One if dice.one_in(2) => ops[0].push(Op::reading(dice, large)),
                Lanes::One => ops[0].push(Op::writing(dice, large)),
                _ => {
                    ops[0].push(Op::writing(dice, large));
                    ops[1].push(Op::reading(dice, large));
                }
            }
        }
        use Finish::{Close, Drop, ReadThenDrop, ReadThenShutdown, ShutdownThenRead};
        let finish = dice.pick(&[
            ShutdownThenRead,
            ShutdownThenRead,
            ReadThenShutdown,
            ReadThenDrop,
            Close,
            Close,
            Drop,
        ]);
        Programme { setup, lanes, ops, finish }
    }
}

impl Op {
    fn reading(dice: &mut Dice, large: bool) -> Self {
        match dice.below(8) {
            0 => Op::Look(if dice.one_in(4) { 0 } else { dice.length(large) }),
            1 => Op::Read(4096 + dice.length(large)),
            2 if dice.one_in(4) => Op::Read(0),
            _ => Op::Read(1 + dice.length(large)),
        }
    }

    fn writing(dice: &mut Dice, large: bool) -> Self {
        match dice.below(48) {
            0..=6 => Op::Write((0..dice.below(5)).map(|_| dice.length(large)).collect()),
            7..=13 => Op::Flush,
            14 => Op::Shutdown,
            15 | 16 => {
                let code = dice.pick(&[1000, 1000, 1001, 1008, 1011, 3000, 4000, 1005, 999]);
                let reason = match dice.below(12) {
                    0 => "x".repeat(124),
                    1..=4 => "bye".to_owned(),
                    _ => String::new(),
                };
                Op::Close(code, reason, dice.below(5) as u32)
            }
            17 | 18 => Op::Apart,
            19 => Op::Inner,
            20 if dice.one_in(3) => Op::Drop,
            21 => Op::Invalid,
            _ => Op::Write(vec![dice.length(large)]),
        }
    }
}

impl Plan {
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let dice = &mut dice;
        let mood = Mood { large: dice.one_in(24), clock: dice.one_in(4), busy: dice.one_in(4) };
        let (large, text) = (mood.large, dice.one_in(3));
        let raw = if mood.busy || dice.one_in(2) { dice.below(2) } else { 2 };
        let mut party = |end: usize| {
            let text = text != dice.one_in(60);
            if end == raw {
                return Party::Raw(Script::draw(dice, end == 0, text, mood));
            }
            Party::Stream(Programme::draw(dice, text, mood))
        };
        let mut ends = [party(0), party(1)];
        if let [Party::Stream(one), Party::Stream(two)] = &mut ends {
            let waits =
                |end: &Programme| matches!(end.finish, Finish::ReadThenShutdown | Finish::ReadThenDrop);
            // Each would wait for the other.
            if waits(one) && waits(two) {
                two.finish = Finish::ShutdownThenRead;
            }
        }
        let mut traits = || Traits {
            buffered: dice.one_in(3).then(|| 1 + dice.below(if large { 9000 } else { 90 })),
            vectored: dice.one_in(2),
            hesitant: if dice.one_in(3) { 2 + dice.below(6) } else { 0 },
            nibbles: dice.one_in(2),
        };
        let traits = [traits(), traits()];
        let windows = [0, 1].map(|_| Event::window(dice, large));
        let mut events: Vec<Event> = Vec::new();
        for _ in 0..20 + dice.below(100) {
            events.push(Event::draw(dice, mood));
        }
        if !mood.busy && dice.one_in(2) {
            for _ in 0..1 + dice.below(2) {
                let at = dice.below(events.len());
                events.insert(at, Event::Kill(dice.below(2), Event::fate(dice)));
            }
        }
        Plan { seed, ends, traits, windows, events, mood, tells: dice.one_in(3), resets: dice.one_in(3) }
    }
}

impl Event {
    fn window(dice: &mut Dice, large: bool) -> usize {
        match dice.below(5) {
            0 => 0,
            1 => usize::MAX,
            2 => dice.length(large),
            _ => 1 + dice.below(20),
        }
    }

    fn fate(dice: &mut Dice) -> Fate {
        use ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, Other, PermissionDenied};
        let kind = dice.pick(&[BrokenPipe, ConnectionReset, NotConnected, Other, PermissionDenied]);
        match dice.below(9) {
            0..=2 => Fate::Write(kind),
            3 => Fate::WriteZero,
            4 => Fate::Flush(kind),
            5 => Fate::Shutdown(kind),
            6 => Fate::Read(kind),
            7 => Fate::Reset(kind),
            _ => Fate::Eof,
        }
    }

    fn draw(dice: &mut Dice, Mood { large, clock, busy }: Mood) -> Self {
        let kind = if busy && dice.one_in(4) { 18 + dice.below(20) } else { dice.below(64) };
        match kind {
            0..=9 => Event::Window(dice.below(2), Event::window(dice, large)),
            10..=19 => Event::Deliver(dice.below(2), dice.pick(&[1, 2, 3, 7, 20, usize::MAX])),
            20..=22 => Event::BlockFlush(dice.below(2), dice.one_in(2)),
            23 => Event::BlockShutdown(dice.below(2), dice.one_in(2)),
            24..=26 => Event::Due(dice.below(2)),
            27 | 28 => Event::Cancel(dice.below(4)),
            29 => Event::Spurious(dice.below(4)),
            30 | 31 => Event::Settle,
            32 if clock => Event::Advance(dice.pick(&[1000, 4999, 5001, 10_001])),
            33..=37 => Event::Raw(1 + dice.length(large)),
            _ => Event::Run(dice.below(4)),
        }
    }
}
