//! The first two octets of a frame: each of the 65,536, in both roles, on both types of stream, wherever a frame may begin.

use fastwebsockets_stream::{PayloadType, Role};
use tokio::io::AsyncWrite;

use crate::kit::{
    KEY, ROLES, Read, Stream, TYPES, control, cx, discard, feed, frame, mask, peers_key, read, sent,
    shut_down, stream,
};
use crate::rules::{Rule, Rules, assert_broken, of_first, of_second};

/// What there has been before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    /// This end's Close, by a shutdown: it goes on reading.
    Shutdown,
    /// This end's Close, by `close`: it discards.
    Close,
    /// The peer's.
    PeersClose,
}

const BEFORE: [Before; 4] = [Before::Nothing, Before::Shutdown, Before::Close, Before::PeersClose];

#[derive(Clone, Copy, Debug)]
struct State {
    role: Role,
    payload_type: PayloadType,
    /// Inside a fragmented message.
    inside: bool,
    before: Before,
}

fn states() -> Vec<State> {
    let mut states = Vec::new();
    for role in ROLES {
        for payload_type in TYPES {
            for inside in [false, true] {
                states.extend(BEFORE.map(|before| State { role, payload_type, inside, before }));
            }
        }
    }
    states
}

impl State {
    fn opening(self) -> Vec<u8> {
        frame(self.role, if self.payload_type == PayloadType::Text { 0x1 } else { 0x2 }, b"ab")
    }

    /// A stream in this state; what leads to it lies in `opening` and `close`.
    fn stream<'a>(self, opening: &'a [u8], close: &'a [u8], bytes: &mut [u8]) -> Stream<'a> {
        let mut stream = stream(self.role, self.payload_type);
        if self.inside {
            assert!(matches!(feed(&mut stream, opening, bytes), Read::Bytes(2)));
        }
        match self.before {
            Before::Nothing => {}
            Before::Shutdown => shut_down(&mut stream),
            Before::Close => discard(&mut stream),
            Before::PeersClose => assert!(matches!(feed(&mut stream, close, bytes), Read::Bytes(0))),
        }
        sent(&mut stream);
        stream
    }

    fn has_closed(self) -> bool {
        matches!(self.before, Before::Shutdown | Before::Close)
    }
}

/// A frame that two octets begin.
struct Frame {
    /// Two octets, the shortest length of its form, the key if there is one, and the payload.
    wire: Vec<u8>,
    /// Text; that of a Close is 1000 and a reason, as far as there is room.
    payload: Vec<u8>,
}

/// By their second octets.
fn frames(first: u8) -> Vec<Frame> {
    (0..=255).map(|second| whole(first, second)).collect()
}

fn whole(first: u8, second: u8) -> Frame {
    let (length, octets) = match second & 0x7f {
        126 => (126, 126_u16.to_be_bytes().to_vec()),
        127 => (0x1_0000, 0x1_0000_u64.to_be_bytes().to_vec()),
        n => (n.into(), Vec::new()),
    };
    let mut payload = vec![b'x'; length];
    if first & 0x0f == 0x8 {
        let fits = length.min(2);
        payload[..fits].copy_from_slice(&1000_u16.to_be_bytes()[..fits]);
    }
    let key = (second & 0x80 != 0).then_some(KEY);
    let mut wire = vec![first, second];
    wire.extend(octets);
    wire.extend(key.into_iter().flatten());
    let start = wire.len();
    wire.extend_from_slice(&payload);
    mask(&mut wire[start..], key);
    Frame { wire, payload }
}

#[test]
fn every_first_two_octets_in_every_state_are_judged_as_the_rfc_says() {
    let mut bytes = vec![0; 0x2_0000];
    let (mut cases, mut taken) = (0_u64, 0_u64);
    // They are the same for all firsts, but for that octet, and what a Close says.
    let (mut closes, mut others) = (frames(0x88), frames(0));
    for state in states() {
        let opening = state.opening();
        let close = frame(state.role, 0x88, &1000_u16.to_be_bytes());
        for first in 0..=255 {
            let in_first = of_first(first, state.payload_type, state.inside);
            for second in 0..=255_u8 {
                let frames = if first & 0x0f == 0x8 { &mut closes } else { &mut others };
                let Frame { wire, payload } = &mut frames[usize::from(second)];
                wire[0] = first;
                let mut stream = state.stream(&opening, &close, &mut bytes);
                let got = feed(&mut stream, wire, &mut bytes);
                let mut rules =
                    if in_first.is_empty() { of_second(first, second, state.role) } else { in_first };
                rules.add(Rule::CloseLength, rules.is_empty() && first == 0x88 && second & 0x7f == 1);
                judge(state, &mut stream, got, &mut bytes, first, rules, payload);
                cases += 1;
                taken += u64::from(rules.is_empty() && state.before != Before::PeersClose);
            }
        }
    }
    println!("{cases} headers at once, of which {taken} begin a legal frame");
    assert_eq!(cases, 65_536 * 32);
    // Between messages: one data opcode with FIN or without and 128 lengths; inside, the continuation instead of it. Three control
    // opcodes with 126 lengths, but for the Close of 1 byte. In 3 states of 2 roles and 2 types, in and outside of messages.
    assert_eq!(taken, (2 * 128 + 3 * 126 - 1) * 3 * 8);
}

/// As above, but each octet is judged as soon as it shows what is wrong, and no sooner.
#[test]
fn every_first_octet_is_judged_before_the_second_and_both_before_the_third() {
    let mut bytes = vec![0; 0x2_0000];
    let mut cases = 0_u64;
    for state in states() {
        let opening = state.opening();
        let close = frame(state.role, 0x88, &1000_u16.to_be_bytes());
        for first in 0..=255 {
            let rules = of_first(first, state.payload_type, state.inside);
            for second in 0..=255 {
                let Frame { wire, payload } = whole(first, second);
                let mut stream = state.stream(&opening, &close, &mut bytes);
                let got = feed(&mut stream, &wire[..1], &mut bytes);
                cases += 1;
                if state.before == Before::PeersClose || !rules.is_empty() {
                    judge(state, &mut stream, got, &mut bytes, first, rules, &payload);
                    // No second octet is ever looked at.
                    break;
                }
                assert!(matches!(got, Read::Waits), "{state:?} {first:#04x}: {got:?}");
                let mut rules = of_second(first, second, state.role);
                let got = feed(&mut stream, &wire[1..2], &mut bytes);
                if rules.is_empty() && wire.len() > 2 {
                    assert!(matches!(got, Read::Waits), "{state:?} {first:#04x} {second:#04x}: {got:?}");
                    let got = feed(&mut stream, &wire[2..], &mut bytes);
                    rules.add(Rule::CloseLength, first == 0x88 && second & 0x7f == 1);
                    judge(state, &mut stream, got, &mut bytes, first, rules, &payload);
                } else {
                    judge(state, &mut stream, got, &mut bytes, first, rules, &payload);
                }
            }
        }
    }
    println!("{cases} headers octet by octet");
    // Where the first is wrong, or nothing is read any more, it is alone: else there are 256 for each of the four data opcodes with FIN
    // or without that may come, one in each state, and three control opcodes with FIN.
    let ended = states().iter().filter(|state| state.before == Before::PeersClose).count() as u64;
    let open = states().len() as u64 - ended;
    assert_eq!(cases, ended * 256 + open * (5 * 256 + 251));
}

/// What becomes of a frame that breaks these rules, or none.
fn judge(
    state: State,
    stream: &mut Stream<'_>,
    got: Read,
    bytes: &mut [u8],
    first: u8,
    rules: Rules,
    payload: &[u8],
) {
    let case = || format!("{state:?} {first:#04x} {} bytes", payload.len());
    if state.before == Before::PeersClose {
        // Whatever follows the peer's Close is ignored (section 5.5.1: it sends nothing any more).
        assert!(matches!(got, Read::Bytes(0)), "{}: {got:?}", case());
        assert!(sent(stream).is_empty() && stream.is_closed(), "{}", case());
        return;
    }
    if !rules.is_empty() {
        let Read::Fails(error) = got else { panic!("{}: {got:?}", case()) };
        assert_broken(stream, &error, rules, state.has_closed());
        let Read::Fails(again) = read(stream, bytes) else { panic!("{}: it goes on", case()) };
        assert_eq!(again.kind(), error.kind());
        let write =
            std::pin::Pin::new(&mut *stream).poll_write(&mut cx(), b"x").map_err(|error| error.kind());
        assert!(matches!(write, std::task::Poll::Ready(Err(std::io::ErrorKind::BrokenPipe))), "{}", case());
        return;
    }
    match first & 0x0f {
        0x0..=0x2 if payload.is_empty() || state.before == Before::Close => {
            assert!(matches!(got, Read::Waits), "{}: {got:?}", case());
            assert!(sent(stream).is_empty(), "{}", case());
        }
        0x0..=0x2 => {
            assert!(matches!(got, Read::Bytes(n) if n == payload.len()), "{}: {got:?}", case());
            assert!(bytes[..payload.len()] == *payload && sent(stream).is_empty(), "{}", case());
        }
        0x8 => {
            assert!(matches!(got, Read::Bytes(0)) && stream.is_closed(), "{}: {got:?}", case());
            let close = stream.peer_close().expect("the peer's Close");
            assert_eq!(close.code.map(u16::from), (!payload.is_empty()).then_some(1000));
            assert_eq!(close.reason.as_bytes(), payload.get(2..).unwrap_or_default());
            // The answer waits for this end's own end; after it, the transport is shut.
            assert!(sent(stream).is_empty() && stream.get_ref().is_shut == state.has_closed(), "{}", case());
            return;
        }
        opcode => {
            assert!(matches!(got, Read::Waits), "{}: {got:?}", case());
            let answer = control(state.role, sent(stream));
            assert_eq!(answer, (opcode == 0x9).then(|| (0x8a, payload.to_vec())), "{}", case());
        }
    }
    // Where a message goes on, a continuation may come, and nowhere else.
    let is_open = if first & 0x08 != 0 { state.inside } else { first & 0x80 == 0 };
    let continuation: &'static [u8] =
        if peers_key(state.role).is_some() { &[0x80, 0x80, 0, 0, 0, 0] } else { &[0x80, 0] };
    let goes_on = matches!(feed(stream, continuation, bytes), Read::Waits);
    assert_eq!(goes_on, is_open, "{}", case());
}
