//! Servers that do not end as they should: PROMISES 5.7.

use super::*;

/// A connection in memory to a server that upgrades, and leaves everything else to the test.
async fn by_hand(config: Config) -> (Http2, mpsc::UnboundedReceiver<TokioIo<Upgraded>>) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let (sender, accepted) = mpsc::unbounded_channel();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (upgrade, sender) = (hyper::upgrade::on(&mut request), sender.clone());
        tokio::spawn(async move { sender.send(TokioIo::new(upgrade.await.unwrap())) });
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    });
    tokio::spawn(async move {
        let mut http = Builder::new(TokioExecutor::new());
        http.enable_connect_protocol();
        drop(http.serve_connection(TokioIo::new(far), service).await);
    });
    (Client::new(config).http2_over(near).await.unwrap(), accepted)
}

/// A server that has sent its Close, and does not end the stream of HTTP/2.
async fn without_end(config: Config) -> (Http2, WebSocketStream<Http2Stream>, TokioIo<Upgraded>) {
    let (http2, mut accepted) = by_hand(config).await;
    let (stream, _) = http2.connect("ws://localhost/").await.unwrap();
    let mut server = accepted.recv().await.unwrap();
    server.write_all(&wire::close(Role::Client, Some(1000), "")).await.unwrap();
    (http2, stream, server)
}

/// As HAProxy does where its server has closed the connection.
#[tokio::test]
async fn reset_that_follows_the_servers_end_fails_neither_flush_nor_shutdown() {
    let (http2, mut accepted) = by_hand(binary()).await;
    let (mut stream, _) = http2.connect("ws://localhost/").await.unwrap();
    let mut server = accepted.recv().await.unwrap();
    stream.write_all(b"bytes").await.unwrap();
    server.read_exact(&mut [0; 11]).await.unwrap();
    server.write_all(&wire::close(Role::Client, Some(1000), "")).await.unwrap();
    drop(server);
    assert_eq!(within(stream.read(&mut [0])).await.unwrap(), 0);
    // The reset comes behind the end, and nothing tells when it has come.
    for _ in 0..100 {
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    within(stream.shutdown()).await.unwrap();
    assert_eq!(within(stream.read(&mut [0])).await.unwrap(), 0);
    within(http2.wait_idle()).await;
}

/// Whole seconds: the clock is paused, so nothing else takes any.
fn seconds(began: Instant) -> u64 {
    began.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn end_waits_two_seconds_for_a_server_that_does_not_end_the_stream() {
    let (_http2, mut stream, _server) = without_end(binary()).await;
    stream.shutdown().await.unwrap();
    let began = Instant::now();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(seconds(began), 2);
    // Once.
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    stream.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(seconds(began), 2);

    let (_http2, mut stream, _server) = without_end(binary()).await;
    let began = Instant::now();
    stream.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(seconds(began), 2);
}

#[tokio::test(start_paused = true)]
async fn stream_that_was_dropped_is_kept_for_the_close_timeout() {
    let config = binary().close_timeout(Duration::from_secs(7));
    let (http2, mut stream, mut server) = without_end(config).await;
    stream.shutdown().await.unwrap();
    drop(stream);
    let began = Instant::now();
    let mut received = Vec::new();
    server.read_to_end(&mut received).await.unwrap();
    assert_eq!(wire::opcodes(&wire::decode(&received)), [wire::CLOSE]);
    assert_eq!(seconds(began), 0, "END_STREAM leaves at once");
    http2.wait_idle().await;
    assert_eq!(seconds(began), 7);
    // Then it is reset.
    within(async { while server.write_all(&[0]).await.is_ok() {} }).await;

    let (http2, mut stream, mut server) = without_end(binary().close_timeout(Duration::MAX)).await;
    stream.shutdown().await.unwrap();
    drop(stream);
    let (began, day) = (Instant::now(), Duration::from_secs(24 * 60 * 60));
    tokio::time::timeout(day, http2.wait_idle()).await.unwrap_err();
    server.shutdown().await.unwrap();
    http2.wait_idle().await;
    assert_eq!(seconds(began), day.as_secs());
}

#[tokio::test(start_paused = true)]
async fn read_of_a_server_does_not_wait_for_the_clients_end() {
    let mut server = Server::new(Http::Two, Upgrader::new(binary())).await;
    let client = h2::Client::connect(server.address).await;
    drop(server.upgrade().await);
    // This client is at its Close, and no further.
    let mut near = client.stream(binary()).await;
    let mut far = server.stream().await;
    near.shutdown().await.unwrap();
    let began = Instant::now();
    assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
    far.shutdown().await.unwrap();
    assert_eq!(seconds(began), 0);
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A runtime with a server, which says what it has read and dropped.
fn serving(runtime: &Runtime) -> (SocketAddr, mpsc::UnboundedReceiver<io::Result<Vec<u8>>>) {
    let (sender, read) = mpsc::unbounded_channel();
    let address = runtime.block_on(async {
        let mut server = Server::new(Http::Two, Upgrader::new(binary())).await;
        let address = server.address;
        tokio::spawn(async move {
            while let Some(upgrade) = server.upgrades.recv().await {
                let sender = sender.clone();
                tokio::spawn(
                    async move { sender.send(read_all(upgrade.await.unwrap(), Listen::Drop).await) },
                );
            }
        });
        address
    });
    (address, read)
}

#[test]
fn stream_may_be_dropped_outside_of_its_runtime_and_after_it() {
    let (servers, clients) = (runtime(), runtime());
    let (address, mut read) = serving(&servers);
    let uri = format!("ws://{address}/");
    let open = async |http2: &Http2| {
        let (mut stream, _) = http2.connect(&uri).await.unwrap();
        stream.write_all(b"bytes").await.unwrap();
        stream.shutdown().await.unwrap();
        stream
    };
    let http2 = clients.block_on(Client::new(binary()).http2(&uri)).unwrap();
    // Outside, while another task drives the connection.
    for _ in 0..30 {
        drop(clients.block_on(open(&http2)));
        assert_eq!(clients.block_on(within(read.recv())).unwrap().unwrap(), b"bytes");
        clients.block_on(within(http2.wait_idle()));
    }
    // And when nothing drives it any more; also one that has both Closes.
    let one = clients.block_on(open(&http2));
    let mut other = clients.block_on(open(&http2));
    assert_eq!(clients.block_on(within(other.read(&mut [0]))).unwrap(), 0);
    drop(clients);
    drop((one, other, http2));

    // A server's.
    let clients = runtime();
    let mut server = servers.block_on(Server::new(Http::Two, Upgrader::new(binary())));
    let uri = format!("ws://{}/", server.address);
    let http2 = clients.block_on(Client::new(binary()).http2(&uri)).unwrap();
    for _ in 0..30 {
        let (near, _) = clients.block_on(http2.connect(&uri)).unwrap();
        let far = servers.block_on(server.stream());
        servers.block_on(write_and_leave(far, b"bytes", Leave::Shutdown)).unwrap();
        assert_eq!(clients.block_on(read_all(near, Listen::Drop)).unwrap(), b"bytes");
    }
    let (_near, _) = clients.block_on(http2.connect(&uri)).unwrap();
    let mut far = servers.block_on(server.stream());
    servers.block_on(far.shutdown()).unwrap();
    drop(servers);
    drop(far);
}

#[tokio::test(start_paused = true)]
async fn end_that_a_server_does_not_let_the_answer_follow_is_waited_for_two_seconds() {
    let (http2, mut accepted) = by_hand(binary()).await;
    let (mut stream, _) = http2.connect("ws://localhost/").await.unwrap();
    let mut server = accepted.recv().await.unwrap();
    let chunk = vec![7; 64 << 10];
    while tokio::time::timeout(Duration::from_millis(100), stream.write_all(&chunk)).await.is_ok() {}
    server.write_all(&wire::close(Role::Client, Some(1001), "")).await.unwrap();
    let begun = Instant::now();
    let read = tokio::time::timeout(Duration::from_secs(3600), stream.read(&mut [0])).await;
    assert_eq!(read.expect("no end within an hour").unwrap(), 0);
    assert_eq!(begun.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn close_with_a_shorter_limit_returns_the_servers_close() {
    let config = binary().close_timeout(Duration::from_secs(1));
    let (_http2, mut stream, _server) = without_end(config).await;
    assert!(stream.close(CloseCode::NORMAL, "").await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn connection_is_idle_when_a_held_stream_has_waited_for_its_server_in_vain() {
    let (http2, mut stream, _server) = without_end(binary()).await;
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    let idle = tokio::time::timeout(Duration::from_secs(3600), http2.wait_idle());
    assert!(idle.await.is_ok(), "not within an hour");
}
