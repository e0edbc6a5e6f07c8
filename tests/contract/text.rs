//! Text streams: PROMISES 2.8 and 3.8. Pitfall C21.

use std::io::{ErrorKind, IoSlice};
use std::task::Poll;

use fastwebsockets_stream::{Error, Role, WebSocketStream};

use crate::support::broken::Broken;
use crate::support::reader::{Ask, feed_pieces, pieces};
use crate::support::wire::{self, CLOSE, CONTINUATION, TEXT};
use crate::support::{
    Mock, ROLES, Task, Transport, binary, err, name, ok, read_all, rule, sentence, stream, text,
};

/// Code points of 1 to 4 bytes, and those at the edges of what is allowed.
const LEGAL: &str =
    "aé€😀\0\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{fffe}\u{ffff}\u{feff}\u{10000}\u{10ffff}z";

/// What is never UTF-8, and the index of the byte that shows it.
const ILLEGAL: [(&[u8], usize); 26] = [
    // Continuation bytes alone, and bytes that never occur.
    (b"\x80", 0),
    (b"a\xbf", 1),
    (b"\xf5\x80\x80\x80", 0),
    (b"\xf8\x88\x80\x80\x80", 0),
    (b"\xfc\x84\x80\x80\x80\x80", 0),
    (b"\xfe", 0),
    (b"\xff", 0),
    // Overlong.
    (b"\xc0\x80", 0),
    (b"\xc1\xbf", 0),
    (b"\xe0\x80\x80", 1),
    (b"\xe0\x9f\xbf", 1),
    (b"\xf0\x80\x80\x80", 1),
    (b"\xf0\x8f\xbf\xbf", 1),
    // Surrogates.
    (b"\xed\xa0\x80", 1),
    (b"\xed\xbf\xbf", 1),
    (b"ok\xed\xa0\xbd\xed\xb8\x80", 3),
    // Beyond U+10FFFF.
    (b"\xf4\x90\x80\x80", 1),
    (b"\xf4\xbf\xbf\xbf", 1),
    // Cut short by something else.
    (b"\xc3(", 1),
    (b"\xe2(\xa1", 1),
    (b"\xe2\x82(", 2),
    (b"\xf0(\x8c\xbc", 1),
    (b"\xf0\x9f(\xbc", 2),
    (b"\xf0\x9f\x98(", 3),
    (b"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x80", 10),
    (b"\xe2\x82\xac\xe2\x82\xe2", 5),
];

/// A message of these fragments, with a Ping before each continuation.
fn message(role: Role, fragments: &[&[u8]]) -> Vec<u8> {
    let last = fragments.len() - 1;
    let frame = |(n, fragment): (usize, &&[u8])| {
        let ping = if n > 0 { wire::ping(role, b"\xff is no text") } else { Vec::new() };
        [ping, wire::from_peer(role, n == last, if n == 0 { TEXT } else { CONTINUATION }, fragment)].concat()
    };
    fragments.iter().enumerate().flat_map(frame).collect()
}

const ASKS: [Ask; 5] = [Ask::Read(1), Ask::Read(2), Ask::Look(3), Ask::Read(4096), Ask::Read(70_000)];

#[test]
fn legal_text_in_any_fragments_and_pieces_comes_out_as_it_is() {
    let text_bytes = LEGAL.as_bytes();
    for role in ROLES {
        for cut in 0..=text_bytes.len() {
            for other in cut..=text_bytes.len() {
                let fragments = [&text_bytes[..cut], &text_bytes[cut..other], &text_bytes[other..]];
                let wire = message(role, &fragments);
                let ask = ASKS[(cut + other) % ASKS.len()];
                for lengths in [[1], [2], [usize::MAX]] {
                    let (mut stream, mock) = stream(role, text());
                    let (seen, end) = feed_pieces(&mut stream, &mock, pieces(&wire, &lengths), &[ask]);
                    assert!(end.is_none() && seen == text_bytes, "{} {cut} {other} {end:?}", name(role));
                }
            }
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-8.1
//= type=test
//# that endpoint MUST _Fail the WebSocket Connection_.
#[test]
fn illegal_text_is_refused_at_the_byte_that_shows_it_in_any_fragments_and_pieces() {
    for role in ROLES {
        for (bytes, at) in ILLEGAL {
            for cut in 0..=bytes.len() {
                let wire = message(role, &[b"before ", &bytes[..cut], &bytes[cut..], b"after"]);
                for split in 0..wire.len() {
                    let ask = ASKS[split % ASKS.len()];
                    let (mut stream, mock) = stream(role, text());
                    let pieces = [&wire[..split], &wire[split..]];
                    let (seen, end) = feed_pieces(&mut stream, &mock, pieces, &[ask]);
                    let about = || format!("{} {bytes:02x?} cut {cut} split {split} {ask:?}", name(role));
                    assert_eq!(seen, [b"before ", &bytes[..at]].concat(), "{}", about());
                    let error = end.unwrap_or_else(|| panic!("waits: {}", about())).expect_err(&about());
                    assert_eq!(*rule(&error), Error::InvalidUtf8, "{}", about());
                    let frames = wire::decode(&mock.take_written());
                    let last = frames.last().unwrap();
                    let close = wire::close_payload(Some(1007), &sentence(&Error::InvalidUtf8));
                    assert_eq!((last.opcode, &last.payload), (CLOSE, &close));
                }
            }
        }
    }
}

#[test]
fn illegal_text_is_refused_before_the_rest_of_its_frame_has_come() {
    for role in ROLES {
        for (bytes, at) in ILLEGAL {
            for room in [1, 4096] {
                // A frame of 100,000 bytes, of which no more than these come.
                let frame = wire::from_peer(role, true, TEXT, &[bytes, &[b' '; 100_000]].concat());
                let shown = frame.len() - bytes.len() - 100_000 + at + 1;
                let (mut stream, mock) = stream(role, text());
                mock.feed(&frame[..shown - 1]);
                let mut seen = Vec::new();
                while let Poll::Ready(read) = Task::default().read(&mut stream, room) {
                    seen.extend(read.unwrap());
                }
                assert_eq!(seen, bytes[..at]);
                mock.feed(&frame[shown - 1..shown]);
                let error = err(Task::default().read(&mut stream, room));
                assert_eq!((error.kind(), rule(&error)), (ErrorKind::InvalidData, &Error::InvalidUtf8));
            }
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.6
//= type=test
//# the whole message MUST contain valid UTF-8.
#[test]
fn message_that_ends_inside_a_code_point_is_refused_at_its_end() {
    for role in ROLES {
        for char in ["é", "€", "😀", "\u{10ffff}"] {
            for have in 1..char.len() {
                let start = [b"ok", &char.as_bytes()[..have]].concat();
                let rest = &char.as_bytes()[have..];
                for fragments in
                    [vec![&start[..]], vec![&start[..3], &start[3..]], vec![&start[..], b"", b""]]
                {
                    // What completes it in the next message comes too late.
                    let wire = [message(role, &fragments), message(role, &[rest])].concat();
                    for split in 0..=wire.len() {
                        let (mut stream, mock) = stream(role, text());
                        let ask = ASKS[split % ASKS.len()];
                        let (seen, end) =
                            feed_pieces(&mut stream, &mock, [&wire[..split], &wire[split..]], &[ask]);
                        assert_eq!(seen, start, "{} {char} {have}", name(role));
                        let error = end.unwrap().expect_err(char);
                        assert_eq!(
                            (error.kind(), rule(&error)),
                            (ErrorKind::InvalidData, &Error::IncompleteUtf8)
                        );
                        let close = wire::decode(&mock.take_written()).pop().unwrap();
                        let due = wire::close_payload(Some(1007), &sentence(&Error::IncompleteUtf8));
                        assert_eq!((close.opcode, close.payload), (CLOSE, due));
                    }
                }
            }
        }
    }
}

#[test]
fn binary_stream_takes_bytes_that_are_no_text() {
    for role in ROLES {
        for (bytes, _) in ILLEGAL {
            let (mut stream, mock) = stream(role, binary());
            mock.feed(&wire::data(role, bytes));
            assert_eq!(ok(Task::default().read(&mut stream, 64)), bytes);
            assert_eq!(ok(Task::default().write(&mut stream, bytes)), bytes.len());
            assert_eq!(wire::payload(&wire::decode(&mock.take_written())), bytes);
        }
    }
}

/// What the stream has sent since this was last asked: whole frames, each a message of text.
#[track_caller]
fn sent(role: Role, mock: &Mock) -> Vec<String> {
    let frames = wire::decode(&mock.take_written());
    let text = |frame: wire::Frame| {
        assert!(frame.fin && frame.opcode == TEXT && frame.key.is_some() == (role == Role::Client));
        assert!(!frame.payload.is_empty(), "an empty frame");
        String::from_utf8(frame.payload).expect("a frame that is no text")
    };
    frames.into_iter().map(text).collect()
}

/// Writes all of it, in one piece or in slices of one byte: at most one frame, of all whole code points.
fn write_whole(
    stream: &mut WebSocketStream<Transport>,
    bytes: &[u8],
    vectored: bool,
) -> std::io::Result<usize> {
    let slices: Vec<_> = bytes.chunks(1).map(IoSlice::new).collect();
    let task = Task::default();
    let written = match vectored {
        true => task.write_vectored(stream, &slices),
        false => task.write(stream, bytes),
    };
    crate::support::ready(written)
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.6
//= type=test
//# the whole message MUST contain valid UTF-8.
#[test]
fn text_cut_anywhere_over_writes_leaves_in_valid_frames_one_for_each_write_at_most() {
    let bytes = LEGAL.as_bytes();
    for role in ROLES {
        for vectored in [false, true] {
            for buffer in [0, 4096] {
                for cut in 0..=bytes.len() {
                    for other in cut..=bytes.len() {
                        let (mut stream, mock) = stream(role, text().write_buffer(buffer));
                        let (mut all, mut done) = (String::new(), 0);
                        for part in [&bytes[..cut], &bytes[cut..other], &bytes[other..]] {
                            assert_eq!(write_whole(&mut stream, part, vectored).unwrap(), part.len());
                            done += part.len();
                            // Flush is fine with a tail.
                            ok(Task::default().flush(&mut stream));
                            let whole = (0..=done).rev().find(|at| LEGAL.is_char_boundary(*at)).unwrap();
                            let due = &LEGAL[all.len()..whole];
                            let frames = sent(role, &mock);
                            assert_eq!(frames.len(), usize::from(!due.is_empty()), "{cut} {other}");
                            assert_eq!(frames.concat(), due);
                            all += due;
                        }
                        assert_eq!(all, LEGAL);
                    }
                }
            }
        }
    }
}

#[test]
fn text_written_byte_by_byte_sends_each_code_point_when_it_is_whole() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, text());
        for byte in LEGAL.as_bytes() {
            assert_eq!(ok(Task::default().write(&mut stream, &[*byte])), 1);
        }
        assert_eq!(sent(role, &mock), LEGAL.chars().map(String::from).collect::<Vec<_>>());
    }
}

#[test]
fn empty_text_write_sends_nothing_and_keeps_the_tail() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, text());
        for part in [b"".as_slice(), b"\xe2", b"", b"\x82", b""] {
            assert_eq!(write_whole(&mut stream, part, false).unwrap(), part.len());
            assert_eq!(write_whole(&mut stream, b"", true).unwrap(), 0);
        }
        ok(Task::default().flush(&mut stream));
        assert_eq!(mock.take_written(), b"");
        assert_eq!(ok(Task::default().write(&mut stream, b"\xac")), 1);
        assert_eq!(sent(role, &mock), ["€"]);
    }
}

#[test]
fn illegal_write_fails_at_its_first_wrong_byte_sends_nothing_and_the_stream_goes_on() {
    for role in ROLES {
        for (bytes, at) in ILLEGAL {
            for vectored in [false, true] {
                for cut in 0..=at {
                    let (mut stream, mock) = stream(role, text());
                    // The part before the cut may leave a tail.
                    assert_eq!(write_whole(&mut stream, &bytes[..cut], vectored).unwrap(), cut);
                    let before = sent(role, &mock).concat();
                    for _ in 0..2 {
                        let error = write_whole(&mut stream, &bytes[cut..], vectored).expect_err("no text");
                        assert_eq!(error.kind(), ErrorKind::InvalidData);
                        assert_eq!(
                            *rule(&error),
                            Broken::WriteNotUtf8 { at: at - cut },
                            "{bytes:02x?} {cut}"
                        );
                    }
                    ok(Task::default().flush(&mut stream));
                    assert_eq!(mock.take_written(), b"", "{bytes:02x?} {cut}");
                    // The tail is still there: what completes it is taken, whatever it is.
                    let tail = &bytes[before.len()..cut];
                    let whole =
                        LEGAL.chars().map(String::from).find(|char| char.as_bytes().starts_with(tail));
                    let rest = whole.as_ref().map_or(&b""[..], |whole| &whole.as_bytes()[tail.len()..]);
                    assert_eq!(ok(Task::default().write(&mut stream, rest)), rest.len());
                    assert_eq!(sent(role, &mock).concat().as_bytes(), [tail, rest].concat());
                    mock.feed(&message(role, &["reads go on €".as_bytes()]));
                    assert_eq!(ok(Task::default().read(&mut stream, 64)), "reads go on €".as_bytes());
                    ok(Task::default().shutdown(&mut stream));
                    let close = wire::decode(&mock.take_written());
                    assert_eq!(close[0].payload, 1000_u16.to_be_bytes());
                }
            }
        }
    }
}

#[test]
fn shutdown_with_a_tail_closes_with_1007_fails_once_and_is_ok_from_then_on() {
    for role in ROLES {
        for have in 1..4 {
            for (room, hesitant, buffer) in
                [(usize::MAX, false, 0), (usize::MAX, true, 0), (0, false, 0), (3, false, 99)]
            {
                let (mut stream, mock) = stream(role, text().write_buffer(buffer));
                let task = Task::default();
                assert_eq!(ok(task.write(&mut stream, b"ok")), 2);
                assert_eq!(ok(task.write(&mut stream, &"😀".as_bytes()[..have])), have);
                mock.set_room(room);
                mock.state().hesitant = hesitant;
                let mut polls = 0;
                let error = loop {
                    match task.shutdown(&mut stream) {
                        Poll::Ready(result) => break result.expect_err("a tail"),
                        Poll::Pending if hesitant => assert!(task.wakes() > 0),
                        Poll::Pending => {
                            mock.set_room(usize::MAX);
                            assert!(mock.wake_writer());
                        }
                    }
                    polls += 1;
                    assert!(polls < 9);
                };
                assert_eq!(
                    (error.kind(), rule(&error)),
                    (ErrorKind::InvalidData, &Error::WriteIncompleteUtf8)
                );
                assert_eq!(rule(&error).close_code().map(u16::from), Some(1007));
                mock.state().hesitant = false;
                for _ in 0..3 {
                    ok(task.shutdown(&mut stream));
                    assert_eq!(*rule(&err(task.write(&mut stream, b"x"))), Error::WriteAfterShutdown);
                }
                assert!(mock.is_flushed());
                let frames = wire::decode(&mock.take_written());
                assert_eq!(wire::opcodes(&frames), [TEXT, CLOSE]);
                let due = wire::close_payload(Some(1007), &sentence(&Error::WriteIncompleteUtf8));
                assert_eq!((&frames[0].payload[..], &frames[1].payload), (&b"ok"[..], &due));
                // Reading goes on to the peer's Close.
                mock.feed(&[message(role, &["é".as_bytes()]), wire::close(role, Some(1007), "")].concat());
                let (seen, end) = read_all(&mut stream, 64);
                assert!(seen == "é".as_bytes() && end.is_ok() && mock.state().is_shut);
            }
        }
    }
}

#[test]
fn shutdown_with_a_tail_after_the_peers_close_fails_once_too() {
    for role in ROLES {
        let cut = wire::close_payload(Some(1007), &sentence(&Error::WriteIncompleteUtf8));
        // One that was answered at once, and one that has waited until now.
        for (code, answer) in [(1001, wire::close_payload(Some(1001), "")), (1000, cut)] {
            let (mut stream, mock) = stream(role, text());
            let task = Task::default();
            assert_eq!(ok(task.write(&mut stream, b"\xe2")), 1);
            mock.feed(&wire::close(role, Some(code), ""));
            assert_eq!(ok(task.read(&mut stream, 64)), b"");
            assert_eq!(*rule(&err(task.shutdown(&mut stream))), Error::WriteIncompleteUtf8);
            ok(task.shutdown(&mut stream));
            let frames = wire::decode(&mock.take_written());
            assert_eq!((frames.len(), &frames[0].payload), (1, &answer), "{}", name(role));
        }
    }
}

#[test]
fn frame_limit_of_a_few_bytes_never_cuts_a_code_point_nor_stops_a_write() {
    let all = LEGAL.repeat(3) + "😀😀😀";
    for role in ROLES {
        for limit in [0, 1, 3, 4, 5, 6, 7, 11] {
            for vectored in [false, true] {
                for step in [1, 2, 3, 5, usize::MAX] {
                    let (mut stream, mock) = stream(role, text().max_frame_len(Some(limit)));
                    let (mut rest, mut writes) = (all.as_bytes(), 0);
                    while !rest.is_empty() {
                        let part = &rest[..rest.len().min(step)];
                        let n = write_whole(&mut stream, part, vectored).unwrap();
                        assert!(n > 0 && n <= part.len(), "limit {limit}");
                        (rest, writes) = (&rest[n..], writes + 1);
                    }
                    let frames = sent(role, &mock);
                    assert!(frames.iter().all(|frame| frame.len() <= limit.max(4)), "limit {limit}");
                    assert!(frames.len() <= writes && frames.concat() == all);
                }
            }
        }
    }
}

#[test]
fn waiting_text_write_takes_nothing_and_may_be_followed_by_other_text() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, text());
        let task = Task::default();
        assert_eq!(ok(task.write(&mut stream, b"\xe2")), 1);
        mock.set_room(0);
        assert!(task.write(&mut stream, b"\x82\xac and more").is_pending());
        // No code point is complete, so the transport is not needed.
        assert_eq!(ok(task.write(&mut stream, b"\x82")), 1);
        assert!(task.write(&mut stream, b"\xac other").is_pending());
        mock.set_room(4);
        assert_eq!(ok(task.write(&mut stream, b"\xac.\xf0\x9f")), 4);
        mock.set_room(usize::MAX);
        assert_eq!(ok(task.write(&mut stream, b"\x98\x80")), 2);
        assert_eq!(sent(role, &mock), ["€.", "😀"]);
    }
}

#[test]
fn long_text_in_slices_is_one_frame_with_its_last_code_point_kept() {
    for role in ROLES {
        for vectored in [true, false] {
            let all = LEGAL.repeat(4000);
            for slice in [all.len(), 70_001, 3000, 17] {
                let (mut stream, mock) = stream(role, text());
                mock.state().vectored = vectored;
                assert_eq!(ok(Task::default().write(&mut stream, b"\xf0\x9f")), 2);
                let bytes = [b"\x98\x80", all.as_bytes(), b"\xe2\x82"].concat();
                let slices: Vec<_> = bytes.chunks(slice).map(IoSlice::new).collect();
                let n = ok(Task::default().write_vectored(&mut stream, &slices));
                assert_eq!(n, bytes.len());
                assert!(sent(role, &mock) == [format!("😀{all}")]);
                assert_eq!(ok(Task::default().write(&mut stream, b"\xac")), 1);
                assert_eq!(sent(role, &mock), ["€"]);
            }
        }
    }
}
