//! An end that is not of this crate: it sends what is written down, cut anywhere, and takes whatever comes.

use super::dice::Dice;
use super::net::Net;
use super::plan::Mood;
use crate::support::wire::{self, BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};

/// What it does when all is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// It sends a Close, if it has sent none, and ends after the other's.
    Polite,
    /// It ends.
    Rude,
    /// Nothing, until the other end has ended.
    Silent,
}

#[derive(Clone, Debug)]
pub struct Script {
    /// Whole frames, and what goes for frames.
    pub frames: Vec<Vec<u8>>,
    pub client: bool,
    pub manners: Manners,
}

impl Script {
    pub fn draw(dice: &mut Dice, client: bool, text: bool, mood: Mood) -> Self {
        let key = client.then_some([0x37, 0xfa, 0x21, dice.next() as u8]);
        let (mut frames, mut in_message, mut left) = (Vec::new(), false, Vec::new());
        for _ in 0..dice.below(if mood.busy { 60 } else { 20 }) {
            let len = dice.length(mood.large);
            frames.push(match dice.below(if mood.busy { 4 } else { 10 }) {
                // Each its own payload.
                0 | 1 => {
                    let payload = [&[frames.len() as u8][..], &dice.bytes(len.min(124))].concat();
                    wire::encode(true, PING, key, &payload)
                }
                2 => wire::encode(true, PONG, key, &dice.bytes(len.min(125))),
                _ => {
                    let fin = dice.one_in(2);
                    if text {
                        left.extend(dice.text(len).into_bytes());
                    } else {
                        left.extend(dice.bytes(len));
                    }
                    // A message ends with a code point, a fragment anywhere.
                    let end = if fin { left.len() } else { len.min(left.len()) };
                    let opcode = match (in_message, text) {
                        (true, _) => CONTINUATION,
                        (false, true) => TEXT,
                        (false, false) => BINARY,
                    };
                    in_message = !fin;
                    let payload: Vec<u8> = left.drain(..end).collect();
                    wire::encode(fin, opcode, key, &payload)
                }
            });
        }
        match dice.below(8) {
            0 => frames.push(violation(dice, key)),
            1 => frames.push(wire::encode(true, CLOSE, key, b"")),
            2..=5 => {
                let code = dice.pick(&[1000, 1000, 1001, 1008, 1011, 3000, 4000]);
                let reason = if dice.one_in(3) { "bye" } else { "" };
                frames.push(wire::encode(true, CLOSE, key, &wire::close_payload(Some(code), reason)));
                if dice.one_in(4) {
                    frames.push(dice.bytes(9));
                }
            }
            _ => {}
        }
        let manners = match dice.below(4) {
            0 | 1 if mood.clock => Manners::Silent,
            0 => Manners::Rude,
            _ => Manners::Polite,
        };
        Script { frames, client, manners }
    }

    fn key(&self) -> Option<[u8; 4]> {
        self.client.then_some(wire::KEY)
    }
}

/// Something that no peer may send.
fn violation(dice: &mut Dice, key: Option<[u8; 4]>) -> Vec<u8> {
    let other = if key.is_some() { None } else { Some(wire::KEY) };
    match dice.below(9) {
        0 => wire::encode(true, 0x40 | PING, key, b"x"),
        1 => wire::encode(true, 3, key, b"x"),
        2 => wire::encode(false, PING, key, b"x"),
        3 => wire::encode(true, PING, other, b"x"),
        4 => wire::header(true, PING, key, 126),
        5 => wire::encode(true, CLOSE, key, &wire::close_payload(Some(1005), "")),
        6 => wire::encode(true, CLOSE, key, b"\x03\xe8\xff"),
        7 => wire::encode(true, CLOSE, key, b"\x03"),
        // Not text, the wrong type, or a message in a message.
        _ => wire::encode(true, TEXT, key, b"ab\xff"),
    }
}

/// The script on its way.
pub struct Raw {
    script: Script,
    end: usize,
    left: Vec<u8>,
}

impl Raw {
    pub fn new(script: Script, end: usize) -> Self {
        let left = script.frames.concat();
        Raw { script, end, left }
    }

    /// Sends up to `n` bytes more.
    pub fn send(&mut self, net: &mut Net, n: usize) {
        let bytes: Vec<u8> = self.left.drain(..n.min(self.left.len())).collect();
        if !bytes.is_empty() {
            net.log(|| format!("raw end sends {bytes:02x?}"));
        }
        let pipe = &mut net.pipes[self.end];
        if !pipe.ended {
            pipe.sent.push(&bytes);
            pipe.flight.extend(bytes);
        }
    }

    pub fn is_silent(&self) -> bool {
        self.script.manners == Manners::Silent
    }

    /// The last that it does; false if there is nothing left to do.
    pub fn finish(&mut self, net: &mut Net) -> bool {
        if net.pipes[self.end].ended {
            return false;
        }
        if !self.left.is_empty() {
            self.send(net, usize::MAX);
            return true;
        }
        let other = &net.pipes[1 - self.end];
        let (closed, gone) = (other.got.close.is_some(), other.end_arrived);
        let has_closed = net.pipes[self.end].sent.close.is_some();
        match self.script.manners {
            Manners::Polite if !has_closed && net.pipes[self.end].sent.broken.is_none() => {
                self.left =
                    wire::encode(true, CLOSE, self.script.key(), &wire::close_payload(Some(1000), ""));
            }
            Manners::Polite | Manners::Silent if !closed && !gone => return false,
            _ => {
                net.log(|| "raw end has ended".into());
                net.pipes[self.end].ended = true;
            }
        }
        true
    }

    /// Takes whatever has arrived.
    pub fn take(&mut self, net: &mut Net) {
        let pipe = &mut net.pipes[1 - self.end];
        let bytes: Vec<u8> = pipe.arrived.drain(..).collect();
        pipe.got.push(&bytes);
    }
}
