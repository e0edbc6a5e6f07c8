//! How far dropping a stream goes, and what the peer sees of it: PROMISES 5.6.

use std::task::Poll;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::support::endless::Endless;
use crate::support::net::within;
use crate::support::{pair, pattern};

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1
//= type=test
//# An endpoint SHOULD use a method that cleanly closes the TCP connection, as well as the TLS session, if
//# applicable, discarding any trailing bytes
#[test]
fn drop_goes_as_far_as_it_can_without_waiting_and_discards_what_lies_unread() {
    type Trouble = (&'static str, fn(&Mock), usize, usize);
    let troubles: [Trouble; 5] = [
        ("no room", |mock| mock.set_room(0), 0, 0),
        ("some room", |mock| mock.set_room(1), 0, 0),
        ("no flush", |mock| mock.state().flush = Some(Answer::Pending), 1, 0),
        ("no shutdown", |mock| mock.state().shutdown = Some(Answer::Pending), 1, 1),
        ("an error", |mock| mock.state().flush = Some(Answer::Error(io::ErrorKind::Other)), 1, 0),
    ];
    for role in ROLES {
        for (trouble, happen, flushes, shutdowns) in troubles {
            let (mut stream, mock) = stream(role, binary());
            receive(&mut stream, &mock, role, Some(1000), true);
            happen(&mock);
            mock.feed(b"behind the Close");
            let flushed = mock.state().flushes;
            let shut = mock.state().shutdowns;
            drop(stream);
            let state = mock.state();
            assert_eq!((state.flushes - flushed, state.shutdowns - shut), (flushes, shutdowns), "{trouble}");
            assert!(state.write_calls > 0 && state.input.is_empty(), "{} {trouble}", name(role));
        }
    }
}

#[test]
fn drop_after_a_shutdown_discards_what_lies_unread_and_sends_nothing_more() {
    for role in ROLES {
        for (peer, to_the_end) in [(None, false), (Some(1000), true), (Some(1000), false)] {
            let (mut stream, mock) = stream(role, binary());
            if let Some(code) = peer {
                receive(&mut stream, &mock, role, Some(code), to_the_end);
            }
            ok(Task::default().shutdown(&mut stream));
            assert!(!mock.take_written().is_empty());
            let shutdowns = mock.state().shutdowns;
            mock.state().read_chunk = 1000;
            mock.feed(&wire::data(role, &pattern(20_000)));
            drop(stream);
            let state = mock.state();
            assert!(state.input.is_empty() && state.written.is_empty(), "{} {peer:?}", name(role));
            assert_eq!(state.shutdowns, shutdowns);
        }
    }
}

#[test]
fn drop_before_any_close_touches_nothing() {
    for role in ROLES {
        for (config, bytes) in
            [(binary(), b"data"), (binary().write_buffer(99), b"data"), (text(), b"dat\xe2")]
        {
            let (mut stream, mock) = stream(role, config);
            mock.feed(&wire::data(role, b""));
            ok(Task::default().write(&mut stream, bytes));
            let before = mock.state().calls;
            mock.feed(b"unread");
            drop(stream);
            assert_eq!(mock.state().calls, before, "{}", name(role));
        }
    }
}

#[test]
fn drop_after_a_shutdown_that_has_not_left_sends_nothing() {
    for role in ROLES {
        for what in ["write", "flush"] {
            let (mut stream, mock) = stream(role, binary());
            match what {
                "write" => mock.set_room(1),
                _ => mock.state().flush = Some(Answer::Pending),
            }
            assert!(Task::default().shutdown(&mut stream).is_pending());
            mock.take_written();
            // It could go on now, but nobody is there any more.
            mock.set_room(usize::MAX);
            drop(stream);
            assert!(mock.state().written.is_empty() && !mock.state().is_shut, "{what}");
        }
    }
}

#[test]
fn drop_of_a_stream_whose_peer_never_stops_sending_ends() {
    let mut stream = WebSocketStream::from_transport(Endless::new(100), Role::Client, [], binary());
    ok(Task::default().shutdown(&mut stream));
    drop(stream);
}

#[tokio::test]
async fn drop_answers_in_a_task_that_has_used_up_its_budget() {
    for budget in [false, true] {
        let (mut client, mut server) = pair(1024, binary());
        client.write_all(b"request").await.unwrap();
        client.shutdown().await.unwrap();
        let mut request = Vec::new();
        within(server.read_to_end(&mut request)).await.unwrap();
        if budget {
            // Each item costs some of it; that no more come says that it is used up.
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            (0..1000).for_each(|n| sender.send(n).unwrap());
            let mut server = Some(server);
            std::future::poll_fn(|cx| {
                while receiver.poll_recv(cx).is_ready() {}
                assert!(!receiver.is_empty());
                let mut stream = server.take().expect("one poll");
                assert!(Task::default().write(stream.get_mut(), b"").is_pending());
                drop(stream);
                Poll::Ready(())
            })
            .await;
        } else {
            drop(server);
        }
        let mut rest = Vec::new();
        within(client.read_to_end(&mut rest)).await.unwrap();
        assert!(rest.is_empty());
    }
}

#[tokio::test]
async fn echo_by_copy_that_is_dropped_loses_nothing_and_ends_cleanly() {
    for capacity in [64, 1024, 100_000] {
        let (mut client, server) = pair(capacity, binary());
        let echo = async {
            let (mut reader, mut writer) = tokio::io::split(server);
            tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        };
        let bytes = pattern(300_000);
        let ask = async {
            let (mut reader, mut writer) = tokio::io::split(&mut client);
            let write = async {
                writer.write_all(&bytes).await.unwrap();
                writer.shutdown().await.unwrap();
            };
            let read = async {
                let mut all = Vec::new();
                reader.read_to_end(&mut all).await.unwrap();
                assert!(all == bytes);
            };
            tokio::join!(write, read);
        };
        within(async { tokio::join!(echo, ask) }).await;
        assert_eq!(client.peer_close().unwrap().code, Some(1000.into()), "{capacity}");
    }
}

#[tokio::test]
async fn handler_that_is_cut_off_in_its_response_has_not_ended_cleanly() {
    let (mut client, mut server) = pair(1024, binary());
    client.write_all(b"request").await.unwrap();
    client.shutdown().await.unwrap();
    let mut request = Vec::new();
    within(server.read_to_end(&mut request)).await.unwrap();
    server.write_all(b"half of the resp").await.unwrap();
    drop(server);
    let mut response = Vec::new();
    let error = within(client.read_to_end(&mut response)).await.unwrap_err();
    assert_eq!((error.kind(), &response[..]), (io::ErrorKind::UnexpectedEof, &b"half of the resp"[..]));
}
