//! HTTP/1.1 by hand, so that the tests send what no library would.

use std::fmt;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wire::{self, Frame};

/// The key of RFC 6455, section 1.3, and the proof that it was read.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A request of which each line can be changed.
#[derive(Clone)]
pub struct Request {
    line: String,
    fields: Vec<Vec<u8>>,
    body: Vec<u8>,
}

impl Request {
    /// The one of RFC 6455, section 1.3, with what every client may leave out left out.
    pub fn new() -> Self {
        let request = Request { line: "GET /chat HTTP/1.1".to_owned(), fields: Vec::new(), body: Vec::new() };
        request
            .with("Host: server.example.com")
            .with("Upgrade: websocket")
            .with("Connection: Upgrade")
            .with(&format!("Sec-WebSocket-Key: {KEY}"))
            .with("Sec-WebSocket-Version: 13")
    }

    pub fn line(mut self, line: &str) -> Self {
        line.clone_into(&mut self.line);
        self
    }

    pub fn with(mut self, field: &str) -> Self {
        self.fields.push(field.as_bytes().to_vec());
        self
    }

    pub fn with_bytes(mut self, field: &[u8]) -> Self {
        self.fields.push(field.to_vec());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        let name = [name.as_bytes(), b":"].concat();
        let before = self.fields.len();
        self.fields.retain(|field| !field.starts_with(&name));
        assert_ne!(self.fields.len(), before, "no such field");
        self
    }

    /// With this field in place of the one of the same name.
    pub fn instead(self, field: &str) -> Self {
        let name = field.split(':').next().unwrap();
        self.without(name).with(field)
    }

    /// Bytes right behind the request.
    pub fn then(mut self, bytes: &[u8]) -> Self {
        self.body.extend(bytes);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.line.as_bytes(), b"\r\n"].concat();
        for field in &self.fields {
            bytes.extend([field.as_slice(), b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

/// What came back.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub line: String,
    /// In order, the names in lower case.
    pub fields: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The lines of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|field| field.0 == name).map(|field| field.1.as_str()).collect()
    }

    /// The only line of a field.
    #[track_caller]
    pub fn field(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} of {self:?}");
        all[0]
    }

    /// Everything but the date, in alphabetical order.
    pub fn without_date(&self) -> Vec<(&str, &str)> {
        let fields = self.fields.iter().filter(|field| field.0 != "date");
        let mut fields: Vec<_> = fields.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.sort_unstable();
        fields
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.line, self.fields, self.body)
    }
}

/// A client that sends bytes.
pub struct Raw<S = TcpStream> {
    pub io: S,
    unread: Vec<u8>,
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Raw::new(tcp)
    }

    pub fn address(&self) -> SocketAddr {
        self.io.local_addr().unwrap()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub fn new(io: S) -> Self {
        Raw { io, unread: Vec::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
        self.io.flush().await.unwrap();
    }

    /// Sends the request, and reads the answer.
    pub async fn ask(&mut self, request: &Request) -> Answer {
        self.send(&request.bytes()).await;
        self.answer().await
    }

    pub async fn answer(&mut self) -> Answer {
        super::within(async {
            let head = loop {
                if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                    break String::from_utf8(self.take(end + 4)).unwrap();
                }
                assert!(self.more().await, "it ended within the head of the answer: {:?}", self.unread);
            };
            let mut lines = head.trim_end().split("\r\n");
            let line = lines.next().unwrap().to_owned();
            let fields = lines.map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_ascii_lowercase(), value.to_owned())
            });
            let mut answer = Answer { line, fields: fields.collect(), body: String::new() };
            if let [length] = answer.all("content-length")[..] {
                let length = length.parse().unwrap();
                while self.unread.len() < length {
                    assert!(self.more().await, "it ended within the body of the answer");
                }
                answer.body = String::from_utf8(self.take(length)).unwrap();
            }
            answer
        })
        .await
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Frame {
        super::within(async {
            loop {
                let (frames, _) = wire::decode_prefix(&self.unread);
                if let Some(frame) = frames.first() {
                    self.take(wire::header(true, frame.opcode, frame.key, frame.payload.len() as u64).len());
                    self.take(frame.payload.len());
                    return frame.clone();
                }
                assert!(self.more().await, "it ended within a frame");
            }
        })
        .await
    }

    /// What comes until the end, whichever way it ends.
    pub async fn rest(&mut self) -> Vec<u8> {
        super::within(async { while self.more().await {} }).await;
        std::mem::take(&mut self.unread)
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        let rest = self.unread.split_off(len);
        std::mem::replace(&mut self.unread, rest)
    }

    /// Whether more has come: not if the connection has ended or was reset.
    async fn more(&mut self) -> bool {
        matches!(self.io.read_buf(&mut self.unread).await, Ok(1..))
    }
}
