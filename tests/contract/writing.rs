//! Writing: PROMISES 3.1 to 3.7, 3.9, 3.10; pitfalls C3, C8, C9, C10, C13, C31.

use std::collections::HashSet;
use std::io::{self, ErrorKind, IoSlice};
use std::task::Poll;

use fastwebsockets_stream::{Error, Role, WebSocketStream};
use tokio::io::AsyncWrite;

use crate::support::transport::Answer;
use crate::support::{ROLES, Task, Transport, binary, err, name, ok, pattern, rule, stream, wire};

const SIZES: [usize; 13] = [1, 2, 125, 126, 127, 1000, 4096, 4097, 65_535, 65_536, 65_537, 200_000, 1 << 20];

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
//= type=test
//# a client MUST mask all frames that it sends to the server
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
//= type=test
//# A server MUST NOT mask any frames that it sends to the client.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
//= type=test
//# MUST be 0 unless an extension is negotiated that defines meanings for non-zero values.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
//= type=test
//# the minimal number of bytes MUST be used to encode the length
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.3
//= type=test
//# A masked frame MUST have the field frame-masked set to 1,
#[test]
fn write_puts_one_final_binary_frame_with_exactly_its_bytes_on_the_wire() {
    for role in ROLES {
        for vectored in [true, false] {
            let (mut stream, mock) = stream(role, binary());
            mock.state().vectored = vectored;
            let task = Task::default();
            for size in SIZES {
                let bytes = pattern(size);
                assert_eq!(ok(task.write(&mut stream, &bytes)), size);
                let frames = wire::decode(&mock.take_written());
                assert_eq!(frames.len(), 1);
                assert_eq!((frames[0].fin, frames[0].opcode), (true, wire::BINARY));
                assert_eq!(frames[0].key.is_some(), role == Role::Client);
                assert!(frames[0].payload == bytes, "{} {size}", name(role));
            }
        }
    }
}

#[test]
fn explicit_empty_write_is_one_empty_frame() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        assert_eq!(ok(Task::default().write(&mut stream, b"")), 0);
        let frames = wire::decode(&mock.take_written());
        assert_eq!((frames.len(), frames[0].payload.len(), frames[0].opcode), (1, 0, wire::BINARY));
    }
}

#[test]
fn write_takes_the_whole_buffer_up_to_the_frame_limit() {
    for (limit, taken) in [(Some(10), 10), (Some(0), 1), (Some(3 << 20), 3 << 20), (None, 5 << 20)] {
        let (mut stream, mock) = stream(Role::Server, binary().max_frame_len(limit));
        assert_eq!(ok(Task::default().write(&mut stream, &vec![7; 5 << 20])), taken);
        assert_eq!(wire::decode(&mock.take_written())[0].payload.len(), taken);
    }
    let (mut stream, _mock) = stream(Role::Client, binary());
    assert_eq!(ok(Task::default().write(&mut stream, &vec![7; 5 << 20])), 1 << 20, "the default");
}

#[test]
fn frame_leaves_with_one_transport_write() {
    for role in ROLES {
        for vectored in [true, false] {
            for size in SIZES {
                let (mut stream, mock) = stream(role, binary());
                mock.state().vectored = vectored;
                ok(Task::default().write(&mut stream, &pattern(size)));
                let writes = mock.state().writes.clone();
                if size <= 256 << 10 || (vectored && role == Role::Server) {
                    assert_eq!(writes.len(), 1, "{} {vectored} {size}: {writes:?}", name(role));
                } else {
                    assert!(writes[0] > 256 << 10, "header and the first 256 KiB together: {writes:?}");
                    assert_eq!(writes.len(), size.div_ceil(256 << 10), "{writes:?}");
                }
            }
        }
    }
}

#[test]
fn pending_write_has_sent_nothing_and_leaves_the_choice_of_the_next() {
    for role in ROLES {
        for size in SIZES {
            let (mut stream, mock) = stream(role, binary());
            mock.set_room(0);
            let task = Task::default();
            assert!(task.write(&mut stream, &pattern(size)).is_pending());
            mock.set_room(usize::MAX);
            assert_eq!(ok(task.write(&mut stream, b"ok")), 2, "other data, and less of it");
            let frames = wire::decode(&mock.take_written());
            assert_eq!((frames.len(), frames[0].payload.as_slice()), (1, b"ok".as_slice()));
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-10.3
//= type=test
//# the payload (application-supplied data) of that frame must not be capable of being modified by the
//# application.
#[test]
fn frame_that_is_cut_at_any_byte_is_accepted_and_its_rest_follows() {
    for role in ROLES {
        for vectored in [true, false] {
            for size in [0, 1, 20, 126, 300, 5000, 65_536, 70_000] {
                let key = (role == Role::Client).then_some(wire::KEY);
                let bytes = pattern(size);
                let whole = wire::encode(true, wire::BINARY, key, &bytes).len();
                let cuts = (1..whole)
                    .filter(|cut| whole < 500 || *cut < 20 || *cut % 16_000 < 2 || whole - cut < 20);
                for cut in cuts {
                    let (mut stream, mock) = stream(role, binary());
                    mock.state().vectored = vectored;
                    mock.set_room(cut);
                    let task = Task::default();
                    assert_eq!(ok(task.write(&mut stream, &bytes)), size);
                    assert!(task.write(&mut stream, b"next").is_pending(), "back-pressure");
                    mock.set_room(usize::MAX);
                    assert_eq!(ok(task.write(&mut stream, b"next")), 4);
                    let frames = wire::decode(&mock.take_written());
                    assert!(frames[0].payload == bytes, "{} {size} cut at {cut}", name(role));
                    assert_eq!(frames[1].payload, b"next");
                }
            }
        }
    }
}

#[test]
fn transport_that_takes_k_bytes_at_a_time_gets_the_same_wire() {
    for role in ROLES {
        for k in (1..=20).chain([125, 4096, 65_535]) {
            let (mut stream, mock) = stream(role, binary());
            mock.state().write_chunk = k;
            let (task, bytes) = (Task::default(), pattern(70_001));
            for size in [0, 1, 125, 126, 5000, 70_001] {
                assert_eq!(ok(task.write(&mut stream, &bytes[..size])), size);
            }
            let frames = wire::decode(&mock.take_written());
            let sizes: Vec<usize> = frames.iter().map(|frame| frame.payload.len()).collect();
            assert_eq!(sizes, [0, 1, 125, 126, 5000, 70_001], "{} {k}", name(role));
            assert!(frames.iter().all(|frame| frame.payload == bytes[..frame.payload.len()]));
        }
    }
}

#[test]
fn kept_rest_leaves_with_the_next_flush_shutdown_or_read() {
    type Push = fn(&Task, &mut WebSocketStream<Transport>);
    let pushes: [(&str, Push); 3] = [
        ("flush", |task, stream| ok(task.flush(stream))),
        ("shutdown", |task, stream| ok(task.shutdown(stream))),
        ("read", |task, stream| assert!(task.read(stream, 100).is_pending())),
    ];
    for role in ROLES {
        for (what, push) in pushes {
            let (mut stream, mock) = stream(role, binary());
            let task = Task::default();
            mock.set_room(4);
            ok(task.write(&mut stream, b"hello"));
            mock.set_room(usize::MAX);
            push(&task, &mut stream);
            assert!(mock.is_flushed(), "{what}");
            assert_eq!(wire::decode(&mock.take_written())[0].payload, b"hello", "{what} as {}", name(role));
        }
    }
}

#[test]
fn vectored_write_makes_one_frame_of_all_slices() {
    for role in ROLES {
        for count in [1, 2, 3, 63, 64, 65, 200] {
            for size in [3, 5000] {
                let (mut stream, mock) = stream(role, binary());
                assert!(stream.is_write_vectored());
                let bytes = pattern(count * size);
                let mut slices: Vec<IoSlice<'_>> = bytes.chunks(size).map(IoSlice::new).collect();
                slices.insert(count / 2, IoSlice::new(b""));
                assert_eq!(ok(Task::default().write_vectored(&mut stream, &slices)), bytes.len());
                let frames = wire::decode(&mock.take_written());
                assert_eq!(frames.len(), 1);
                assert!(frames[0].payload == bytes, "{} {count} x {size}", name(role));
                if role == Role::Server && count < 64 {
                    assert_eq!(mock.state().writes.len(), 1, "{count} x {size}, and an empty one");
                }
            }
        }
    }
}

#[test]
fn vectored_write_stops_at_the_frame_limit_inside_a_slice() {
    let (mut stream, mock) = stream(Role::Server, binary().max_frame_len(Some(5)));
    let slices = [b"abc".as_slice(), b"def", b"ghi"].map(IoSlice::new);
    assert_eq!(ok(Task::default().write_vectored(&mut stream, &slices)), 5);
    assert_eq!(wire::decode(&mock.take_written())[0].payload, b"abcde");
}

#[test]
fn write_buffer_gathers_whole_frames_until_the_next_does_not_fit() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary().write_buffer(1000));
        let task = Task::default();
        for _ in 0..8 {
            assert_eq!(ok(task.write(&mut stream, &pattern(100))), 100);
        }
        assert_eq!(mock.state().write_calls, 0);
        for _ in 0..8 {
            ok(task.write(&mut stream, &pattern(100)));
        }
        assert_eq!(mock.state().write_calls, 1, "all that was gathered, at once");
        ok(task.flush(&mut stream));
        assert_eq!(mock.state().write_calls, 2);
        assert_eq!(wire::decode(&mock.take_written()).len(), 16);
    }
}

#[test]
fn frame_larger_than_the_write_buffer_goes_out_behind_what_was_gathered() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary().write_buffer(1000));
        let task = Task::default();
        ok(task.write(&mut stream, b"small"));
        ok(task.write(&mut stream, &pattern(5000)));
        let frames = wire::decode(&mock.take_written());
        assert_eq!(frames.iter().map(|frame| frame.payload.len()).collect::<Vec<_>>(), [5, 5000]);
    }
}

#[test]
fn write_buffer_of_any_size_is_bounded_and_leaves_with_shutdown() {
    for capacity in [1, 14, 15, 16, 70_000, usize::MAX] {
        let (mut stream, mock) = stream(Role::Client, binary().write_buffer(capacity));
        let task = Task::default();
        for _ in 0..300 {
            ok(task.write(&mut stream, &pattern(1000)));
        }
        assert!(mock.state().written.len() > 300 * 1000 - 66_000, "{capacity}");
        ok(task.shutdown(&mut stream));
        let frames = wire::decode(&mock.take_written());
        assert_eq!((frames.len(), frames[300].opcode), (301, wire::CLOSE));
    }
}

#[test]
fn gathered_frames_under_back_pressure_are_neither_lost_nor_doubled() {
    let (mut stream, mock) = stream(Role::Client, binary().write_buffer(500));
    let (task, mut sent, mut pendings) = (Task::default(), Vec::new(), 0);
    mock.set_room(100);
    for i in 0..200_usize {
        let bytes = pattern(i);
        while task.write(&mut stream, &bytes).is_pending() {
            pendings += 1;
            mock.set_room(77);
        }
        sent.extend(bytes);
    }
    mock.set_room(usize::MAX);
    ok(task.flush(&mut stream));
    assert!(pendings > 50);
    assert_eq!(wire::payload(&wire::decode(&mock.take_written())), sent);
}

#[test]
fn key_of_a_frame_that_was_refused_is_used_once() {
    let (mut stream, mock) = stream(Role::Client, binary());
    mock.set_room(0);
    assert!(Task::default().write(&mut stream, b"refused").is_pending());
    mock.set_room(usize::MAX);
    for _ in 0..10 {
        ok(Task::default().write(&mut stream, b"taken"));
    }
    let frames = wire::decode(&mock.take_written());
    let keys: HashSet<_> = frames.iter().map(|frame| frame.key).collect();
    // Of ten keys of 32 bits, two are the same once in a hundred million runs.
    assert_eq!((frames.len(), keys.len()), (10, 10));
}

#[test]
fn nothing_is_gathered_behind_the_rest_of_a_frame() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary().write_buffer(1024));
        let frame = wire::header(true, 2, (role == Role::Client).then_some([0; 4]), 2000).len() + 2000;
        mock.set_room(frame - 10);
        ok(Task::default().write(&mut stream, &pattern(2000)));
        assert!(Task::default().write(&mut stream, b"next").is_pending(), "10 bytes are kept");
        mock.set_room(usize::MAX);
        ok(Task::default().write(&mut stream, b"next"));
        ok(Task::default().flush(&mut stream));
        let frames = wire::decode(&mock.take_written());
        assert!(frames.len() == 2 && frames[0].payload == pattern(2000) && frames[1].payload == b"next");
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.3
//= type=test
//# the client MUST pick a fresh masking key from the set of allowed 32-bit values.
//= https://www.rfc-editor.org/rfc/rfc6455#section-10.3
//= type=test
//# Clients MUST choose a new masking key for each frame,
#[test]
fn client_masks_each_frame_with_a_fresh_key() {
    let (mut stream, mock) = stream(Role::Client, binary());
    let task = Task::default();
    for _ in 0..1000 {
        ok(task.write(&mut stream, b"the same"));
    }
    let keys: HashSet<_> =
        wire::decode(&mock.take_written()).into_iter().map(|frame| frame.key.unwrap()).collect();
    assert!(keys.len() > 990, "{} keys for 1000 frames", keys.len());
}

#[test]
fn transport_that_accepts_nothing_is_write_zero_and_never_a_spin() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let task = Task::default();
        mock.set_room(3);
        mock.state().output_end = Answer::Zero;
        let error = err(task.write(&mut stream, b"hello"));
        assert_eq!((error.kind(), rule(&error)), (ErrorKind::WriteZero, &Error::TransportFull));
        assert_eq!(err(task.write(&mut stream, b"hello")).kind(), ErrorKind::BrokenPipe);
        assert!(mock.state().write_calls < 4);
    }
}

#[test]
fn transports_write_error_is_reported_once_then_broken_pipe_and_reads_go_on() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let task = Task::default();
        mock.set_room(0);
        mock.state().output_end = Answer::Error(ErrorKind::ConnectionReset);
        assert_eq!(err(task.write(&mut stream, b"hello")).kind(), ErrorKind::ConnectionReset);
        assert_eq!(err(task.write(&mut stream, b"hello")).kind(), ErrorKind::BrokenPipe);
        assert_eq!(err(task.flush(&mut stream)).kind(), ErrorKind::BrokenPipe);
        mock.feed(&wire::data(role, b"data"));
        mock.feed(&wire::close(role, Some(1000), ""));
        assert_eq!(ok(task.read(&mut stream, 100)), b"data");
        assert_eq!(ok(task.read(&mut stream, 100)), b"");
        assert_eq!(err(task.write(&mut stream, b"hello")).kind(), ErrorKind::BrokenPipe);
        ok(task.shutdown(&mut stream));
        assert!(mock.state().is_shut);
    }
}

#[test]
fn failure_of_kept_bytes_is_reported_by_whatever_comes_next() {
    type Call = fn(&Task, &mut WebSocketStream<Transport>) -> io::Error;
    let calls: [(&str, Call); 3] = [
        ("write", |task, stream| err(task.write(stream, b"more"))),
        ("flush", |task, stream| err(task.flush(stream))),
        ("shutdown", |task, stream| err(task.shutdown(stream))),
    ];
    for role in ROLES {
        for by_reader in [false, true] {
            for (what, call) in calls {
                let (mut stream, mock) = stream(role, binary());
                let task = Task::default();
                mock.set_room(4);
                ok(task.write(&mut stream, b"hello"));
                mock.state().output_end = Answer::Error(ErrorKind::ConnectionReset);
                if by_reader {
                    assert!(task.read(&mut stream, 100).is_pending(), "the reader does not hear of it");
                }
                assert_eq!(call(&task, &mut stream).kind(), ErrorKind::ConnectionReset, "{what}");
                assert_eq!(err(task.write(&mut stream, b"x")).kind(), ErrorKind::BrokenPipe, "{what}");
                ok(task.shutdown(&mut stream));
                assert!(mock.state().is_shut, "{what}");
            }
        }
    }
}

#[test]
fn error_at_every_call_of_the_transport_is_reported_without_a_panic() {
    for role in ROLES {
        for at in 0..40 {
            let (mut stream, mock) = stream(role, binary().write_buffer(at % 3 * 100));
            mock.state().fail_at = Some((at, ErrorKind::ConnectionReset));
            mock.state().write_chunk = 7;
            mock.feed(&[wire::ping(role, b"p"), wire::data(role, b"data")].concat());
            let task = Task::default();
            let mut failures = 0;
            for _ in 0..3 {
                failures +=
                    usize::from(matches!(task.write(&mut stream, b"hello world"), Poll::Ready(Err(_))));
                failures += usize::from(matches!(task.read(&mut stream, 100), Poll::Ready(Err(_))));
                failures += usize::from(matches!(task.flush(&mut stream), Poll::Ready(Err(_))));
            }
            failures += usize::from(matches!(task.shutdown(&mut stream), Poll::Ready(Err(_))));
            failures += usize::from(matches!(task.shutdown(&mut stream), Poll::Ready(Err(_))));
            let calls = mock.state().calls;
            assert!(failures > 0 || calls <= at, "{} {at}: {calls} calls, and nobody heard", name(role));
        }
    }
}
