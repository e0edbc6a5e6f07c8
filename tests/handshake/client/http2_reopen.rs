//! An HTTP/2 connection that has ended is opened again.

mod retrying;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastwebsockets_stream::{Client, ConnectError, Http2, Upgrader};
use futures_util::FutureExt;
use futures_util::future::join_all;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::support::authority::Authority;
use crate::support::client::{SHORT, assert_echo, listen, soon};
use crate::support::{binary, echo};

/// How one connection is to end, and how many there were.
struct Server {
    uri: String,
    connections: mpsc::UnboundedReceiver<(JoinHandle<()>, oneshot::Sender<()>)>,
    accepted: Arc<AtomicUsize>,
}

/// Echoes; where it is told to go away, gracefully.
async fn echoes<S>(io: S, mut going: oneshot::Receiver<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let upgrader = Upgrader::new(binary());
    let service = service_fn(move |mut request: hyper::Request<_>| {
        let (response, upgrade) = upgrader.upgrade(&mut request);
        tokio::spawn(async move { echo(upgrade.await?).await });
        async { Ok::<_, std::convert::Infallible>(response) }
    });
    let mut http = Builder::new(TokioExecutor::new());
    let mut connection =
        std::pin::pin!(http.enable_connect_protocol().serve_connection(TokioIo::new(io), service));
    tokio::select! {
        end = connection.as_mut() => return drop(end),
        going = &mut going => going.unwrap(),
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

impl Server {
    /// Any number of connections.
    async fn new() -> Self {
        let (listener, port) = listen().await;
        let (sender, connections) = mpsc::unbounded_channel();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let (go, going) = oneshot::channel();
                if sender.send((tokio::spawn(echoes(tcp, going)), go)).is_err() {
                    return;
                }
            }
        });
        Server { uri: format!("ws://localhost:{port}/"), connections, accepted }
    }

    async fn connected() -> (Self, Http2) {
        let server = Server::new().await;
        let http2 = Client::new(binary()).http2(&server.uri).await.unwrap();
        (server, http2)
    }

    /// Ends the oldest connection, as a process that is killed does.
    async fn kill(&mut self) {
        let (serving, _) = soon(self.connections.recv()).await.unwrap();
        serving.abort();
        let _ = serving.await;
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

async fn until_closed(http2: &Http2) {
    soon(async {
        while !http2.is_closed() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn stream_after_the_end_of_the_connection_is_one_of_another_connection() {
    let (mut server, http2) = Server::connected().await;
    for round in 1..4 {
        let (mut stream, _) = soon(http2.connect(&server.uri)).await.unwrap();
        assert!(!http2.is_closed());
        assert_eq!(server.accepted(), round);
        server.kill().await;
        soon(stream.read(&mut [0])).await.unwrap_err();
        until_closed(&http2).await;
    }
    // Whichever handle asks.
    assert_echo(soon(http2.clone().connect(&server.uri)).await.unwrap().0).await;
    soon(http2.wait_idle()).await;
}

#[tokio::test]
async fn streams_of_a_connection_that_the_server_leaves_go_on_beside_the_new_one() {
    let (mut server, http2) = Server::connected().await;
    let (mut old, _) = soon(http2.connect(&server.uri)).await.unwrap();
    let (serving, go) = soon(server.connections.recv()).await.unwrap();
    go.send(()).unwrap();
    // By the GOAWAY: nobody has asked for anything.
    until_closed(&http2).await;
    let (mut new, _) = soon(http2.connect(&server.uri)).await.unwrap();
    assert_eq!(old.peer_addr().unwrap(), new.peer_addr().unwrap());
    assert_ne!(old.local_addr().unwrap(), new.local_addr().unwrap());
    assert_eq!(server.accepted(), 2);
    for stream in [&mut old, &mut new] {
        stream.write_all(b"bytes").await.unwrap();
        soon(stream.read_exact(&mut [0; 5])).await.unwrap();
    }
    assert_echo(new).await;
    // The old one is still to end.
    assert!(http2.wait_idle().now_or_never().is_none());
    assert_echo(old).await;
    soon(http2.wait_idle()).await;
    soon(serving).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_come_at_once_share_one_connection() {
    let (mut server, http2) = Server::connected().await;
    server.kill().await;
    until_closed(&http2).await;
    let calls = (0..50).map(|_| {
        let (http2, uri) = (http2.clone(), server.uri.clone());
        tokio::spawn(async move { assert_echo(soon(http2.connect(uri)).await.unwrap().0).await })
    });
    join_all(calls).await.into_iter().for_each(Result::unwrap);
    assert_eq!(server.accepted(), 2);
}

/// Connections end at any time: while they are opened, while they are asked, while they are used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_a_server_that_keeps_dying_get_a_stream_or_an_error_and_never_hang() {
    let (mut server, http2) = Server::connected().await;
    let (sender, mut opened) = mpsc::unbounded_channel();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (http2, uri, sender) = (http2.clone(), server.uri.clone(), sender.clone());
            tokio::spawn(async move {
                let mut streams = 0;
                for _ in 0..100 {
                    match soon(http2.connect(&uri)).await {
                        Ok((mut stream, _)) => {
                            streams += 1;
                            sender.send(()).unwrap();
                            let _ = stream.write_all(b"bytes").await;
                            let _ = soon(stream.read(&mut [0; 5])).await;
                        }
                        // It may have been processed, or the connection has ended at once.
                        Err(ConnectError::Http2 { .. } | ConnectError::Http2Ended { .. }) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
                streams
            })
        })
        .collect();
    let killing = async {
        loop {
            for _ in 0..7 {
                let _ = opened.recv().await;
            }
            server.kill().await;
        }
    };
    let streams = tokio::select! {
        streams = join_all(calls) => streams,
        () = killing => unreachable!("there is always one more"),
    };
    let streams: usize = streams.into_iter().map(Result::unwrap).sum();
    // A few are lost with each connection.
    assert!(streams > 100, "{streams} of 800");
    // And then it lives.
    assert_echo(soon(http2.connect(&server.uri)).await.unwrap().0).await;
    soon(http2.wait_idle()).await;
}

/// A server by TLS, of whose connections after the first each gets what the test does with it.
async fn by_tls() -> (String, Http2, mpsc::UnboundedReceiver<(TcpStream, tokio_rustls::TlsAcceptor)>) {
    let authority = Authority::new();
    let acceptor = authority.acceptor("localhost", &[b"h2"]);
    let (listener, port) = listen().await;
    let (sender, connections) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        // It is dropped as soon as it has begun.
        drop(acceptor.accept(tcp).await.unwrap());
        while let Ok((tcp, _)) = listener.accept().await {
            sender.send((tcp, acceptor.clone())).unwrap();
        }
    });
    let uri = format!("wss://localhost:{port}/");
    let http2 = Client::new(binary()).tls(authority.trusting()).http2(&uri).await.unwrap();
    until_closed(&http2).await;
    (uri, http2, connections)
}

/// Accepts the next connection in earnest.
fn serve_the_next(mut connections: mpsc::UnboundedReceiver<(TcpStream, tokio_rustls::TlsAcceptor)>) {
    tokio::spawn(async move {
        let (tcp, acceptor) = connections.recv().await.unwrap();
        let (_go, going) = oneshot::channel();
        echoes(acceptor.accept(tcp).await.unwrap(), going).await;
        assert!(connections.recv().await.is_none(), "it was dialled once more");
    });
}

#[tokio::test]
async fn attempt_that_fails_is_told_to_all_who_waited_and_the_next_call_tries_again() {
    let (uri, http2, mut connections) = by_tls().await;
    let calls = join_all((0..3).map(|_| http2.connect(&uri)));
    let ends_it = async { drop(connections.recv().await.unwrap()) };
    let (ended, ()) = soon(async { tokio::join!(calls, ends_it) }).await;
    let errors = ended.into_iter().map(|ended| match ended {
        Err(ConnectError::Http2NotReopened { host, source, .. }) => {
            assert_eq!(host, "localhost");
            source
        }
        other => panic!("{other:?}"),
    });
    let errors: Vec<_> = errors.collect();
    assert!(errors.iter().all(|error| Arc::ptr_eq(error, &errors[0])), "{errors:?}");

    serve_the_next(connections);
    assert_echo(soon(http2.connect(&uri)).await.unwrap().0).await;
}

#[tokio::test]
async fn error_of_a_connection_that_cannot_be_opened_again_says_so_and_why() {
    let (listener, port) = listen().await;
    let server = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    let uri = format!("ws://localhost:{port}/");
    let http2 = Client::new(binary()).http2(&uri).await.unwrap();
    server.await.unwrap();
    until_closed(&http2).await;
    let error = soon(http2.connect(&uri)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let says =
        format!("the HTTP/2 connection to localhost port {port} has ended, and it could not be opened again");
    assert_eq!(error.to_string(), says);
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.starts_with(&format!("cannot connect to localhost port {port}")), "{source}");
}

#[tokio::test]
async fn caller_that_leaves_does_not_take_the_attempt_from_the_others() {
    let (uri, http2, connections) = by_tls().await;
    let mut first = Box::pin(http2.connect(&uri));
    assert!(first.as_mut().now_or_never().is_none());
    let mut second = Box::pin(http2.connect(&uri));
    assert!(second.as_mut().now_or_never().is_none());
    drop(first);
    serve_the_next(connections);
    assert_echo(soon(second).await.unwrap().0).await;
}

#[tokio::test]
async fn attempt_that_nobody_waits_for_is_given_up() {
    let (uri, http2, mut connections) = by_tls().await;
    let mut call = Box::pin(http2.connect(&uri));
    assert!(call.as_mut().now_or_never().is_none());
    let (mut tcp, _) = tokio::select! {
        ended = &mut call => panic!("{:?}", ended.map(drop)),
        connection = soon(connections.recv()) => connection.unwrap(),
    };
    drop(call);
    http2.wait_idle().now_or_never().expect("the call counts as a stream");
    // A greeting, perhaps, and the end.
    let _ = soon(tcp.read_to_end(&mut Vec::new())).await;
    serve_the_next(connections);
    assert_echo(soon(http2.connect(&uri)).await.unwrap().0).await;
}

#[tokio::test]
async fn attempt_that_takes_too_long_is_given_up_at_the_limit() {
    let client = Client::new(binary()).time_limit(SHORT);
    // A server that takes the first, and then nobody any more.
    let (listener, port) = listen().await;
    let uri = format!("ws://localhost:{port}/");
    let serving = tokio::spawn(async move {
        drop(listener.accept().await.unwrap());
        listener.accept().await.unwrap()
    });
    let http2 = client.http2(&uri).await.unwrap();
    until_closed(&http2).await;
    let error = soon(http2.connect(&uri)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
    drop(serving);
}

#[tokio::test]
async fn connection_over_a_transport_of_the_callers_is_not_opened_again() {
    let mut server = Server::new().await;
    let tcp = TcpStream::connect(server.uri.trim_start_matches("ws://").trim_end_matches('/')).await.unwrap();
    let http2 = Client::new(binary()).http2_over(tcp).await.unwrap();
    let (stream, _) = soon(http2.connect(&server.uri)).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap_err().kind(), ErrorKind::Unsupported);
    assert_echo(stream).await;
    server.kill().await;
    until_closed(&http2).await;
    let error = soon(http2.connect(&server.uri)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Http2Ended { .. }), "{error:?}");
    assert_eq!(server.accepted(), 1);
}
