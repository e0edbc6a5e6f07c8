//! What a call of `close` throws away, and what it leaves behind when it is dropped: PROMISES 5.3.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use fastwebsockets_stream::{CloseCode, Config, Error, Role, WebSocketStream};
use tokio::time::Instant;

use super::{close_of, sent};
use crate::support::transport::Answer;
use crate::support::{
    Mock, ROLES, Task, Transport, binary, err, name, ok, read_all, rule, sentence, stream, text, wire,
};

type Stream = WebSocketStream<Transport>;

/// Polls a call of `close` once, and drops it while it waits.
#[track_caller]
fn begin_to_close(stream: &mut Stream) {
    let mut close = pin!(stream.close(CloseCode::AWAY, "bye"));
    assert!(Task::default().run(|cx| close.as_mut().poll(cx)).is_pending());
}

fn apart(stream: Stream) -> Stream {
    WebSocketStream::from_parts(stream.into_parts())
}

fn patient(config: Config) -> Config {
    config.close_timeout(Duration::MAX)
}

#[test]
fn reads_after_a_dropped_close_discard_what_was_read_ahead_and_what_comes() {
    for role in ROLES {
        for (room, taken_apart) in
            [1, 2, 100, 8192].into_iter().flat_map(|room| [(room, false), (room, true)])
        {
            let case = format!("{} {room}, taken apart {taken_apart}", name(role));
            let (mut stream, mock) = stream(role, patient(binary()));
            let task = Task::default();
            mock.feed(&wire::data(role, b"abc"));
            assert_eq!(ok(task.read(&mut stream, 1)), b"a");
            mock.feed(&wire::data(role, b"XYZ"));
            begin_to_close(&mut stream);
            if taken_apart {
                stream = apart(stream);
            }
            assert!(task.read(&mut stream, room).is_pending(), "{case}");
            mock.feed(&wire::data(role, b"123"));
            assert!(task.look(&mut stream).is_pending(), "{case}");
            if taken_apart {
                stream = apart(stream);
            }
            // In one piece with the Close, too.
            mock.feed(&[wire::data(role, b"def"), wire::close(role, None, "")].concat());
            let (bytes, end) = read_all(&mut stream, room);
            assert!(end.is_ok() && bytes.is_empty(), "{case}: {bytes:?} {end:?}");
            assert!(stream.is_closed() && mock.state().is_shut, "{case}");
            assert_eq!(sent(&mock), [close_of(Some(1001), "bye")], "{case}");
        }
    }
}

#[test]
fn reads_after_a_dropped_close_still_tell_truncation_and_violation() {
    for role in ROLES {
        for room in [1, 8192] {
            for violates in [false, true] {
                let (mut stream, mock) = stream(role, patient(binary()));
                begin_to_close(&mut stream);
                mock.feed(&wire::data(role, b"def"));
                if violates {
                    mock.feed(&[0xff]);
                } else {
                    mock.state().input_end = Answer::Zero;
                }
                let kind = if violates { ErrorKind::InvalidData } else { ErrorKind::UnexpectedEof };
                let (bytes, end) = read_all(&mut stream, room);
                assert_eq!((bytes, end.unwrap_err().kind()), (vec![], kind), "{}", name(role));
            }
        }
    }
}

#[tokio::test]
async fn reads_after_a_whole_close_give_nothing() {
    for role in ROLES {
        for room in [1, 8192] {
            let (mut stream, mock) = stream(role, patient(binary()));
            let task = Task::default();
            mock.feed(&wire::data(role, b"read ahead"));
            assert_eq!(ok(task.read(&mut stream, 1)), b"r");
            mock.feed(
                &[wire::data(role, b"more"), wire::close(role, Some(1000), "too"), vec![7; 9]].concat(),
            );
            assert_eq!(stream.close(CloseCode::NORMAL, "").await.unwrap().unwrap().reason, "too");
            for _ in 0..3 {
                assert_eq!(ok(task.read(&mut stream, room)), b"");
                assert_eq!(ok(task.look(&mut stream)), b"");
            }
            assert!(stream.into_parts().unread.len() < 20, "the Close alone");
        }
    }
}

#[test]
fn text_that_is_discarded_is_checked_no_less_and_no_more_at_any_cut_also_when_taken_apart() {
    for role in ROLES {
        let legal = wire::from_peer(role, true, wire::TEXT, "né€😀!".as_bytes());
        let rest = wire::from_peer(role, true, wire::TEXT, "😀".as_bytes());
        let illegal = wire::from_peer(role, true, wire::TEXT, b"n\xc3\xa9\xe2\x82\xac\xf0\x9f\x98!");
        for (bytes, is_legal) in [(&legal, true), (&illegal, false)] {
            for at in 0..=bytes.len() {
                for taken_apart in [false, true] {
                    let case = format!("{} {at}, legal {is_legal}, apart {taken_apart}", name(role));
                    let (mut stream, mock) = stream(role, patient(text()));
                    mock.feed(&bytes[..at]);
                    // Of what was read ahead a read takes a byte before.
                    let read = Task::default().read(&mut stream, 1);
                    if read.is_ready() {
                        ok(read);
                    }
                    if at < bytes.len() || is_legal {
                        begin_to_close(&mut stream);
                    }
                    if taken_apart {
                        stream = apart(stream);
                    }
                    mock.feed(&[&bytes[at..], &rest, &wire::close(role, Some(1000), "")].concat());
                    let (seen, end) = read_all(&mut stream, 100);
                    if is_legal {
                        assert!(end.is_ok() && seen.is_empty(), "{case}: {seen:?} {end:?}");
                    } else {
                        assert_eq!(*rule(&end.expect_err(&case)), Error::InvalidUtf8, "{case}");
                    }
                }
            }
        }
    }
}

/// A peer that sends nothing, and a limit that is none.
async fn close_ends_at_once(stream: &mut Stream, case: &str) -> std::io::Error {
    let before = Instant::now();
    let close = tokio::time::timeout(Duration::from_secs(3600), stream.close(CloseCode::NORMAL, ""));
    let error = close.await.expect(case).expect_err(case);
    assert_eq!(before.elapsed(), Duration::ZERO, "{case}");
    error
}

#[tokio::test(start_paused = true)]
async fn close_that_meets_a_write_error_ends_at_once_with_the_transport_shut() {
    let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset, ErrorKind::Other];
    for role in ROLES {
        let close = wire::close(role, Some(1000), "").len();
        let close = if role == Role::Client { close + 4 } else { close - 4 };
        for kind in kinds {
            // In the first push of a poll: nothing of the Close leaves, or its flush fails. In the second: the Pong.
            for what in ["write", "part", "flush", "pong", "pong later", "data before"] {
                let case = format!("{} {kind:?} {what}", name(role));
                let (mut stream, mock) = stream(role, patient(binary()));
                mock.state().output_end = Answer::Error(kind);
                match what {
                    "write" => mock.set_room(0),
                    "part" => mock.set_room(2),
                    "flush" => mock.state().flush = Some(Answer::Error(kind)),
                    "data before" => {
                        mock.set_room(3);
                        mock.feed(&wire::data(role, b"data"));
                    }
                    _ => {
                        mock.set_room(close);
                        if what == "pong later" {
                            mock.set_room(close + "bye".len());
                            begin_to_close(&mut stream);
                        }
                        mock.feed(&wire::ping(role, b"ping"));
                    }
                }
                let error = close_ends_at_once(&mut stream, &case).await;
                assert_eq!(error.kind(), kind, "{case}");
                assert!(error.get_ref().is_none(), "the transport's own: {case}");
                assert!(mock.state().is_shut, "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn close_that_meets_a_write_error_does_not_wait_for_a_peer_that_never_stops_sending() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, patient(binary()));
        mock.set_room(0);
        mock.state().output_end = Answer::Error(ErrorKind::ConnectionReset);
        // More than a poll may take, and after it the error must not be forgotten.
        mock.state().read_chunk = 1000;
        mock.feed(&wire::data(role, &[0; 50_000]).repeat(20));
        let left = mock.state().input.len();
        let error = close_ends_at_once(&mut stream, name(role)).await;
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(mock.state().is_shut && mock.state().input.len() > left - 100_000);
    }
}

#[tokio::test(start_paused = true)]
async fn close_over_a_dead_pipe_returns_the_peers_close_that_is_there() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, patient(binary()));
        mock.set_room(0);
        mock.state().output_end = Answer::Error(ErrorKind::BrokenPipe);
        mock.state().shutdown = Some(Answer::Error(ErrorKind::NotConnected));
        mock.feed(&[wire::data(role, b"data"), wire::close(role, Some(1000), "gone")].concat());
        assert_eq!(stream.close(CloseCode::NORMAL, "").await.unwrap().unwrap().reason, "gone");
    }
}

#[tokio::test(start_paused = true)]
async fn close_that_times_out_says_whether_all_that_was_written_had_left() {
    type Past = fn(&mut Stream, &Mock);
    let pasts: [(&str, bool, Config, Past); 8] = [
        ("nothing was written", true, binary(), |_, _| ()),
        ("the Close waits alone", true, binary(), |_, mock| mock.set_room(0)),
        ("data that was flushed", true, binary(), |stream, mock| {
            ok(Task::default().write(stream, b"data"));
            ok(Task::default().flush(stream));
            mock.set_room(0);
        }),
        ("data that leaves with the Close", true, binary().write_buffer(99), |stream, _| {
            ok(Task::default().write(stream, b"data"));
        }),
        ("a frame sent in part", false, binary(), |stream, mock| {
            mock.set_room(3);
            ok(Task::default().write(stream, b"data"));
        }),
        ("gathered data", false, binary().write_buffer(99), |stream, mock| {
            mock.set_room(0);
            ok(Task::default().write(stream, b"data"));
        }),
        ("data whose flush waits", false, binary(), |stream, mock| {
            mock.state().flush = Some(Answer::Pending);
            ok(Task::default().write(stream, b"data"));
        }),
        ("half a code point", false, text(), |stream, _| {
            ok(Task::default().write(stream, b"a\xe2"));
        }),
    ];
    for role in ROLES {
        for (past, all, config, happen) in &pasts {
            let (mut stream, mock) = stream(role, config.clone().close_timeout(Duration::from_secs(2)));
            happen(&mut stream, &mock);
            let before = Instant::now();
            let error = stream.close(CloseCode::NORMAL, "").await.unwrap_err();
            assert_eq!((error.kind(), before.elapsed().as_secs()), (ErrorKind::TimedOut, 2), "{past}");
            let Error::CloseTimedOut { all_sent, .. } = rule(&error) else { panic!("{past}: {error:?}") };
            assert_eq!(all_sent, all, "{} {past}", name(role));
            assert_eq!(error.to_string().contains("not all"), !all, "{past}: {error}");
            assert!(mock.state().is_shut, "{past}");
            assert!(Task::default().shutdown(&mut stream).is_ready(), "{past}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn close_after_the_peers_is_the_answer_and_waits_for_nothing_but_its_own_output() {
    for role in ROLES {
        for peer in [None, Some(1000)] {
            for returned in [false, true] {
                let (mut stream, mock) = stream(role, binary().write_buffer(99));
                let task = Task::default();
                mock.feed(&[wire::data(role, b"abc"), wire::close(role, peer, "")].concat());
                assert_eq!(
                    ok(task.read(&mut stream, if returned { 3 } else { 1 })).len(),
                    if returned { 3 } else { 1 }
                );
                if returned {
                    assert_eq!(ok(task.read(&mut stream, 3)), b"");
                }
                ok(task.write(&mut stream, b"response"));
                let before = Instant::now();
                let close = stream.close(4321, "so long").await.unwrap().unwrap();
                assert_eq!((close.code.map(u16::from), before.elapsed()), (peer, Duration::ZERO));
                let response = (wire::BINARY, b"response".to_vec());
                assert_eq!(sent(&mock), [response, close_of(Some(4321), "so long")], "{}", name(role));
                assert!(mock.state().is_shut);
                assert_eq!(ok(task.read(&mut stream, 100)), b"", "what was read ahead is discarded");
                assert_eq!(err(task.write(&mut stream, b"x")).kind(), ErrorKind::BrokenPipe);
            }
            // It waits for its own output as long as it may, and no longer.
            let (mut stream, mock) = stream(role, binary());
            mock.feed(&wire::close(role, peer, ""));
            assert_eq!(ok(Task::default().read(&mut stream, 100)), b"");
            mock.set_room(1);
            let before = Instant::now();
            assert_eq!(stream.close(1000, "").await.unwrap_err().kind(), ErrorKind::TimedOut);
            assert_eq!(before.elapsed().as_secs(), 10);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn close_inside_a_code_point_says_so_to_the_peer_and_the_caller() {
    for role in ROLES {
        for peer_first in [false, true] {
            let (mut stream, mock) = stream(role, text());
            ok(Task::default().write(&mut stream, b"a\xe2"));
            mock.feed(&wire::close(role, Some(1000), ""));
            if peer_first {
                assert_eq!(ok(Task::default().read(&mut stream, 100)), b"");
            }
            let error = stream.close(CloseCode::NORMAL, "fine").await.unwrap_err();
            assert_eq!(*rule(&error), Error::WriteIncompleteUtf8);
            let close = close_of(Some(1007), &sentence(&Error::WriteIncompleteUtf8));
            assert_eq!(sent(&mock), [(wire::TEXT, b"a".to_vec()), close]);
            assert!(mock.state().is_shut);
        }
    }
}
