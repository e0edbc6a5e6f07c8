//! Who is woken: PROMISES 3.3, 4.2, 4.3. The transport keeps only the last waker and wakes only when told to.

use std::task::Poll;

use fastwebsockets_stream::{CloseCode, Error};

use crate::support::transport::Answer;
use crate::support::{ROLES, Task, binary, err, name, ok, rule, stream, text, wire};

#[test]
fn write_that_keeps_something_wakes_the_parked_reader_which_pushes() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let (reader, writer) = (Task::default(), Task::default());
        assert!(reader.read(&mut stream, 64).is_pending());
        mock.set_room(5);
        assert_eq!(ok(writer.write(&mut stream, b"hello world")), 11);
        assert_eq!(reader.wakes(), 1, "{}", name(role));
        // The writer goes away. The reader has taken over.
        assert!(reader.read(&mut stream, 64).is_pending());
        mock.set_room(usize::MAX);
        assert!(mock.wake_writer());
        assert_eq!(reader.wakes(), 1);
        assert!(reader.read(&mut stream, 64).is_pending());
        assert_eq!(wire::decode(&mock.take_written())[0].payload, b"hello world");
    }
}

#[test]
fn write_that_keeps_nothing_wakes_nobody() {
    for role in ROLES {
        let (mut stream, _mock) = stream(role, binary());
        let (reader, writer) = (Task::default(), Task::default());
        assert!(reader.read(&mut stream, 64).is_pending());
        ok(writer.write(&mut stream, b"hello"));
        assert_eq!((reader.wakes(), writer.wakes()), (0, 0));
    }
}

#[test]
fn read_that_has_ended_is_not_woken_for_what_a_later_write_keeps() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let (reader, writer) = (Task::default(), Task::default());
        assert!(reader.read(&mut stream, 64).is_pending());
        mock.feed(&wire::data(role, b"came"));
        assert_eq!(ok(reader.read(&mut stream, 64)), b"came");
        reader.wakes();
        mock.set_room(3);
        ok(writer.write(&mut stream, b"kept"));
        assert_eq!(reader.wakes(), 0, "{}", name(role));
    }
}

#[test]
fn flush_that_waits_with_nothing_to_flush_wakes_no_reader() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let (reader, writer) = (Task::default(), Task::default());
        assert!(reader.read(&mut stream, 64).is_pending());
        mock.state().flush = Some(Answer::Pending);
        assert!(writer.flush(&mut stream).is_pending());
        assert_eq!(reader.wakes(), 0, "{}", name(role));
    }
}

#[test]
fn gathered_frames_do_not_wake_a_parked_reader() {
    let (mut stream, mock) = stream(ROLES[0], binary().write_buffer(1024));
    let (reader, writer) = (Task::default(), Task::default());
    assert!(reader.read(&mut stream, 64).is_pending());
    ok(writer.write(&mut stream, b"hello"));
    assert_eq!(reader.wakes(), 0);
    assert!(mock.take_written().is_empty());
    // But any poll of it sends them.
    assert!(reader.read(&mut stream, 64).is_pending());
    assert_eq!(wire::decode(&mock.take_written()).len(), 1);
}

#[test]
fn reader_and_writer_that_wait_for_the_write_side_are_both_woken() {
    for role in ROLES {
        for reader_last in [false, true] {
            let (mut stream, mock) = stream(role, binary());
            let (reader, writer) = (Task::default(), Task::default());
            mock.set_room(3);
            ok(writer.write(&mut stream, b"first"));
            // The rest of the first frame is kept: both wait for the write side now, in either order.
            if reader_last {
                assert!(writer.write(&mut stream, b"second").is_pending());
            }
            mock.feed(&wire::ping(role, b"ping"));
            assert!(reader.read(&mut stream, 64).is_pending());
            if !reader_last {
                assert!(writer.write(&mut stream, b"second").is_pending());
            }
            reader.wakes();
            writer.wakes();
            mock.set_room(usize::MAX);
            assert!(mock.wake_writer());
            assert_eq!((reader.wakes(), writer.wakes()), (1, 1), "{} {reader_last}", name(role));
        }
    }
}

#[test]
fn cancelled_writer_leaves_the_pushing_to_the_reader() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let (reader, writer) = (Task::default(), Task::default());
        mock.set_room(3);
        ok(writer.write(&mut stream, b"first"));
        assert!(reader.read(&mut stream, 64).is_pending());
        // Polled last, so the transport has its waker, and then never again.
        assert!(writer.write(&mut stream, b"second").is_pending());
        drop(writer);
        mock.set_room(usize::MAX);
        assert!(mock.wake_writer());
        assert_eq!(reader.wakes(), 1);
        assert!(reader.read(&mut stream, 64).is_pending());
        assert_eq!(wire::payload(&wire::decode(&mock.take_written())), b"first");
    }
}

#[test]
fn cancelled_reader_does_not_take_the_writers_wake_up_along() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let (reader, writer) = (Task::default(), Task::default());
        mock.set_room(3);
        ok(writer.write(&mut stream, b"first"));
        assert!(writer.write(&mut stream, b"second").is_pending());
        assert!(reader.read(&mut stream, 64).is_pending());
        drop(reader);
        mock.set_room(usize::MAX);
        assert!(mock.wake_writer());
        assert_eq!(writer.wakes(), 1);
        assert_eq!(ok(writer.write(&mut stream, b"second")), 6);
    }
}

#[test]
fn reader_that_pushes_the_kept_bytes_out_wakes_the_writer() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let (reader, writer) = (Task::default(), Task::default());
        mock.set_room(3);
        ok(writer.write(&mut stream, b"first"));
        assert!(writer.write(&mut stream, b"second").is_pending());
        mock.set_room(usize::MAX);
        // The reader is polled for another reason; the transport wakes nobody.
        assert!(reader.read(&mut stream, 64).is_pending());
        assert_eq!(writer.wakes(), 1);
    }
}

#[test]
fn writer_that_pushes_the_readers_pong_out_lets_the_reader_flush_it() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let (reader, writer) = (Task::default(), Task::default());
        mock.set_room(1);
        mock.feed(&wire::ping(role, b"ping"));
        assert!(reader.read(&mut stream, 64).is_pending());
        mock.set_room(usize::MAX);
        ok(writer.write(&mut stream, b"data"));
        assert!(reader.wakes() > 0);
        assert!(reader.read(&mut stream, 64).is_pending());
        assert!(mock.is_flushed());
        let frames = wire::decode(&mock.take_written());
        assert_eq!(wire::opcodes(&frames), [wire::PONG, wire::BINARY]);
    }
}

#[test]
fn peers_close_that_is_answered_at_once_wakes_the_waiting_writer_which_is_refused() {
    for role in ROLES {
        for (code, half_close) in [(1000, false), (1001, false), (1001, true)] {
            let (mut stream, mock) = stream(role, binary().half_close(half_close));
            let (reader, writer) = (Task::default(), Task::default());
            mock.set_room(3);
            ok(writer.write(&mut stream, b"first"));
            assert!(writer.write(&mut stream, b"second").is_pending());
            mock.feed(&wire::close(role, Some(code), "bye"));
            assert_eq!(ok(reader.read(&mut stream, 64)), b"");
            assert_eq!(writer.wakes(), 1);
            let error = err(writer.write(&mut stream, b"second"));
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
            let close = stream.peer_close().unwrap();
            assert!(matches!(rule(&error), Error::PeerClosed { close: seen, .. } if seen == close));
            assert!(error.to_string().contains(&format!("{}: bye", CloseCode::from(code))), "{error}");
        }
    }
}

#[test]
fn peers_close_that_ends_only_the_reading_lets_the_waiting_writer_go_on() {
    for role in ROLES {
        for code in [None, Some(1000)] {
            let (mut stream, mock) = stream(role, binary());
            let (reader, writer) = (Task::default(), Task::default());
            mock.set_room(3);
            ok(writer.write(&mut stream, b"first"));
            assert!(writer.write(&mut stream, b"second").is_pending());
            mock.feed(&wire::close(role, code, ""));
            assert_eq!(ok(reader.read(&mut stream, 64)), b"");
            assert!(writer.write(&mut stream, b"second").is_pending());
            writer.wakes();
            mock.set_room(usize::MAX);
            assert!(mock.wake_writer());
            assert_eq!(writer.wakes(), 1);
            assert_eq!(ok(writer.write(&mut stream, b"second")), 6);
            assert_eq!(wire::payload(&wire::decode(&mock.take_written())), b"firstsecond", "{}", name(role));
        }
    }
}

#[test]
fn violation_truncation_and_transport_error_wake_the_waiting_writer() {
    for role in ROLES {
        for end in [None, Some(Answer::Zero), Some(Answer::Error(std::io::ErrorKind::ConnectionReset))] {
            let (mut stream, mock) = stream(role, binary());
            let (reader, writer) = (Task::default(), Task::default());
            mock.set_room(3);
            ok(writer.write(&mut stream, b"first"));
            assert!(writer.write(&mut stream, b"second").is_pending());
            match end {
                None => mock.feed(&[0xff]),
                Some(end) => mock.state().input_end = end,
            }
            err(reader.read(&mut stream, 64));
            assert_eq!(writer.wakes(), 1, "{} {end:?}", name(role));
            if end != Some(Answer::Error(std::io::ErrorKind::ConnectionReset)) {
                assert_eq!(*rule(&err(writer.write(&mut stream, b"second"))), Error::WriteAfterFailure);
            }
        }
    }
}

#[test]
fn failing_push_of_the_reader_wakes_the_writer_which_reports_it() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let (reader, writer) = (Task::default(), Task::default());
        mock.set_room(3);
        ok(writer.write(&mut stream, b"first"));
        assert!(writer.write(&mut stream, b"second").is_pending());
        mock.state().output_end = Answer::Error(std::io::ErrorKind::ConnectionReset);
        mock.feed(&wire::data(role, b"still there"));
        assert_eq!(ok(reader.read(&mut stream, 64)), b"still there");
        assert_eq!(writer.wakes(), 1);
        assert_eq!(err(writer.write(&mut stream, b"second")).kind(), std::io::ErrorKind::ConnectionReset);
        assert_eq!(err(writer.write(&mut stream, b"second")).kind(), std::io::ErrorKind::BrokenPipe);
    }
}

#[test]
fn one_task_for_both_sides_waits_without_spinning() {
    let (mut stream, mock) = stream(ROLES[0], text());
    let task = Task::default();
    mock.set_room(2);
    assert!(task.read(&mut stream, 64).is_pending());
    ok(task.write(&mut stream, b"some text"));
    let mut polls = 0;
    while task.wakes() > 0 {
        assert!(task.read(&mut stream, 64).is_pending());
        assert!(task.write(&mut stream, b"more").is_pending());
        polls += 1;
        assert!(polls < 4, "the task wakes itself for ever");
    }
    assert!(matches!(task.flush(&mut stream), Poll::Pending));
}

#[test]
fn pending_flush_of_the_reader_is_finished_when_the_transport_wakes() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let reader = Task::default();
        mock.state().flush = Some(Answer::Pending);
        mock.feed(&wire::ping(role, b""));
        assert!(reader.read(&mut stream, 64).is_pending());
        mock.state().flush = None;
        assert!(mock.wake_writer());
        assert_eq!(reader.wakes(), 1);
        assert!(reader.read(&mut stream, 64).is_pending());
        assert!(mock.is_flushed());
    }
}
