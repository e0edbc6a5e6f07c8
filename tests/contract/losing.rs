//! A loss is always reported, and by its cause: PROMISES 3.9, 5.1, 5.3, 5.4.

use std::io::{self, ErrorKind};
use std::task::Poll;
use std::time::Duration;

use fastwebsockets_stream::{CloseCode, Error, Role, WebSocketStream};
use tokio::io::AsyncWriteExt;

use crate::support::transport::Answer;
use crate::support::{Mock, ROLES, Task, Transport, binary, err, name, ok, stream, wire};

#[test]
fn half_close_response_lost_in_flush_is_an_error() {
    let (mut stream, mock) = stream(Role::Server, binary());
    let task = Task::default();
    mock.feed(&wire::close(Role::Server, Some(1000), ""));
    assert_eq!(ok(task.read(&mut stream, 100)), b"");
    ok(task.write(&mut stream, b"response"));
    // A buffering transport (TLS, BufWriter) took it and cannot deliver it.
    mock.state().flush = Some(Answer::Error(ErrorKind::ConnectionReset));
    assert_eq!(err(task.flush(&mut stream)).kind(), ErrorKind::ConnectionReset);
    assert_eq!(err(task.flush(&mut stream)).kind(), ErrorKind::BrokenPipe);
}

#[test]
fn half_close_response_whose_close_cannot_be_sent_is_an_error_of_shutdown() {
    let (mut stream, mock) = stream(Role::Server, binary());
    let task = Task::default();
    mock.feed(&wire::close(Role::Server, Some(1000), ""));
    assert_eq!(ok(task.read(&mut stream, 100)), b"");
    ok(task.write(&mut stream, b"response"));
    mock.set_room(0);
    mock.state().output_end = Answer::Error(ErrorKind::ConnectionReset);
    // The peer never gets a Close, and maybe not the response.
    err(task.shutdown(&mut stream));
}

#[test]
fn unflushed_data_lost_before_the_peers_close_is_an_error_of_flush() {
    let (mut stream, mock) = stream(Role::Server, binary());
    let task = Task::default();
    mock.state().flush = Some(Answer::Pending);
    ok(task.write(&mut stream, b"data"));
    assert!(task.flush(&mut stream).is_pending());
    mock.feed(&wire::close(Role::Server, Some(1000), ""));
    mock.state().flush = Some(Answer::Error(ErrorKind::ConnectionReset));
    assert_eq!(ok(task.read(&mut stream, 100)), b"");
    err(task.flush(&mut stream));
}

#[test]
fn first_error_of_the_write_side_is_the_one_reported() {
    let (mut stream, mock) = stream(Role::Client, binary());
    let task = Task::default();
    mock.set_room(3);
    ok(task.write(&mut stream, b"accepted"));
    mock.state().output_end = Answer::Error(ErrorKind::ConnectionReset);
    mock.state().shutdown = Some(Answer::Error(ErrorKind::Other));
    mock.feed(&wire::close(Role::Client, Some(1000), ""));
    assert_eq!(ok(task.read(&mut stream, 100)), b"");
    assert_eq!(ok(task.read(&mut stream, 100)), b"");
    assert_eq!(err(task.flush(&mut stream)).kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn close_on_a_transport_that_failed_shuts_it_at_once_and_then_waits() {
    let (mut stream, mock) = stream(Role::Client, binary());
    mock.set_room(0);
    mock.state().output_end = Answer::Error(ErrorKind::BrokenPipe);
    stream.write_all(b"data").await.unwrap_err();
    let close = tokio::time::timeout(Duration::from_millis(1), stream.close(CloseCode::NORMAL, ""));
    assert!(close.await.is_err());
    assert!(mock.state().is_shut, "so that the peer sees the end, and ours comes");
    mock.feed(&wire::close(Role::Client, Some(1001), ""));
    assert_eq!(stream.close(CloseCode::NORMAL, "").await.unwrap().unwrap().code, Some(CloseCode::AWAY));
}

#[tokio::test(start_paused = true)]
async fn close_that_cannot_send_what_is_left_shuts_the_transport_and_says_so() {
    let (mut stream, mock) = stream(Role::Client, binary());
    let task = Task::default();
    mock.set_room(3);
    ok(task.write(&mut stream, b"accepted"));
    mock.feed(&wire::close(Role::Client, Some(1000), ""));
    assert_eq!(ok(task.read(&mut stream, 100)), b"");
    mock.state().output_end = Answer::Error(ErrorKind::ConnectionReset);
    let error = stream.close(CloseCode::NORMAL, "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(mock.state().is_shut);
}

/// What fails from now on, in a transport that takes what it is given and delivers it when it is flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Write,
    Flush,
    Shutdown,
    All,
}

impl Failure {
    /// With everything it is an error that says nothing of the peer.
    fn kind(self) -> ErrorKind {
        if self == Failure::All { ErrorKind::Other } else { ErrorKind::ConnectionReset }
    }
}

fn fail(mock: &Mock, failure: Failure, kind: ErrorKind) {
    let mut state = mock.state();
    if matches!(failure, Failure::Write | Failure::All) {
        (state.room, state.output_end) = (0, Answer::Error(kind));
    }
    if matches!(failure, Failure::Flush | Failure::All) {
        state.flush = Some(Answer::Error(kind));
    }
    if matches!(failure, Failure::Shutdown | Failure::All) {
        state.shutdown = Some(Answer::Error(kind));
    }
}

/// Where the connection stands when the transport fails, or shortly after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closes {
    None,
    /// The peer's, which ends only the reading.
    Received,
    /// The peer's, which is answered at once.
    Answered,
    /// This end's, and then the peer's.
    Both,
}

#[test]
fn response_lost_in_a_buffering_transport_is_reported_whoever_meets_it_and_whenever() {
    use Closes::{Answered, Both, Received};
    for role in ROLES {
        for closes in [Closes::None, Received, Answered, Both] {
            for failure in [Failure::Write, Failure::Flush, Failure::All] {
                for (close_first, met_by_reader) in
                    [(false, false), (false, true), (true, false), (true, true)]
                {
                    for reports in ["flush", "shutdown"] {
                        let case = format!(
                            "{} {closes:?} {failure:?}, Close first {close_first}, by the reader {met_by_reader}, {reports}",
                            name(role)
                        );
                        let (mut stream, mock) = stream(role, binary());
                        let task = Task::default();
                        ok(task.write(&mut stream, b"response"));
                        assert_eq!(mock.state().flushed, 0);
                        if closes == Both {
                            mock.state().flush = Some(Answer::Pending);
                            assert!(task.shutdown(&mut stream).is_pending());
                        }
                        let code = if closes == Answered { 1001 } else { 1000 };
                        // Where the Close comes first, its answer is still on its way when the transport fails.
                        if closes != Closes::None && close_first {
                            mock.feed(&wire::close(role, Some(code), ""));
                            mock.state().flush = Some(Answer::Pending);
                            assert_eq!(ok(task.read(&mut stream, 100)), b"", "{case}");
                        }
                        fail(&mock, failure, ErrorKind::ConnectionReset);
                        if failure == Failure::Write {
                            mock.state().flush = Some(Answer::Pending);
                        }
                        if met_by_reader {
                            mock.feed(&wire::ping(role, b"push"));
                            let _ = task.read(&mut stream, 100);
                        }
                        if closes != Closes::None && !close_first {
                            mock.feed(&wire::close(role, Some(code), ""));
                            assert_eq!(ok(task.read(&mut stream, 100)), b"", "{case}");
                        }
                        let polled = match reports {
                            "flush" => task.flush(&mut stream),
                            _ => task.shutdown(&mut stream),
                        };
                        // A transport that fails only when it is written to may have nothing to be given: then it waits.
                        if failure == Failure::Write && polled.is_pending() {
                            continue;
                        }
                        assert_eq!(err(polled).kind(), ErrorKind::ConnectionReset, "{case}");
                        assert_eq!(
                            err(task.write(&mut stream, b"x")).kind(),
                            ErrorKind::BrokenPipe,
                            "{case}"
                        );
                        assert_eq!(err(task.flush(&mut stream)).kind(), ErrorKind::BrokenPipe, "{case}");
                        assert_eq!(mock.state().flushed, 0, "{case}");
                    }
                }
            }
        }
    }
}

#[test]
fn failure_of_the_transports_own_shutdown_is_reported_unless_it_is_gone() {
    for role in ROLES {
        for closes in [Closes::Received, Closes::Answered, Closes::Both] {
            for kind in
                [ErrorKind::BrokenPipe, ErrorKind::NotConnected, ErrorKind::ConnectionReset, ErrorKind::Other]
            {
                let case = format!("{} {closes:?} {kind:?}", name(role));
                let (mut stream, mock) = stream(role, binary());
                let task = Task::default();
                ok(task.write(&mut stream, b"response"));
                ok(task.flush(&mut stream));
                if closes == Closes::Both {
                    ok(task.shutdown(&mut stream));
                }
                fail(&mock, Failure::Shutdown, kind);
                let code = if closes == Closes::Answered { 1001 } else { 1000 };
                mock.feed(&wire::close(role, Some(code), ""));
                assert_eq!(ok(task.read(&mut stream, 100)), b"", "{case}");
                let shut = task.shutdown(&mut stream).map_err(|error| error.kind());
                let gone = kind != ErrorKind::Other;
                assert_eq!(shut, Poll::Ready(if gone { Ok(()) } else { Err(kind) }), "{case}");
                ok(task.shutdown(&mut stream));
                ok(task.flush(&mut stream));
                assert!(mock.is_flushed(), "{case}");
            }
        }
    }
}

#[test]
fn transport_that_has_failed_and_is_gone_owes_its_shutdown_nothing_more() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let task = Task::default();
        mock.state().room = 0;
        mock.state().output_end = Answer::Error(ErrorKind::ConnectionReset);
        assert_eq!(err(task.write(&mut stream, b"lost")).kind(), ErrorKind::ConnectionReset);
        fail(&mock, Failure::Shutdown, ErrorKind::NotConnected);
        ok(task.shutdown(&mut stream));
        assert!(mock.state().shutdowns > 0);
    }
}

/// A call, or something that happens to the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Read,
    Write,
    Flush,
    Shutdown,
    Ping,
    Close(u16),
    Fail,
}

/// What came of a sequence of acts.
#[derive(Default)]
struct Seen {
    /// Whether a write was accepted.
    accepted: bool,
    /// The errors of writes, flushes and shutdowns, in order.
    errors: Vec<(Act, io::Error)>,
}

fn perform(
    stream: &mut WebSocketStream<Transport>,
    mock: &Mock,
    act: Act,
    failure: Failure,
    seen: &mut Seen,
) {
    let task = Task::default();
    let polled = match act {
        Act::Read => return drop(task.read(stream, 100)),
        Act::Ping => return mock.feed(&wire::ping(stream.role(), b"ping")),
        Act::Close(code) => return mock.feed(&wire::close(stream.role(), Some(code), "")),
        Act::Fail => return fail(mock, failure, failure.kind()),
        Act::Write => task.write(stream, b"data").map_ok(|_| seen.accepted = true),
        Act::Flush => task.flush(stream),
        Act::Shutdown => task.shutdown(stream),
    };
    if let Poll::Ready(Err(error)) = polled {
        seen.errors.push((act, error));
    }
}

/// The payload of all data frames that have been delivered.
fn delivered(mock: &Mock) -> usize {
    let state = mock.state();
    let (frames, _) = wire::decode_prefix(&state.written[..state.flushed.min(state.written.len())]);
    wire::payload(&frames).len()
}

#[test]
fn nothing_that_was_lost_goes_unreported_in_any_order_of_calls() {
    let acts = [
        Act::Read,
        Act::Write,
        Act::Flush,
        Act::Shutdown,
        Act::Ping,
        Act::Close(1000),
        Act::Close(1001),
        Act::Fail,
    ];
    const LENGTH: u32 = 5;
    for failure in [Failure::Write, Failure::Flush, Failure::All] {
        for sequence in 0..acts.len().pow(LENGTH) {
            let sequence = (0..LENGTH).map(|at| acts[sequence / acts.len().pow(at) % acts.len()]);
            let sequence: Vec<Act> = sequence.collect();
            if !sequence.contains(&Act::Fail) {
                continue;
            }
            // One role is enough: what is counted are whole frames.
            for last in [&[Act::Shutdown][..], &[Act::Flush], &[Act::Read, Act::Flush, Act::Shutdown]] {
                let (mut stream, mock) = stream(Role::Server, binary());
                let (mut seen, mut written) = (Seen::default(), 0);
                let mut before = 0;
                for act in sequence.iter().chain(last) {
                    seen.accepted = false;
                    before = seen.errors.len();
                    perform(&mut stream, &mock, *act, failure, &mut seen);
                    written += if seen.accepted { 4 } else { 0 };
                }
                let case = || format!("{failure:?}: {sequence:?}, then {last:?}: {:?}", seen.errors);
                let lost = delivered(&mock) < written;
                let told = seen.errors.iter().any(|(act, error)| {
                    // A write's own error says that the transport is gone, a refusal does not.
                    *act != Act::Write || error.kind() == failure.kind()
                });
                assert!(!lost || told, "a loss goes unreported: {}", case());
                let own = seen.errors.iter().filter(|(_, error)| error.kind() == failure.kind());
                // That of its shutdown is another one.
                let most = if failure == Failure::All { 2 } else { 1 };
                assert!(own.count() <= most, "the transport's error is reported twice: {}", case());
                if last == [Act::Flush] {
                    let fails = seen.errors.len() > before;
                    assert!(fails || !lost, "flush is Ok with bytes lost: {}", case());
                    // To a transport that is gone after both Closes nothing was owed.
                    let gone = failure != Failure::All && format!("{stream:?}").contains("closing: Closed");
                    assert!(lost || !gone || !fails, "flush fails with nothing lost: {}", case());
                }
                let rules =
                    seen.errors.iter().filter_map(|(_, error)| error.get_ref()?.downcast_ref::<Error>());
                assert!(rules.into_iter().all(|rule| rule.kind() == ErrorKind::BrokenPipe), "{}", case());
            }
        }
    }
}
