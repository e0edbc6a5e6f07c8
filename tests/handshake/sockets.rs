//! What is asked of the system for a socket that this crate has opened or accepted: PROMISES 5.5.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use fastwebsockets_stream::{Client, Config, Listener, MaybeTlsStream, Upgrader, WebSocketStream, connect};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::serve::{Http, Server};
use crate::support::{binary, tls, within};

fn watched() -> Config {
    binary().keep_alive(Duration::from_secs(30)).stall_timeout(Duration::from_secs(90))
}

/// Interval and number of probes of TCP, and how long a peer may leave bytes without an answer.
type Options = (Option<(Duration, Duration, u32)>, Option<Duration>);

fn options(stream: &WebSocketStream<MaybeTlsStream>) -> Options {
    let socket = SockRef::from(stream.get_ref().tcp());
    let probes = socket.keepalive().unwrap().then(|| {
        let time = socket.tcp_keepalive_time().unwrap();
        (time, socket.tcp_keepalive_interval().unwrap(), socket.tcp_keepalive_retries().unwrap())
    });
    (probes, socket.tcp_user_timeout().unwrap().filter(|limit| !limit.is_zero()))
}

/// A connection of ours to ours.
async fn connected(config: Config, secure: bool) -> [WebSocketStream<MaybeTlsStream>; 2] {
    let mut listener = Listener::bind("127.0.0.1:0", config.clone()).await.unwrap();
    let mut client = Client::new(config);
    let mut scheme = "ws";
    if secure {
        let (server, trusting) = tls::configs();
        (listener, client) = (listener.tls(Arc::new(server)), client.tls(Arc::new(trusting)));
        scheme = "wss";
    }
    let url = format!("{scheme}://localhost:{}/", listener.local_addr().port());
    let (near, far) = within(async { tokio::join!(client.connect(&url), listener.accept()) }).await;
    [near.unwrap().0, far.unwrap().stream]
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn sockets_of_both_ends_are_watched_as_the_config_says_under_tls_too() {
    let probing = |seconds| Some((Duration::from_secs(seconds), Duration::from_secs(seconds), 3));
    for secure in [false, true] {
        for (config, expected) in [
            (watched(), (probing(30), Some(Duration::from_secs(90)))),
            (binary().keep_alive(Duration::from_secs(30)), (probing(30), None)),
            (binary().stall_timeout(Duration::from_millis(1500)), (None, Some(Duration::from_millis(1500)))),
            // What the system cannot be told is told as nearly as it goes.
            (binary().keep_alive(Duration::from_millis(1)), (probing(1), None)),
            (
                binary().keep_alive(Duration::MAX).stall_timeout(Duration::MAX),
                (probing(32_767), Some(Duration::from_millis(i32::MAX as u64))),
            ),
            (binary(), (None, None)),
        ] {
            for stream in connected(config.clone(), secure).await {
                assert_eq!(options(&stream), expected, "{config:?} over TLS: {secure}");
                assert!(stream.get_ref().tcp().nodelay().unwrap());
            }
        }
    }
}

/// Whoever decides on a request may choose another `Config` than the listener's.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn socket_of_a_request_is_watched_as_the_config_says_that_it_is_accepted_with() {
    let probing =
        (Some((Duration::from_secs(30), Duration::from_secs(30), 3)), Some(Duration::from_secs(90)));
    for secure in [false, true] {
        for (listens, chosen, expected) in [
            (watched(), None, probing),
            (binary(), Some(watched()), probing),
            (watched(), Some(binary()), (None, None)),
        ] {
            let mut listener = Listener::bind("127.0.0.1:0", listens).await.unwrap();
            let mut client = Client::new(binary());
            let mut scheme = "ws";
            if secure {
                let (server, trusting) = tls::configs();
                (listener, client) = (listener.tls(Arc::new(server)), client.tls(Arc::new(trusting)));
                scheme = "wss";
            }
            let mut requests = listener.requests();
            let url = format!("{scheme}://localhost:{}/", requests.local_addr().port());
            let deciding = async {
                let request = requests.next().await.unwrap();
                let request = match chosen {
                    Some(config) => request.config(config),
                    None => request,
                };
                request.accept().await.unwrap().stream
            };
            let (near, far) = within(async { tokio::join!(client.connect(&url), deciding) }).await;
            assert_eq!(options(&far), expected, "over TLS: {secure}");
            assert!(far.get_ref().tcp().nodelay().unwrap());
            drop(near);
        }
    }
}

#[tokio::test]
async fn addresses_and_nodelay_are_those_of_the_socket_whole_and_in_halves_under_tls_too() {
    for secure in [false, true] {
        let [near, far] = connected(binary(), secure).await;
        let (local, peer) = (near.local_addr().unwrap(), near.peer_addr().unwrap());
        assert_ne!(local, peer);
        assert_eq!((far.peer_addr().unwrap(), far.local_addr().unwrap()), (local, peer));
        assert_eq!(near.get_ref().peer_addr().unwrap(), peer);
        assert_eq!(near.get_ref().local_addr().unwrap(), local);
        let nodelay = |stream: &WebSocketStream<MaybeTlsStream>| stream.get_ref().tcp().nodelay().unwrap();
        near.set_nodelay(false).unwrap();
        assert!(!nodelay(&near) && nodelay(&far), "over TLS: {secure}");

        let (reader, writer) = near.into_split();
        assert_eq!((reader.local_addr().unwrap(), reader.peer_addr().unwrap()), (local, peer));
        assert_eq!((writer.local_addr().unwrap(), writer.peer_addr().unwrap()), (local, peer));
        reader.set_nodelay(true).unwrap();
        let near = reader.reunite(writer).unwrap();
        assert!(nodelay(&near));
        let (reader, writer) = near.into_split();
        writer.set_nodelay(false).unwrap();
        let near = writer.reunite(reader).unwrap();
        assert!(!nodelay(&near));
        near.get_ref().set_nodelay(true).unwrap();
        assert!(nodelay(&near));
    }
}

/// Whether the system will probe the connection from this port, as its table says: timer 2 is that of keep-alive.
#[cfg(target_os = "linux")]
fn is_probed(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let local = format!(":{port:04X}");
    let row = table.lines().find(|row| row.split_whitespace().nth(1).is_some_and(|a| a.ends_with(&local)));
    row.unwrap().split_whitespace().nth(5).unwrap().starts_with("02:")
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn socket_of_an_http2_connection_is_watched() {
    for (config, expected) in [(watched(), true), (binary(), false)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let client = Client::new(config);
        let (http2, accepted) = within(async { tokio::join!(client.http2(&url), listener.accept()) }).await;
        let (mut server, from) = accepted.unwrap();
        // What the client has sent is read, so that no retransmission is waited for instead.
        within(server.read_exact(&mut [0; 24])).await.unwrap();
        within(async {
            while is_probed(from.port()) != expected {
                tokio::task::yield_now().await;
            }
        })
        .await;
        drop(http2);
    }
}

#[tokio::test]
async fn write_to_a_peer_that_does_not_read_ends_by_the_stall_timeout() {
    let limit = Duration::from_millis(200);
    let server = Server::new(Http::One, Upgrader::new(binary())).await;
    let mut stream =
        within(connect(&format!("ws://{}", server.address), binary().stall_timeout(limit))).await.unwrap();
    let chunk = vec![0; 1 << 20];
    let error = within(async {
        loop {
            if let Err(error) = stream.write_all(&chunk).await {
                return error;
            }
        }
    })
    .await;
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert_eq!(within(stream.write(b"x")).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}
