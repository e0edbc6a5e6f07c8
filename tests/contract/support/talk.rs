//! What a peer says, step by step, and what a stream must make of it.

use std::ops::Range;

use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};

use super::{Mock, Task, Transport, name, ok, pattern, read_all, text, wire};

/// A frame that a peer may send. Numbers are lengths of payload.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Of the first frame of a message, or of a continuation where a message is open; FIN first.
    Data(bool, usize),
    Ping(usize),
    Pong(usize),
    Close(u16, &'static str),
}
use Step::{Close, Data, Ping, Pong};

/// Ends an open message, sends another one in two frames, and closes.
pub const GOODBYE: [Step; 4] = [Data(false, 0), Ping(2), Data(true, 10), Close(1000, "bye")];

/// What has been said so far.
#[derive(Clone)]
pub struct Talk {
    pub role: Role,
    config: Config,
    /// What the transport brings.
    pub wire: Vec<u8>,
    /// What reads must return.
    pub payload: Vec<u8>,
    /// The payloads of all Pings.
    pub pings: Vec<Vec<u8>>,
    pub close: Option<(u16, &'static str)>,
    pub open: bool,
}

impl Talk {
    /// With the peer of `role`.
    pub fn new(role: Role, config: &Config) -> Self {
        let (wire, payload, pings) = Default::default();
        Talk { role, config: config.clone(), wire, payload, pings, close: None, open: false }
    }

    pub fn is_text(&self) -> bool {
        self.config == text() || self.config == text().half_close(false)
    }

    /// Says one thing more; where it stands on the wire.
    pub fn say(&mut self, step: Step) -> Range<usize> {
        let start = self.wire.len();
        let frame = match step {
            Data(fin, len) => {
                let opcode = match self.open {
                    true => wire::CONTINUATION,
                    false if self.is_text() => wire::TEXT,
                    false => wire::BINARY,
                };
                let payload = self.next_payload(len);
                let frame = wire::from_peer(self.role, fin, opcode, &payload);
                self.open = !fin;
                if self.close.is_none() {
                    self.payload.extend(payload);
                }
                frame
            }
            Ping(len) => {
                let payload = pattern(len);
                let frame = wire::ping(self.role, &payload);
                self.pings.push(payload);
                frame
            }
            Pong(len) => wire::from_peer(self.role, true, wire::PONG, &pattern(len)),
            Close(code, reason) => {
                self.close = Some((code, reason));
                wire::close(self.role, Some(code), reason)
            }
        };
        self.wire.extend(frame);
        start..self.wire.len()
    }

    pub fn with(mut self, steps: &[Step]) -> Self {
        for step in steps {
            self.say(*step);
        }
        self
    }

    /// Ten bytes of text make four code points of all lengths.
    fn next_payload(&self, len: usize) -> Vec<u8> {
        let at = self.payload.len();
        if self.is_text() {
            "aé€😀".bytes().cycle().skip(at % 10).take(len).collect()
        } else {
            pattern(at % 1000 + len).split_off(at % 1000)
        }
    }

    /// Ends as [`GOODBYE`] does, whatever is open.
    pub fn goodbye(mut self) -> Self {
        if self.open {
            let rest = if self.is_text() { 10 - self.payload.len() % 10 } else { 3 };
            self.say(Data(true, rest));
        }
        self.with(&GOODBYE)
    }

    /// Whether the answer to the peer's Close waits for a shutdown.
    pub fn is_half_closed(&self) -> bool {
        self.config == self.config.clone().half_close(true) && matches!(self.close, Some((1000, _)))
    }

    /// Reads to the end: all payload came, all Pings and the Close were answered, in order and once, the Close where it is
    /// due.
    #[track_caller]
    pub fn check(&self, mut stream: WebSocketStream<Transport>, mock: &Mock, room: usize, case: &str) {
        let case = format!("{} {case}", name(self.role));
        let (bytes, end) = read_all(&mut stream, room);
        assert!(end.is_ok(), "{case}: {end:?} after {} bytes of {}", bytes.len(), self.payload.len());
        assert!(bytes == self.payload, "{case}: {} bytes, but of {}", bytes.len(), self.payload.len());
        let (code, reason) = self.close.expect("a talk that ends");
        let close = stream.peer_close().expect("the peer has closed");
        assert_eq!((close.code.map(u16::from), &*close.reason), (Some(code), reason), "{case}");
        let mut answers: Vec<_> = self.pings.iter().map(|ping| (wire::PONG, ping.clone())).collect();
        let answer = (wire::CLOSE, wire::close_payload(Some(code), ""));
        if self.is_half_closed() {
            assert_eq!(self.sent(mock), answers, "{case}");
            ok(Task::default().shutdown(&mut stream));
            assert_eq!(self.sent(mock), [answer], "{case}");
        } else {
            answers.push(answer);
            assert_eq!(self.sent(mock), answers, "{case}");
            ok(Task::default().shutdown(&mut stream));
            assert_eq!(self.sent(mock), [], "{case}");
        }
        assert!(mock.state().is_shut, "{case}");
    }

    /// Opcode and payload of what was written, which must be masked as the role demands.
    #[track_caller]
    pub fn sent(&self, mock: &Mock) -> Vec<(u8, Vec<u8>)> {
        let frames = wire::decode(&mock.take_written()).into_iter();
        let sent = frames.map(|frame| {
            assert_eq!(frame.key.is_some(), self.role == Role::Client);
            (frame.opcode, frame.payload)
        });
        sent.collect()
    }

    pub fn payload_type(&self) -> PayloadType {
        if self.is_text() { PayloadType::Text } else { PayloadType::Binary }
    }
}

/// Frames that a peer must not send after a whole message, and the code with which each is refused.
pub fn violations(role: Role) -> Vec<(&'static str, Vec<u8>, u16)> {
    let frame = |fin, opcode, payload: &[u8]| wire::from_peer(role, fin, opcode, payload);
    let open = frame(false, wire::BINARY, b"");
    let wrong_key = if role == Role::Server { None } else { Some(wire::KEY) };
    vec![
        ("reserved bit", frame(true, 0x42, b"abc"), 1002),
        ("reserved opcode", frame(true, 0x3, b"abc"), 1002),
        ("reserved control opcode", frame(true, 0xb, b"abc"), 1002),
        ("fragmented Ping", frame(false, wire::PING, b"abc"), 1002),
        ("fragmented Close", frame(false, wire::CLOSE, &[3, 232]), 1002),
        ("long Ping", frame(true, wire::PING, &[0; 126]), 1002),
        ("longer Ping", frame(true, wire::PING, &[0; 0xfefe]), 1002),
        ("longest Ping", frame(true, wire::PING, &[0; 65536]), 1002),
        ("long Pong", frame(true, wire::PONG, &[0; 126]), 1002),
        ("long Close", frame(true, wire::CLOSE, &[3; 300]), 1002),
        ("short Close", frame(true, wire::CLOSE, &[3]), 1002),
        ("Close 1005", wire::close(role, Some(1005), ""), 1002),
        ("Close with bad reason", frame(true, wire::CLOSE, &[3, 232, 0xff]), 1007),
        ("stray continuation", frame(true, wire::CONTINUATION, b"abc"), 1002),
        ("message in a message", [open, frame(true, wire::BINARY, b"abc")].concat(), 1002),
        ("wrong type", frame(true, wire::TEXT, b"abc"), 1003),
        ("wrong type, not UTF-8", frame(true, wire::TEXT, &[0xff; 40]), 1003),
        ("wrong masking", wire::encode(true, wire::BINARY, wrong_key, b"abc"), 1002),
        ("wrong masking, 16 bits", wire::encode(true, wire::BINARY, wrong_key, &[0; 300]), 1002),
        ("wrong masking, 64 bits", wire::encode(true, wire::BINARY, wrong_key, &[0; 65536]), 1002),
    ]
}
