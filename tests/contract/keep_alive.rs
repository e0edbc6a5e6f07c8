//! Keep-alive: PROMISES 5.5; pitfall C30. The clock is tokio's, paused.

use std::io::ErrorKind;
use std::time::Duration;

use fastwebsockets_stream::{Config, Error, WebSocketStream};
use tokio::time::{Instant, advance};

use crate::support::transport::Answer;
use crate::support::{Mock, ROLES, Task, Transport, binary, err, name, ok, rule, stream, wire};

const INTERVAL: Duration = Duration::from_secs(30);
const MOMENT: Duration = Duration::from_millis(5);

fn config() -> Config {
    binary().keep_alive(INTERVAL)
}

/// How many Pings were sent since this was last asked.
fn pings(mock: &Mock) -> usize {
    wire::opcodes(&wire::decode(&mock.take_written())).iter().filter(|opcode| **opcode == wire::PING).count()
}

/// Lets the time pass, and sees whether that wakes the reader.
async fn pass(task: &Task, time: Duration) -> bool {
    task.wakes();
    advance(time).await;
    task.wakes() > 0
}

fn waits(task: &Task, stream: &mut WebSocketStream<Transport>) {
    assert!(task.read(stream, 100).is_pending());
}

#[tokio::test(start_paused = true)]
async fn silence_brings_a_ping_and_a_second_silence_the_end() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        let task = Task::default();
        waits(&task, &mut stream);
        assert!(!pass(&task, INTERVAL - MOMENT).await);
        waits(&task, &mut stream);
        assert_eq!(pings(&mock), 0);
        assert!(pass(&task, 2 * MOMENT).await);
        waits(&task, &mut stream);
        assert!(mock.state().flushes > 0);
        assert_eq!(pings(&mock), 1, "{}", name(role));
        assert!(!pass(&task, INTERVAL - MOMENT).await);
        waits(&task, &mut stream);
        assert!(pass(&task, 2 * MOMENT).await);
        let error = err(task.read(&mut stream, 100));
        assert_eq!((error.kind(), rule(&error)), (ErrorKind::TimedOut, &Error::KeepAliveTimedOut));
        assert_eq!(err(task.read(&mut stream, 100)).kind(), ErrorKind::TimedOut);
        assert_eq!(err(task.write(&mut stream, b"x")).kind(), ErrorKind::BrokenPipe);
        ok(task.shutdown(&mut stream));
        assert!(mock.state().is_shut);
    }
}

#[tokio::test(start_paused = true)]
async fn any_inbound_byte_counts_as_life() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        let task = Task::default();
        // A header, octet by octet; a pong; an empty frame: no payload, but life.
        let octets = wire::data(role, b"slow");
        let mut inputs: Vec<Vec<u8>> = octets[..octets.len() - 4].iter().map(|octet| vec![*octet]).collect();
        inputs.push(octets[octets.len() - 4..octets.len() - 3].to_vec());
        for input in inputs {
            waits_or_data(&task, &mut stream);
            pass(&task, INTERVAL - MOMENT).await;
            mock.feed(&input);
            waits_or_data(&task, &mut stream);
        }
        assert_eq!(pings(&mock), 0);
        pass(&task, INTERVAL - MOMENT).await;
        waits_or_data(&task, &mut stream);
        assert_eq!(pings(&mock), 0);
    }
}

fn waits_or_data(task: &Task, stream: &mut WebSocketStream<Transport>) {
    if let std::task::Poll::Ready(result) = task.read(stream, 100) {
        assert!(!result.unwrap().is_empty());
        assert!(task.read(stream, 100).is_pending());
    }
}

#[tokio::test(start_paused = true)]
async fn answer_to_the_ping_starts_over() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        let task = Task::default();
        for _ in 0..3 {
            waits(&task, &mut stream);
            assert!(pass(&task, INTERVAL + MOMENT).await);
            waits(&task, &mut stream);
            assert_eq!(pings(&mock), 1);
            pass(&task, INTERVAL - MOMENT).await;
            mock.feed(&wire::from_peer(role, true, wire::PONG, b""));
            waits(&task, &mut stream);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn time_counts_only_while_a_read_waits() {
    let (mut stream, mock) = stream(ROLES[0], config());
    let task = Task::default();
    pass(&task, 10 * INTERVAL).await;
    waits(&task, &mut stream);
    pass(&task, INTERVAL - MOMENT).await;
    waits(&task, &mut stream);
    assert_eq!(pings(&mock), 0);
    pass(&task, 2 * MOMENT).await;
    waits(&task, &mut stream);
    assert_eq!(pings(&mock), 1);
    // Nobody reads, for long; the answer came meanwhile.
    pass(&task, 10 * INTERVAL).await;
    mock.feed(&wire::from_peer(ROLES[0], true, wire::PONG, b""));
    waits(&task, &mut stream);
}

#[tokio::test(start_paused = true)]
async fn second_interval_counts_from_when_the_ping_has_left() {
    for role in ROLES {
        for blocked in ["write", "flush"] {
            let (mut stream, mock) = stream(role, config());
            let task = Task::default();
            match blocked {
                "write" => mock.set_room(1),
                _ => mock.state().flush = Some(Answer::Pending),
            }
            waits(&task, &mut stream);
            pass(&task, INTERVAL + MOMENT).await;
            waits(&task, &mut stream);
            pass(&task, 5 * INTERVAL).await;
            waits(&task, &mut stream);
            mock.set_room(usize::MAX);
            mock.state().flush = None;
            assert!(mock.wake_writer());
            assert!(task.wakes() > 0);
            waits(&task, &mut stream);
            assert_eq!(pings(&mock), 1);
            pass(&task, INTERVAL - MOMENT).await;
            waits(&task, &mut stream);
            pass(&task, 2 * MOMENT).await;
            assert_eq!(err(task.read(&mut stream, 100)).kind(), ErrorKind::TimedOut, "{blocked}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn keep_alive_ends_with_this_ends_own_close_and_with_both() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        let task = Task::default();
        waits(&task, &mut stream);
        ok(task.shutdown(&mut stream));
        mock.take_written();
        for _ in 0..4 {
            waits(&task, &mut stream);
            pass(&task, INTERVAL + MOMENT).await;
        }
        waits(&task, &mut stream);
        assert_eq!(mock.take_written(), b"");

        for (code, half_close) in [(1001, true), (1000, false)] {
            let (mut stream, mock) = self::stream(role, config().half_close(half_close));
            waits(&task, &mut stream);
            mock.feed(&wire::close(role, Some(code), ""));
            assert_eq!(ok(task.read(&mut stream, 100)), b"");
            mock.take_written();
            for _ in 0..4 {
                pass(&task, INTERVAL + MOMENT).await;
                assert_eq!(ok(task.read(&mut stream, 100)), b"");
            }
            assert_eq!(mock.take_written(), b"");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn read_that_has_failed_leaves_no_timer_behind() {
    let (mut stream, mock) = stream(ROLES[0], config());
    let task = Task::default();
    waits(&task, &mut stream);
    mock.state().input_end = Answer::Error(ErrorKind::ConnectionReset);
    err(task.read(&mut stream, 100));
    assert!(!pass(&task, 10 * INTERVAL).await);
}

#[tokio::test(start_paused = true)]
async fn silence_on_a_transport_that_takes_nothing_any_more_ends_too() {
    let (mut stream, mock) = stream(ROLES[0], config());
    let task = Task::default();
    mock.set_room(0);
    mock.state().output_end = Answer::Error(ErrorKind::ConnectionReset);
    err(task.write(&mut stream, b"x"));
    waits(&task, &mut stream);
    pass(&task, INTERVAL + MOMENT).await;
    waits(&task, &mut stream);
    pass(&task, INTERVAL + MOMENT).await;
    assert_eq!(err(task.read(&mut stream, 100)).kind(), ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn interval_of_any_length_is_accepted() {
    for interval in [Duration::ZERO, Duration::MAX] {
        let (mut stream, mock) = stream(ROLES[0], binary().keep_alive(interval));
        let task = Task::default();
        let before = Instant::now();
        waits(&task, &mut stream);
        assert_eq!(before.elapsed(), Duration::ZERO);
        pass(&task, 10_000 * INTERVAL).await;
        waits(&task, &mut stream);
        // Long after the shortest interval none has waited, and it begins anew; the longest is never over.
        assert_eq!(pings(&mock), 0);
    }
}

#[test]
fn stream_without_keep_alive_needs_no_timer() {
    let (mut stream, mock) = stream(ROLES[0], binary());
    let task = Task::default();
    waits(&task, &mut stream);
    mock.feed(&wire::data(ROLES[0], b"data"));
    assert_eq!(ok(task.read(&mut stream, 100)), b"data");
}

#[tokio::test(start_paused = true)]
async fn second_interval_counts_from_when_the_ping_has_left_also_under_a_busy_writer() {
    let (mut stream, mock) = stream(ROLES[0], config());
    let (reader, writer) = (Task::default(), Task::default());
    mock.set_room(3);
    ok(writer.write(&mut stream, &[0; 100]));
    let mut error = None;
    for _ in 0..100 {
        if let std::task::Poll::Ready(Err(e)) = reader.read(&mut stream, 100) {
            error = Some(e);
            break;
        }
        // The transport takes all that waits, the Ping included, and one byte of the next frame.
        let debug = format!("{stream:?}");
        let unsent = debug.split("unsent: ").nth(1).unwrap().split(',').next().unwrap();
        mock.set_room(unsent.parse::<usize>().unwrap() + 1);
        ok(writer.write(&mut stream, &[0; 100]));
        advance(INTERVAL / 2).await;
    }
    let sent = wire::decode_prefix(&mock.take_written()).0;
    assert!(wire::opcodes(&sent).contains(&wire::PING), "the Ping has left");
    assert!(error.is_some(), "no TimedOut in 50 intervals");
}

#[tokio::test(start_paused = true)]
async fn writer_that_waits_is_woken_and_refused_when_the_time_is_over() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        let (task, writer) = (Task::default(), Task::default());
        waits(&task, &mut stream);
        pass(&task, INTERVAL + MOMENT).await;
        waits(&task, &mut stream);
        mock.set_room(3);
        ok(writer.write(&mut stream, b"first"));
        assert!(writer.write(&mut stream, b"second").is_pending());
        pass(&task, INTERVAL + MOMENT).await;
        writer.wakes();
        assert_eq!(err(task.read(&mut stream, 100)).kind(), ErrorKind::TimedOut);
        assert_eq!(writer.wakes(), 1);
        assert_eq!(*rule(&err(writer.write(&mut stream, b"second"))), Error::WriteAfterFailure);
    }
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_read_also_where_the_pings_own_write_fails() {
    for role in ROLES {
        for by_the_writer in [false, true] {
            for flush_fails in [false, true] {
                let case = format!("{}, by the writer {by_the_writer}, in a flush {flush_fails}", name(role));
                let (mut stream, mock) = stream(role, config());
                let (task, writer) = (Task::default(), Task::default());
                waits(&task, &mut stream);
                let fail = || match flush_fails {
                    true => mock.state().flush = Some(Answer::Error(ErrorKind::ConnectionReset)),
                    false => mock.state().output_end = Answer::Error(ErrorKind::ConnectionReset),
                };
                mock.set_room(if flush_fails { usize::MAX } else { 1 });
                if by_the_writer {
                    // The Ping waits, and the writer meets the error in its place.
                    mock.state().flush = Some(Answer::Pending);
                    assert!(pass(&task, INTERVAL + MOMENT).await);
                    waits(&task, &mut stream);
                    task.wakes();
                    fail();
                    assert!(err(writer.flush(&mut stream)).kind() == ErrorKind::ConnectionReset, "{case}");
                    assert!(task.wakes() > 0, "{case}: the reader waits for the Ping to leave");
                    waits(&task, &mut stream);
                } else {
                    fail();
                    assert!(pass(&task, INTERVAL + MOMENT).await);
                    waits(&task, &mut stream);
                    assert_eq!(
                        err(writer.write(&mut stream, b"x")).kind(),
                        ErrorKind::ConnectionReset,
                        "{case}"
                    );
                    waits(&task, &mut stream);
                }
                assert!(!pass(&task, INTERVAL - MOMENT).await, "{case}");
                waits(&task, &mut stream);
                assert!(pass(&task, 2 * MOMENT).await, "{case}");
                assert_eq!(*rule(&err(task.read(&mut stream, 100))), Error::KeepAliveTimedOut, "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pings_go_on_while_half_closed_with_whatever_polls_the_stream() {
    type Poll = fn(&Task, &mut WebSocketStream<Transport>);
    let polls: [(&str, Poll); 4] = [
        ("read", |task, stream| assert_eq!(ok(task.read(stream, 100)), b"")),
        ("look", |task, stream| assert_eq!(ok(task.look(stream)), b"")),
        ("write", |task, stream| assert_eq!(ok(task.write(stream, b"part")), 4)),
        ("flush", |task, stream| ok(task.flush(stream))),
    ];
    for role in ROLES {
        for (what, poll) in polls {
            for code in [None, Some(1000)] {
                let (mut stream, mock) = stream(role, config());
                let task = Task::default();
                waits(&task, &mut stream);
                mock.feed(&wire::close(role, code, ""));
                assert_eq!(ok(task.read(&mut stream, 100)), b"");
                poll(&task, &mut stream);
                for _ in 0..3 {
                    pass(&task, INTERVAL - MOMENT).await;
                    poll(&task, &mut stream);
                    assert_eq!(pings(&mock), 0, "{} {what}: before it is due", name(role));
                    pass(&task, 2 * MOMENT).await;
                    poll(&task, &mut stream);
                    assert_eq!(pings(&mock), 1, "{} {what}", name(role));
                    // From here on the next interval counts.
                    poll(&task, &mut stream);
                }
                // No answer comes, and that ends nothing.
                pass(&task, 10 * INTERVAL).await;
                poll(&task, &mut stream);
                mock.take_written();
                ok(task.shutdown(&mut stream));
                mock.take_written();
                pass(&task, 10 * INTERVAL).await;
                assert_eq!(ok(task.read(&mut stream, 100)), b"");
                assert_eq!(mock.take_written(), b"", "the second Close is the end of them");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pings_while_half_closed_do_not_pile_up_on_a_transport_that_takes_nothing() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        let task = Task::default();
        mock.feed(&wire::close(role, None, ""));
        assert_eq!(ok(task.read(&mut stream, 100)), b"");
        mock.set_room(3);
        ok(task.write(&mut stream, b"kept"));
        for _ in 0..50 {
            assert!(task.write(&mut stream, b"waits").is_pending());
            assert_eq!(ok(task.read(&mut stream, 100)), b"");
            pass(&task, INTERVAL + MOMENT).await;
        }
        mock.set_room(usize::MAX);
        ok(task.flush(&mut stream));
        assert_eq!(pings(&mock), 1, "{}", name(role));
        // And then they go on.
        ok(task.flush(&mut stream));
        pass(&task, INTERVAL + MOMENT).await;
        ok(task.flush(&mut stream));
        assert_eq!(pings(&mock), 1, "{}", name(role));
    }
}

#[tokio::test(start_paused = true)]
async fn interval_goes_on_in_a_stream_that_was_taken_apart() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        let task = Task::default();
        for due in [false, true] {
            waits(&task, &mut stream);
            pass(&task, INTERVAL / 2).await;
            stream = WebSocketStream::from_parts(stream.into_parts());
            waits(&task, &mut stream);
            assert!(pass(&task, INTERVAL / 2 + MOMENT).await, "{}: its timer has the waker", name(role));
            if due {
                assert_eq!(err(task.read(&mut stream, 100)).kind(), ErrorKind::TimedOut);
            } else {
                waits(&task, &mut stream);
                assert_eq!(pings(&mock), 1, "{}", name(role));
            }
        }
    }
}
