//! One stream that reads what a peer has sent, held against the oracle and against the peers.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::Poll;

use fastwebsockets_stream::{Config, Error, PayloadType, Role, WebSocketStream};
use tokio::io::{AsyncBufRead, AsyncWrite};

use kit::input::Input;
use kit::line::{After, Line, Pipe};
use kit::oracle::{Mask, Oracle};
use kit::task::Task;
use kit::{rules, script};

/// What is drawn from the input.
#[derive(Debug)]
pub struct Case {
    pub is_server: bool,
    pub is_text: bool,
    pub half_close: bool,
    pub abnormal_is_error: bool,
    pub allow_unmasked: bool,
    /// How much has been read ahead of the stream.
    pub ahead: usize,
    /// Whether the transport ends behind the bytes.
    pub ends: bool,
    /// What the transport's calls do, and how large the reads are: a room, or a look at what was read ahead.
    pub steps: Vec<u8>,
    pub rooms: Vec<u8>,
    pub wire: Vec<u8>,
}

impl Case {
    pub fn draw(input: &mut Input<'_>) -> Self {
        let flags = input.byte();
        let flag = |bit: u8| flags >> bit & 1 == 1;
        let (is_server, is_text) = (flag(0), flag(1));
        let more = input.byte();
        let ahead = if more & 1 == 1 { input.length() } else { 0 };
        let steps = if more & 2 == 2 { input.below(40) } else { 0 };
        let rooms = 1 + usize::from(more >> 2 & 7);
        let (steps, rooms) = (input.take(steps).to_vec(), input.take(rooms).to_vec());
        let masks = is_server && !(flag(4) && more & 0x80 != 0);
        let wire = if more & 0x60 == 0 { input.rest().to_vec() } else { script::draw(input, masks, is_text) };
        Case {
            is_server,
            is_text,
            half_close: flag(2),
            abnormal_is_error: flag(3),
            allow_unmasked: flag(4),
            ends: flag(5),
            ahead: ahead.min(wire.len()),
            steps,
            rooms,
            wire,
        }
    }

    pub fn config(&self) -> Config {
        Config::new(if self.is_text { PayloadType::Text } else { PayloadType::Binary })
            .half_close(self.half_close)
            .abnormal_close_is_error(self.abnormal_is_error)
            .allow_unmasked(self.allow_unmasked)
    }

    pub fn role(&self) -> Role {
        if self.is_server { Role::Server } else { Role::Client }
    }

    pub fn oracle(&self) -> Oracle {
        let mask = match (self.is_server, self.allow_unmasked) {
            (true, true) => Mask::Either,
            (true, false) => Mask::Always,
            (false, _) => Mask::Never,
        };
        let mut oracle = Oracle::new(mask, self.is_text);
        oracle.push(&self.wire);
        oracle
    }
}

/// How a stream's reading has gone.
struct Outcome {
    payload: Vec<u8>,
    /// `None` where it waits for more.
    end: Option<io::Result<()>>,
    written: Vec<u8>,
}

/// More reads than this, and somebody turns in circles: each brings a byte, or the end, or has taken a step.
fn most_reads(case: &Case) -> usize {
    2 * case.wire.len() + case.steps.len() + 64
}

fn read(
    case: &Case,
    line: &std::rc::Rc<std::cell::RefCell<Line>>,
    stream: &mut WebSocketStream<Pipe>,
) -> Outcome {
    let (task, mut payload) = (Task::default(), Vec::new());
    let mut end = None;
    for turn in 0.. {
        assert!(turn < most_reads(case), "reads without end");
        let room = case.rooms.get(turn % case.rooms.len().max(1)).copied().unwrap_or(64);
        // Long ones are not read byte by byte.
        let room = if case.wire.len() > 10_000 && room > 0 { room.max(190) } else { room };
        let polled = match room {
            0 => task.run(|cx| Pin::new(&mut *stream).poll_fill_buf(cx).map_ok(<[u8]>::to_vec)),
            1..=200 => task.read(stream, room.into()),
            _ => task.read(stream, 4000 + 100 * usize::from(room - 200)),
        };
        match polled {
            Poll::Pending => {
                line.borrow_mut().wake_due();
                if !task.was_woken() {
                    break;
                }
            }
            Poll::Ready(Ok(bytes)) if bytes.is_empty() => {
                end = Some(Ok(()));
                break;
            }
            Poll::Ready(Ok(bytes)) => {
                if room == 0 {
                    // Some of it is taken, the rest comes again.
                    let n = bytes.len().div_ceil(2);
                    Pin::new(&mut *stream).consume(n);
                    payload.extend(&bytes[..n]);
                } else {
                    assert!(bytes.len() <= 4000 + 100 * 56);
                    payload.extend(bytes);
                }
            }
            Poll::Ready(Err(error)) => {
                end = Some(Err(error));
                break;
            }
        }
    }
    Outcome { payload, end, written: line.borrow().written.clone() }
}

/// Reads the case, and holds what came of it against the oracle.
pub fn check(case: &Case) {
    let oracle = case.oracle();
    let line = Line::open();
    let (ahead, rest) = case.wire.split_at(case.ahead);
    {
        let mut line = line.borrow_mut();
        line.arrive(rest);
        line.steps = case.steps.iter().copied().collect();
        if case.ends {
            line.end(After::End);
        }
    }
    let mut stream = WebSocketStream::from_transport(Pipe(line.clone()), case.role(), ahead, case.config());
    let outcome = read(case, &line, &mut stream);
    // What the transport has kept back in its steps would be waited for.
    check_payload(&oracle, &outcome);
    let sentence = check_end(case, &oracle, &outcome);
    let mut sent = Oracle::of_sender(if case.is_server { Mask::Never } else { Mask::Always }, case.is_text);
    sent.push(&outcome.written);
    check_answers(case, &oracle, &sent, sentence.as_deref());
    check_again(&mut stream, &outcome);
    check_shutdown(case, &oracle, &line, &mut stream);
}

fn check_payload(oracle: &Oracle, outcome: &Outcome) {
    assert!(oracle.payload.starts_with(&outcome.payload), "other bytes than were sent");
    assert!(outcome.payload.len() >= oracle.whole_points(), "bytes are missing before the end");
    if oracle.broken.is_none() {
        assert_eq!(outcome.payload.len(), oracle.payload.len(), "bytes are missing");
    }
}

/// The end is the one that is due; gives the sentence of a broken rule.
fn check_end(case: &Case, oracle: &Oracle, outcome: &Outcome) -> Option<String> {
    let error = match &outcome.end {
        None => {
            assert!(
                oracle.broken.is_none() && oracle.close.is_none() && !case.ends,
                "a read waits for nothing"
            );
            return None;
        }
        Some(Ok(())) => {
            let (code, _) = oracle.close.as_ref().expect("an end without a Close");
            let is_clean = matches!(code, None | Some(1000 | 1001));
            assert!(is_clean || !case.abnormal_is_error, "{code:?} passes for a clean end");
            return None;
        }
        Some(Err(error)) => error,
    };
    let inside = rules::inside(error).expect("an error of the library's own");
    assert_eq!(inside.kind(), error.kind());
    match inside {
        Error::Truncated => {
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
            assert!(case.ends && oracle.close.is_none() && oracle.broken.is_none(), "not truncated");
            None
        }
        Error::ClosedAbnormally { close, .. } => {
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
            let (code, reason) = oracle.close.as_ref().expect("no Close came");
            assert_eq!((close.code.map(u16::from), &close.reason), (*code, reason));
            assert!(case.abnormal_is_error && !matches!(code, None | Some(1000 | 1001)));
            None
        }
        rule => {
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert_eq!(rules::broken(rule), oracle.broken, "{rule}");
            assert_eq!(rule.close_code().map(u16::from), oracle.broken.map(|rule| rule.close_code()));
            Some(rule.to_string())
        }
    }
}

/// A Pong for each Ping, in order, then the Close that is due.
fn check_answers(case: &Case, oracle: &Oracle, sent: &Oracle, sentence: Option<&str>) {
    assert_eq!(sent.broken, None, "what was sent breaks a rule");
    assert!(outcome_waits(case) || sent.is_between_frames(), "a frame is torn");
    let pings: Vec<&[u8]> = oracle.of_kind(9).map(|ping| &ping.payload[..]).collect();
    let pongs: Vec<&[u8]> = sent.of_kind(10).map(|pong| &pong.payload[..]).collect();
    // Of what was read ahead, 64 KiB of Pongs are kept; one may be three times its Ping.
    if case.steps.is_empty() && case.ahead < (64 << 10) / 3 {
        assert_eq!(pongs, pings, "not every Ping is answered, in order");
    } else {
        // A transport that takes nothing for a while, or is not there yet, may get the latest alone.
        let mut rest = pings.iter();
        assert!(pongs.iter().all(|pong| rest.any(|ping| ping == pong)), "Pongs out of order");
    }
    let due = match (&oracle.close, oracle.broken) {
        (_, Some(rule)) => {
            Some((Some(rule.close_code()), sentence.map(rules::reason).unwrap_or_default().to_owned()))
        }
        (Some((None | Some(1000), _)), _) if case.half_close => None,
        (Some((code, _)), _) => Some((*code, String::new())),
        (None, None) => None,
    };
    let closes = sent.of_kind(8).count();
    assert!(closes <= 1 && closes == usize::from(sent.close.is_some()));
    if !outcome_waits(case) || sent.close.is_some() {
        assert_eq!(sent.close, due, "not the Close that is due");
    }
    assert_eq!(sent.frames.len(), pongs.len() + closes, "something else was sent");
    assert!(sent.close.is_none() || sent.frames.last().is_some_and(|last| last.opcode == 8));
}

/// The transport may have refused the last answer; it leaves with the shutdown.
fn outcome_waits(case: &Case) -> bool {
    !case.steps.is_empty()
}

/// Ends and errors stay.
fn check_again(stream: &mut WebSocketStream<Pipe>, outcome: &Outcome) {
    let task = Task::default();
    for room in [1, 5000] {
        match (task.read(stream, room), &outcome.end) {
            (Poll::Pending, None) => {}
            (Poll::Ready(Ok(bytes)), Some(Ok(()))) => assert!(bytes.is_empty(), "bytes after the end"),
            (Poll::Ready(Err(again)), Some(Err(first))) => assert_eq!(again.kind(), first.kind()),
            (polled, end) => panic!("{polled:?} after {end:?}"),
        }
    }
}

/// A shutdown leaves one Close, and the transport shut where nothing more can come.
fn check_shutdown(
    case: &Case,
    oracle: &Oracle,
    line: &std::rc::Rc<std::cell::RefCell<Line>>,
    stream: &mut WebSocketStream<Pipe>,
) {
    line.borrow_mut().steps.clear();
    let task = Task::default();
    let polled = task.run(|cx| Pin::new(&mut *stream).poll_shutdown(cx));
    assert!(matches!(polled, Poll::Ready(Ok(()))), "{polled:?}");
    let line = line.borrow();
    let mut sent = Oracle::of_sender(if case.is_server { Mask::Never } else { Mask::Always }, case.is_text);
    sent.push(&line.written);
    assert_eq!((sent.broken, sent.of_kind(8).count()), (None, 1), "not one Close");
    assert!(sent.frames.last().is_some_and(|last| last.opcode == 8), "something behind the Close");
    let expected = match (&oracle.close, oracle.broken) {
        (_, Some(rule)) => Some(rule.close_code()),
        (Some((code, _)), _) => *code,
        _ => Some(1000),
    };
    assert_eq!(sent.close.as_ref().expect("it was counted").0, expected);
    assert_eq!(line.flushed, line.written.len(), "not all is flushed");
    let is_over = oracle.close.is_some() || oracle.broken.is_some() || case.ends;
    assert_eq!(line.shut, is_over, "whether the transport is shut");
    let latest = oracle.of_kind(9).last().map(|ping| &ping.payload);
    assert_eq!(sent.of_kind(10).last().map(|pong| &pong.payload), latest, "the latest Ping is not answered");
}
