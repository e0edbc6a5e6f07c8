//! Every order of a few events, with no transport and no task: what none of them may break.

use std::io;
use std::time::{Duration, Instant};

use super::*;
use crate::frame::header::{self, Masking};
use crate::frame::{Header, mask};
use crate::protocol::Region;
use crate::protocol::encoder::{rest_of_frame, write_frame};
use crate::{OpCode, PayloadType};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// From the peer.
    Data,
    Ping,
    Finished,
    Refused,
    Violation,
    TransportEnds,
    TransportFails,
    /// By the program.
    Write,
    /// Of which the transport takes a byte.
    WriteInPart,
    ShutDown,
    Close,
    Read,
    /// By the transport's write side.
    TakesAll,
    TakesNothing,
    Fails,
    /// By the clock, while a read and a write wait.
    TimePasses,
}

use Event::*;

const ALL: [Event; 16] = [
    Data,
    Ping,
    Finished,
    Refused,
    Violation,
    TransportEnds,
    TransportFails,
    Write,
    WriteInPart,
    ShutDown,
    Close,
    Read,
    TakesAll,
    TakesNothing,
    Fails,
    TimePasses,
];

const INTERVAL: Duration = Duration::from_secs(10);

/// A connection, and what has become of it.
struct World {
    connection: Connection,
    /// What the transport has taken.
    wire: Vec<u8>,
    accepted: Vec<u8>,
    now: Instant,
    /// How the first read that found nothing left ended, by its kind.
    told: Option<Result<(), io::ErrorKind>>,
    writing_has_failed: bool,
}

impl World {
    fn new(role: Role, half_close: bool, now: Instant) -> Self {
        let config = Config::new(PayloadType::Binary)
            .half_close(half_close)
            .keep_alive(INTERVAL)
            .stall_timeout(4 * INTERVAL);
        World {
            connection: Connection::new(role, config),
            wire: Vec::new(),
            accepted: Vec::new(),
            now,
            told: None,
            writing_has_failed: false,
        }
    }

    fn receive(&mut self, opcode: OpCode, payload: &[u8]) {
        if !self.connection.is_reading() {
            return;
        }
        let key = (self.connection.role() == Role::Server).then(crate::frame::Key::default);
        let mut bytes = vec![0; header::MAX_LEN + payload.len()];
        let header = Header { fin: true, opcode, key, length: payload.len() as u64 };
        let n = write_frame(&header, payload, payload.len(), &mut bytes);
        let mut region = Region::new(&mut bytes[..n]);
        self.connection.heard();
        while self.connection.receive(&mut region) == Received::Part {}
    }

    fn write(&mut self, whole: bool) {
        let byte = [u8::try_from(self.accepted.len()).expect("a short test")];
        if self.connection.admit_write().is_err() || !self.connection.has_room() {
            return;
        }
        let header = self.connection.data_header(1);
        let mut frame = [0; header::MAX_LEN + 1];
        let end = write_frame(&header, &byte[..], 1, &mut frame);
        let taken = if whole { end } else { 1 };
        self.connection.took_frame(Ok(taken), end).expect("the transport has taken it");
        self.wire.extend_from_slice(&frame[..taken]);
        if !whole {
            let (rest, length) = rest_of_frame(&header, &frame[taken..end], &byte[..], 1);
            self.connection.keep(rest, length);
        }
        self.accepted.extend_from_slice(&byte);
    }

    /// The transport does all that it is asked for.
    fn transmit_all(&mut self) {
        for _ in 0..4 {
            match self.connection.transmit(self.connection.is_closed_both_ways()) {
                Transmit::Send => {
                    let bytes = self.connection.waiting().expect("there is something to send").to_vec();
                    self.wire.extend_from_slice(&bytes);
                    self.connection.took(Ok(bytes.len()), bytes.len()).expect("it was taken");
                }
                Transmit::Flush => self.connection.flushed(Ok(())).expect("it was flushed"),
                Transmit::Shut => self.connection.shut(Ok(()), false).expect("it was shut down"),
                Transmit::Nothing => break,
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Data => self.receive(OpCode::Binary, b"d"),
            Ping => self.receive(OpCode::Ping, b"p"),
            Finished => self.receive(OpCode::Close, &[0x03, 0xe8]),
            Refused => self.receive(OpCode::Close, &[0x03, 0xf3]),
            Violation => self.receive(OpCode::Continuation, b""),
            TransportEnds if self.connection.is_reading() => self.connection.receive_end(),
            TransportFails if self.connection.is_reading() => {
                self.connection.fail_receiving(io::ErrorKind::ConnectionReset.into());
            }
            TransportEnds | TransportFails => {}
            Write => self.write(true),
            WriteInPart => self.write(false),
            ShutDown => self.connection.shut_down(),
            Close => self.connection.close(1001_u16.into(), "bye").expect("it may be sent"),
            Read => self.read(),
            TakesAll => self.transmit_all(),
            TakesNothing => {
                if self.connection.waiting().is_some() {
                    let _ = self.connection.block();
                }
            }
            Fails => match self.connection.transmit(false) {
                Transmit::Send => {
                    let error = io::ErrorKind::BrokenPipe.into();
                    self.connection.took(Err(error), 1).expect_err("it has failed");
                    self.writing_has_failed = true;
                }
                Transmit::Flush => {
                    self.connection
                        .flushed(Err(io::ErrorKind::BrokenPipe.into()))
                        .expect_err("it has failed");
                    self.writing_has_failed = true;
                }
                Transmit::Shut | Transmit::Nothing => {}
            },
            TimePasses => self.wait(),
        }
    }

    /// Both directions wait for as long as keep-alive does.
    fn wait(&mut self) {
        self.now += INTERVAL;
        if self.connection.is_reading() && self.connection.watches_silence() {
            self.connection.silence(self.now);
            self.connection.pushed(self.now);
        }
        if !self.connection.has_sent_all()
            && matches!(self.connection.call_waits(|| self.now), Stalled::Now(_))
        {
            self.writing_has_failed = true;
        }
    }

    fn read(&mut self) {
        if self.connection.is_reading() {
            return;
        }
        let told = self.connection.tell_end().map_err(|error| error.kind());
        assert_eq!(told, *self.told.get_or_insert(told), "the end is told in one way");
    }

    fn check(&mut self) {
        let (data, closes, whole) = self.frames();
        assert!(self.accepted.starts_with(&data), "the wire has {data:?} of {:?}", self.accepted);
        assert!(closes <= 1, "{closes} Closes");
        if self.writing_has_failed {
            assert_eq!(self.connection.waiting(), None, "nothing is offered to a transport that has failed");
        } else if whole && self.connection.has_sent_all() {
            assert_eq!(data, self.accepted, "all that was accepted has left");
        }
        let refuses = self.connection.admit_write().is_err();
        if closes > 0 || self.connection.end.ends_writes() || self.writing_has_failed {
            assert!(refuses, "a write would be accepted");
        }
    }

    /// All that is owed leaves, and then nothing is left to do.
    fn settle(&mut self) {
        self.transmit_all();
        self.check();
        assert!(!self.connection.must_transmit() || self.writing_has_failed, "something waits for ever");
        let (data, closes, whole) = self.frames();
        if self.writing_has_failed {
            return;
        }
        assert!(whole, "a frame is torn");
        assert_eq!(data, self.accepted);
        let must_have_closed = self.connection.closing.has_sent();
        assert_eq!(closes == 1, must_have_closed, "a Close is sent where it counts as sent");
        let answers = self.connection.is_closed() && !self.connection.waits_to_answer();
        assert!(must_have_closed || !answers, "the peer's Close is answered");
        if self.connection.is_closed_both_ways() {
            assert!(self.connection.is_shut(), "the transport is shut down after both Closes");
        }
    }

    /// The payload on the wire, the number of Closes, and whether it ends with a frame. After a Close there is no data.
    fn frames(&self) -> (Vec<u8>, usize, bool) {
        let masking =
            if self.connection.role() == Role::Client { Masking::Required } else { Masking::Forbidden };
        let (mut at, mut data, mut closes) = (0, Vec::new(), 0);
        while let Some((header, n)) =
            Header::parse(&self.wire[at..], masking, |_| Ok(())).expect("a legal header")
        {
            let length = usize::try_from(header.length).expect("a short frame");
            let Some(payload) = self.wire[at + n..].get(..length) else { return (data, closes, false) };
            let mut payload = payload.to_vec();
            mask::shift(&mut payload, 0, 0, length, header.key.unwrap_or_default());
            match header.opcode {
                OpCode::Close => closes += 1,
                OpCode::Binary => {
                    assert_eq!(closes, 0, "data follows a Close");
                    data.extend(payload);
                }
                _ => {}
            }
            at += n + length;
        }
        (data, closes, at == self.wire.len())
    }
}

/// Has every sequence of `length` events happen, and returns how many there were.
fn every_order(events: &[Event], length: u32) -> usize {
    let now = Instant::now();
    let mut count = 0;
    for role in [Role::Client, Role::Server] {
        for half_close in [true, false] {
            for order in 0..events.len().pow(length) {
                let happened = |at: u32| events[order / events.len().pow(at) % events.len()];
                let run = std::panic::catch_unwind(|| {
                    let mut world = World::new(role, half_close, now);
                    for at in 0..length {
                        world.happen(happened(at));
                        world.check();
                    }
                    world.settle();
                    world.read();
                    world.read();
                });
                let order = || (0..length).map(happened).collect::<Vec<_>>();
                assert!(run.is_ok(), "{role:?}, half_close {half_close}: {:?}", order());
                count += 1;
            }
        }
    }
    count
}

#[test]
fn no_order_of_four_events_tears_a_frame_or_loses_a_byte_or_a_close() {
    assert_eq!(every_order(&ALL, 4), 4 * 16_usize.pow(4));
}

#[test]
fn no_order_of_six_events_of_the_closing_handshake_sends_two_closes_or_none() {
    let events = [Finished, Write, WriteInPart, ShutDown, TakesAll, TakesNothing, Ping];
    assert_eq!(every_order(&events, 6), 4 * 7_usize.pow(6));
}
