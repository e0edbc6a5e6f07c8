//! What the Autobahn test suite talks to: an echo over the stream. `tests/autobahn/run` builds and runs it.
//!
//! As a server it prints its port and serves until it is killed; as a client it is given the suite's.
//!
//! A byte stream has one type, and no messages. So the first octet of a connection chooses the type, and a tap on
//! the transport notes where messages end, so that the echo can cut its writes there: the suite wants messages back.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use fastwebsockets::{FragmentCollector, OpCode, WebSocket, handshake, upgrade};
use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server"] => serve().await,
        ["client", address] => visit(address).await,
        _ => Err("usage: server | client ADDRESS".into()),
    }
}

async fn serve() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (io, _) = listener.accept().await?;
        io.set_nodelay(true)?;
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(io), service_fn(accept))
            .with_upgrades();
        tokio::spawn(connection);
    }
}

async fn accept(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Error> {
    let (response, websocket) = upgrade::upgrade(&mut request)?;
    tokio::spawn(async move {
        if let Ok(websocket) = websocket.await {
            let _ = echo(websocket.into_inner(), Role::Server).await;
        }
    });
    Ok(response)
}

async fn visit(address: &str) -> Result<(), Error> {
    let mut websocket = FragmentCollector::new(connect(address, "/getCaseCount").await?);
    let cases: u32 = match websocket.read_frame().await? {
        frame if frame.opcode == OpCode::Text => std::str::from_utf8(&frame.payload)?.parse()?,
        frame => return Err(format!("{:?}, expected the number of cases", frame.opcode).into()),
    };
    for case in 1..=cases {
        let websocket = connect(address, &format!("/runCase?case={case}&agent=client")).await?;
        let _ = echo(websocket.into_inner(), Role::Client).await;
    }
    let mut websocket = connect(address, "/updateReports?agent=client").await?;
    while websocket.read_frame().await.is_ok_and(|frame| frame.opcode != OpCode::Close) {}
    Ok(())
}

async fn connect(address: &str, path: &str) -> Result<WebSocket<TokioIo<Upgraded>>, Error> {
    let io = TcpStream::connect(address).await?;
    io.set_nodelay(true)?;
    let request = Request::get(path)
        .header(HOST, address)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "upgrade")
        .header(SEC_WEBSOCKET_KEY, handshake::generate_key())
        .header(SEC_WEBSOCKET_VERSION, "13")
        .body(Empty::<Bytes>::new())?;
    Ok(handshake::client(&TokioExecutor::new(), request, io).await?.0)
}

async fn echo(io: TokioIo<Upgraded>, role: Role) -> io::Result<()> {
    let mut tap = Tap { io, wire: Wire::default() };
    let mut first = [0];
    tap.read_exact(&mut first).await?;
    let payload_type = if first[0] & 0x0f == 0x1 { PayloadType::Text } else { PayloadType::Binary };
    let config = Config::new(payload_type).max_frame_len(None);
    let mut stream = WebSocketStream::from_transport(tap, role, first, config);

    let (mut message, mut buf) = (Vec::new(), vec![0; 64 * 1024]);
    let result = loop {
        match receive(&mut stream, &mut buf, message.len()).await {
            Ok(Some(0)) => break Ok(()),
            Ok(n) => message.extend_from_slice(&buf[..n.unwrap_or(0)]),
            Err(error) => break Err(error),
        }
        while stream.get_ref().wire.has_whole(message.len()) {
            let length = stream.get_mut().wire.messages.pop_front().unwrap_or(0);
            let rest = message.split_off(usize::try_from(length).unwrap_or(usize::MAX));
            // One write is one message. It fails once either end has closed.
            let _ = stream.write(&std::mem::replace(&mut message, rest)).await;
        }
    };
    stream.shutdown().await?;
    tokio::io::copy(stream.get_mut(), &mut tokio::io::sink()).await?;
    result
}

/// Reads into `buf`; `None` if a message of the `have` bytes that were read before has ended without another.
async fn receive(
    stream: &mut WebSocketStream<Tap>,
    buf: &mut [u8],
    have: usize,
) -> io::Result<Option<usize>> {
    poll_fn(|cx| {
        let mut buf = ReadBuf::new(buf);
        match Pin::new(&mut *stream).poll_read(cx, &mut buf) {
            Poll::Pending if stream.get_ref().wire.has_whole(have) => Poll::Ready(Ok(None)),
            polled => polled.map_ok(|()| Some(buf.filled().len())),
        }
    })
    .await
}

/// A transport that notes where messages end.
struct Tap {
    io: TokioIo<Upgraded>,
    wire: Wire,
}

#[derive(Default)]
struct Wire {
    /// The lengths of whole messages, in order.
    messages: VecDeque<u64>,
    /// Of the message under way.
    length: u64,
    head: Vec<u8>,
    /// Octets of payload to skip.
    skip: u64,
}

impl Wire {
    /// Whether the next message has ended within so many bytes.
    fn has_whole(&self, bytes: usize) -> bool {
        self.messages.front().is_some_and(|length| *length <= bytes as u64)
    }

    fn note(&mut self, mut bytes: &[u8]) {
        loop {
            let n = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            (self.skip, bytes) = (self.skip - n as u64, &bytes[n..]);
            let Some((&octet, rest)) = bytes.split_first() else { return };
            self.head.push(octet);
            bytes = rest;
            let Some(&second) = self.head.get(1) else { continue };
            let extended = match second & 0x7f {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            if self.head.len() < 2 + extended + if second & 0x80 == 0 { 0 } else { 4 } {
                continue;
            }
            self.skip = match extended {
                0 => u64::from(second & 0x7f),
                _ => self.head[2..2 + extended].iter().fold(0, |n, octet| n << 8 | u64::from(*octet)),
            };
            let first = self.head[0];
            self.head.clear();
            if first & 0x08 == 0 {
                self.length += self.skip;
                if first & 0x80 != 0 {
                    self.messages.push_back(std::mem::take(&mut self.length));
                }
            }
        }
    }
}

impl AsyncRead for Tap {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let from = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        this.wire.note(&buf.filled()[from..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
