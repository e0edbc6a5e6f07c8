//! The opening handshake, both ways: any bytes in place of a request, and in place of an answer, held against hyper's reading.

use std::cell::RefCell;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use fastwebsockets_stream::{
    Client, Config, ConnectError, PayloadType, Rejection, Role, Upgrader, WebSocketStream,
};
use kit::input::Input;
use kit::line::{After, Line, Pipe};
use kit::task::Task;
use kit::{alloc, http};
use tokio::runtime::Runtime;

use crate::clock;

/// Draws a case, and checks it.
pub fn check(input: &mut Input<'_>) {
    let flags = input.byte();
    let steps = if flags & 2 == 2 { input.below(40) } else { 0 };
    let steps = input.take(steps).to_vec();
    let bytes = http::expand(input.rest());
    clock::stopped(|clock| {
        let ends = flags & 4 == 4;
        if flags & 1 == 0 {
            check_server(clock, &bytes, &steps, ends)
        } else {
            check_client(clock, &bytes, &steps, ends)
        }
    });
}

fn config() -> Config {
    Config::new(PayloadType::Binary)
}

/// Polls to the end. Time passes where nothing else happens, and it ends by the time limits at the latest.
fn run<T>(
    clock: &Runtime,
    line: &RefCell<Line>,
    mut future: Pin<Box<dyn Future<Output = T> + '_>>,
    mut idle: impl FnMut(&mut Line),
) -> T {
    let task = Task::default();
    let waker = task.waker();
    for _ in 0..100_000 {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return done;
        }
        idle(&mut line.borrow_mut());
        line.borrow_mut().wake_due();
        if !task.was_woken() {
            clock.block_on(tokio::time::advance(Duration::from_secs(1)));
        }
    }
    panic!("a handshake without end");
}

/// As much as is held at a time: a head of 64 KiB, its fields, and the answer; and what the transport keeps of the bytes.
fn most(bytes: &[u8]) -> usize {
    (1 << 20) + 8 * bytes.len()
}

fn check_server(clock: &Runtime, bytes: &[u8], steps: &[u8], ends: bool) {
    let line = Line::open();
    {
        let mut line = line.borrow_mut();
        line.arrive(bytes);
        line.steps = steps.iter().copied().collect();
        if ends {
            line.end(After::End);
        }
    }
    let upgrader = Upgrader::new(config()).subprotocols(["y", "z"]).expect("tokens");
    let (opened, peak) =
        alloc::peak(|| run(clock, &line, Box::pin(upgrader.over(Pipe(line.clone()))), |_| {}));
    assert!(peak < most(bytes), "{peak} bytes for {}", bytes.len());
    let written = line.borrow().written.clone();
    let error = match opened {
        Ok(opened) => {
            let (head, rest) = http::request(bytes).expect("hyper refuses what was taken");
            let rest = rest.expect("hyper does not find the end of what was taken");
            assert_eq!(opened.request.method, head.method);
            assert_eq!(opened.request.uri, head.uri);
            assert_eq!(opened.request.version, head.version);
            assert_eq!(opened.request.headers, head.headers);
            let end = bytes.len() - rest.len();
            assert_eq!(http::is_ambiguous(&bytes[..end]), None);
            check_accepted(&written, &head);
            line.borrow_mut().end(After::End);
            check_rest(opened.stream, &rest, Role::Server);
            return;
        }
        Err(error) => error,
    };
    assert!(!http::is_plain(bytes, "GET / HTTP/1.1", &PLAIN), "refused without a cause: {error:?}");
    match error.kind() {
        ErrorKind::InvalidData => {
            let inside = error.get_ref().and_then(|inner| inner.downcast_ref::<Rejection>());
            check_refused(&written, inside.expect("why it was refused"));
        }
        ErrorKind::UnexpectedEof => assert!(ends && written.is_empty(), "{error:?}"),
        ErrorKind::TimedOut => assert!(!ends && written.is_empty(), "{error:?}"),
        kind => panic!("{kind:?}: {error:?}"),
    }
}

/// The fields that a handshake needs.
const PLAIN: [&str; 5] = [
    "Host: a",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// A 101 with the proof of the key, and one of the subprotocols that were asked for, if any.
fn check_accepted(written: &[u8], head: &::http::request::Parts) {
    assert!(written.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n") && written.ends_with(b"\r\n\r\n"));
    let key = head.headers["sec-websocket-key"].to_str().expect("it is base64");
    assert_eq!(http::field(written, "Sec-WebSocket-Accept"), Some(http::accept(key).as_bytes()));
    assert_eq!(http::field(written, "Connection"), Some(&b"Upgrade"[..]));
    let asked = head.headers.get_all("sec-websocket-protocol").iter();
    let asked = asked.flat_map(|line| line.as_bytes().split(|octet| *octet == b',')).map(<[u8]>::trim_ascii);
    let chosen = asked.into_iter().find(|name| [&b"y"[..], b"z"].contains(name));
    assert_eq!(http::field(written, "Sec-WebSocket-Protocol"), chosen);
}

/// One answer that says why, as long as it says, after which the connection ends.
fn check_refused(written: &[u8], rejection: &Rejection) {
    let end = written.windows(4).position(|octets| octets == b"\r\n\r\n").expect("a whole head") + 4;
    let (head, body) = written.split_at(end);
    let status = rejection.status().as_u16();
    assert!((400..=505).contains(&status), "{status}");
    assert!(head.starts_with(format!("HTTP/1.1 {status} ").as_bytes()));
    let connection = http::field(head, "Connection").expect("what becomes of the connection");
    assert!(connection == b"close" || connection == b"Upgrade, close");
    let length = http::field(head, "Content-Length").and_then(|length| std::str::from_utf8(length).ok());
    let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
    assert!(body.len() == length, "{} octets, announced are {length}", body.len());
    let lines = head.split(|octet| *octet == b'\n');
    assert!(lines.filter(|line| !line.is_empty()).all(|line| line.ends_with(b"\r")), "a bare LF");
}

/// What is behind a head is what a stream reads first.
fn check_rest(mut stream: WebSocketStream<Pipe>, rest: &[u8], role: Role) {
    let line = Line::open();
    line.borrow_mut().end(After::End);
    let mut other = WebSocketStream::from_transport(Pipe(line), role, rest, config());
    let (ours, theirs) = (read_all(&mut stream), read_all(&mut other));
    assert_eq!(ours, theirs, "what follows the head is read in another way");
}

fn read_all(stream: &mut WebSocketStream<Pipe>) -> (Vec<u8>, Option<ErrorKind>) {
    let (task, mut payload) = (Task::default(), Vec::new());
    for _ in 0..1_000_000 {
        match task.read(stream, 5000) {
            Poll::Ready(Ok(bytes)) if bytes.is_empty() => return (payload, None),
            Poll::Ready(Ok(bytes)) => payload.extend(bytes),
            Poll::Ready(Err(error)) => return (payload, Some(error.kind())),
            Poll::Pending => stream.get_ref().0.borrow_mut().wake_due(),
        }
    }
    panic!("reads without end");
}

fn check_client(clock: &Runtime, template: &[u8], steps: &[u8], ends: bool) {
    let line: Rc<RefCell<Line>> = Line::open();
    let client = Client::new(config()).subprotocols(["x", "y"]);
    // The answer: with the proof of the key that was sent, in place of each `$`.
    let mut bytes: Option<Vec<u8>> = None;
    let answer = |line: &mut Line| {
        if bytes.is_some() || !line.written.ends_with(b"\r\n\r\n") {
            return;
        }
        let accept = proof(&line.written);
        let mut text = Vec::with_capacity(template.len() + 28);
        for octet in template {
            match octet {
                b'$' => text.extend(accept.as_bytes()),
                octet => text.push(*octet),
            }
        }
        line.steps = steps.iter().copied().collect();
        line.arrive(&text);
        if ends {
            line.end(After::End);
        }
        bytes = Some(text);
    };
    let (result, peak) =
        alloc::peak(|| run(clock, &line, Box::pin(client.over(Pipe(line.clone()), "ws://a/")), answer));
    let bytes = bytes.unwrap_or_default();
    assert!(peak < most(&bytes), "{peak} bytes for {}", bytes.len());
    match result {
        Ok((stream, response)) => {
            let (head, rest) = http::response(&bytes).expect("hyper refuses what was taken");
            let rest = rest.expect("hyper does not find the end of what was taken");
            assert_eq!((response.status().as_u16(), head.status.as_u16()), (101, 101));
            assert_eq!(response.version(), head.version);
            assert_eq!(response.headers(), &head.headers);
            let field = |name: &str| head.headers.get(name).map(|value| value.as_bytes().trim_ascii());
            assert_eq!(field("sec-websocket-accept"), Some(proof(&line.borrow().written).as_bytes()));
            assert_eq!(field("sec-websocket-extensions"), None);
            let options = head.headers.get_all("connection").iter();
            let mut options = options.flat_map(|line| line.as_bytes().split(|octet| *octet == b','));
            assert!(options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade")));
            assert!(field("upgrade").is_some_and(|name| name.eq_ignore_ascii_case(b"websocket")));
            assert!(matches!(field("sec-websocket-protocol"), None | Some(b"x" | b"y")));
            line.borrow_mut().end(After::End);
            check_rest(stream, &rest, Role::Client);
        }
        Err(ConnectError::Rejected { response, .. }) => {
            assert!(response.body().len() <= 1024, "an excerpt of {} bytes", response.body().len());
            assert_ne!(response.status().as_u16(), 101);
            if let Some((head, _)) = http::response(&bytes) {
                assert_eq!(response.status(), head.status);
                assert_eq!(response.headers(), &head.headers);
            }
        }
        Err(error) => {
            let accept = format!("Sec-WebSocket-Accept: {}", proof(&line.borrow().written));
            let fields = ["Upgrade: websocket", "Connection: Upgrade", &accept];
            let is_plain = http::is_plain(&bytes, "HTTP/1.1 101 Switching Protocols", &fields);
            assert!(!is_plain, "refused without a cause: {error} {error:?}");
        }
    }
}

/// Section 4.2.2, item 5.4: what answers the key of a request.
fn proof(request: &[u8]) -> String {
    let key = http::field(request, "Sec-WebSocket-Key").expect("a key");
    http::accept(std::str::from_utf8(key).expect("it is base64"))
}
