//! Corners of the end: PROMISES 1.4, 1.5, 2.4, 3.9, 5.1, 5.3, 5.5, 5.6.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use fastwebsockets_stream::{CloseCode, Role, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::support::endless::Endless;
use crate::support::transport::Answer;
use crate::support::{ROLES, Task, binary, err, ok, pair, pattern, stream, wire};

#[test]
fn what_discards_yields_to_its_time_limit_whatever_the_peers_frames() {
    for payload in [0, 100, 16 * 1024, 100_000] {
        let config = binary().close_timeout(Duration::MAX);
        let mut stream = WebSocketStream::from_transport(Endless::new(payload), Role::Client, [], config);
        let task = Task::default();
        {
            let mut close = pin!(stream.close(CloseCode::NORMAL, ""));
            assert!(task.run(|cx| close.as_mut().poll(cx)).is_pending(), "{payload}");
            assert!(task.wakes() > 0);
        }
        stream.get_mut().reads = 0;
        for room in [100, 8192] {
            assert!(task.read(&mut stream, room).is_pending(), "{payload}");
            assert!(task.wakes() > 0);
        }
    }
}

#[tokio::test]
async fn clean_end_by_the_repeated_code_is_one_in_a_stream_that_is_put_together_again() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let task = Task::default();
        {
            let mut close = pin!(stream.close(4000, ""));
            assert!(task.run(|cx| close.as_mut().poll(cx)).is_pending());
        }
        mock.feed(&wire::close(role, Some(4000), ""));
        assert_eq!(ok(task.read(&mut stream, 100)), b"");
        assert!(mock.state().is_shut);
        let mut stream = WebSocketStream::from_parts(stream.into_parts());
        assert_eq!(ok(task.read(&mut stream, 100)), b"");
    }
}

#[cfg(feature = "fastwebsockets")]
#[tokio::test]
async fn close_that_a_socket_had_sent_may_be_repeated_whatever_its_code() {
    use fastwebsockets::{Frame, WebSocket};
    use fastwebsockets_stream::PayloadType;

    let (near, mut far) = tokio::io::duplex(1024);
    let mut websocket = WebSocket::after_handshake(near, Role::Client.into());
    websocket.write_frame(Frame::close(4000, b"")).await.unwrap();
    let mut stream = WebSocketStream::new(websocket, PayloadType::Binary);
    far.write_all(&wire::close(Role::Client, Some(4000), "")).await.unwrap();
    assert_eq!(stream.read(&mut [0; 10]).await.unwrap(), 0);
}

#[test]
fn answer_that_is_lost_for_another_reason_than_a_dead_peer_is_an_error_of_shutdown() {
    let (mut stream, mock) = stream(Role::Server, binary());
    let task = Task::default();
    mock.feed(&wire::close(Role::Server, Some(1000), ""));
    assert_eq!(ok(task.read(&mut stream, 100)), b"");
    mock.set_room(0);
    mock.state().output_end = Answer::Error(ErrorKind::PermissionDenied);
    assert_eq!(err(task.shutdown(&mut stream)).kind(), ErrorKind::PermissionDenied);
}

#[test]
fn flush_is_ok_after_both_closes_where_nothing_is_lost_and_leaves_the_error_to_shutdown() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        let task = Task::default();
        mock.state().flush = Some(Answer::Pending);
        assert!(task.shutdown(&mut stream).is_pending());
        mock.state().flush = Some(Answer::Error(ErrorKind::PermissionDenied));
        mock.feed(&wire::close(role, Some(1000), ""));
        assert_eq!(ok(task.read(&mut stream, 100)), b"");
        ok(task.flush(&mut stream));
        ok(task.flush(&mut stream));
        assert_eq!(err(task.shutdown(&mut stream)).kind(), ErrorKind::PermissionDenied);
        ok(task.shutdown(&mut stream));
    }
}

#[tokio::test]
async fn echo_by_copy_in_small_frames_that_is_dropped_at_its_end_has_ended_cleanly() {
    let (client, server) = pair(4096, binary().max_frame_len(Some(1000)));
    let echo = async move {
        let (mut reader, mut writer) = tokio::io::split(server);
        tokio::io::copy(&mut reader, &mut writer).await
    };
    let (mut reader, mut writer) = tokio::io::split(client);
    let (sent, mut received) = (pattern(20_000), Vec::new());
    let send = async {
        writer.write_all(&sent).await?;
        writer.shutdown().await
    };
    // It reads only once all has been sent or is stuck: so the echo meets the end while it waits to write.
    let mut both = pin!(async { tokio::join!(send, echo) });
    let mut polls = 0;
    let ended = std::future::poll_fn(|cx| {
        polls += 1;
        match both.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if polls > 1000 => Poll::Ready(None),
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    });
    let stuck = ended.await;
    assert!(stuck.is_none(), "the pipe has taken everything");
    let (end, (sent_all, echoed)) = tokio::join!(reader.read_to_end(&mut received), both);
    sent_all.unwrap();
    assert_eq!(echoed.unwrap(), 20_000);
    end.unwrap();
    assert!(received == sent);
}

#[tokio::test(start_paused = true)]
async fn stall_counts_from_the_beginning_of_a_write_also_soon_after_a_cancelled_one() {
    let limit = Duration::from_secs(60);
    let (mut stream, mock) = stream(Role::Client, binary().stall_timeout(limit));
    mock.set_room(0);
    let write = tokio::time::timeout(Duration::from_secs(1), stream.write_all(b"x"));
    assert!(write.await.is_err());
    // Less than twice the limit.
    tokio::time::sleep(Duration::from_secs(100)).await;
    let begun = Instant::now();
    assert_eq!(stream.write_all(b"x").await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(begun.elapsed() >= limit, "after {:?}", begun.elapsed());
}

#[test]
fn drop_of_a_stream_over_another_one_needs_no_runtime() {
    let timed = binary().stall_timeout(Duration::from_secs(1)).keep_alive(Duration::from_secs(1));
    let (inner, mock) = stream(Role::Client, timed);
    let mut outer = WebSocketStream::from_transport(inner, Role::Client, [], binary());
    mock.feed(&wire::data(Role::Client, &wire::close(Role::Client, None, "")));
    assert_eq!(ok(Task::default().read(&mut outer, 100)), b"");
    mock.set_room(0);
    drop(outer);
}

#[test]
#[should_panic(expected = "runtime")]
fn write_that_waits_with_a_stall_timeout_panics_outside_of_a_runtime() {
    let (mut stream, mock) = stream(Role::Client, binary().stall_timeout(Duration::from_secs(1)));
    mock.set_room(0);
    let _ = Task::default().write(&mut stream, b"x");
}

#[test]
#[should_panic(expected = "runtime")]
fn read_that_waits_with_keep_alive_panics_outside_of_a_runtime() {
    let (mut stream, _mock) = stream(Role::Client, binary().keep_alive(Duration::from_secs(1)));
    let _ = Task::default().read(&mut stream, 100);
}
