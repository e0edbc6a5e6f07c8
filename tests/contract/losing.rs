//! A loss is always reported, and by its cause: PROMISES 3.9, 5.1, 5.3, 5.4.

use std::io::ErrorKind;
use std::time::Duration;

use fastwebsockets_stream::{CloseCode, Role};
use tokio::io::AsyncWriteExt;

use crate::support::transport::Answer;
use crate::support::{Task, binary, err, ok, stream, wire};

#[test]
fn half_close_response_lost_in_flush_is_an_error() {
    let (mut stream, mock) = stream(Role::Server, binary().half_close(true));
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
    let (mut stream, mock) = stream(Role::Server, binary().half_close(true));
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
    let close = tokio::time::timeout(Duration::from_millis(1), stream.close(CloseCode::Normal, ""));
    assert!(close.await.is_err());
    assert!(mock.state().is_shut, "so that the peer sees the end, and ours comes");
    mock.feed(&wire::close(Role::Client, Some(1001), ""));
    assert_eq!(stream.close(CloseCode::Normal, "").await.unwrap().unwrap().code, Some(CloseCode::Away));
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
    let error = stream.close(CloseCode::Normal, "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(mock.state().is_shut);
}
