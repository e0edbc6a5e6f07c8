//! Where strictness ends: of PROMISES 2.9, what is still legal.

use super::*;

#[test]
fn every_close_code_is_taken_or_refused_as_section_7_4_says() {
    for code in (0..=5100).chain([0x7fff, 0x8000, 0xfffe, 0xffff]) {
        let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        for role in ROLES {
            let (mut stream, mock) = stream(role, binary());
            mock.feed(&wire::close(role, Some(code), ""));
            let read = Task::default().read(&mut stream, 64);
            let answer = if !allowed {
                let error = err(read);
                assert_eq!(*rule(&error), Broken::CloseCodeInvalid { code: code.into() });
                wire::close_payload(Some(1002), &sentence(rule(&error)))
            } else if matches!(code, 1000 | 1001) {
                assert_eq!(ok(read), b"", "{code}");
                wire::close_payload(Some(code), "")
            } else {
                let error = err(read);
                let Error::ClosedAbnormally { close, .. } = rule(&error) else { panic!("{code}: {error:?}") };
                assert_eq!(close.code.map(u16::from), Some(code));
                wire::close_payload(Some(code), "")
            };
            if code == 1000 {
                assert_eq!(mock.take_written(), b"", "the answer waits for a shutdown");
                ok(Task::default().shutdown(&mut stream));
            }
            let frames = wire::decode(&mock.take_written());
            assert_eq!(frames.len(), 1, "{code}");
            assert_eq!(frames[0].payload, answer, "{code}");
        }
    }
}

#[test]
fn longest_legal_control_frames_are_no_violation() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let payload = [b'x'; 125];
        mock.feed(&wire::ping(role, &payload));
        mock.feed(&wire::from_peer(role, true, PONG, &payload));
        mock.feed(&wire::close(role, Some(4999), &"é".repeat(61)));
        let error = err(Task::default().read(&mut stream, 64));
        let Error::ClosedAbnormally { close, .. } = rule(&error) else { panic!("{error:?}") };
        assert_eq!(close.reason, "é".repeat(61));
        assert_eq!(stream.peer_close(), Some(close));
        let frames = wire::decode(&mock.take_written());
        assert_eq!(wire::opcodes(&frames), [PONG, CLOSE]);
        assert_eq!(frames[0].payload, payload);
    }
}
