//! A message of which a socket has returned the beginning: PROMISES 1.5.

use super::*;

/// A socket that has returned a frame without FIN, of which the header had come before the payload, if `apart`.
fn begun(role: Role, opcode: u8, payload: &[u8], apart: bool) -> (WebSocket<Transport>, Mock) {
    let (mock, transport) = Mock::new();
    let mut websocket = WebSocket::after_handshake(transport, role.into());
    let frame = wire::from_peer(role, false, opcode, payload);
    let header = frame.len() - payload.len();
    if apart {
        mock.feed(&frame[..header]);
        let task = Task::default();
        let mut reading = pin!(websocket.read_frame());
        assert!(task.run(|cx| reading.as_mut().poll(cx)).is_pending() || payload.is_empty());
        mock.feed(&frame[header..]);
        if !payload.is_empty() {
            assert_eq!(ready(task.run(|cx| reading.as_mut().poll(cx))).unwrap().payload.len(), payload.len());
        }
    } else {
        mock.feed(&frame);
        assert_eq!(read_frame(&mut websocket).unwrap().payload.len(), payload.len());
    }
    (websocket, mock)
}

#[test]
fn message_goes_on_whatever_room_its_beginning_has_left_in_the_sockets_buffer() {
    // Of 8184 bytes, header apart, it leaves as much as a fresh socket has.
    let around = |n: usize| n - 40..n + 40;
    let lengths = (0..64).chain(around(4096)).chain(around(8192)).chain(around(16384)).chain(around(24576));
    for role in ROLES {
        for length in lengths.clone().chain((100..40_000).step_by(997)) {
            for apart in [false, true] {
                let (websocket, mock) = begun(role, wire::BINARY, &pattern(length), apart);
                let mut stream = WebSocketStream::new(websocket, PayloadType::Binary);
                mock.feed(&wire::from_peer(role, true, wire::CONTINUATION, b"end"));
                let read = ready(Task::default().read(&mut stream, 5000));
                let label = format!("{} {length} {apart}", name(role));
                assert_eq!(read.unwrap_or_else(|error| panic!("{label}: {error}")), b"end", "{label}");
            }
        }
    }
}

#[test]
fn text_goes_on_inside_a_code_point_whose_beginning_the_socket_has_returned() {
    for role in ROLES {
        for text in ["aéb", "a€b", "a😀b", "é", "😀"] {
            let bytes = text.as_bytes();
            for cut in 0..=bytes.len() {
                // The rest in one frame, and in frames of a byte.
                for rest in [vec![&bytes[cut..]], bytes[cut..].chunks(1).collect()] {
                    let (websocket, mock) = begun(role, wire::TEXT, &bytes[..cut], false);
                    let mut stream = WebSocketStream::new(websocket, PayloadType::Text);
                    for piece in rest {
                        mock.feed(&wire::from_peer(role, false, wire::CONTINUATION, piece));
                    }
                    mock.feed(&wire::from_peer(role, true, wire::CONTINUATION, b""));
                    mock.feed(&wire::close(role, Some(1000), ""));
                    let (read, end) = read_all(&mut stream, 5000);
                    end.unwrap_or_else(|error| panic!("{text:?} cut at {cut}: {error}"));
                    assert_eq!(read, &bytes[cut..], "{text:?} cut at {cut}");
                }
            }
        }
    }
}

#[test]
fn text_behind_the_code_point_that_goes_on_is_checked() {
    for role in ROLES {
        for (rest, valid) in [(b"\xa9\xff".as_slice(), 1), (b"\x80\x80\x80\x80", 3), (b"ok\x80", 2)] {
            let (websocket, mock) = begun(role, wire::TEXT, b"a\xc3", false);
            let mut stream = WebSocketStream::new(websocket, PayloadType::Text);
            mock.feed(&wire::from_peer(role, true, wire::CONTINUATION, rest));
            let (read, end) = read_all(&mut stream, 5000);
            assert_eq!(*rule(&end.unwrap_err()), Error::InvalidUtf8);
            assert_eq!(read, &rest[..valid]);
        }
        // A new message begins at a code point.
        let (websocket, mock) = begun(role, wire::TEXT, b"a\xc3", false);
        let mut stream = WebSocketStream::new(websocket, PayloadType::Text);
        mock.feed(&wire::from_peer(role, true, wire::TEXT, b"\xa9"));
        assert_eq!(*rule(&err(Task::default().read(&mut stream, 5000))), Error::InvalidUtf8);
    }
}
