//! How reading ends: PROMISES 2.4 to 2.6, of 2.12 that a failing push is no reader's error. Pitfalls C22, C27.

use std::io::ErrorKind::{
    self, BrokenPipe, ConnectionAborted, ConnectionReset, InvalidData, TimedOut, UnexpectedEof, WriteZero,
};

use fastwebsockets_stream::{CloseCode, CloseFrame, Error, Role};

use crate::support::transport::Answer;
use crate::support::wire::{self, BINARY, CLOSE, CONTINUATION, PONG};
use crate::support::{Mock, ROLES, Task, binary, err, name, ok, pattern, read_all, rule, stream};

/// How a transport ends: FIN, RST, TLS without its close_notify, and others.
const ENDS: [Answer; 5] = [
    Answer::Zero,
    Answer::Error(ConnectionReset),
    Answer::Error(UnexpectedEof),
    Answer::Error(TimedOut),
    Answer::Error(ConnectionAborted),
];

/// What may have come before, and the data in it: between frames, inside a header, a payload, a message, a Ping.
fn beginnings(role: Role) -> [(Vec<u8>, Vec<u8>); 7] {
    let whole = wire::data(role, b"whole");
    let long = wire::data(role, &pattern(20_000));
    [
        (vec![], vec![]),
        (whole.clone(), b"whole".to_vec()),
        ([&whole[..], &whole[..1]].concat(), b"whole".to_vec()),
        ([&whole[..], &whole[..whole.len() - 2]].concat(), b"wholewho".to_vec()),
        (long[..long.len() - 1].to_vec(), pattern(19_999)),
        (wire::from_peer(role, false, BINARY, b"fragment"), b"fragment".to_vec()),
        ([&whole[..], &wire::ping(role, b"ping")[..5]].concat(), b"whole".to_vec()),
    ]
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.2.1
//= type=test
//# If at any point the underlying transport layer connection is unexpectedly lost, the client MUST _Fail the
//# WebSocket Connection_.
#[test]
fn transport_that_ends_without_a_close_is_an_error_after_all_data_wherever_it_ends() {
    for role in ROLES {
        for end in ENDS {
            for (n, (bytes, data)) in beginnings(role).into_iter().enumerate() {
                for room in [1, 100, 4096, 1 << 16] {
                    let (mut stream, mock) = stream(role, binary());
                    mock.state().input_end = end;
                    mock.feed(&bytes);
                    let (seen, error) = read_all(&mut stream, room);
                    let about = format!("{}, {end:?}, beginning {n}, room {room}", name(role));
                    assert!(seen == data, "{about}");
                    let error = error.expect_err(&about);
                    match end {
                        Answer::Error(kind) => {
                            assert_eq!(error.kind(), kind, "{about}");
                            assert!(error.get_ref().is_none(), "the transport's own error: {about}");
                        }
                        _ => assert_eq!(*rule(&error), Error::Truncated, "{about}"),
                    }
                    // Sticky: the transport is not asked again, whatever it would say.
                    let reads = mock.state().reads;
                    mock.feed(&wire::data(role, b"too late"));
                    for _ in 0..3 {
                        let task = Task::default();
                        assert_eq!(err(task.read(&mut stream, room)).kind(), error.kind(), "{about}");
                        assert_eq!(err(task.look(&mut stream)).kind(), error.kind(), "{about}");
                    }
                    assert_eq!(mock.state().reads, reads);
                    assert!(!stream.is_closed() && stream.peer_close().is_none());
                }
            }
        }
    }
}

#[test]
fn truncation_is_unexpected_eof() {
    assert_eq!(Error::Truncated.kind(), UnexpectedEof);
    assert_eq!(Error::Truncated.close_code(), None);
}

#[test]
fn peers_close_is_the_end_for_ever_also_inside_a_message_and_whatever_follows_it() {
    let close = CloseFrame { code: Some(CloseCode::AWAY), reason: "bye".into() };
    for role in ROLES {
        for end in ENDS {
            for inside in [false, true] {
                for room in [1, 100, 4096] {
                    let (mut stream, mock) = stream(role, binary());
                    mock.state().input_end = end;
                    mock.feed(&wire::from_peer(role, !inside, BINARY, b"data"));
                    mock.feed(&wire::close(role, Some(1001), "bye"));
                    mock.feed(
                        &[wire::data(role, b"late"), wire::ping(role, b"late"), vec![0xff; 99]].concat(),
                    );
                    let (seen, ended) = read_all(&mut stream, room);
                    assert!(seen == b"data" && ended.is_ok(), "{} {end:?} {inside} {room}", name(role));
                    assert_eq!(stream.peer_close(), Some(&close));
                    let reads = mock.state().reads;
                    mock.feed(&wire::data(role, b"later still"));
                    for _ in 0..3 {
                        assert_eq!(ok(Task::default().read(&mut stream, room)), b"");
                        assert_eq!(ok(Task::default().look(&mut stream)), b"");
                    }
                    assert_eq!(mock.state().reads, reads);
                    let frames = wire::decode(&mock.take_written());
                    assert_eq!(wire::opcodes(&frames), [CLOSE]);
                    assert_eq!(frames[0].payload, [0x03, 0xe9]);
                }
            }
        }
    }
}

#[test]
fn end_comes_at_once_whatever_becomes_of_the_answer() {
    let troubles: [fn(&Mock); 8] = [
        |mock| mock.set_room(0),
        |mock| mock.set_room(2),
        |mock| mock.state().flush = Some(Answer::Pending),
        |mock| mock.state().flush = Some(Answer::Error(BrokenPipe)),
        |mock| mock.state().shutdown = Some(Answer::Pending),
        |mock| mock.state().shutdown = Some(Answer::Error(ErrorKind::Other)),
        |mock| {
            mock.set_room(0);
            mock.state().output_end = Answer::Error(BrokenPipe);
        },
        |mock| {
            mock.set_room(1);
            mock.state().output_end = Answer::Zero;
        },
    ];
    for role in ROLES {
        for (n, trouble) in troubles.into_iter().enumerate() {
            for (room, code, half_close) in
                [64, 8192].into_iter().flat_map(|room| [(room, 1000, false), (room, 1001, true)])
            {
                let (mut stream, mock) = stream(role, binary().half_close(half_close));
                trouble(&mock);
                mock.feed(&[wire::data(role, b"data"), wire::close(role, Some(code), "")].concat());
                let task = Task::default();
                assert_eq!(ok(task.read(&mut stream, room)), b"data", "{} {n}", name(role));
                for _ in 0..3 {
                    assert_eq!(ok(task.read(&mut stream, room)), b"", "{} {n}", name(role));
                    assert_eq!(ok(task.look(&mut stream)), b"", "{} {n}", name(role));
                }
                assert!(stream.is_closed());
                let error = err(task.write(&mut stream, b"x"));
                assert_eq!(error.kind(), BrokenPipe, "{} {n}", name(role));
            }
        }
    }
}

#[test]
fn what_is_left_of_the_answer_leaves_with_a_later_read_flush_or_shutdown() {
    for role in ROLES {
        for room in [0, 1, 3] {
            for (way, strict) in (0..3).flat_map(|way| [(way, true), (way, false)]) {
                let (mut stream, mock) = stream(role, binary().abnormal_close_is_error(strict));
                mock.set_room(room);
                mock.feed(&wire::close(role, Some(3000), "reason"));
                let task = Task::default();
                let ends = |polled| match strict {
                    true => assert_eq!(err(polled).kind(), ConnectionAborted),
                    false => assert_eq!(ok(polled), b""),
                };
                ends(task.read(&mut stream, 64));
                // One attempt, which the transport may have taken in part.
                assert_eq!(mock.state().write_calls, if room == 0 { 1 } else { 2 });
                mock.set_room(usize::MAX);
                match way {
                    0 => ends(task.read(&mut stream, 64)),
                    1 => ok(task.flush(&mut stream)),
                    _ => ok(task.shutdown(&mut stream)),
                }
                assert!(mock.is_flushed(), "{} {room} {way}", name(role));
                let frames = wire::decode(&mock.take_written());
                assert_eq!(
                    (wire::opcodes(&frames), &frames[0].payload[..]),
                    (vec![CLOSE], &[0x0b, 0xb8][..])
                );
            }
        }
    }
}

#[test]
fn close_with_an_abnormal_code_is_an_error_only_if_the_config_says_so() {
    let clean = [None, Some(1000), Some(1001)];
    let abnormal = (1002..=1003).chain(1007..=1014).chain([3000, 4999]).map(Some);
    for role in ROLES {
        for code in clean.into_iter().chain(abnormal.clone()) {
            for strict in [false, true] {
                let config = if strict { binary() } else { binary().abnormal_close_is_error(false) };
                let (mut stream, mock) = stream(role, config);
                let reason = if code.is_some() { "why" } else { "" };
                mock.feed(&[wire::data(role, b"data"), wire::close(role, code, reason)].concat());
                let frame = CloseFrame { code: code.map(CloseCode::from), reason: reason.into() };
                let (seen, end) = read_all(&mut stream, 100);
                assert_eq!(seen, b"data");
                if strict && !clean.contains(&code) {
                    let error = end.expect_err("an abnormal Close");
                    assert!(matches!(rule(&error), Error::ClosedAbnormally { close, .. } if *close == frame));
                    for _ in 0..3 {
                        assert_eq!(error.kind(), ConnectionAborted);
                        assert_eq!(err(Task::default().read(&mut stream, 100)).kind(), ConnectionAborted);
                    }
                } else {
                    assert!(end.is_ok(), "{code:?}");
                    assert_eq!(ok(Task::default().read(&mut stream, 100)), b"");
                }
                assert!(stream.is_closed());
                assert_eq!(stream.peer_close(), Some(&frame));
                // It is answered like any other, and at once.
                if matches!(code, None | Some(1000)) {
                    assert_eq!(mock.take_written(), b"");
                    ok(Task::default().shutdown(&mut stream));
                }
                let frames = wire::decode(&mock.take_written());
                assert_eq!(wire::opcodes(&frames), [CLOSE]);
                assert_eq!(frames[0].payload, wire::close_payload(code, ""));
                assert_eq!(err(Task::default().write(&mut stream, b"x")).kind(), BrokenPipe);
            }
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7
//= type=test
//# An endpoint MUST NOT continue to attempt to process data (including a responding Close frame) from the
//# remote endpoint
#[test]
fn stream_that_has_ended_in_any_way_gives_the_same_answers_for_ever() {
    let truncated: fn(&Mock, Role) = |mock, _| mock.state().input_end = Answer::Zero;
    let violated: fn(&Mock, Role) = |mock, _| mock.feed(&[0xff]);
    let reset: fn(&Mock, Role) = |mock, _| mock.state().input_end = Answer::Error(ConnectionReset);
    let closed: fn(&Mock, Role) = |mock, role| mock.feed(&wire::close(role, Some(1000), ""));
    let away: fn(&Mock, Role) = |mock, role| mock.feed(&wire::close(role, Some(1001), ""));
    let aborted: fn(&Mock, Role) = |mock, role| mock.feed(&wire::close(role, Some(1011), ""));
    let (on, off) = (binary(), binary().half_close(false));
    // What reads say, and what writes say. After an error of the transport's read side writing goes on.
    let table = [
        (&on, truncated, Some(UnexpectedEof), Some(BrokenPipe)),
        (&on, violated, Some(InvalidData), Some(BrokenPipe)),
        (&on, reset, Some(ConnectionReset), None),
        (&on, closed, None, None),
        (&on, away, None, Some(BrokenPipe)),
        (&on, aborted, Some(ConnectionAborted), Some(BrokenPipe)),
        (&off, closed, None, Some(BrokenPipe)),
    ];
    for role in ROLES {
        for (config, end, reads, writes) in table {
            let (mut stream, mock) = stream(role, config.clone());
            end(&mock, role);
            let task = Task::default();
            for round in 0..3 {
                let about = format!("{} {reads:?} {round}", name(role));
                assert_eq!(
                    task.read(&mut stream, 64).map(|read| kind(read.map(drop))),
                    ready_with(reads),
                    "{about}"
                );
                assert_eq!(
                    task.look(&mut stream).map(|seen| kind(seen.map(drop))),
                    ready_with(reads),
                    "{about}"
                );
                assert_eq!(
                    task.write(&mut stream, b"x").map(|n| kind(n.map(drop))),
                    ready_with(writes),
                    "{about}"
                );
                let slices = [std::io::IoSlice::new(b"x")];
                let written = task.write_vectored(&mut stream, &slices);
                assert_eq!(written.map(|n| kind(n.map(drop))), ready_with(writes), "{about}");
                assert!(task.flush(&mut stream).is_ready(), "{about}");
                mock.feed(&wire::data(role, b"too late"));
                mock.state().input_end = Answer::Pending;
            }
            for _ in 0..3 {
                ok(task.shutdown(&mut stream));
                assert_eq!(task.read(&mut stream, 9000).map(|read| kind(read.map(drop))), ready_with(reads));
                assert_eq!(err(task.write(&mut stream, b"x")).kind(), BrokenPipe);
            }
            let sent = wire::opcodes(&wire::decode(&mock.take_written()));
            assert_eq!(sent.iter().filter(|opcode| **opcode == CLOSE).count(), 1);
            assert_eq!(sent.last(), Some(&CLOSE));
        }
    }
}

fn kind(result: std::io::Result<()>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn ready_with(kind: Option<ErrorKind>) -> std::task::Poll<Option<ErrorKind>> {
    std::task::Poll::Ready(kind)
}

#[test]
fn failing_push_of_a_read_is_no_error_of_the_read_and_the_next_write_reports_it_once() {
    type Trouble = fn(&Mock);
    let troubles: [(Trouble, ErrorKind); 3] = [
        (|mock| mock.state().output_end = Answer::Error(ConnectionReset), ConnectionReset),
        (|mock| mock.state().output_end = Answer::Zero, WriteZero),
        (|mock| mock.state().flush = Some(Answer::Error(TimedOut)), TimedOut),
    ];
    for role in ROLES {
        for (trouble, expected) in troubles {
            for gathered in [false, true] {
                let (mut stream, mock) = stream(role, binary().write_buffer(if gathered { 999 } else { 0 }));
                let task = Task::default();
                trouble(&mock);
                if mock.state().flush.is_none() {
                    mock.set_room(if gathered { 0 } else { 1 });
                }
                if gathered {
                    ok(task.write(&mut stream, b"gathered"));
                } else {
                    mock.feed(&wire::ping(role, b"ping"));
                }
                mock.feed(&wire::from_peer(role, false, BINARY, b"one"));
                assert_eq!(ok(task.read(&mut stream, 8192)), b"one");
                // Data and Close that are still there.
                mock.feed(&wire::from_peer(role, true, CONTINUATION, b"two"));
                mock.feed(&wire::ping(role, b"unanswerable"));
                assert_eq!(ok(task.read(&mut stream, 8192)), b"two");
                assert_eq!(err(task.write(&mut stream, b"x")).kind(), expected, "{}", name(role));
                assert_eq!(err(task.write(&mut stream, b"x")).kind(), BrokenPipe);
                mock.feed(&wire::close(role, None, ""));
                assert_eq!(ok(task.read(&mut stream, 8192)), b"");
                assert_eq!(err(task.write(&mut stream, b"x")).kind(), BrokenPipe);
                let written = mock.take_written();
                assert!(!wire::opcodes(&wire::decode_prefix(&written).0).contains(&CLOSE));
                assert!(gathered || written.len() < 2 || wire::opcodes(&wire::decode(&written)) == [PONG]);
            }
        }
    }
}
