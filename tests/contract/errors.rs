//! Errors: CONTRACT 2.5, 2.6, 6.1, 6.2; pitfalls C22, C27.

use std::error::Error as _;
use std::io::ErrorKind;

use fastwebsockets_stream::Error;

use crate::support::transport::Answer;
use crate::support::{ROLES, Task, binary, err, name, ok, rule, stream, text, wire};

#[test]
fn transports_read_error_keeps_its_kind_and_comes_after_the_data() {
    for role in ROLES {
        for kind in [ErrorKind::ConnectionReset, ErrorKind::TimedOut, ErrorKind::Other] {
            let (mut stream, mock) = stream(role, binary());
            let task = Task::default();
            mock.feed(&wire::data(role, b"data"));
            mock.state().input_end = Answer::Error(kind);
            assert_eq!(ok(task.read(&mut stream, 5000)), b"data");
            for _ in 0..3 {
                assert_eq!(err(task.read(&mut stream, 5000)).kind(), kind);
            }
            assert_eq!(mock.state().reads, 2, "the transport is not asked again");
        }
    }
}

#[test]
fn end_without_a_close_is_truncation_wherever_it_comes() {
    for role in ROLES {
        let whole = wire::data(role, b"payload");
        for cut in 0..=whole.len() {
            let (mut stream, mock) = stream(role, binary());
            let task = Task::default();
            mock.feed(&whole[..cut]);
            mock.state().input_end = Answer::Zero;
            let header = whole.len() - 7;
            if cut > header {
                assert_eq!(ok(task.read(&mut stream, 100)), b"payload"[..cut - header]);
            }
            let error = err(task.read(&mut stream, 100));
            assert_eq!((error.kind(), rule(&error)), (ErrorKind::UnexpectedEof, &Error::Truncated));
            for _ in 0..3 {
                let again = err(task.read(&mut stream, 100));
                assert_eq!(again.kind(), ErrorKind::UnexpectedEof, "{} cut at {cut}", name(role));
            }
        }
    }
}

#[test]
fn rule_is_reachable_through_get_ref_and_source_and_says_what_came() {
    let (mut stream, mock) = stream(ROLES[0], binary());
    mock.feed(&[0x82, 0x7e, 0x00, 0x05]);
    let error = err(Task::default().read(&mut stream, 100));
    assert_eq!(*rule(&error), Error::LengthNotMinimal { length: 5, bits: 16 });
    assert!(error.to_string().contains("5 is encoded in 16 bits"), "{error}");
    let outer = std::io::Error::other(error);
    let source = outer.source().or(outer.get_ref().map(|inner| inner as _)).unwrap();
    assert!(source.to_string().contains("16 bits"));
}

#[test]
fn every_error_of_the_crate_has_a_kind_and_a_sentence() {
    let errors = [
        Error::UnmaskedFrame,
        Error::Truncated,
        Error::KeepAliveTimedOut,
        Error::CloseTimedOut,
        Error::WriteAfterShutdown,
        Error::PeerClosed,
        Error::WriteAfterFailure,
        Error::TransportFull,
        Error::InvalidUtf8,
        Error::CloseReasonTooLong { length: 200 },
    ];
    for error in errors {
        let text = error.to_string();
        assert!(text.len() > 15 && !text.ends_with('.'), "{text}");
        let io = std::io::Error::from(error.clone());
        assert_eq!((io.kind(), rule(&io)), (error.kind(), &error));
    }
}

#[test]
fn nothing_panics_or_changes_its_mind_when_polled_after_an_error() {
    for role in ROLES {
        for config in [binary(), text(), binary().half_close(true).write_buffer(100)] {
            for (input, end) in [(b"\xff".as_slice(), Answer::Pending), (b"", Answer::Zero)] {
                let (mut stream, mock) = stream(role, config.clone());
                let task = Task::default();
                mock.feed(input);
                mock.state().input_end = end;
                let kind = err(task.read(&mut stream, 100)).kind();
                mock.feed(&wire::data(role, b"not resurrected"));
                for _ in 0..3 {
                    assert_eq!(err(task.read(&mut stream, 1)).kind(), kind);
                    assert_eq!(err(task.read(&mut stream, 10_000)).kind(), kind);
                    assert_eq!(err(task.write(&mut stream, b"x")).kind(), ErrorKind::BrokenPipe);
                    assert_eq!(err(task.flush(&mut stream)).kind(), ErrorKind::BrokenPipe);
                    ok(task.shutdown(&mut stream));
                }
            }
        }
    }
}
