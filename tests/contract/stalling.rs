//! The time limit of a write that waits: of PROMISES 5.5 `stall_timeout`. The clock is tokio's, paused.

use std::io::ErrorKind;
use std::task::Poll;
use std::time::Duration;

use fastwebsockets_stream::{Config, Error, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, advance, sleep, timeout};

use crate::support::transport::Answer;
use crate::support::{
    Mock, ROLES, Task, Transport, binary, err, name, ok, pair, pattern, rule, stream, text, wire,
};

const LIMIT: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(5);

type Stream = WebSocketStream<Transport>;

fn config() -> Config {
    binary().stall_timeout(LIMIT)
}

/// What waits, and for what.
type Wait = (&'static str, fn(&mut Stream, &Mock), fn(&Task, &mut Stream) -> Poll<std::io::Result<()>>);

fn keep(stream: &mut Stream, mock: &Mock) {
    mock.set_room(3);
    ok(Task::default().write(stream, &[b'k'; 100]));
}

fn waits() -> [Wait; 6] {
    [
        ("a write, for what is kept", keep, |task, stream| task.write(stream, b"waits").map_ok(drop)),
        (
            "a write, for the transport",
            |_, mock| mock.set_room(0),
            |task, stream| task.write_vectored(stream, &[std::io::IoSlice::new(b"waits")]).map_ok(drop),
        ),
        ("a flush, for what is kept", keep, |task, stream| task.flush(stream)),
        (
            "a flush, for the transport",
            |_, mock| mock.state().flush = Some(Answer::Pending),
            |task, stream| task.flush(stream),
        ),
        ("a shutdown, for its Close", |_, mock| mock.set_room(1), |task, stream| task.shutdown(stream)),
        (
            "a shutdown, for the transport",
            |_, mock| mock.state().flush = Some(Answer::Pending),
            |task, stream| task.shutdown(stream),
        ),
    ]
}

/// Lets the time pass, and sees whether that wakes the task.
async fn pass(task: &Task, time: Duration) -> bool {
    task.wakes();
    advance(time).await;
    task.wakes() > 0
}

#[tokio::test(start_paused = true)]
async fn what_waits_while_nothing_moves_is_timed_out_at_the_limit_and_ends_the_writing() {
    for role in ROLES {
        for (what, happen, poll) in waits() {
            let case = format!("{} {what}", name(role));
            let (mut stream, mock) = stream(role, config());
            let task = Task::default();
            happen(&mut stream, &mock);
            advance(10 * LIMIT).await;
            assert!(poll(&task, &mut stream).is_pending(), "{case}");
            assert!(!pass(&task, LIMIT - MOMENT).await, "{case}");
            assert!(poll(&task, &mut stream).is_pending(), "{case}");
            assert!(pass(&task, 2 * MOMENT).await, "{case}: nobody wakes it");
            let error = err(poll(&task, &mut stream));
            assert_eq!((error.kind(), rule(&error)), (ErrorKind::TimedOut, &Error::StallTimedOut), "{case}");

            assert_eq!(err(task.write(&mut stream, b"x")).kind(), ErrorKind::BrokenPipe, "{case}");
            // What has arrived can still be read.
            mock.feed(&[wire::data(role, b"data"), wire::close(role, Some(1000), "")].concat());
            assert_eq!(ok(task.read(&mut stream, 5000)), b"data", "{case}");
            assert_eq!(ok(task.read(&mut stream, 5000)), b"", "{case}");
            assert_eq!(err(task.write(&mut stream, b"x")).kind(), ErrorKind::BrokenPipe, "{case}");
            let lost = what.contains("kept");
            assert_eq!(
                task.flush(&mut stream).map(|flush| flush.is_err()),
                Poll::Ready(lost || !what.contains("shutdown")),
                "{case}"
            );
            ok(task.shutdown(&mut stream));
            assert!(mock.state().is_shut, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn transports_own_shutdown_that_stalls_is_timed_out_too() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        let task = Task::default();
        mock.feed(&wire::close(role, None, ""));
        assert_eq!(ok(task.read(&mut stream, 100)), b"");
        mock.state().shutdown = Some(Answer::Pending);
        assert!(task.shutdown(&mut stream).is_pending());
        assert!(pass(&task, LIMIT + MOMENT).await);
        assert_eq!(*rule(&err(task.shutdown(&mut stream))), Error::StallTimedOut);
        mock.state().shutdown = None;
        ok(task.shutdown(&mut stream));
        assert!(mock.state().is_shut);
    }
}

#[tokio::test(start_paused = true)]
async fn byte_in_or_out_begins_the_time_anew_whoever_moves_it() {
    for role in ROLES {
        for moved in ["in", "out by the writer", "out by the reader"] {
            let (mut stream, mock) = stream(role, config());
            let (reader, writer) = (Task::default(), Task::default());
            keep(&mut stream, &mock);
            assert!(reader.read(&mut stream, 100).is_pending());
            assert!(writer.write(&mut stream, b"waits").is_pending());
            let mut octets = wire::data(role, &[7; 100]).into_iter();
            let mut go_on = |stream: &mut Stream| {
                mock.set_room(usize::from(moved != "in"));
                if moved == "in" {
                    mock.feed(&[octets.next().unwrap()]);
                }
                if moved != "out by the writer" {
                    let _ = reader.read(stream, 100);
                }
                assert!(writer.write(stream, b"waits").is_pending(), "{} {moved}", name(role));
            };
            for _ in 0..2 {
                assert!(!pass(&writer, LIMIT - MOMENT).await, "{moved}");
                go_on(&mut stream);
                // It may be woken at the old limit, but that is not the end.
                pass(&writer, 2 * MOMENT).await;
                assert!(writer.write(&mut stream, b"waits").is_pending(), "{} {moved}", name(role));
                assert!(!pass(&writer, LIMIT - 4 * MOMENT).await, "{moved}");
                go_on(&mut stream);
            }
            assert!(!pass(&writer, LIMIT - MOMENT).await, "{moved}");
            assert!(pass(&writer, 2 * MOMENT).await, "{moved}");
            assert_eq!(*rule(&err(writer.write(&mut stream, b"waits"))), Error::StallTimedOut, "{moved}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn slow_reader_lives() {
    for config in [config(), text().stall_timeout(LIMIT)] {
        let (mut fast, mut slow) = pair(64, config);
        let bytes = pattern(2000).iter().map(|byte| byte & 0x7f).collect::<Vec<u8>>();
        let write = async {
            fast.write_all(&bytes).await.unwrap();
            fast.shutdown().await.unwrap();
        };
        let read = async {
            let (mut all, mut some) = (Vec::<u8>::new(), [0; 64]);
            loop {
                sleep(LIMIT - MOMENT).await;
                match slow.read(&mut some).await.unwrap() {
                    0 => return all,
                    n => all.extend(&some[..n]),
                }
            }
        };
        let ((), all) = tokio::join!(write, read);
        assert!(all == bytes);
    }
}

#[tokio::test(start_paused = true)]
async fn write_counts_from_its_own_beginning_whatever_was_cancelled_or_has_ended_before() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        let task = Task::default();
        // Cancelled, and long ago.
        keep(&mut stream, &mock);
        assert!(task.write(&mut stream, b"cancelled").is_pending());
        advance(3 * LIMIT).await;
        assert!(task.write(&mut stream, b"later").is_pending(), "{}", name(role));
        assert!(!pass(&task, LIMIT - MOMENT).await);
        // Went through, and the next one begins.
        mock.set_room(usize::MAX);
        assert_eq!(ok(task.write(&mut stream, b"later")), 5);
        keep(&mut stream, &mock);
        assert!(task.write(&mut stream, b"next").is_pending());
        assert!(!pass(&task, LIMIT - MOMENT).await);
        assert!(task.write(&mut stream, b"next").is_pending());
        // Given up and repeated, as `select!` does in a loop: one wait.
        advance(MOMENT / 5).await;
        assert!(task.flush(&mut stream).is_pending());
        assert!(pass(&task, MOMENT).await);
        assert_eq!(*rule(&err(task.write(&mut stream, b"other"))), Error::StallTimedOut);
    }
}

#[tokio::test(start_paused = true)]
async fn flush_counts_from_its_own_beginning_where_an_earlier_one_has_waited_and_ended() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        let task = Task::default();
        ok(task.write(&mut stream, b"first"));
        mock.state().flush = Some(Answer::Pending);
        assert!(task.flush(&mut stream).is_pending());
        advance(LIMIT / 2).await;
        mock.state().flush = None;
        ok(task.flush(&mut stream));
        // No write comes between, which would begin anew itself.
        advance(LIMIT / 2).await;
        mock.state().flush = Some(Answer::Pending);
        assert!(task.flush(&mut stream).is_pending());
        assert!(!pass(&task, LIMIT - MOMENT).await, "{}", name(role));
        assert!(task.flush(&mut stream).is_pending());
        assert!(pass(&task, 2 * MOMENT).await);
        assert_eq!(*rule(&err(task.flush(&mut stream))), Error::StallTimedOut);
    }
}

#[tokio::test(start_paused = true)]
async fn wait_goes_on_in_a_stream_that_was_taken_apart() {
    for role in ROLES {
        for (what, happen, poll) in waits() {
            let (mut stream, mock) = stream(role, config());
            let task = Task::default();
            happen(&mut stream, &mock);
            assert!(poll(&task, &mut stream).is_pending());
            advance(LIMIT / 2).await;
            stream = WebSocketStream::from_parts(stream.into_parts());
            assert!(poll(&task, &mut stream).is_pending(), "{what}");
            assert!(!pass(&task, LIMIT / 2 - MOMENT).await, "{what}");
            assert!(pass(&task, 2 * MOMENT).await, "{} {what}", name(role));
            assert_eq!(*rule(&err(poll(&task, &mut stream))), Error::StallTimedOut, "{} {what}", name(role));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn write_waits_for_ever_where_nothing_is_said() {
    for config in [binary(), binary().stall_timeout(Duration::MAX)] {
        for role in ROLES {
            let (mut stream, mock) = stream(role, config.clone());
            keep(&mut stream, &mock);
            let hour = Duration::from_secs(3600);
            let before = Instant::now();
            assert!(timeout(hour, stream.write_all(b"waits")).await.is_err());
            assert!(timeout(hour, stream.flush()).await.is_err());
            assert!(timeout(hour, stream.shutdown()).await.is_err());
            assert_eq!(before.elapsed().as_secs(), 3 * 3600);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn limit_of_zero_counts_as_a_millisecond() {
    let (mut stream, mock) = stream(ROLES[0], binary().stall_timeout(Duration::ZERO));
    keep(&mut stream, &mock);
    assert!(Task::default().write(&mut stream, b"waits").is_pending());
    let before = Instant::now();
    assert_eq!(stream.write(b"waits").await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(before.elapsed() <= MOMENT);
}

#[test]
fn what_does_not_wait_needs_no_timer() {
    let (mut stream, mock) = stream(ROLES[0], config());
    let task = Task::default();
    ok(task.write(&mut stream, b"data"));
    mock.set_room(50);
    ok(task.write(&mut stream, &[0; 100]));
    mock.set_room(usize::MAX);
    ok(task.flush(&mut stream));
    assert!(task.read(&mut stream, 100).is_pending());
    ok(task.shutdown(&mut stream));
}

#[tokio::test(start_paused = true)]
async fn stall_wakes_the_reader_whose_ping_will_never_leave_and_the_silence_counts() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary().stall_timeout(LIMIT).keep_alive(LIMIT / 2));
        let (reader, writer) = (Task::default(), Task::default());
        assert!(reader.read(&mut stream, 100).is_pending());
        keep(&mut stream, &mock);
        assert!(writer.write(&mut stream, b"waits").is_pending());
        assert!(pass(&reader, LIMIT / 2 + MOMENT).await);
        assert!(reader.read(&mut stream, 100).is_pending());
        assert!(!pass(&reader, LIMIT / 2 - 2 * MOMENT).await, "the Ping has not left");
        assert!(pass(&writer, 2 * MOMENT).await);
        reader.wakes();
        assert_eq!(*rule(&err(writer.write(&mut stream, b"waits"))), Error::StallTimedOut);
        assert!(reader.wakes() > 0, "{}", name(role));
        assert!(reader.read(&mut stream, 100).is_pending());
        assert!(pass(&reader, LIMIT / 2 + MOMENT).await);
        assert_eq!(*rule(&err(reader.read(&mut stream, 100))), Error::KeepAliveTimedOut);
    }
}

#[tokio::test(start_paused = true)]
async fn response_that_stalls_while_half_closed_is_timed_out() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        mock.feed(&wire::close(role, Some(1000), ""));
        assert_eq!(ok(Task::default().read(&mut stream, 100)), b"");
        mock.set_room(3);
        let before = Instant::now();
        let error = stream.write_all(&[0; 3 << 20]).await.unwrap_err();
        assert_eq!((error.kind(), before.elapsed().as_secs()), (ErrorKind::TimedOut, 60));
        assert_eq!(stream.flush().await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_to_leave_with_a_read_alone_stalls_too_and_the_writer_hears_of_it() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        let (reader, writer) = (Task::default(), Task::default());
        keep(&mut stream, &mock);
        assert!(reader.read(&mut stream, 100).is_pending());
        assert!(!pass(&reader, LIMIT - MOMENT).await);
        assert!(pass(&reader, 2 * MOMENT).await);
        assert!(reader.read(&mut stream, 100).is_pending(), "reading goes on");
        mock.feed(&wire::data(role, b"came"));
        assert_eq!(ok(reader.read(&mut stream, 100)), b"came");
        let error = err(writer.write(&mut stream, b"more"));
        assert_eq!(
            (error.kind(), rule(&error)),
            (ErrorKind::TimedOut, &Error::StallTimedOut),
            "{}",
            name(role)
        );
        assert_eq!(err(writer.write(&mut stream, b"more")).kind(), ErrorKind::BrokenPipe);
    }
}

#[tokio::test(start_paused = true)]
async fn writer_that_waits_hears_at_once_of_a_stall_that_began_before_its_own() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        let (reader, writer) = (Task::default(), Task::default());
        keep(&mut stream, &mock);
        assert!(reader.read(&mut stream, 100).is_pending());
        advance(LIMIT / 2).await;
        assert!(writer.write(&mut stream, b"more").is_pending());
        assert!(pass(&reader, LIMIT / 2 + MOMENT).await);
        assert_eq!(writer.wakes(), 0);
        assert!(reader.read(&mut stream, 100).is_pending());
        assert!(writer.wakes() > 0, "{}", name(role));
        assert_eq!(*rule(&err(writer.write(&mut stream, b"more"))), Error::StallTimedOut);
    }
}

#[tokio::test(start_paused = true)]
async fn read_that_waits_with_what_has_not_left_counts_from_the_last_byte_that_moved() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, config());
        let task = Task::default();
        keep(&mut stream, &mock);
        assert!(task.read(&mut stream, 100).is_pending());
        for _ in 0..3 {
            pass(&task, LIMIT - MOMENT).await;
            mock.set_room(1);
            assert!(task.read(&mut stream, 100).is_pending());
        }
        mock.set_room(usize::MAX);
        assert!(task.read(&mut stream, 100).is_pending());
        pass(&task, 3 * LIMIT).await;
        assert!(task.read(&mut stream, 100).is_pending(), "nothing waits with it any more");
        ok(task.write(&mut stream, b"more"));
        ok(task.flush(&mut stream));
    }
}

#[tokio::test(start_paused = true)]
async fn ping_that_cannot_leave_ends_the_read_after_the_stall_and_a_silence() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary().stall_timeout(LIMIT).keep_alive(LIMIT / 2));
        mock.set_room(1);
        let before = Instant::now();
        let error = timeout(4 * LIMIT, stream.read_u8()).await.expect("it ends").unwrap_err();
        assert_eq!(*rule(&error), Error::KeepAliveTimedOut, "{}", name(role));
        assert_eq!(before.elapsed().as_secs(), (LIMIT / 2 + LIMIT + LIMIT / 2).as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn read_counts_from_its_own_wait_whatever_was_cancelled_before() {
    for role in ROLES {
        for waits_for_flush in [false, true] {
            let (mut stream, mock) = stream(role, config());
            let task = Task::default();
            if waits_for_flush {
                ok(task.write(&mut stream, b"unflushed"));
                mock.feed(&wire::ping(role, b""));
                mock.state().flush = Some(Answer::Pending);
            } else {
                keep(&mut stream, &mock);
            }
            assert!(Task::default().read(&mut stream, 100).is_pending());
            advance(MOMENT).await;
            mock.set_room(usize::MAX);
            mock.state().flush = None;
            ok(task.write(&mut stream, b"and all before it"));
            ok(task.flush(&mut stream));
            advance(LIMIT + MOMENT).await;
            mock.set_room(3);
            ok(task.write(&mut stream, &[b'k'; 100]));
            assert!(task.read(&mut stream, 100).is_pending());
            mock.set_room(usize::MAX);
            ok(task.write(&mut stream, b"the rest has left"));
            ok(task.flush(&mut stream));
        }
    }
}
