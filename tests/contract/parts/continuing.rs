//! A stream that was taken apart goes on as if it had not been: PROMISES 1.4.

use super::*;
use crate::support::script::{Act, random, run};

/// One thing after another, both ways, with everything that can wait, fail or be cut.
fn scripts(role: Role) -> Vec<(Config, Vec<Act>)> {
    use Act::{BlockFlush, EndInput, EndOutput, Feed, Flush, Read, Room, Shutdown, Write};
    let frame = |fin, opcode, payload: &[u8]| Feed(wire::from_peer(role, fin, opcode, payload));
    let close = |code| Feed(wire::close(role, Some(code), "why"));
    let ping = |payload: &[u8]| Feed(wire::ping(role, payload));
    let all = || vec![Read(64), Write(b"x"), Flush, Read(64), Write(b"y"), Shutdown, Read(64), Shutdown];
    let gone = EndOutput(Answer::Error(ErrorKind::BrokenPipe));
    let reset = Answer::Error(ErrorKind::ConnectionReset);
    let mut scripts = Vec::new();
    for config in [binary(), text(), binary().half_close(false), text().half_close(false)] {
        let bytes = talk(role, &config).with(&[Close(1001, "away")]).wire;
        // At every byte of it; and all at once, read in pieces.
        scripts.push((
            config.clone(),
            bytes.iter().flat_map(|byte| [Feed(vec![*byte]), Read(3)]).chain(all()).collect(),
        ));
        let reads = (0..99).map(|_| Read(2));
        scripts.push((config, [Feed(bytes)].into_iter().chain(reads).chain(all()).collect()));
    }
    for config in [binary(), text(), binary().write_buffer(30)] {
        // The transport takes one byte at a time.
        let writes = (0..60).flat_map(|_| [Write("né€😀".as_bytes()), Read(9), Room(1), Flush]);
        scripts.push((config.clone(), [Room(0)].into_iter().chain(writes).chain(all()).collect()));
        scripts
            .push((config, vec![Write(b"a"), Write(b"b"), Room(4), Write(b"c"), Room(0), Read(9), Room(99)]));
    }
    let text_writes = || vec![Write(b"a\xf0"), Write(b"\x9f"), Write(b""), Write(b"\x98"), Flush];
    scripts.push((text(), [text_writes(), vec![Write(b"\x80"), Write(b"\xff"), Shutdown]].concat()));
    scripts.push((text(), [text_writes(), vec![Shutdown, Shutdown, Write(b"a")], all()].concat()));
    // What comes next after the beginning of a code point is not always the same.
    for (begun, next) in [(0xe0, 0x80), (0xe0, 0xa0), (0xed, 0xa0), (0xf0, 0x80), (0xf4, 0x90), (0xf4, 0x8f)]
    {
        let head = wire::header(true, wire::TEXT, (role == Role::Server).then_some([0; 4]), 5);
        let start = vec![Feed(head), Feed(vec![b'a', begun]), Read(64), Feed(vec![next]), Read(64)];
        scripts.push((text(), [start, vec![Feed(vec![0x80, 0x80]), Read(64), Read(64)], all()].concat()));
    }
    for config in [binary(), binary().half_close(false), binary().abnormal_close_is_error(false)] {
        for before in [
            vec![Room(0), ping(b"one"), Read(64), ping(b"two"), Read(64), Write(b"data")],
            vec![Room(2), Write(b"data"), ping(b"one"), Read(64), ping(b"two"), Read(64), Write(b"data")],
            vec![BlockFlush(true), ping(b"one"), Read(64)],
            vec![frame(false, wire::BINARY, b"part")],
        ] {
            for end in [
                vec![close(1000)],
                vec![close(1001)],
                vec![close(1011)],
                vec![frame(true, wire::CONTINUATION, b"more, and"), frame(true, 0x3, b"violation")],
                vec![frame(true, wire::TEXT, b"wrong type")],
                vec![EndInput(Answer::Zero)],
                vec![EndInput(reset)],
                vec![Shutdown, Read(64), close(1000)],
                vec![Shutdown, Shutdown, Write(b"late"), gone.clone()],
                vec![gone.clone()],
                vec![gone.clone(), close(1000)],
                vec![close(1000), Read(64), gone.clone()],
                vec![EndOutput(Answer::Zero), close(1000)],
                vec![],
            ] {
                let mut script = [before.clone(), end, all()].concat();
                script.extend([BlockFlush(false), Room(9999)]);
                scripts.push((config.clone(), [script, all()].concat()));
            }
        }
    }
    scripts
}

#[track_caller]
fn same(seen: &[String], expected: &[String], case: impl Fn() -> String) {
    if let Some(at) = seen.iter().zip(expected).position(|(seen, expected)| seen != expected) {
        panic!("{}\n was {}\n not {}", case(), seen[at], expected[at]);
    }
    assert_eq!(seen.len(), expected.len(), "{}", case());
}

#[test]
fn continued_stream_behaves_as_the_uninterrupted_one_wherever_it_was_taken_apart() {
    for role in ROLES {
        for (config, script) in scripts(role) {
            let expected = run(role, &config, &script, |_| false);
            for at in 0..script.len() {
                let seen = run(role, &config, &script, |i| i == at);
                same(&seen, &expected, || format!("{} {config:?} before {at} of {script:?}", name(role)));
            }
            let seen = run(role, &config, &script, |_| true);
            same(&seen, &expected, || format!("{} {config:?} all through {script:?}", name(role)));
        }
    }
}

#[test]
fn continued_stream_behaves_as_the_uninterrupted_one_in_any_order_of_calls() {
    for role in ROLES {
        for config in [binary(), text(), binary().half_close(false), text().write_buffer(40)] {
            for seed in 1..150 {
                let script = random(seed, talk(role, &config).with(&[Close(1000, "")]).wire);
                let expected = run(role, &config, &script, |_| false);
                let seen = run(role, &config, &script, |_| true);
                same(&seen, &expected, || format!("{} {config:?} seed {seed}: {script:?}", name(role)));
            }
        }
    }
}
