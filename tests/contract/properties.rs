//! Any bytes in any pieces: PROMISES 2.1, 2.3 to 2.10, 4.1, 4.4 as properties; and in the part, any writes.
//!
//! The cases are the same in every run. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` ask for more, and for others.

mod writing;

use std::io::ErrorKind;

use fastwebsockets_stream::{Config, OpCode, PayloadType, Role, WebSocketStream};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::support::broken::Broken;
use crate::support::hesitant::Hesitant;
use crate::support::reader::{Ask, End, drain, feed_pieces, pieces};
use crate::support::transport::Answer;
use crate::support::wire::{self, BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};
use crate::support::{Mock, ROLES, Task, ok, pattern, rule, stream};

fn runs(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(6455);
    }
    config
}

fn types() -> impl Strategy<Value = PayloadType> {
    prop_oneof![Just(PayloadType::Binary), Just(PayloadType::Text)]
}

/// Lengths around everything that has a limit somewhere.
fn lengths() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0_usize..20,
        2 => 120_usize..135,
        2 => 0_usize..3000,
        1 => 4080_usize..4112,
        1 => 65_500_usize..65_570,
    ]
}

/// Where to cut, or how much to take: never nothing.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    let cut = prop_oneof![3 => 1_usize..4, 3 => 1_usize..200, 2 => 1000_usize..20_000, 1 => Just(usize::MAX)];
    vec(cut, 1..8)
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let ask = prop_oneof![
        (1_usize..20).prop_map(Ask::Read),
        (4090_usize..4100).prop_map(Ask::Read),
        (1_usize..70_000).prop_map(Ask::Read),
        (1_usize..20).prop_map(Ask::Look),
        Just(Ask::Look(usize::MAX)),
    ];
    // One that takes much, or long frames take long.
    (vec(ask, 1..6), prop_oneof![Just(Ask::Read(30_000)), Just(Ask::Look(30_000))]).prop_map(
        |(mut asks, large)| {
            asks.push(large);
            asks
        },
    )
}

/// Bytes of the type: text has code points of 1 to 4 bytes.
fn data(payload_type: PayloadType, len: usize) -> Vec<u8> {
    if payload_type == PayloadType::Binary {
        return pattern(len);
    }
    "aé€😀".repeat(len / 10 + 1).into_bytes()[..len].to_vec()
}

fn is_boundary(payload_type: PayloadType, at: usize) -> bool {
    payload_type == PayloadType::Binary || matches!(at % 10, 0 | 1 | 3 | 6)
}

/// A frame to come: data, with or without FIN, or a control frame.
#[derive(Clone, Copy, Debug)]
enum Item {
    Data { fin: bool, len: usize },
    Ping(usize),
    Pong(usize),
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = prop_oneof![
        4 => (any::<bool>(), lengths()).prop_map(|(fin, len)| Item::Data { fin, len }),
        1 => (0_usize..=125).prop_map(Item::Ping),
        1 => (0_usize..=125).prop_map(Item::Pong),
    ];
    vec(item, 0..12)
}

/// What the items are on the wire, sent by the peer of `role`.
struct Sent {
    wire: Vec<u8>,
    data: Vec<u8>,
    pings: Vec<Vec<u8>>,
    in_message: bool,
}

fn send(role: Role, payload_type: PayloadType, items: &[Item]) -> Sent {
    let opcode = if payload_type == PayloadType::Text { TEXT } else { BINARY };
    let all = data(payload_type, items.len() * 70_000);
    let mut sent = Sent { wire: Vec::new(), data: Vec::new(), pings: Vec::new(), in_message: false };
    for item in items {
        match *item {
            Item::Data { fin, len } => {
                let from = sent.data.len();
                let mut to = from + len;
                // A message ends with a code point.
                while fin && !is_boundary(payload_type, to) {
                    to += 1;
                }
                let opcode = if sent.in_message { CONTINUATION } else { opcode };
                sent.wire.extend(wire::from_peer(role, fin, opcode, &all[from..to]));
                sent.data.extend(&all[from..to]);
                sent.in_message = !fin;
            }
            Item::Ping(len) => {
                sent.pings.push(pattern(len));
                sent.wire.extend(wire::ping(role, &pattern(len)));
            }
            Item::Pong(len) => sent.wire.extend(wire::from_peer(role, true, PONG, &pattern(len))),
        }
    }
    sent
}

/// How the bytes end, and what reads say to that.
#[derive(Clone, Copy, Debug)]
enum Tail {
    Nothing,
    Close,
    CloseWithCode(u16),
    TransportEnds,
    TransportFails,
    Violation(usize),
}

fn tails() -> impl Strategy<Value = Tail> {
    prop_oneof![
        Just(Tail::Nothing),
        Just(Tail::Close),
        (3000_u16..5000).prop_map(Tail::CloseWithCode),
        Just(Tail::TransportEnds),
        Just(Tail::TransportFails),
        (0_usize..7).prop_map(Tail::Violation),
    ]
}

/// A violation, and how the stream names it.
fn violation(role: Role, in_message: bool, which: usize) -> (Vec<u8>, Broken) {
    let key = (role == Role::Server).then_some(wire::KEY);
    let with_rsv = |mut frame: Vec<u8>| {
        frame[0] |= 0x20;
        frame
    };
    match which {
        0 => (with_rsv(wire::ping(role, b"x")), Broken::ReservedBits { bits: 2 }),
        1 => (wire::from_peer(role, true, 7, b"x"), Broken::ReservedOpcode { opcode: 7 }),
        2 if role == Role::Server => (wire::encode(true, PING, None, b""), Broken::UnmaskedFrame),
        2 => (wire::encode(true, PING, Some(wire::KEY), b""), Broken::MaskedFrame),
        3 => (wire::header(true, PING, key, 126), Broken::ControlFrameTooLong { opcode: OpCode::Ping }),
        4 => (wire::close(role, Some(1005), "x"), Broken::CloseCodeInvalid { code: 1005.into() }),
        5 => (wire::from_peer(role, true, CLOSE, b"\x03\xe8\xff"), Broken::CloseReasonNotUtf8),
        _ if in_message => (wire::data(role, b"x"), Broken::UnfinishedMessage { opcode: OpCode::Binary }),
        _ => (wire::from_peer(role, true, CONTINUATION, b"x"), Broken::UnexpectedContinuation),
    }
}

fn kind(end: &End) -> Option<Option<ErrorKind>> {
    end.as_ref().map(|end| end.as_ref().err().map(std::io::Error::kind))
}

proptest! {
    #![proptest_config(runs(150))]

    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
    //= type=test
    //# in absence of extensions, senders and receivers must not depend on the presence of specific frame
    //# boundaries.
    #[test]
    fn legal_frames_in_any_pieces_and_reads_give_the_same_bytes_and_end(
        server in any::<bool>(),
        payload_type in types(),
        items in items(),
        tail in tails(),
        cuts in cuts(),
        asks in asks(),
        chunk in prop_oneof![3 => Just(usize::MAX), 1 => 1_usize..50],
        hesitant in any::<bool>(),
        half_close in any::<bool>(),
    ) {
        let role = ROLES[usize::from(server)];
        let sent = send(role, payload_type, &items);
        let (mock, transport) = Mock::new();
        let transport = Hesitant::new(transport, hesitant);
        let config = Config::new(payload_type).half_close(half_close);
        let mut stream = WebSocketStream::from_transport(transport, role, [], config);
        mock.state().read_chunk = chunk;
        let (mut last, mut broken) = (Vec::new(), None);
        match tail {
            Tail::Nothing => {}
            Tail::Close => last = wire::close(role, None, ""),
            Tail::CloseWithCode(code) => last = wire::close(role, Some(code), "reason"),
            Tail::TransportEnds => broken = Some(Broken::Truncated),
            Tail::TransportFails => {}
            Tail::Violation(which) => {
                let (bytes, rule) = violation(role, sent.in_message, which);
                // Nothing after it counts.
                last = [bytes, wire::ping(role, b"late")].concat();
                broken = Some(rule);
            }
        }
        let bytes = [&sent.wire[..], &last].concat();
        let (mut seen, mut end) = feed_pieces(&mut stream, &mock, pieces(&bytes, &cuts), &asks);
        match tail {
            Tail::TransportEnds => mock.state().input_end = Answer::Zero,
            Tail::TransportFails => mock.state().input_end = Answer::Error(ErrorKind::ConnectionReset),
            _ => {}
        }
        let mut asks = asks.into_iter().cycle();
        if end.is_none() {
            end = drain(&mut stream, &mut asks, &mut seen);
        }
        prop_assert!(seen == sent.data, "{} bytes of {}", seen.len(), sent.data.len());
        let expected = match tail {
            Tail::Nothing => None,
            Tail::Close => Some(None),
            Tail::CloseWithCode(_) => Some(Some(ErrorKind::ConnectionAborted)),
            Tail::TransportFails => Some(Some(ErrorKind::ConnectionReset)),
            Tail::TransportEnds => Some(Some(ErrorKind::UnexpectedEof)),
            Tail::Violation(_) => Some(Some(ErrorKind::InvalidData)),
        };
        prop_assert_eq!(kind(&end), expected);
        if let (Some(broken), Some(Err(error))) = (broken, &end) {
            prop_assert_eq!(rule(error), &broken);
        }
        // For ever.
        prop_assert_eq!(kind(&drain(&mut stream, &mut asks, &mut seen)), expected);
        prop_assert_eq!(seen.len(), sent.data.len());

        // Each Ping was answered, in order, but for those that came while the transport took nothing.
        stream.get_mut().on = false;
        drain(&mut stream, &mut asks, &mut seen);
        let frames = wire::decode(&mock.take_written());
        let (pongs, rest) = frames.split_at(frames.iter().take_while(|frame| frame.opcode == PONG).count());
        let mut pings = sent.pings.iter();
        prop_assert!(pongs.iter().all(|pong| pings.any(|ping| *ping == pong.payload)));
        prop_assert_eq!(pongs.last().map(|pong| &pong.payload), sent.pings.last());
        prop_assert!(hesitant || pongs.len() == sent.pings.len());
        let (closes, waits) = match tail {
            Tail::Close => (!half_close, half_close),
            Tail::CloseWithCode(_) | Tail::Violation(_) => (true, false),
            // With a Close of its own.
            Tail::Nothing | Tail::TransportEnds | Tail::TransportFails => (false, true),
        };
        prop_assert_eq!(wire::opcodes(rest), vec![CLOSE; usize::from(closes)]);
        ok(Task::default().shutdown(&mut stream));
        prop_assert_eq!(wire::opcodes(&wire::decode(&mock.take_written())), vec![CLOSE; usize::from(waits)]);
    }
}

proptest! {
    #![proptest_config(runs(250))]

    #[test]
    fn any_bytes_at_all_give_the_same_verdict_in_any_pieces_and_reads(
        server in any::<bool>(),
        payload_type in types(),
        items in vec((0_u8..16, any::<bool>(), 0_usize..9, any::<bool>()), 0..6),
        flips in vec((any::<prop::sample::Index>(), 0_u8..8), 0..3),
        cuts in cuts(),
        asks in asks(),
    ) {
        let role = ROLES[usize::from(server)];
        // Frames that are legal now and then, with a bit flipped here and there.
        let mut bytes = Vec::new();
        for (opcode, fin, len, usual) in items {
            let opcode = if usual { [TEXT, BINARY, PING][usize::from(opcode) % 3] } else { opcode };
            bytes.extend(wire::from_peer(role, fin || usual, opcode, &data(payload_type, len)));
        }
        for (index, bit) in flips {
            if !bytes.is_empty() {
                let at = index.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
        }
        let mut verdicts = Vec::new();
        let one_by_one = ([1].to_vec(), [Ask::Read(1)].to_vec());
        let at_once = ([usize::MAX].to_vec(), [Ask::Read(70_000)].to_vec());
        for (cuts, asks) in [one_by_one, at_once, (cuts, asks)] {
            let (mut stream, mock) = stream(role, Config::new(payload_type));
            let (mut seen, mut end) = feed_pieces(&mut stream, &mock, pieces(&bytes, &cuts), &asks);
            if end.is_none() {
                mock.state().input_end = Answer::Zero;
                end = drain(&mut stream, &mut asks.into_iter().cycle(), &mut seen);
            }
            let broken = end.unwrap().map_err(|error| rule(&error).clone());
            let answers = wire::decode(&mock.take_written());
            let answers: Vec<_> = answers.into_iter().map(|frame| (frame.opcode, frame.payload)).collect();
            verdicts.push((seen, broken, stream.peer_close().cloned(), answers));
        }
        prop_assert_eq!(&verdicts[0], &verdicts[1]);
        prop_assert_eq!(&verdicts[0], &verdicts[2]);
    }
}
