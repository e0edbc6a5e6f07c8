//! What a socket brings along besides its read-ahead: PROMISES 1.2, 1.5, 4.4.

use super::*;

#[test]
fn settings_of_the_websocket_change_nothing() {
    let settings: [fn(&mut WebSocket<Transport>); 6] = [
        |websocket| websocket.set_auto_apply_mask(false),
        |websocket| websocket.set_auto_close(false),
        |websocket| websocket.set_auto_pong(false),
        |websocket| websocket.set_max_message_size(6),
        |websocket| websocket.set_writev(false),
        |websocket| websocket.set_writev_threshold(0),
    ];
    for role in ROLES {
        for set in settings {
            let mut talk = Talk::new(role, &binary()).with(&[Ping(3), Data(true, 300), Data(false, 7)]);
            let frame = talk.say(Data(true, 400));
            let talk = talk.goodbye();
            for at in cuts(frame) {
                let (mock, transport) = Mock::new();
                let mut websocket = WebSocket::after_handshake(transport, role.into());
                set(&mut websocket);
                mock.feed(&wire::data(role, b"first"));
                mock.feed(&talk.wire[..at]);
                read_frame(&mut websocket).unwrap();
                let stream = WebSocketStream::new(websocket, PayloadType::Binary);
                mock.feed(&talk.wire[at..]);
                talk.check(stream, &mock, 8192, &format!("{at}"));
            }
        }
    }
}

#[test]
fn message_of_which_the_websocket_returned_the_beginning_goes_on() {
    for role in ROLES {
        for config in [binary(), text()] {
            // So many frames are returned before the stream takes over; the last of them is not final.
            let steps = [Data(true, 20), Data(false, 10), Data(false, 30), Data(false, 10), Data(true, 10)];
            for returned in 2..5 {
                let whole = Talk::new(role, &config).with(&steps).goodbye();
                for at in [whole.wire.len(), Talk::new(role, &config).with(&steps[..returned]).wire.len()] {
                    let (mock, transport) = Mock::new();
                    let mut websocket = WebSocket::after_handshake(transport, role.into());
                    mock.feed(&whole.wire[..at]);
                    let mut talk = whole.clone();
                    for _ in 0..returned {
                        let n = read_frame(&mut websocket).unwrap().payload.len();
                        talk.payload.drain(..n);
                    }
                    let stream = WebSocketStream::new(websocket, talk.payload_type());
                    mock.feed(&whole.wire[at..]);
                    talk.check(stream, &mock, 8192, &format!("{returned} frames returned"));
                }
            }
        }
    }
}

#[test]
fn websocket_that_sent_a_close_sends_no_second_one_and_takes_no_writes() {
    for role in ROLES {
        for at in [0, 1, 4, 9, 20] {
            let talk = Talk::new(role, &binary()).with(&[Data(true, 5), Ping(2), Close(1000, "bye")]);
            let at = at.min(talk.wire.len());
            let (mut websocket, mock) = used(role, &talk.wire[..at]);
            let task = Task::default();
            ready(task.run(|cx| pin!(websocket.write_frame(Frame::close(1000, b""))).poll(cx))).unwrap();
            mock.take_written();
            let mut stream = WebSocketStream::new(websocket, PayloadType::Binary);
            assert_eq!(err(task.write(&mut stream, b"more")).kind(), ErrorKind::BrokenPipe);
            ok(task.shutdown(&mut stream));
            mock.feed(&talk.wire[at..]);
            let (bytes, end) = read_all(&mut stream, 8192);
            assert!(end.is_ok() && bytes == talk.payload && stream.is_closed());
            ok(task.shutdown(&mut stream));
            assert!(talk.sent(&mock).iter().all(|(opcode, _)| *opcode == wire::PONG));
            assert!(mock.state().is_shut, "{} {at}", name(role));
        }
    }
}

#[test]
fn websocket_that_answered_the_peers_close_sends_no_second_one() {
    for role in ROLES {
        let (mock, transport) = Mock::new();
        let mut websocket = WebSocket::after_handshake(transport, role.into());
        mock.feed(&wire::close(role, Some(1000), ""));
        read_frame(&mut websocket).unwrap();
        assert_eq!(wire::decode(&mock.take_written()).len(), 1);
        let mut stream = WebSocketStream::new(websocket, PayloadType::Binary);
        assert_eq!(err(Task::default().write(&mut stream, b"more")).kind(), ErrorKind::BrokenPipe);
        ok(Task::default().shutdown(&mut stream));
        assert!(mock.state().written.is_empty());
    }
}

#[test]
fn fresh_websocket_streams_its_first_frame_and_new_touches_nothing() {
    for role in ROLES {
        let (mock, transport) = Mock::new();
        let websocket = WebSocket::after_handshake(transport, role.into());
        let mut stream = WebSocketStream::new(websocket, PayloadType::Binary);
        assert!(stream.role() == role && !stream.is_closed());
        assert_eq!(mock.state().calls, 0);
        let (task, frame) = (Task::default(), wire::data(role, &pattern(100_000)));
        let header = frame.len() - 100_000;
        mock.feed(&frame[..header]);
        assert!(task.read(&mut stream, 64).is_pending());
        for at in 0..10 {
            mock.feed(&frame[header + at..=header + at]);
            assert_eq!(ok(task.read(&mut stream, 64)), pattern(10)[at..=at]);
        }
    }
}

#[test]
fn writes_after_adoption_are_the_first_bytes_on_the_wire_and_masked_by_role() {
    for role in ROLES {
        let (websocket, mock) = used(role, b"");
        let mut stream = WebSocketStream::new(websocket, PayloadType::Binary);
        assert_eq!(ok(Task::default().write(&mut stream, b"hello")), 5);
        let frames = wire::decode(&mock.take_written());
        assert_eq!(frames.len(), 1);
        assert_eq!((frames[0].opcode, &*frames[0].payload), (wire::BINARY, &b"hello"[..]));
        assert_eq!(frames[0].key.is_some(), role == Role::Client);
    }
}

#[test]
fn fresh_websocket_is_strict_from_its_first_frame_on() {
    for role in ROLES {
        let (mock, transport) = Mock::new();
        let mut stream =
            WebSocketStream::new(WebSocket::after_handshake(transport, role.into()), PayloadType::Binary);
        mock.feed(&wire::from_peer(role, true, wire::CONTINUATION, b"stray"));
        let error = err(Task::default().read(&mut stream, 5000));
        assert_eq!(*rule(&error), Error::UnexpectedContinuation, "{}", name(role));
    }
}
