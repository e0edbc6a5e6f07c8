//! A connected pair for tests of users' code: PROMISES 1.9.
#![cfg(feature = "test-util")]

use std::io::ErrorKind;
use std::time::Duration;

use fastwebsockets_stream::{Role, duplex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Task, binary, text};

#[tokio::test(start_paused = true)]
async fn pair_is_a_client_and_a_server_of_the_same_config() {
    for config in [binary(), text()] {
        let (mut client, mut server) = duplex(64, config);
        assert!(client.role() == Role::Client && server.role() == Role::Server);
        assert_eq!(client.payload_type(), server.payload_type());
        let talk = async {
            client.write_all(b"hello").await.unwrap();
            client.close(1000, "bye").await.unwrap().unwrap()
        };
        let echo = async {
            let mut all = String::new();
            server.read_to_string(&mut all).await.unwrap();
            let close = server.peer_close().cloned().unwrap();
            server.close(1000, "so long").await.unwrap();
            (all, close.reason)
        };
        let (close, (all, reason)) = tokio::join!(talk, echo);
        assert_eq!((all.as_str(), reason.as_str(), close.reason.as_str()), ("hello", "bye", "so long"));
    }
}

#[tokio::test(start_paused = true)]
async fn pair_holds_no_more_than_it_is_told() {
    let (mut client, mut server) = duplex(64, binary());
    let task = Task::default();
    let mut written = 0;
    while let std::task::Poll::Ready(n) = task.write(&mut client, &[7; 40]) {
        written += n.unwrap();
        assert!(written < 200, "it takes everything");
    }
    let mut all = vec![0; written];
    let (read, _) = tokio::join!(server.read_exact(&mut all), client.flush());
    assert_eq!(read.unwrap(), written);
}

#[tokio::test(start_paused = true)]
async fn pair_keeps_itself_alive_on_a_clock_that_stands_still() {
    let interval = Duration::from_secs(3600);
    let (mut client, mut server) = duplex(1024, binary().keep_alive(interval));
    // The server does not read: nobody answers the client's Pings.
    let before = tokio::time::Instant::now();
    assert_eq!(client.read_u8().await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(before.elapsed().as_secs(), 2 * 3600);
    drop(client);
    assert_eq!(server.read_u8().await.unwrap_err().kind(), ErrorKind::UnexpectedEof);

    // Both read: for a day, neither gives up.
    let (mut client, mut server) = duplex(1024, binary().keep_alive(interval));
    let serving = tokio::spawn(async move { server.read_u8().await });
    tokio::time::timeout(24 * interval, client.read_u8()).await.unwrap_err();
    client.write_u8(7).await.unwrap();
    assert_eq!(serving.await.unwrap().unwrap(), 7);
}

#[test]
#[should_panic(expected = "must be greater than 0")]
fn pair_without_any_room_is_refused() {
    let _ = duplex(0, binary());
}
