//! A stream in two halves: PROMISES 1.8.

mod closing;
mod dropping;
mod locking;
mod orders;
mod sockets;

use std::io;
use std::task::Poll;

use fastwebsockets_stream::{CloseFrame, OwnedReadHalf, OwnedWriteHalf, ReuniteError, Role, WebSocketStream};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite};

use crate::support::transport::Answer;
use crate::support::{
    Mock, ROLES, Task, Transport, binary, err, name, ok, pattern, rule, stream, text, wire,
};

type Halves = (OwnedReadHalf<Transport>, OwnedWriteHalf<Transport>);

fn halves(
    role: Role,
    config: fastwebsockets_stream::Config,
) -> (OwnedReadHalf<Transport>, OwnedWriteHalf<Transport>, Mock) {
    let (stream, mock) = stream(role, config);
    let (reader, writer) = stream.into_split();
    (reader, writer, mock)
}

/// Opcode and payload of what was written.
fn sent(mock: &Mock) -> Vec<(u8, Vec<u8>)> {
    wire::decode(&mock.take_written()).into_iter().map(|frame| (frame.opcode, frame.payload)).collect()
}

fn close_of(code: Option<u16>) -> (u8, Vec<u8>) {
    (wire::CLOSE, wire::close_payload(code, ""))
}

#[test]
fn halves_are_what_two_tasks_need() {
    fn is_all<T: Send + Sync + Unpin + 'static>() {}
    fn reads<T: AsyncRead + AsyncBufRead>() {}
    fn writes<T: AsyncWrite>() {}
    type Tcp = tokio::net::TcpStream;
    is_all::<(OwnedReadHalf<Tcp>, OwnedWriteHalf<Tcp>, ReuniteError<Tcp>)>();
    reads::<OwnedReadHalf<Tcp>>();
    writes::<OwnedWriteHalf<Tcp>>();
    fn sends<T: Send>(_: T) {}
    let (_, mut writer, _) = halves(ROLES[0], binary());
    sends(writer.close(1000, ""));
}

#[test]
fn splitting_and_reuniting_send_nothing_and_lose_nothing() {
    for role in ROLES {
        let (mut whole, mock) = stream(role, binary());
        let task = Task::default();
        mock.feed(&wire::data(role, b"0123456789"));
        assert_eq!(ok(task.read(&mut whole, 2)), b"01");
        mock.set_room(3);
        ok(task.write(&mut whole, b"a frame"));
        let calls = mock.state().calls;

        let (mut reader, writer) = whole.into_split();
        assert_eq!(mock.state().calls, calls, "{}", name(role));
        assert_eq!(ok(task.read(&mut reader, 2)), b"23");
        let calls = mock.state().calls;
        let mut whole = reader.reunite(writer).unwrap();
        assert_eq!(mock.state().calls, calls, "{}", name(role));
        assert_eq!(ok(task.read(&mut whole, 64)), b"456789");
        mock.set_room(usize::MAX);
        ok(task.flush(&mut whole));
        assert_eq!(sent(&mock), [(wire::BINARY, b"a frame".to_vec())]);
        assert!(task.read(&mut whole, 64).is_pending());
    }
}

#[test]
fn halves_of_two_streams_are_given_back() {
    let (reader, writer, mock) = halves(ROLES[0], binary());
    let (other_reader, other_writer, other) = halves(ROLES[1], binary());
    let error = reader.reunite(other_writer).unwrap_err();
    assert!(error.to_string().contains("different streams"), "{error}");
    assert!(format!("{error:?}").contains("OwnedWriteHalf"), "{error:?}");
    let ReuniteError(reader, other_writer) = error;
    let error = writer.reunite(other_reader).unwrap_err();
    let kept: Box<dyn std::error::Error> = Box::new(error);
    let ReuniteError(other_reader, writer) = *kept.downcast().unwrap();
    assert!(reader.reunite(writer).unwrap().role() == ROLES[0]);
    assert!(other_writer.reunite(other_reader).unwrap().role() == ROLES[1]);
    assert_eq!((mock.state().calls, other.state().calls), (0, 0));
}

#[test]
fn halves_can_be_reunited_after_one_has_failed() {
    let task = Task::default();
    for role in ROLES {
        let (mut reader, writer, mock) = halves(role, binary());
        mock.feed(&[0xff]);
        let error = err(task.read(&mut reader, 64));
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let mut whole = writer.reunite(reader).unwrap();
        assert_eq!(err(task.read(&mut whole, 64)).kind(), io::ErrorKind::InvalidData);
        assert_eq!(err(task.write(&mut whole, b"x")).kind(), io::ErrorKind::BrokenPipe);

        let (mut reader, mut writer, mock) = halves(role, binary());
        mock.set_room(0);
        mock.state().output_end = Answer::Error(io::ErrorKind::ConnectionReset);
        assert_eq!(err(task.write(&mut writer, b"x")).kind(), io::ErrorKind::ConnectionReset);
        mock.feed(&wire::data(role, b"there"));
        assert_eq!(ok(task.look(&mut reader)), b"there");
        let mut whole = reader.reunite(writer).unwrap();
        assert_eq!(ok(task.read(&mut whole, 64)), b"there");
        assert_eq!(err(task.write(&mut whole, b"x")).kind(), io::ErrorKind::BrokenPipe);
    }
}

#[test]
fn both_halves_say_what_the_stream_would() {
    for role in ROLES {
        let (mut reader, writer, mock) = halves(role, binary());
        assert!(reader.role() == role && writer.role() == role);
        assert_eq!((reader.is_closed(), writer.is_closed()), (false, false));
        assert_eq!((reader.peer_close(), writer.peer_close()), (None, None));
        mock.feed(&wire::close(role, Some(1000), "bye"));
        assert_eq!(ok(Task::default().read(&mut reader, 64)), b"");
        assert_eq!((reader.is_closed(), writer.is_closed()), (true, true));
        let close: CloseFrame = writer.peer_close().unwrap();
        assert_eq!((close.code.map(u16::from), close.reason.as_str()), (Some(1000), "bye"));
        assert_eq!(reader.peer_close(), Some(close));
        let shown = format!("{reader:?} {writer:?}");
        assert!(shown.contains("OwnedReadHalf") && shown.contains("peer_close"), "{shown}");
    }
}

#[test]
fn reading_half_shows_what_it_has_read_ahead_and_mixes_with_reads() {
    for role in ROLES {
        let (mut reader, _writer, mock) = halves(role, binary());
        let (task, bytes) = (Task::default(), pattern(20_000));
        mock.feed(&wire::data(role, &bytes));
        let mut all = Vec::new();
        while all.len() < bytes.len() {
            let shown = ok(task.look(&mut reader));
            assert!(!shown.is_empty() && bytes[all.len()..].starts_with(&shown));
            std::pin::Pin::new(&mut reader).consume(3);
            all.extend_from_slice(&shown[..shown.len().min(3)]);
            let room = 1 + all.len() % 5000;
            if all.len() < bytes.len() {
                all.extend(ok(task.read(&mut reader, room)));
            }
        }
        assert!(all == bytes, "{}", name(role));
        assert!(task.look(&mut reader).is_pending());
    }
}

#[test]
fn read_from_what_was_read_ahead_pushes_what_waits() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, binary());
        let (reads, writes) = (Task::default(), Task::default());
        mock.feed(&wire::data(role, b"0123456789"));
        assert_eq!(ok(reads.read(&mut reader, 1)), b"0");
        mock.set_room(3);
        ok(writes.write(&mut writer, b"a frame"));
        mock.set_room(usize::MAX);
        assert_eq!(ok(reads.read(&mut reader, 1)), b"1");
        assert_eq!(sent(&mock), [(wire::BINARY, b"a frame".to_vec())], "{}", name(role));
        // With nothing to push, the transport is left alone.
        let calls = mock.state().calls;
        assert_eq!(ok(reads.read(&mut reader, 2)), b"23");
        assert_eq!(ok(reads.look(&mut reader)), b"456789");
        assert_eq!(mock.state().calls, calls);
    }
}

#[test]
fn writing_half_writes_as_the_stream_does() {
    for role in ROLES {
        let (_reader, mut writer, mock) = halves(role, binary().max_frame_len(Some(4)));
        let task = Task::default();
        assert!(writer.is_write_vectored());
        assert_eq!(ok(task.write(&mut writer, b"hello")), 4);
        let slices = [io::IoSlice::new(b"ab"), io::IoSlice::new(b"c")];
        assert_eq!(ok(task.write_vectored(&mut writer, &slices)), 3);
        assert_eq!(ok(task.write(&mut writer, b"")), 0);
        ok(task.flush(&mut writer));
        assert!(mock.is_flushed());
        ok(task.shutdown(&mut writer));
        assert_eq!(err(task.write(&mut writer, b"x")).kind(), io::ErrorKind::BrokenPipe);
        let frames: Vec<_> =
            [b"hell".as_slice(), b"abc", b""].map(|part| (wire::BINARY, part.to_vec())).into();
        assert_eq!(sent(&mock), [frames, vec![close_of(Some(1000))]].concat());

        let (_reader, mut writer, mock) = halves(role, text());
        assert_eq!(ok(task.write(&mut writer, b"a\xe2\x82")), 3);
        assert_eq!(ok(task.write(&mut writer, b"\xac")), 1);
        assert_eq!(err(task.write(&mut writer, b"\xff")).kind(), io::ErrorKind::InvalidData);
        assert_eq!(sent(&mock), [(wire::TEXT, b"a".to_vec()), (wire::TEXT, "€".into())]);
    }
}

#[test]
fn reader_and_writer_that_wait_for_the_write_side_are_both_woken() {
    for role in ROLES {
        for reader_last in [false, true] {
            let (mut reader, mut writer, mock) = halves(role, binary());
            let (reads, writes) = (Task::default(), Task::default());
            mock.set_room(3);
            ok(writes.write(&mut writer, b"first"));
            if reader_last {
                assert!(writes.write(&mut writer, b"second").is_pending());
            }
            mock.feed(&wire::ping(role, b"ping"));
            assert!(reads.read(&mut reader, 64).is_pending());
            if !reader_last {
                assert!(writes.write(&mut writer, b"second").is_pending());
            }
            reads.wakes();
            writes.wakes();
            mock.set_room(usize::MAX);
            assert!(mock.wake_writer());
            assert_eq!((reads.wakes(), writes.wakes()), (1, 1), "{} {reader_last}", name(role));
        }
    }
}

#[test]
fn write_that_keeps_something_wakes_the_reading_half_and_one_that_does_not_wakes_nobody() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, binary());
        let (reads, writes) = (Task::default(), Task::default());
        assert!(reads.read(&mut reader, 64).is_pending());
        ok(writes.write(&mut writer, b"all of it"));
        assert_eq!((reads.wakes(), writes.wakes()), (0, 0));
        mock.set_room(5);
        ok(writes.write(&mut writer, b"not all of it"));
        assert_eq!((reads.wakes(), writes.wakes()), (1, 0), "{}", name(role));
    }
}

#[test]
fn peers_close_that_refuses_writes_wakes_the_waiting_writer() {
    for role in ROLES {
        let (mut reader, mut writer, mock) = halves(role, binary());
        let (reads, writes) = (Task::default(), Task::default());
        mock.set_room(3);
        ok(writes.write(&mut writer, b"first"));
        assert!(writes.write(&mut writer, b"second").is_pending());
        mock.feed(&wire::close(role, Some(1001), "away"));
        assert_eq!(ok(reads.read(&mut reader, 64)), b"");
        assert_eq!(writes.wakes(), 1);
        let error = err(writes.write(&mut writer, b"second"));
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(rule(&error).to_string().contains("away"), "{error}");
    }
}

fn whole(halves: Halves) -> WebSocketStream<Transport> {
    halves.0.reunite(halves.1).unwrap()
}

#[test]
fn reunited_stream_wakes_at_once_again() {
    for role in ROLES {
        let (reader, writer, mock) = halves(role, binary());
        let mut whole = whole((reader, writer));
        let (reads, writes) = (Task::default(), Task::default());
        assert!(matches!(reads.read(&mut whole, 64), Poll::Pending));
        mock.set_room(5);
        ok(writes.write(&mut whole, b"not all of it"));
        assert_eq!(reads.wakes(), 1, "{}", name(role));
    }
}
