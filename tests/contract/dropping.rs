//! What dropping a stream does: PROMISES 5.6.

mod leaving;

use std::io;
use std::panic::AssertUnwindSafe;

use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};

use crate::support::transport::Answer;
use crate::support::{Mock, ROLES, Task, Transport, binary, name, ok, ready, stream, text, wire};

type Stream = WebSocketStream<Transport>;

/// What becomes of the transport when the stream is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The answer, a flush, the transport's shutdown; and what lies unread is gone.
    Answers,
    /// Nothing at all: not a call.
    Nothing,
}
use Ending::{Answers, Nothing};

/// Drops a stream that has received a Close with this code, and has not answered it.
#[track_caller]
fn see(stream: Stream, mock: &Mock, code: Option<u16>, expected: Ending, case: &str) {
    see_with(|| drop(stream), mock, code, expected, case);
}

#[track_caller]
fn see_with(drop: impl FnOnce(), mock: &Mock, code: Option<u16>, expected: Ending, case: &str) {
    mock.take_written();
    mock.feed(b"behind the Close");
    let before = mock.state().calls;
    drop();
    if expected == Nothing {
        assert_eq!(mock.state().calls, before, "{case}");
        return;
    }
    assert!(mock.is_flushed() && mock.state().is_shut && mock.state().input.is_empty(), "{case}");
    let frames = wire::decode(&mock.take_written());
    assert_eq!((frames.len(), frames[0].opcode), (1, wire::CLOSE), "{case}");
    assert_eq!(frames[0].payload, wire::close_payload(code, ""), "{case}");
}

/// The peer's data and Close arrive, and reads return the end, or only the data.
fn receive(stream: &mut Stream, mock: &Mock, role: Role, code: Option<u16>, to_the_end: bool) {
    let opcode = if stream.payload_type() == PayloadType::Text { wire::TEXT } else { wire::BINARY };
    let data = wire::from_peer(role, true, opcode, b"data");
    mock.feed(&[data, wire::close(role, code, "")].concat());
    // Little room: the Close is decoded with the first read.
    assert_eq!(ok(Task::default().read(stream, 2)), b"da");
    assert!(stream.is_closed());
    if to_the_end {
        assert_eq!(ok(Task::default().read(stream, 2)), b"ta");
        assert_eq!(ok(Task::default().read(stream, 2)), b"");
    }
}

/// What the program does between the peer's Close and the drop.
type Since = (&'static str, fn(&mut Stream, &Mock), bool);

fn since() -> Vec<Since> {
    vec![
        ("nothing", |_, _| (), true),
        ("a flush", |stream, _| ok(Task::default().flush(stream)), true),
        ("reads at the end", |stream, _| drop(Task::default().read(stream, 9000)), true),
        ("a write", |stream, _| assert_eq!(ok(Task::default().write(stream, b"more")), 4), false),
        ("an empty write", |stream, _| assert_eq!(ok(Task::default().write(stream, b"")), 0), false),
        (
            "a write that was flushed",
            |stream, _| {
                ok(Task::default().write(stream, b"more"));
                ok(Task::default().flush(stream));
            },
            false,
        ),
        (
            "a write in slices",
            |stream, _| {
                let slices = [io::IoSlice::new(b"mo"), io::IoSlice::new(b"re")];
                ok(Task::default().write_vectored(stream, &slices));
            },
            false,
        ),
        (
            "a write that was kept",
            |stream, mock| {
                mock.set_room(3);
                ok(Task::default().write(stream, b"more"));
                mock.set_room(usize::MAX);
            },
            false,
        ),
        (
            "a write that was cancelled",
            |stream, mock| {
                mock.set_room(0);
                assert!(Task::default().write(stream, b"more").is_pending());
                mock.set_room(usize::MAX);
            },
            false,
        ),
        (
            "a write that failed",
            |stream, mock| {
                mock.set_room(0);
                mock.state().output_end = Answer::Error(io::ErrorKind::ConnectionReset);
                assert!(ready(Task::default().write(stream, b"more")).is_err());
                mock.set_room(usize::MAX);
            },
            false,
        ),
    ]
}

#[test]
fn drop_answers_where_a_read_returned_the_end_and_nothing_was_written_since_and_else_does_nothing() {
    for role in ROLES {
        for (since, happen, orderly) in since() {
            for code in [None, Some(1000)] {
                for returned in [true, false] {
                    let case = format!("{} {code:?}, {since}, returned {returned}", name(role));
                    let (mut stream, mock) = stream(role, binary());
                    receive(&mut stream, &mock, role, code, returned);
                    // A read would return the end here, or come near it.
                    if !returned && since.contains("read") {
                        continue;
                    }
                    happen(&mut stream, &mock);
                    let expected = if returned && orderly { Answers } else { Nothing };
                    see(stream, &mock, code, expected, &case);
                }
            }
        }
    }
}

#[test]
fn drop_after_a_close_that_was_answered_at_once_sends_no_second_answer() {
    for role in ROLES {
        for (code, half_close) in [(1001, true), (1011, true), (1000, false)] {
            for returned in [true, false] {
                let config = binary().half_close(half_close).abnormal_close_is_error(false);
                let (mut stream, mock) = stream(role, config);
                receive(&mut stream, &mock, role, Some(code), returned);
                let sent = wire::decode(&mock.take_written());
                assert_eq!((sent.len(), sent[0].opcode), (1, wire::CLOSE));
                drop(stream);
                assert!(mock.state().written.is_empty(), "{} {code}", name(role));
                assert_eq!(mock.state().shutdowns, 1);
            }
        }
    }
}

#[test]
fn drop_after_a_failure_of_the_peers_sends_no_second_answer() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        mock.feed(&wire::close(role, Some(1011), ""));
        assert!(ready(Task::default().read(&mut stream, 100)).is_err());
        assert_eq!(wire::decode(&mock.take_written()).len(), 1);
        drop(stream);
        assert!(mock.state().written.is_empty());
    }
}

#[test]
fn drop_answers_where_all_that_was_written_was_written_before_the_end_was_read() {
    for role in ROLES {
        for config in [binary(), binary().write_buffer(99), text()] {
            for flushed in [false, true] {
                // Before the Close was decoded, and between that and the read that returns the end.
                for decoded in [false, true] {
                    let case = format!("{} {config:?} {flushed} {decoded}", name(role));
                    let (mut stream, mock) = stream(role, config.clone());
                    let task = Task::default();
                    if decoded {
                        receive(&mut stream, &mock, role, Some(1000), false);
                    }
                    ok(task.write(&mut stream, b"reply"));
                    if flushed {
                        ok(task.flush(&mut stream));
                    }
                    if decoded {
                        assert_eq!(ok(task.read(&mut stream, 9)), b"ta");
                        assert_eq!(ok(task.read(&mut stream, 9)), b"");
                    } else {
                        receive(&mut stream, &mock, role, Some(1000), true);
                    }
                    assert_eq!(wire::payload(&wire::decode(&mock.state().written)), b"reply", "{case}");
                    see(stream, &mock, Some(1000), Answers, &case);
                }
            }
        }
    }
}

/// A write waits when the end comes, as with `tokio::io::copy`, which reads on while it waits to write.
fn write_waits_at_the_end(role: Role) -> (Stream, Mock) {
    let (mut stream, mock) = stream(role, binary());
    mock.set_room(3);
    ok(Task::default().write(&mut stream, b"first"));
    assert!(Task::default().write(&mut stream, b"second").is_pending());
    receive(&mut stream, &mock, role, Some(1000), true);
    (stream, mock)
}

#[test]
fn drop_counts_what_is_flushed_after_a_write_that_waited_at_the_end_as_written_before() {
    for role in ROLES {
        let task = Task::default();
        let (mut stream, mock) = write_waits_at_the_end(role);
        mock.set_room(usize::MAX);
        assert_eq!(ok(task.write(&mut stream, b"second")), 6);
        assert_eq!(wire::payload(&wire::decode(&mock.state().written)), b"firstsecond");
        ok(task.flush(&mut stream));
        see(stream, &mock, Some(1000), Answers, "the write went through, and was flushed");

        let (mut stream, mock) = write_waits_at_the_end(role);
        mock.set_room(usize::MAX);
        ok(task.write(&mut stream, b"second"));
        see(stream, &mock, Some(1000), Nothing, "the write went through, and there may be more to say");

        let (mut stream, mock) = write_waits_at_the_end(role);
        mock.set_room(usize::MAX);
        ok(task.write(&mut stream, b"second"));
        ok(task.write(&mut stream, b"third"));
        ok(task.flush(&mut stream));
        see(stream, &mock, Some(1000), Answers, "and the rest of what was to be written, then a flush");

        let (mut stream, mock) = write_waits_at_the_end(role);
        mock.set_room(usize::MAX);
        ok(task.write(&mut stream, b"second"));
        ok(task.flush(&mut stream));
        ok(task.write(&mut stream, b"third"));
        ok(task.flush(&mut stream));
        see(stream, &mock, Some(1000), Nothing, "another one, begun since");

        let (stream, mock) = write_waits_at_the_end(role);
        see(stream, &mock, Some(1000), Nothing, "it waits still");

        let (stream, mock) = write_waits_at_the_end(role);
        mock.set_room(usize::MAX);
        see(stream, &mock, Some(1000), Nothing, "it was cancelled");

        let (mut stream, mock) = write_waits_at_the_end(role);
        mock.set_room(usize::MAX);
        ok(task.flush(&mut stream));
        see(stream, &mock, Some(1000), Nothing, "it was cancelled, and what was kept has left");

        let (mut stream, mock) = write_waits_at_the_end(role);
        // Again in part: the frame is accepted and its rest kept.
        let kept = wire::from_peer(
            if role == Role::Client { Role::Server } else { Role::Client },
            true,
            2,
            b"first",
        );
        mock.set_room(kept.len() - 3 + 2);
        assert_eq!(ok(task.write(&mut stream, b"second")), 6);
        see(stream, &mock, Some(1000), Nothing, "a rest of it is kept");
    }
}

#[test]
fn drop_sends_nothing_while_anything_waits() {
    type Past = (&'static str, Config, fn(&mut Stream, &Mock, Role));
    let pasts: [Past; 4] = [
        ("the rest of a frame", binary(), |stream, mock, _| {
            mock.set_room(3);
            ok(Task::default().write(stream, b"reply"));
        }),
        ("half a code point", text(), |stream, _, _| {
            assert_eq!(ok(Task::default().write(stream, b"a\xe2")), 2)
        }),
        ("gathered frames", binary().write_buffer(99), |stream, mock, _| {
            mock.set_room(0);
            ok(Task::default().write(stream, b"reply"));
        }),
        ("a Pong", binary(), |stream, mock, role| {
            mock.set_room(0);
            mock.feed(&wire::ping(role, b"ping"));
            assert!(Task::default().read(stream, 9).is_pending());
        }),
    ];
    for role in ROLES {
        for (past, config, happen) in &pasts {
            for opens in [false, true] {
                let (mut stream, mock) = stream(role, config.clone());
                happen(&mut stream, &mock, role);
                receive(&mut stream, &mock, role, None, true);
                if opens {
                    mock.set_room(usize::MAX);
                }
                see(stream, &mock, None, Nothing, &format!("{} {past}, room {opens}", name(role)));
            }
        }
    }
}

#[test]
fn drop_answers_once_what_had_waited_has_left() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        mock.set_room(3);
        ok(Task::default().write(&mut stream, b"reply"));
        receive(&mut stream, &mock, role, None, true);
        mock.set_room(usize::MAX);
        assert_eq!(ok(Task::default().read(&mut stream, 9)), b"");
        assert_eq!(wire::payload(&wire::decode(&mock.state().written)), b"reply");
        see(stream, &mock, None, Answers, name(role));
    }
}

#[test]
fn drop_during_a_panic_sends_nothing() {
    for role in ROLES {
        for shut_down in [false, true] {
            let (mut stream, mock) = stream(role, binary());
            receive(&mut stream, &mock, role, Some(1000), true);
            if shut_down {
                ok(Task::default().shutdown(&mut stream));
            }
            let panic = || {
                let cut_off = AssertUnwindSafe(move || {
                    let _stream = stream;
                    // Without the panic's message.
                    std::panic::resume_unwind(Box::new("cut off"));
                });
                assert!(std::panic::catch_unwind(cut_off).is_err());
            };
            see_with(panic, &mock, Some(1000), Nothing, name(role));
        }
    }
}

#[test]
fn drop_of_what_is_left_of_a_stream_that_was_taken_apart_does_nothing() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        receive(&mut stream, &mock, role, Some(1000), true);
        let mut parts = None;
        see_with(|| parts = Some(stream.into_parts()), &mock, Some(1000), Nothing, "into_parts");
        see_with(|| drop(parts), &mock, Some(1000), Nothing, "its parts");
    }
}

#[cfg(feature = "fastwebsockets")]
#[test]
fn drop_of_what_into_inner_takes_out_does_nothing_and_without_it_into_inner_is_a_drop() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        mock.feed(&wire::data(role, b"data"));
        ok(Task::default().read(&mut stream, 100));
        see_with(|| drop(stream.into_inner().unwrap()), &mock, None, Nothing, "into_inner");

        // Where it gives nothing back, it has dropped the stream.
        let (mut stream, mock) = self::stream(role, binary());
        receive(&mut stream, &mock, role, None, true);
        see_with(|| assert!(stream.into_inner().is_none()), &mock, None, Answers, "into_inner of no use");
    }
}

#[test]
fn drop_of_a_stream_that_was_put_together_again_is_that_of_the_first() {
    for role in ROLES {
        for (since, happen, orderly) in since() {
            let (mut stream, mock) = stream(role, binary());
            receive(&mut stream, &mock, role, Some(1000), true);
            happen(&mut stream, &mock);
            let stream = WebSocketStream::from_parts(stream.into_parts());
            see(stream, &mock, Some(1000), if orderly { Answers } else { Nothing }, since);
        }
        let (stream, mock) = write_waits_at_the_end(role);
        let mut stream = WebSocketStream::from_parts(stream.into_parts());
        mock.set_room(usize::MAX);
        ok(Task::default().write(&mut stream, b"second"));
        ok(Task::default().flush(&mut stream));
        see(stream, &mock, Some(1000), Answers, "top-up");
    }
}

#[test]
fn drop_after_the_end_asks_a_transport_that_has_ended_but_once() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        receive(&mut stream, &mock, role, Some(1000), true);
        mock.state().input_end = Answer::Zero;
        let before = mock.state().reads;
        drop(stream);
        assert_eq!(mock.state().reads, before + 1, "{}", name(role));
    }
}
