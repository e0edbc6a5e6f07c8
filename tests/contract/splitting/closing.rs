//! `close` of the writing half: PROMISES 1.8, 5.3.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use fastwebsockets_stream::{Config, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::support::pair;

/// Nothing but a wake-up ends it.
fn patient() -> Config {
    binary().close_timeout(Duration::MAX)
}

type Closing<'a> = Pin<Box<dyn Future<Output = io::Result<Option<CloseFrame>>> + 'a>>;

fn closing(writer: &mut OwnedWriteHalf<Transport>) -> Closing<'_> {
    Box::pin(writer.close(1000, "bye"))
}

#[track_caller]
fn code(close: Poll<io::Result<Option<CloseFrame>>>) -> u16 {
    ok(close).unwrap().code.unwrap().into()
}

#[test]
fn close_is_woken_when_the_reading_half_reads_the_peers_close() {
    for role in ROLES {
        for reader_first in [false, true] {
            let (mut reader, mut writer, mock) = halves(role, patient());
            let (reads, closes) = (Task::default(), Task::default());
            let mut close = closing(&mut writer);
            if reader_first {
                assert!(reads.read(&mut reader, 64).is_pending());
            }
            assert!(closes.run(|cx| close.as_mut().poll(cx)).is_pending());
            if !reader_first {
                assert!(reads.read(&mut reader, 64).is_pending());
            }
            reads.wakes();
            closes.wakes();
            mock.feed(&[wire::data(role, b"last words"), wire::close(role, Some(1001), "")].concat());
            assert!(mock.wake_reader());
            // Only the reading half is polled.
            assert_eq!(reads.wakes(), 1);
            assert_eq!(ok(reads.read(&mut reader, 64)), b"last words");
            assert_eq!(ok(reads.read(&mut reader, 64)), b"");
            assert!(closes.wakes() > 0);
            assert_eq!(code(closes.run(|cx| close.as_mut().poll(cx))), 1001, "{} {reader_first}", name(role));
            assert!(mock.state().is_shut);
        }
    }
}

/// The transport wakes nobody: one of the two is polled for another reason.
#[test]
fn whichever_of_read_and_close_meets_the_bytes_wakes_the_other() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, patient());
        let (reads, closes) = (Task::default(), Task::default());
        let mut close = closing(&mut writer);
        assert!(closes.run(|cx| close.as_mut().poll(cx)).is_pending());
        assert!(reads.read(&mut reader, 64).is_pending());
        reads.wakes();
        closes.wakes();
        mock.feed(&wire::data(role, b"data"));
        assert!(closes.run(|cx| close.as_mut().poll(cx)).is_pending());
        assert!(reads.wakes() > 0, "{}", name(role));
        assert_eq!(ok(reads.read(&mut reader, 64)), b"data");
        assert!(closes.run(|cx| close.as_mut().poll(cx)).is_pending());
        assert!(reads.read(&mut reader, 64).is_pending());
        reads.wakes();
        closes.wakes();
        mock.feed(&wire::close(role, Some(1000), ""));
        assert_eq!(ok(reads.read(&mut reader, 64)), b"");
        assert!(closes.wakes() > 0, "{}", name(role));
        assert_eq!(code(closes.run(|cx| close.as_mut().poll(cx))), 1000);
    }
}

#[test]
fn close_reads_by_itself_for_a_reading_half_that_is_not_polled_and_keeps_the_data_for_it() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, patient());
        let closes = Task::default();
        mock.feed(&wire::data(role, b"0123456789"));
        assert_eq!(ok(Task::default().read(&mut reader, 3)), b"012");
        {
            let mut close = closing(&mut writer);
            for part in [wire::data(role, b"abc"), wire::ping(role, b""), wire::data(role, b"def")] {
                mock.feed(&part);
                assert!(closes.run(|cx| close.as_mut().poll(cx)).is_pending());
                assert!(mock.wake_reader() && closes.wakes() > 0);
            }
            mock.feed(&wire::close(role, Some(1000), ""));
            assert_eq!(code(closes.run(|cx| close.as_mut().poll(cx))), 1000);
        }
        let frames: Vec<u8> = sent(&mock).into_iter().map(|frame| frame.0).collect();
        assert_eq!(frames, [wire::CLOSE, wire::PONG], "{}", name(role));
        let task = Task::default();
        assert_eq!(ok(task.read(&mut reader, 2)), b"34");
        let mut whole = whole((reader, writer));
        let mut rest = Vec::new();
        while rest.len() < 11 {
            rest.extend(ok(task.read(&mut whole, 4)));
        }
        assert_eq!(rest, b"56789abcdef");
        assert_eq!(ok(task.read(&mut whole, 4)), b"");
    }
}

#[test]
fn close_waits_for_a_reading_half_that_has_much_to_read_and_takes_no_more_than_it_may() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, patient());
        let (reads, closes) = (Task::default(), Task::default());
        let bytes = pattern(60_000);
        mock.feed(&[wire::data(role, &bytes), wire::close(role, Some(1000), "")].concat());
        let mut close = closing(&mut writer);
        while {
            assert!(closes.run(|cx| close.as_mut().poll(cx)).is_pending());
            closes.wakes() > 0
        } {}
        assert!(mock.state().input.len() > 60_000 - 17 * 1024, "read ahead without a bound");
        let mut all = Vec::new();
        let mut is_done = false;
        while all.len() < bytes.len() {
            all.extend(ok(reads.read(&mut reader, 1000)));
            if !is_done && closes.wakes() > 0 {
                is_done = closes.run(|cx| close.as_mut().poll(cx)).is_ready();
            }
        }
        assert!(all == bytes, "{}", name(role));
        assert_eq!(ok(reads.read(&mut reader, 1000)), b"");
        // Woken by the reading half, which has made room: nothing else has happened.
        assert!(is_done || closes.wakes() > 0);
        assert!(is_done || closes.run(|cx| close.as_mut().poll(cx)).is_ready());
    }
}

#[test]
fn either_side_of_a_close_can_be_cancelled_and_the_other_is_still_woken() {
    for role in ROLES {
        for cancelled in ["read", "close"] {
            for reader_first in [false, true] {
                let (mut reader, mut writer, mock) = halves(role, patient());
                let (reads, closes) = (Task::default(), Task::default());
                let mut close = Some(closing(&mut writer));
                if reader_first {
                    assert!(reads.read(&mut reader, 64).is_pending());
                }
                assert!(closes.run(|cx| close.as_mut().unwrap().as_mut().poll(cx)).is_pending());
                // Woken, because the close has taken its place at the transport.
                assert!(!reader_first || reads.wakes() == 1);
                assert!(reads.read(&mut reader, 64).is_pending());
                reads.wakes();
                closes.wakes();
                if cancelled == "close" {
                    close = None;
                }
                mock.feed(&wire::close(role, Some(1000), ""));
                assert!(mock.wake_reader());
                let case = format!("{} {cancelled} {reader_first}", name(role));
                if let Some(mut close) = close {
                    assert_eq!(closes.wakes(), 1, "{case}");
                    assert_eq!(code(closes.run(|cx| close.as_mut().poll(cx))), 1000, "{case}");
                } else {
                    assert_eq!(reads.wakes(), 1, "{case}");
                    assert_eq!(ok(reads.read(&mut reader, 64)), b"", "{case}");
                }
            }
        }
    }
}

#[test]
fn transport_that_is_ready_while_it_is_asked_wakes_both_sides_of_a_close() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, patient());
        let (reads, closes) = (Task::default(), Task::default());
        let mut close = closing(&mut writer);
        assert!(closes.run(|cx| close.as_mut().poll(cx)).is_pending());
        closes.wakes();
        // As another thread would, in the middle of the poll.
        mock.state().hesitant = true;
        assert!(reads.read(&mut reader, 64).is_pending());
        assert!(reads.wakes() > 0 && closes.wakes() > 0, "{}", name(role));
    }
}

#[test]
fn close_goes_on_without_the_reading_half_when_that_is_dropped() {
    for role in ROLES {
        let (reader, mut writer, mock) = halves(role, patient());
        let closes = Task::default();
        mock.feed(&wire::data(role, &[0; 100_000]));
        let mut close = closing(&mut writer);
        while {
            assert!(closes.run(|cx| close.as_mut().poll(cx)).is_pending());
            closes.wakes() > 0
        } {}
        drop(reader);
        assert_eq!(closes.wakes(), 1);
        mock.feed(&wire::close(role, Some(1000), ""));
        assert_eq!(code(closes.run(|cx| close.as_mut().poll(cx))), 1000, "{}", name(role));
    }
}

#[test]
fn error_that_ends_a_close_is_also_the_readers() {
    for role in ROLES {
        for data in [b"".as_slice(), b"before"] {
            let wire = [if data.is_empty() { vec![] } else { wire::data(role, data) }, vec![0xff]].concat();
            let (mut reader, mut writer, mock) = halves(role, patient());
            let (reads, closes) = (Task::default(), Task::default());
            mock.feed(&wire);
            {
                let mut close = closing(&mut writer);
                let error = err(closes.run(|cx| close.as_mut().poll(cx)));
                assert!(matches!(rule(&error), Error::ReservedBits { .. }), "{error:?}");
            }
            if !data.is_empty() {
                assert_eq!(ok(reads.read(&mut reader, 64)), data);
            }
            assert!(matches!(rule(&err(reads.read(&mut reader, 64))), Error::ReservedBits { .. }));
            assert_eq!(err(reads.read(&mut reader, 64)).kind(), io::ErrorKind::InvalidData);

            // In one piece there is only one who is told.
            let (mut stream, mock) = stream(role, patient());
            mock.feed(&wire);
            {
                let mut close = pin!(stream.close(1000, "bye"));
                let error = err(closes.run(|cx| close.as_mut().poll(cx)));
                assert!(matches!(rule(&error), Error::ReservedBits { .. }), "{error:?}");
            }
            assert!(err(reads.read(&mut stream, 64)).get_ref().is_none());
        }
    }
}

#[test]
fn close_that_may_not_be_sent_is_refused_and_the_halves_go_on() {
    let (mut reader, mut writer, mock) = halves(ROLES[0], patient());
    let task = Task::default();
    assert!(task.read(&mut reader, 64).is_pending());
    {
        let mut close = pin!(writer.close(1005, ""));
        assert_eq!(err(task.run(|cx| close.as_mut().poll(cx))).kind(), io::ErrorKind::InvalidInput);
    }
    assert_eq!(task.wakes(), 0);
    ok(task.write(&mut writer, b"still open"));
    assert_eq!(sent(&mock).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn close_that_times_out_ends_the_reading_too_and_wakes_it() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, binary().close_timeout(Duration::from_secs(3)));
        let reads = Task::default();
        assert!(reads.read(&mut reader, 64).is_pending());
        let before = tokio::time::Instant::now();
        let error = writer.close(1000, "").await.unwrap_err();
        assert_eq!(
            (error.kind(), before.elapsed().as_secs()),
            (io::ErrorKind::TimedOut, 3),
            "{}",
            name(role)
        );
        assert!(mock.state().is_shut && reads.wakes() > 0);
        assert_eq!(err(reads.read(&mut reader, 64)).kind(), io::ErrorKind::TimedOut);
        assert_eq!(err(reads.write(&mut writer, b"x")).kind(), io::ErrorKind::BrokenPipe);
    }
}

#[tokio::test(start_paused = true)]
async fn both_ends_in_halves_close_in_one_task_each_without_reading() {
    let (client, server) = pair(1024, binary());
    let ((mut near, mut closing), (_far, mut answering)) = (client.into_split(), server.into_split());
    answering.write_all(b"last words").await.unwrap();
    let (close, answer) = tokio::join!(closing.close(1001, "bye"), answering.close(1000, "so long"));
    assert_eq!(close.unwrap().unwrap().reason, "so long");
    assert_eq!(answer.unwrap().unwrap().reason, "bye");
    let mut words = String::new();
    near.read_to_string(&mut words).await.unwrap();
    assert_eq!(words, "last words");
}
