//! Ten thousand connections at a `Listener` that say nothing, or half of something, and stay.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fastwebsockets_stream::{Config, Listener, PayloadType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::counting::cost;

const CROWD: usize = 10_000;

/// The default of `Listener`.
const LIMIT: usize = 512;

/// What a handshake has before it may have to give way.
const GRACE: Duration = Duration::from_millis(1001);

const MARK: &str = "FASTWEBSOCKETS_STREAM_CROWD";

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The clients keep their sockets, and the server at most those of its handshakes.
#[test]
fn ten_thousand_half_open_connections_hold_no_more_than_the_limit_and_keep_nobody_out() {
    let own = "half_open::ten_thousand_half_open_connections_hold_no_more_than_the_limit_and_keep_nobody_out";
    if std::env::var_os(MARK).is_some() {
        return crowd();
    }
    // Twelve thousand descriptors are more than a process has by default.
    let script = r#"ulimit -S -n 12000 && exec "$0" "$@""#;
    let mut child = Command::new("sh");
    child.args(["-c", script]).arg(std::env::current_exe().expect("this program"));
    child.args([own, "--exact", "--nocapture"]).env(MARK, "1").stdin(Stdio::null());
    let output = child.output().expect("there is a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "there is no test {own}");
}

fn crowd() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut most = 0;
    // All tasks run in this thread, and so all that they allocate is counted. The clients' sockets are the system's.
    let (_, peak, _) = cost(|| most = runtime.block_on(come()));
    println!("{CROWD} half-open connections, at most {most} handshakes at a time, {peak} bytes of heap");
    assert_eq!(most, LIMIT, "handshakes at a time");
    assert!(peak <= LIMIT as isize * (16 << 10), "{peak} bytes");
}

/// Returns how many handshakes were under way at a time, at the most.
async fn come() -> usize {
    // Time passes only where the test says so: nothing gives way because the machine is slow.
    tokio::time::pause();
    let listener = Listener::bind("127.0.0.1:0", Config::new(PayloadType::Binary)).await.expect("a port");
    let mut listener = listener.time_limit(Duration::MAX);
    let address = listener.local_addr();
    let mut clients: Vec<TcpStream> = Vec::with_capacity(CROWD);
    let mut most = 0;
    while clients.len() < CROWD {
        // No more than any system's backlog takes.
        let more = 64.min(CROWD - clients.len());
        clients.extend((0..more).map(|at| half_open(address, at)));
        // All of these are taken, each in the place of one that came before, once there are too many.
        let gone = clients.len().saturating_sub(LIMIT);
        until(&mut listener, &mut most, |handshakes| match gone {
            0 => handshakes == clients.len(),
            _ => has_ended(&clients[gone - 1]),
        })
        .await;
    }
    // One more, which says all at once.
    let mut good = tokio::net::TcpStream::connect(address).await.expect("the backlog has room");
    good.write_all(REQUEST).await.expect("it is taken");
    tokio::time::advance(GRACE).await;
    let accepted = listener.accept().await.expect("the listener goes on");
    assert_eq!(accepted.peer_addr, good.local_addr().expect("an address"));
    let mut answer = [0; 12];
    good.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 101");
    most
}

/// Every second one has begun its request.
fn half_open(address: SocketAddr, at: usize) -> TcpStream {
    let mut tcp = TcpStream::connect(address).expect("the backlog has room");
    if at.is_multiple_of(2) {
        tcp.write_all(&REQUEST[..40]).expect("it is taken");
    }
    tcp.set_nonblocking(true).expect("a socket");
    tcp
}

fn has_ended(mut tcp: &TcpStream) -> bool {
    !matches!(tcp.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Polls the listener, a second at a time, until this is so; nobody is accepted.
async fn until(listener: &mut Listener, most: &mut usize, is_so: impl Fn(usize) -> bool) {
    let start = Instant::now();
    loop {
        let handshakes = handshakes(listener);
        *most = (*most).max(handshakes);
        if is_so(handshakes) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "nobody gives way: {listener:?}");
        tokio::select! {
            biased;
            accepted = listener.accept() => panic!("{accepted:?}"),
            () = tokio::task::yield_now() => {}
        }
        tokio::time::advance(GRACE).await;
    }
}

fn handshakes(listener: &Listener) -> usize {
    let shows = format!("{listener:?}");
    let (_, after) = shows.split_once(" handshakes: ").expect("a listener says how many there are");
    after.split(',').next().and_then(|number| number.parse().ok()).expect("a number")
}
