//! What a scenario consists of: tasks, what the peer and the network do, and how much may be cancelled.

use fastwebsockets_stream::{Config, PayloadType, Role};

use crate::ends::{Form, Op};
use crate::transport::InputEnd;
use crate::wire;

/// One thing that the peer or the network does.
#[derive(Clone, Debug)]
pub enum Event {
    Feed(Feed),
    /// The input ends, behind all that has come.
    End(InputEnd),
    /// So many bytes more are taken.
    Room(usize),
    /// Any number is.
    Open,
    WriteFails(std::io::ErrorKind),
    FlushGoes,
    ShutdownGoes,
}

/// Bytes of the wire, and what they mean.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    pub bytes: Vec<u8>,
    pub payload: Vec<u8>,
    /// The payload of the Ping that is whole with these.
    pub ping: Option<Vec<u8>>,
    /// It is a Close: whether it has to be answered at once.
    pub close: Option<Close>,
    pub is_illegal: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close(pub Option<u16>);

/// A task: one lane, or several that are polled together, each time in this order.
#[derive(Clone, Debug)]
pub struct Task(pub Vec<Vec<Op>>);

#[derive(Clone, Debug)]
pub struct Scenario {
    pub role: Role,
    pub config: Config,
    pub form: Form,
    pub tasks: Vec<Task>,
    /// Each list happens in its order; between lists any order is possible.
    pub environment: Vec<Vec<Event>>,
    pub room: usize,
    pub read_chunk: usize,
    pub flush_blocked: bool,
    pub shut_blocked: bool,
    /// So many calls that wait may be dropped; what comes next has a new waker.
    pub cancels: usize,
    /// So many polls of a task that was not woken, from another task: the old waker wakes nobody.
    pub moves: usize,
    /// Frames are gathered: a reader that is parked need not send them.
    pub gathers: bool,
}

impl Scenario {
    pub fn new(role: Role) -> Self {
        Scenario {
            role,
            config: Config::new(PayloadType::Binary).close_timeout(std::time::Duration::MAX),
            form: Form::Whole,
            tasks: Vec::new(),
            environment: Vec::new(),
            room: usize::MAX,
            read_chunk: usize::MAX,
            flush_blocked: false,
            shut_blocked: false,
            cancels: 0,
            moves: 0,
            gathers: false,
        }
    }

    pub fn config(mut self, change: impl FnOnce(Config) -> Config) -> Self {
        self.config = change(self.config);
        self
    }

    pub fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    pub fn task(mut self, ops: &[Op]) -> Self {
        self.tasks.push(Task(vec![ops.to_vec()]));
        self
    }

    /// One task that polls both.
    pub fn joined(mut self, first: &[Op], second: &[Op]) -> Self {
        self.tasks.push(Task(vec![first.to_vec(), second.to_vec()]));
        self
    }

    pub fn environment(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        self.environment.push(events.into_iter().collect());
        self
    }

    pub fn room(mut self, room: usize) -> Self {
        self.room = room;
        self
    }

    pub fn read_chunk(mut self, most: usize) -> Self {
        self.read_chunk = most;
        self
    }

    pub fn flush_blocked(mut self) -> Self {
        self.flush_blocked = true;
        self
    }

    pub fn shut_blocked(mut self) -> Self {
        self.shut_blocked = true;
        self
    }

    pub fn cancels(mut self, cancels: usize) -> Self {
        self.cancels = cancels;
        self
    }

    pub fn moves(mut self, moves: usize) -> Self {
        self.moves = moves;
        self
    }

    pub fn gathers(mut self, bytes: usize) -> Self {
        self.gathers = true;
        self.config(|config| config.write_buffer(bytes))
    }

    /// The peer of this end.
    pub fn peer(role: Role) -> Peer {
        Peer(role)
    }
}

/// Writes what the peer sends.
#[derive(Clone, Copy)]
pub struct Peer(Role);

impl Peer {
    pub fn data(self, payload: &[u8]) -> Event {
        Event::Feed(Feed { bytes: wire::data(self.0, payload), payload: payload.to_vec(), ..Feed::default() })
    }

    /// A frame in two parts, cut after so many bytes of its payload; without any, inside the header.
    pub fn data_in_two(self, payload: &[u8], cut: usize) -> [Event; 2] {
        let bytes = wire::data(self.0, payload);
        let at = if cut == 0 { 1 } else { bytes.len() - payload.len() + cut };
        let half = |bytes: &[u8], payload: &[u8]| {
            Event::Feed(Feed { bytes: bytes.to_vec(), payload: payload.to_vec(), ..Feed::default() })
        };
        [half(&bytes[..at], &payload[..cut]), half(&bytes[at..], &payload[cut..])]
    }

    pub fn ping(self, payload: &[u8]) -> Event {
        let bytes = wire::ping(self.0, payload);
        Event::Feed(Feed { bytes, ping: Some(payload.to_vec()), ..Feed::default() })
    }

    /// The first part of a Ping, and the rest.
    pub fn ping_in_two(self, payload: &[u8]) -> [Event; 2] {
        let mut bytes = wire::ping(self.0, payload);
        let rest = bytes.split_off(bytes.len() - 1);
        let ping = Some(payload.to_vec());
        [
            Event::Feed(Feed { bytes, ..Feed::default() }),
            Event::Feed(Feed { bytes: rest, ping, ..Feed::default() }),
        ]
    }

    pub fn close(self, code: Option<u16>) -> Event {
        let bytes = wire::close(self.0, code, "");
        Event::Feed(Feed { bytes, close: Some(Close(code)), ..Feed::default() })
    }

    pub fn violation(self) -> Event {
        Event::Feed(Feed { bytes: vec![0xff, 0xff], is_illegal: true, ..Feed::default() })
    }

    /// So many frames with the same payload.
    pub fn frames(self, payload: &[u8], count: usize) -> Event {
        let bytes = wire::data(self.0, payload).repeat(count);
        Event::Feed(Feed { bytes, payload: payload.repeat(count), ..Feed::default() })
    }
}
