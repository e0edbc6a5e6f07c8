//! What dropping a half does to the other, and to the peer: PROMISES 1.8, 5.6.

use std::panic::AssertUnwindSafe;

use super::*;

/// The reading half waits in a read, and its task is woken by what the drop is.
#[track_caller]
fn woken(reads: &Task, reader: &mut OwnedReadHalf<Transport>, drop: impl FnOnce()) {
    assert!(reads.read(reader, 64).is_pending());
    reads.wakes();
    drop();
    assert_eq!(reads.wakes(), 1);
    assert!(reads.read(reader, 64).is_pending());
}

#[test]
fn dropped_writing_half_ends_its_direction_by_the_waiting_reading_half() {
    for role in ROLES {
        for room in [usize::MAX, 3] {
            let (mut reader, mut writer, mock) = halves(role, binary());
            let reads = Task::default();
            mock.set_room(room);
            ok(Task::default().write(&mut writer, b"kept"));
            let calls = mock.state().calls;
            assert!(reads.read(&mut reader, 64).is_pending());
            reads.wakes();
            drop(writer);
            assert!(mock.state().calls >= calls && reads.wakes() == 1, "{}", name(role));
            mock.set_room(usize::MAX);
            assert!(reads.read(&mut reader, 64).is_pending());
            assert!(mock.is_flushed() && !mock.state().is_shut);
            assert_eq!(sent(&mock), [(wire::BINARY, b"kept".to_vec()), close_of(Some(1000))]);
            // Its own direction, and no other.
            mock.feed(&[wire::data(role, b"more"), wire::close(role, Some(1000), "")].concat());
            assert_eq!(ok(reads.read(&mut reader, 64)), b"more");
            assert_eq!(ok(reads.read(&mut reader, 64)), b"");
            assert!(mock.state().is_shut && mock.state().written.is_empty());
        }
    }
}

#[test]
fn dropped_writing_half_is_ended_by_the_next_read_where_none_waits() {
    for role in ROLES {
        let (mut reader, writer, mock) = halves(role, binary());
        let reads = Task::default();
        mock.feed(&wire::data(role, b"0123456789"));
        assert_eq!(ok(reads.read(&mut reader, 1)), b"0");
        drop(writer);
        assert_eq!(sent(&mock), []);
        // Also one that finds its bytes read ahead.
        assert_eq!(ok(reads.read(&mut reader, 1)), b"1");
        assert_eq!(sent(&mock), [close_of(Some(1000))]);
        assert_eq!(ok(reads.read(&mut reader, 64)), b"23456789");
        assert!(reads.read(&mut reader, 64).is_pending());
        assert_eq!(sent(&mock), [], "once");
    }
}

#[test]
fn writing_half_dropped_in_a_panic_says_1011() {
    for role in ROLES {
        let (mut reader, writer, mock) = halves(role, binary());
        let reads = Task::default();
        woken(&reads, &mut reader, || drop_in_a_panic(writer));
        assert_eq!(sent(&mock), [close_of(Some(1011))], "{}", name(role));
    }
}

fn drop_in_a_panic<T>(value: T) {
    let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _value = value;
        std::panic::resume_unwind(Box::new(()));
    }));
    panicked.unwrap_err();
}

/// What it had begun to answer must not look whole.
#[test]
fn writing_half_dropped_in_a_panic_after_the_end_leaves_no_clean_end() {
    for role in ROLES {
        for reads_again in [false, true] {
            let (mut reader, writer, mock) = halves(role, binary());
            let reads = Task::default();
            mock.feed(&wire::close(role, Some(1000), ""));
            assert_eq!(ok(reads.read(&mut reader, 64)), b"");
            drop_in_a_panic(writer);
            if reads_again {
                assert_eq!(ok(reads.read(&mut reader, 64)), b"");
            }
            drop(reader);
            let expected = if reads_again { vec![close_of(Some(1011))] } else { vec![] };
            assert_eq!(sent(&mock), expected, "{} {reads_again}", name(role));
        }
    }
}

/// The lock is held while it is shown.
#[test]
fn writing_half_dropped_while_the_reading_half_is_shown_answers_all_the_same() {
    struct Drops(Option<OwnedWriteHalf<Transport>>);
    impl std::fmt::Write for Drops {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            if text.contains("WebSocketStream") {
                self.0 = None;
            }
            Ok(())
        }
    }
    for role in ROLES {
        let (mut reader, writer, mock) = halves(role, binary());
        mock.feed(&wire::close(role, Some(1000), ""));
        assert_eq!(ok(Task::default().read(&mut reader, 64)), b"");
        let mut drops = Drops(Some(writer));
        std::fmt::Write::write_fmt(&mut drops, format_args!("{reader:?}")).unwrap();
        assert!(drops.0.is_none());
        assert_eq!(sent(&mock), [close_of(Some(1000))], "{}", name(role));
    }
}

#[test]
fn writing_half_dropped_inside_a_code_point_says_1007() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, text());
        ok(Task::default().write(&mut writer, b"\xe2"));
        woken(&Task::default(), &mut reader, || drop(writer));
        let frames = sent(&mock);
        assert_eq!((frames.len(), &frames[0].1[..2]), (1, 1007_u16.to_be_bytes().as_slice()));
    }
}

#[test]
fn writing_half_dropped_after_a_shutdown_says_nothing_more() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, binary());
        ok(Task::default().shutdown(&mut writer));
        assert_eq!(sent(&mock), [close_of(Some(1000))]);
        woken(&Task::default(), &mut reader, || drop(writer));
        assert_eq!(sent(&mock), [], "{}", name(role));
    }
}

#[test]
fn forgotten_writing_half_ends_nothing_and_what_it_kept_leaves() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, binary());
        let reads = Task::default();
        mock.set_room(3);
        ok(Task::default().write(&mut writer, b"kept"));
        assert!(reads.read(&mut reader, 64).is_pending());
        writer.forget();
        mock.set_room(usize::MAX);
        mock.feed(&wire::ping(role, b"ping"));
        assert!(reads.read(&mut reader, 64).is_pending());
        assert_eq!(sent(&mock), [(wire::BINARY, b"kept".to_vec()), (wire::PONG, b"ping".to_vec())]);
        drop(reader);
        assert_eq!(sent(&mock), []);
    }
}

/// As it would where the half is dropped: nothing else makes a reading half push that already waits.
#[test]
fn waiting_reading_half_pushes_what_a_forgotten_writing_half_had_gathered() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, binary().write_buffer(100));
        let reads = Task::default();
        assert!(reads.read(&mut reader, 64).is_pending());
        ok(Task::default().write(&mut writer, b"gathered"));
        assert_eq!((sent(&mock), reads.wakes()), (vec![], 0));
        writer.forget();
        assert_eq!(reads.wakes(), 1, "{}", name(role));
        assert!(reads.read(&mut reader, 64).is_pending());
        assert_eq!(sent(&mock), [(wire::BINARY, b"gathered".to_vec())]);
        assert_eq!(reads.wakes(), 0);
    }
}

/// Nobody polls the reading half any more: forgetting the writing half has to push.
#[test]
fn writing_half_forgotten_after_the_end_was_read_pushes_what_it_kept_by_itself() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, binary().write_buffer(100));
        mock.feed(&wire::close(role, Some(1000), ""));
        assert_eq!(ok(Task::default().read(&mut reader, 64)), b"");
        ok(Task::default().write(&mut writer, b"gathered"));
        assert_eq!(sent(&mock), []);
        writer.forget();
        assert!(mock.is_flushed() && !mock.state().is_shut, "{}", name(role));
        assert_eq!(sent(&mock), [(wire::BINARY, b"gathered".to_vec())]);
    }
}

/// Nobody polls the reading half any more: dropping the writing half has to do it.
#[test]
fn writing_half_dropped_after_the_end_was_read_answers_by_itself() {
    for role in ROLES {
        for reader_is_gone in [false, true] {
            let (mut reader, mut writer, mock) = halves(role, binary());
            mock.feed(&wire::close(role, Some(1000), ""));
            assert_eq!(ok(Task::default().read(&mut reader, 64)), b"");
            let reader = if reader_is_gone { None } else { Some(reader) };
            ok(Task::default().write(&mut writer, b"the answer"));
            drop(writer);
            assert!(mock.is_flushed() && mock.state().is_shut, "{} {reader_is_gone}", name(role));
            assert_eq!(sent(&mock), [(wire::BINARY, b"the answer".to_vec()), close_of(Some(1000))]);
            drop(reader);
            assert_eq!(sent(&mock), []);
        }
    }
}

#[test]
fn both_halves_dropped_before_the_end_send_nothing() {
    for role in ROLES {
        for reader_first in [false, true] {
            for data in [b"".as_slice(), b"data"] {
                let (reader, mut writer, mock) = halves(role, binary());
                if !data.is_empty() {
                    ok(Task::default().write(&mut writer, data));
                }
                let calls = mock.state().calls;
                mock.feed(b"unread");
                if reader_first {
                    drop(reader);
                    drop(writer);
                } else {
                    drop(writer);
                    drop(reader);
                }
                assert_eq!(mock.state().calls, calls, "{} {reader_first}", name(role));
            }
        }
    }
}

#[test]
fn both_halves_dropped_after_the_end_answer_as_a_dropped_stream_does() {
    for role in ROLES {
        for order in ["reader first", "writer first", "writer forgotten"] {
            let (mut reader, writer, mock) = halves(role, binary());
            mock.feed(&[wire::close(role, Some(1000), ""), b"unread".to_vec()].concat());
            assert_eq!(ok(Task::default().read(&mut reader, 64)), b"");
            match order {
                "reader first" => drop((reader, writer)),
                "writer first" => drop((writer, reader)),
                _ => {
                    writer.forget();
                    drop(reader);
                }
            }
            assert!(mock.is_flushed() && mock.state().is_shut, "{} {order}", name(role));
            assert!(mock.state().input.is_empty());
            assert_eq!(sent(&mock), [close_of(Some(1000))], "{} {order}", name(role));
        }
    }
}

#[test]
fn dropped_reading_half_sends_nothing_and_the_writer_answers_pings_and_drops_data() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, binary());
        let task = Task::default();
        mock.feed(&wire::data(role, b"some"));
        assert_eq!(ok(task.read(&mut reader, 1)), b"s");
        let calls = mock.state().calls;
        drop(reader);
        assert_eq!(mock.state().calls, calls);
        mock.feed(
            &[wire::ping(role, b"1"), wire::data(role, &[0; 100_000]), wire::ping(role, b"2")].concat(),
        );
        ok(task.write(&mut writer, b"data"));
        ok(task.flush(&mut writer));
        assert!(mock.state().input.is_empty());
        let pongs = [b"1", b"2"].map(|ping| (wire::PONG, ping.to_vec()));
        let mut frames = sent(&mock);
        frames.sort();
        assert_eq!(
            frames,
            [[(wire::BINARY, b"data".to_vec())].as_slice(), &pongs].concat(),
            "{}",
            name(role)
        );
    }
}

#[test]
fn writer_alone_that_waits_is_woken_by_a_ping_and_answers_it() {
    for role in ROLES {
        for drops_while_waiting in [false, true] {
            let (reader, mut writer, mock) = halves(role, binary());
            let writes = Task::default();
            let mut reader = Some(reader).filter(|_| drops_while_waiting);
            mock.set_room(3);
            ok(writes.write(&mut writer, b"first"));
            assert!(writes.write(&mut writer, b"second").is_pending());
            if reader.take().is_some() {
                assert_eq!(writes.wakes(), 1, "it has to read from now on");
                assert!(writes.write(&mut writer, b"second").is_pending());
            }
            mock.feed(&wire::ping(role, b"ping"));
            assert!(mock.wake_reader());
            assert!(writes.wakes() > 0);
            mock.set_room(usize::MAX);
            assert_eq!(ok(writes.write(&mut writer, b"second")), 6);
            let opcodes: Vec<u8> = sent(&mock).into_iter().map(|frame| frame.0).collect();
            assert_eq!(opcodes, [wire::BINARY, wire::PONG, wire::BINARY], "{}", name(role));
        }
    }
}

#[test]
fn writer_alone_notices_the_peers_end() {
    for role in ROLES {
        let (reader, mut writer, mock) = halves(role, binary());
        let task = Task::default();
        drop(reader);
        mock.feed(&wire::close(role, Some(1000), ""));
        // The peer reads on.
        ok(task.write(&mut writer, b"data"));
        assert!(writer.is_closed());
        ok(task.shutdown(&mut writer));
        assert!(mock.state().is_shut);
        assert_eq!(sent(&mock), [(wire::BINARY, b"data".to_vec()), close_of(Some(1000))]);

        let (reader, mut writer, mock) = halves(role, binary());
        drop(reader);
        mock.feed(&wire::close(role, Some(1001), ""));
        assert_eq!(err(task.write(&mut writer, b"data")).kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(sent(&mock), [close_of(Some(1001))]);

        let (reader, mut writer, mock) = halves(role, binary());
        drop(reader);
        mock.state().input_end = Answer::Zero;
        assert_eq!(err(task.write(&mut writer, b"data")).kind(), io::ErrorKind::BrokenPipe);
    }
}
