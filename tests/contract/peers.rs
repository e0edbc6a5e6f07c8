//! Real sockets, real handshakes and other implementations: PROMISES 1.2, 1.5, 2.4, 2.5, 3.1, 3.3, 4.2, 5.2, 5.3; pitfalls
//! C7, C13, C22, C31, C32.

use std::io::ErrorKind;

use fastwebsockets::handshake::generate_key;
use fastwebsockets::upgrade::upgrade;
use fastwebsockets::{Frame, OpCode, Payload, WebSocket, WebSocketError};
use fastwebsockets_stream::{CloseCode, PayloadType, Role, WebSocketStream};
use futures_util::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, protocol};

use crate::support::net::{bulk, tcp, within};
use crate::support::{ROLES, binary, name, pattern, wire};

type Io = TokioIo<Upgraded>;
type Ours = WebSocketStream<Io>;

/// The server's end, by hyper and fastwebsockets.
async fn accept(tcp: TcpStream) -> WebSocket<Io> {
    let (sender, receiver) = oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        let (response, future) = upgrade(&mut request).unwrap();
        let sender = sender.lock().unwrap().take().unwrap();
        tokio::spawn(async move { sender.send(future.await).ok() });
        async { Ok::<_, WebSocketError>(response) }
    });
    let http = hyper::server::conn::http1::Builder::new();
    tokio::spawn(http.serve_connection(TokioIo::new(tcp), service).with_upgrades());
    receiver.await.unwrap().unwrap()
}

fn request() -> Request<Empty<Bytes>> {
    let request = Request::builder().method("GET").uri("http://localhost/").header("Host", "localhost");
    let request = request.header(UPGRADE, "websocket").header(CONNECTION, "upgrade");
    let request = request.header("Sec-WebSocket-Key", generate_key()).header("Sec-WebSocket-Version", "13");
    request.body(Empty::new()).unwrap()
}

/// The client's end, by hyper and fastwebsockets.
async fn connect(tcp: TcpStream) -> WebSocket<Io> {
    fastwebsockets::handshake::client(&TokioExecutor::new(), request(), tcp).await.unwrap().0
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Other {
    Ours,
    Fastwebsockets,
    Tungstenite,
}

const OTHERS: [Other; 3] = [Other::Ours, Other::Fastwebsockets, Other::Tungstenite];

enum Peer {
    Ours(Box<Ours>),
    Fastwebsockets(WebSocket<Io>),
    Tungstenite(Box<tokio_tungstenite::WebSocketStream<TcpStream>>),
}

/// A stream of ours, in this role, and its peer.
async fn meet(role: Role, other: Other) -> (Ours, Peer) {
    let (client, server) = tcp().await;
    let (near, far) = if role == Role::Client { (client, server) } else { (server, client) };
    let near = async {
        let websocket = if role == Role::Client { connect(near).await } else { accept(near).await };
        WebSocketStream::new(websocket, PayloadType::Binary)
    };
    let far = async {
        if other == Other::Tungstenite {
            return Peer::Tungstenite(Box::new(if role == Role::Client {
                tokio_tungstenite::accept_async(far).await.unwrap()
            } else {
                tokio_tungstenite::client_async("ws://localhost/", far).await.unwrap().0
            }));
        }
        let websocket = if role == Role::Client { accept(far).await } else { connect(far).await };
        if other == Other::Ours {
            return Peer::Ours(Box::new(WebSocketStream::new(websocket, PayloadType::Binary)));
        }
        Peer::Fastwebsockets(websocket)
    };
    within(async { tokio::join!(near, far) }).await
}

impl Peer {
    /// Sends the bytes in pieces, and at the same time receives as many as it is told.
    async fn exchange(self, sent: &[u8], expected: usize) -> Vec<u8> {
        let (pieces, mut received) = (sent.chunks(60_000), Vec::new());
        match self {
            Peer::Ours(stream) => {
                let (mut reader, mut writer) = split(stream);
                let mut bytes = vec![0; expected];
                let write = async {
                    writer.write_all(sent).await?;
                    // What the socket has not taken at once, the drop would not send.
                    writer.flush().await
                };
                let (read, write) = tokio::join!(reader.read_exact(&mut bytes), write);
                read.and(write.map(|()| 0)).unwrap();
                received = bytes;
            }
            Peer::Fastwebsockets(websocket) => {
                let (mut reader, mut writer) = websocket.split(split);
                let send = async {
                    for piece in pieces {
                        writer.write_frame(Frame::binary(Payload::Borrowed(piece))).await.unwrap();
                    }
                };
                let receive = async {
                    while received.len() < expected {
                        let mut ignore = |_: Frame<'_>| async { Ok::<_, WebSocketError>(()) };
                        received.extend_from_slice(&reader.read_frame(&mut ignore).await.unwrap().payload);
                    }
                };
                tokio::join!(send, receive);
            }
            Peer::Tungstenite(websocket) => {
                let (mut sink, mut source) = websocket.split();
                let send = async {
                    for piece in pieces {
                        sink.send(Message::binary(piece.to_vec())).await.unwrap();
                    }
                };
                let receive = async {
                    while received.len() < expected {
                        received.extend_from_slice(&source.next().await.unwrap().unwrap().into_data());
                    }
                };
                tokio::join!(send, receive);
            }
        }
        received
    }

    /// Answers each message with itself, until the Close comes or its own is answered; returns what it said.
    async fn echo_to_the_close(mut self, own: Option<(u16, &'static str)>) -> Option<(u16, String)> {
        match &mut self {
            Peer::Ours(stream) => {
                if let Some((code, reason)) = own {
                    return said(stream.close(CloseCode::from(code), reason).await.unwrap().as_ref());
                }
                let mut buffer = [0; 1000];
                loop {
                    let n = stream.read(&mut buffer).await.unwrap();
                    if n == 0 {
                        return said(stream.peer_close());
                    }
                    assert_eq!(stream.write(&buffer[..n]).await.unwrap(), n);
                }
            }
            Peer::Fastwebsockets(websocket) => {
                if let Some((code, reason)) = own {
                    websocket.write_frame(Frame::close(code, reason.as_bytes())).await.unwrap();
                }
                loop {
                    let frame = websocket.read_frame().await.unwrap();
                    if frame.opcode == OpCode::Close {
                        let (code, reason) = frame.payload.split_first_chunk()?;
                        return Some((u16::from_be_bytes(*code), String::from_utf8(reason.into()).unwrap()));
                    }
                    // A frame that was read keeps its key, which a server must not use.
                    let echo = Frame::new(frame.fin, frame.opcode, None, frame.payload);
                    websocket.write_frame(echo).await.unwrap();
                }
            }
            Peer::Tungstenite(websocket) => {
                if let Some((code, reason)) = own {
                    let frame = CloseFrame { code: code.into(), reason: reason.into() };
                    (**websocket).close(Some(frame)).await.unwrap();
                }
                let mut close = None;
                while let Some(message) = websocket.next().await {
                    match message.unwrap() {
                        Message::Close(frame) => {
                            close = frame.map(|frame| (frame.code.into(), frame.reason.as_str().to_owned()));
                        }
                        message => websocket.send(message).await.unwrap(),
                    }
                }
                close
            }
        }
    }
}

fn said(close: Option<&fastwebsockets_stream::CloseFrame>) -> Option<(u16, String)> {
    close.and_then(|close| Some((close.code?.into(), close.reason.clone())))
}

#[tokio::test]
async fn hello_comes_back_from_every_peer_without_a_flush() {
    for role in ROLES {
        for other in OTHERS {
            let (mut stream, peer) = meet(role, other).await;
            let echo = tokio::spawn(peer.echo_to_the_close(None));
            let mut buffer = [0; 6];
            for _ in 0..3 {
                assert_eq!(within(stream.write(b"Hello!")).await.unwrap(), 6);
                assert_eq!(within(stream.read(&mut buffer)).await.unwrap(), 6);
                assert_eq!(&buffer, b"Hello!");
            }
            within(stream.shutdown()).await.unwrap();
            assert_eq!(within(stream.read(&mut buffer)).await.unwrap(), 0);
            let close = within(echo).await.unwrap();
            assert_eq!(close, Some((1000, String::new())), "{} {other:?}", name(role));
        }
    }
}

#[tokio::test]
async fn ten_mebibytes_go_each_way_at_once() {
    for role in ROLES {
        for other in OTHERS {
            let (stream, peer) = meet(role, other).await;
            let (up, down) = (bulk(10 << 20), bulk((10 << 20) - 1));
            let received = within(async {
                tokio::join!(
                    Peer::Ours(Box::new(stream)).exchange(&up, down.len()),
                    peer.exchange(&down, up.len())
                )
            });
            assert!(received.await == (down, up), "{} {other:?}", name(role));
        }
    }
}

#[tokio::test]
async fn close_handshake_carries_code_and_reason_both_ways() {
    for role in ROLES {
        for other in OTHERS {
            let case = format!("{} {other:?}", name(role));
            // Ours first. Peers answer with the code; some repeat the reason.
            let (mut stream, peer) = meet(role, other).await;
            let peer = tokio::spawn(peer.echo_to_the_close(None));
            let answer = within(stream.close(CloseCode::AWAY, "restarting")).await.unwrap();
            assert_eq!(answer.expect("an answer").code, Some(CloseCode::AWAY), "{case}");
            assert_eq!(within(peer).await.unwrap(), Some((1001, "restarting".to_owned())), "{case}");
            // The peer's first.
            let (mut stream, peer) = meet(role, other).await;
            let peer = tokio::spawn(peer.echo_to_the_close(Some((4001, "enough"))));
            let aborted = within(stream.read(&mut [0; 8])).await.unwrap_err();
            assert_eq!(aborted.kind(), ErrorKind::ConnectionAborted, "{case}");
            assert!(aborted.to_string().contains("4001 (private use): enough"), "{case}: {aborted}");
            assert_eq!(said(stream.peer_close()), Some((4001, "enough".to_owned())), "{case}");
            assert_eq!(within(stream.write(b"late")).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
            within(stream.shutdown()).await.unwrap();
            drop(stream);
            assert_eq!(within(peer).await.unwrap(), Some((4001, String::new())), "{case}");
        }
    }
}

#[tokio::test]
async fn pings_of_tungstenite_are_answered_while_the_application_is_parked_in_one_read() {
    for role in ROLES {
        let (mut stream, peer) = meet(role, Other::Tungstenite).await;
        let Peer::Tungstenite(mut websocket) = peer else { unreachable!() };
        let application = tokio::spawn(async move {
            let mut buffer = [0; 8];
            assert_eq!(stream.read(&mut buffer).await.unwrap(), 4);
            assert_eq!(&buffer[..4], b"data");
        });
        for n in 0..5 {
            let payload = pattern(n * 31);
            websocket.send(Message::Ping(payload.clone().into())).await.unwrap();
            assert_eq!(within(websocket.next()).await.unwrap().unwrap(), Message::Pong(payload.into()));
        }
        websocket.send(Message::binary(&b"data"[..])).await.unwrap();
        within(application).await.unwrap();
    }
}

#[tokio::test]
async fn one_large_write_passes_a_peer_that_takes_frames_of_a_mebibyte() {
    for (role, len) in [(Role::Server, 100 << 20), (Role::Client, 12 << 20)] {
        let (near, far) = tcp().await;
        let mut stream = WebSocketStream::from_transport(near, role, [], binary());
        let limits = WebSocketConfig::default().max_frame_size(Some(1 << 20));
        let theirs = if role == Role::Client { protocol::Role::Server } else { protocol::Role::Client };
        let mut peer = tokio_tungstenite::WebSocketStream::from_raw_socket(far, theirs, Some(limits)).await;
        let bytes = bulk(1 << 20);
        let sent = bytes.repeat(len >> 20);
        let write = async {
            stream.write_all(&sent).await.unwrap();
            stream.shutdown().await.unwrap();
            assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
        };
        let read = async {
            let mut received = 0;
            while let Some(message) = peer.next().await {
                let data = message.unwrap().into_data();
                if data.len() > 2 {
                    assert!(sent[received..received + data.len()] == data);
                    received += data.len();
                }
            }
            assert_eq!(received, len, "{}", name(role));
        };
        within(async { tokio::join!(write, read) }).await;
    }
}

#[tokio::test]
async fn frames_in_one_segment_with_the_response_reach_the_client() {
    let frames = [
        wire::data(Role::Client, b"first"),
        wire::ping(Role::Client, b"ping"),
        wire::data(Role::Client, &pattern(300)),
    ]
    .concat();
    for (takes_one, cut) in [(false, frames.len()), (true, frames.len()), (false, 1), (true, 17), (true, 40)]
    {
        let (client, mut server) = tcp().await;
        let serve = async {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                server.read_buf(&mut request).await.unwrap();
            }
            let request = String::from_utf8(request).unwrap();
            let key = request.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
            let response = format!(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-accept: {}\r\n\r\n",
                derive_accept_key(key.as_bytes()),
            );
            server.write_all(&[response.as_bytes(), &frames[..cut]].concat()).await.unwrap();
            server
        };
        let (mut websocket, mut server) = within(async { tokio::join!(connect(client), serve) }).await;
        let mut received = Vec::new();
        if takes_one {
            received.extend_from_slice(&within(websocket.read_frame()).await.unwrap().payload);
        }
        let mut stream = WebSocketStream::new(websocket, PayloadType::Binary);
        server.write_all(&frames[cut..]).await.unwrap();
        let mut rest = vec![0; 305 - received.len()];
        within(stream.read_exact(&mut rest)).await.unwrap();
        received.extend(rest);
        assert!(received == [b"first", &pattern(300)[..]].concat(), "{takes_one} {cut}");
        let mut pong = [0; 10];
        within(server.read_exact(&mut pong)).await.unwrap();
        assert_eq!(wire::decode(&pong)[0].payload, b"ping");
    }
}

#[tokio::test]
async fn frames_in_one_segment_with_the_request_reach_the_server() {
    let frames = [wire::data(Role::Server, b"first"), wire::data(Role::Server, &pattern(300))].concat();
    for (takes_one, cut) in [(false, frames.len()), (true, frames.len()), (false, 1), (true, 15), (true, 100)]
    {
        let (mut client, server) = tcp().await;
        let request = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                       sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        client.write_all(&[request.as_bytes(), &frames[..cut]].concat()).await.unwrap();
        let mut websocket = within(accept(server)).await;
        let mut received = Vec::new();
        if takes_one {
            received.extend_from_slice(&within(websocket.read_frame()).await.unwrap().payload);
        }
        let mut stream = WebSocketStream::new(websocket, PayloadType::Binary);
        client.write_all(&frames[cut..]).await.unwrap();
        let mut rest = vec![0; 305 - received.len()];
        within(stream.read_exact(&mut rest)).await.unwrap();
        received.extend(rest);
        assert!(received == [b"first", &pattern(300)[..]].concat(), "{takes_one} {cut}");
    }
}

/// Sends RST instead of FIN when it is dropped.
#[allow(deprecated)]
fn reset(tcp: TcpStream) {
    tcp.set_linger(Some(std::time::Duration::ZERO)).unwrap();
}

#[tokio::test]
async fn ends_of_tcp_are_told_apart_by_what_came_before() {
    for role in ROLES {
        let whole = wire::data(role, b"data");
        let part = wire::from_peer(role, false, wire::BINARY, b"data");
        let cut = wire::data(role, b"data and more")[..whole.len()].to_vec();
        let close = |frame: &[u8]| [frame, &wire::close(role, Some(1000), "")].concat();
        let (eof, truncated) = (Ok(0), Err(ErrorKind::UnexpectedEof));
        let lost = Err(ErrorKind::ConnectionReset);
        let table = [
            ("Close between frames", close(&whole), eof, eof),
            ("Close inside a message", close(&part), eof, eof),
            ("no Close, between frames", whole.clone(), truncated, lost),
            ("no Close, inside a message", part.clone(), truncated, lost),
            ("no Close, inside a frame", cut, truncated, lost),
        ];
        for (what, bytes, after_fin, after_rst) in table {
            for (resets, expected, half_close) in
                [false, true].into_iter().flat_map(|on| [(false, after_fin, on), (true, after_rst, on)])
            {
                let (near, mut far) = tcp().await;
                let config = binary().half_close(half_close);
                let mut stream = WebSocketStream::from_transport(near, role, [], config);
                far.write_all(&bytes).await.unwrap();
                let mut data = [0; 4];
                within(stream.read_exact(&mut data)).await.unwrap();
                assert_eq!(&data, b"data");
                if resets {
                    reset(far)
                } else {
                    drop(far)
                }
                let case = format!("{} {what}, reset {resets}, half-close {half_close}", name(role));
                for _ in 0..3 {
                    let end = within(stream.read(&mut data)).await;
                    assert_eq!(end.map_err(|error| error.kind()), expected, "{case}");
                }
                // A peer that has closed with 1000 may still read: only TCP knows.
                if resets || expected.is_err() || !half_close {
                    let late = within(stream.write(b"late")).await.unwrap_err();
                    let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
                    assert!(kinds.contains(&late.kind()), "{case}: {late:?}");
                }
                let end = within(stream.shutdown()).await;
                assert!(end.is_ok(), "{case}: {end:?}");
            }
        }
    }
}
