//! The whole closing handshake in one call: PROMISES 5.3; pitfalls C24, C28.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use fastwebsockets_stream::{CloseCode, CloseFrame, Error, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{close_of, sent};
use crate::support::broken::Broken;
use crate::support::transport::Answer;
use crate::support::{ROLES, Task, binary, err, ok, pair, pattern, rule, stream, wire};

#[tokio::test]
async fn close_sends_code_and_reason_and_returns_the_peers() {
    let (mut client, mut server) = pair(1024, binary().write_buffer(100));
    client.write_all(b"last words").await.unwrap();
    let far = async {
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.unwrap();
        (all, server.peer_close().cloned().unwrap())
    };
    let (close, (all, seen)) = tokio::join!(client.close(CloseCode::AWAY, "bye"), far);
    assert_eq!(all, b"last words");
    assert_eq!((seen.code, seen.reason.as_str()), (Some(CloseCode::AWAY), "bye"));
    assert_eq!(close.unwrap().unwrap(), CloseFrame { code: Some(CloseCode::AWAY), reason: String::new() });
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
//= type=test
//# 1005 is a reserved value and MUST NOT be set as a status code
//= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
//= type=test
//# 1006 is a reserved value and MUST NOT be set as a status code
//= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
//= type=test
//# 1015 is a reserved value and MUST NOT be set as a status code
#[tokio::test]
async fn close_refuses_codes_and_reasons_that_may_not_be_sent() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
            let error = stream.close(CloseCode::from(code), "").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(*rule(&error), Broken::CloseCodeNotSendable { code: code.into() });
        }
        let error = stream.close(CloseCode::NORMAL, &"x".repeat(124)).await.unwrap_err();
        assert_eq!(*rule(&error), Broken::CloseReasonTooLong { length: 124 });
        assert_eq!(mock.state().calls, 0);
        ok(Task::default().write(&mut stream, b"still open"));
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.2
//= type=test
//# an endpoint MUST send a Close control frame, as described in Section 5.5.1, whose status code is set to
//# /code/ and whose close reason is set to /reason/.
#[tokio::test(start_paused = true)]
async fn close_discards_what_comes_and_ends_with_the_transport() {
    for role in ROLES {
        let (mut stream, mock) = stream(role, binary());
        mock.feed(&wire::data(role, &pattern(100_000)));
        mock.feed(&wire::ping(role, b"p"));
        mock.state().input_end = Answer::Zero;
        assert_eq!(stream.close(CloseCode::from(4000), &"r".repeat(123)).await.unwrap(), None);
        assert!(mock.state().is_shut);
        assert_eq!(sent(&mock)[0], close_of(Some(4000), &"r".repeat(123)));
    }
}

#[tokio::test(start_paused = true)]
async fn close_times_out_on_silent_full_and_never_ending_peers() {
    for role in ROLES {
        for peer in ["silent", "full", "endless"] {
            let (mut stream, mock) = stream(role, binary().close_timeout(Duration::from_secs(3)));
            match peer {
                "full" => mock.set_room(1),
                "endless" => mock.feed(&wire::data(role, &[0; 64 * 1024]).repeat(64)),
                _ => {}
            }
            let before = tokio::time::Instant::now();
            let error = stream.close(CloseCode::NORMAL, "").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{peer}");
            assert!(matches!(rule(&error), Error::CloseTimedOut { all_sent: true, .. }), "{peer}");
            assert_eq!(before.elapsed().as_secs(), 3);
            assert!(mock.state().is_shut);
            let task = Task::default();
            assert_eq!(err(task.read(&mut stream, 100)).kind(), ErrorKind::TimedOut);
            assert_eq!(err(task.write(&mut stream, b"x")).kind(), ErrorKind::BrokenPipe);
            ok(task.shutdown(&mut stream));
        }
    }
}

#[tokio::test]
async fn close_that_was_dropped_goes_on_when_called_again_and_after_a_shutdown_only_waits() {
    for role in ROLES {
        for shut_down_first in [false, true] {
            let (mut stream, mock) = stream(role, binary());
            let task = Task::default();
            if shut_down_first {
                ok(task.shutdown(&mut stream));
            }
            {
                let mut close = pin!(stream.close(CloseCode::AWAY, "bye"));
                assert!(task.run(|cx| close.as_mut().poll(cx)).is_pending());
            }
            mock.feed(&wire::close(role, Some(1000), "you too"));
            let frame = stream.close(CloseCode::ERROR, "other").await.unwrap().unwrap();
            assert_eq!(frame.reason, "you too");
            let first = if shut_down_first { close_of(Some(1000), "") } else { close_of(Some(1001), "bye") };
            assert_eq!(sent(&mock), [first]);
            assert!(mock.state().is_shut);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn close_waits_ten_seconds_where_nothing_else_is_said() {
    let (mut stream, _mock) = stream(Role::Client, binary());
    let before = tokio::time::Instant::now();
    assert_eq!(stream.close(CloseCode::NORMAL, "").await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(before.elapsed().as_secs(), 10);
}
