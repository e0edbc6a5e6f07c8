//! Errors: PROMISES 2.5, 2.6, 6.1, 6.2; pitfalls C22, C27.

use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use fastwebsockets_stream::{Error, WebSocketStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::support::broken::Broken;
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
    assert_eq!(*rule(&error), Broken::LengthNotMinimal { length: 5, bits: 16 });
    assert!(error.to_string().contains("5 is encoded in 16 bits"), "{error}");
    let outer = io::Error::other(error);
    let source = outer.source().or(outer.get_ref().map(|inner| inner as _)).unwrap();
    assert!(source.to_string().contains("16 bits"));
}

#[test]
fn every_error_of_the_crate_has_a_kind_and_a_sentence() {
    let errors = [
        Error::UnmaskedFrame,
        Error::Truncated,
        Error::KeepAliveTimedOut,
        Error::StallTimedOut,
        Error::WriteAfterShutdown,
        Error::WriteAfterFailure,
        Error::TransportFull,
        Error::InvalidUtf8,
    ];
    for error in errors {
        let text = error.to_string();
        assert!(text.len() > 15 && !text.ends_with('.'), "{text}");
        let io = io::Error::from(error.clone());
        assert_eq!((io.kind(), rule(&io)), (error.kind(), &error));
    }
}

#[test]
fn nothing_panics_or_changes_its_mind_when_polled_after_an_error() {
    for role in ROLES {
        for config in [binary(), text(), binary().half_close(false).write_buffer(100)] {
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

/// Fails with an error that can be told from any other.
struct Failing;

#[derive(Debug, PartialEq)]
struct Marker(&'static str);

impl std::fmt::Display for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Marker {}

fn marked<T>(what: &'static str) -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::new(ErrorKind::HostUnreachable, Marker(what))))
}

impl AsyncRead for Failing {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        marked("read")
    }
}

impl AsyncWrite for Failing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        marked("write")
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        marked("flush")
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        marked("shutdown")
    }
}

#[test]
fn transports_own_error_comes_out_as_it_is() {
    for role in ROLES {
        let new = |config| WebSocketStream::from_transport(Failing, role, [], config);
        let task = Task::default();
        let gathered = binary().write_buffer(100);
        let mut streams = [new(binary()), new(binary()), new(binary()), new(gathered.clone()), new(gathered)];
        for stream in &mut streams[3..] {
            ok(task.write(stream, b"gathered"));
        }
        let errors = [
            (err(task.read(&mut streams[0], 100)), "read"),
            (err(task.write(&mut streams[1], b"data")), "write"),
            (err(task.flush(&mut streams[2])), "flush"),
            (err(task.flush(&mut streams[3])), "write"),
            (err(task.shutdown(&mut streams[4])), "write"),
        ];
        for (error, what) in errors {
            assert_eq!(error.kind(), ErrorKind::HostUnreachable);
            assert_eq!(error.get_ref().and_then(|inner| inner.downcast_ref()), Some(&Marker(what)));
        }
    }
}
