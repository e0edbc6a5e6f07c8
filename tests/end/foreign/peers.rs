//! tungstenite and fastwebsockets.

use std::io;

use fastwebsockets::{Frame, OpCode, Payload, WebSocket, WebSocketError, WebSocketRead, WebSocketWrite};
use fastwebsockets_stream::Role;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{self, CloseFrame};
use tokio_tungstenite::tungstenite::{Error, Message};

#[derive(Clone, Copy, Debug)]
pub enum Library {
    Tungstenite,
    Fastwebsockets,
}

/// Two halves, so that it can send and receive at once.
pub struct Peer {
    sender: Sender,
    receiver: Receiver,
}

enum Sender {
    Tungstenite(SplitSink<WebSocketStream<TcpStream>, Message>),
    Fastwebsockets(WebSocketWrite<WriteHalf<TcpStream>>),
}

enum Receiver {
    Tungstenite(SplitStream<WebSocketStream<TcpStream>>),
    Fastwebsockets(WebSocketRead<ReadHalf<TcpStream>>),
}

/// What comes in.
enum Event {
    Data(Vec<u8>),
    Close(Option<u16>),
    /// The transport's end, after the Close.
    End,
}

impl Peer {
    pub async fn new(library: Library, io: TcpStream, role: Role) -> Self {
        match library {
            Library::Tungstenite => {
                let role = match role {
                    Role::Client => protocol::Role::Client,
                    Role::Server => protocol::Role::Server,
                };
                let (sink, source) = WebSocketStream::from_raw_socket(io, role, None).await.split();
                Peer { sender: Sender::Tungstenite(sink), receiver: Receiver::Tungstenite(source) }
            }
            Library::Fastwebsockets => {
                let (mut reader, writer) = WebSocket::after_handshake(io, role.into()).split(split);
                reader.set_auto_close(false);
                Peer { sender: Sender::Fastwebsockets(writer), receiver: Receiver::Fastwebsockets(reader) }
            }
        }
    }

    /// Sends, closes, and meanwhile reads to the end: what came, and with which code it was closed.
    pub async fn exchange(mut self, bytes: &[u8], code: Option<u16>) -> io::Result<(Vec<u8>, Option<u16>)> {
        let send = async {
            for piece in bytes.chunks(60_000) {
                self.sender.send(piece).await?;
            }
            self.sender.close(code).await
        };
        let (sent, received) = tokio::join!(send, self.receiver.read_to_end());
        sent.and(received)
    }

    /// Reads to the end, and answers the Close.
    pub async fn drain(mut self) -> io::Result<(Vec<u8>, Option<u16>)> {
        let mut received = Vec::new();
        loop {
            match self.receiver.next().await? {
                Event::Data(bytes) => received.extend(bytes),
                Event::Close(code) => {
                    self.sender.answer(code).await?;
                    return Ok((received, code));
                }
                Event::End => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    /// Sends back each message, and answers the Close: how much there was.
    pub async fn echo(mut self) -> io::Result<(usize, Option<u16>)> {
        let mut count = 0;
        loop {
            match self.receiver.next().await? {
                Event::Data(bytes) => {
                    count += bytes.len();
                    self.sender.send(&bytes).await?;
                }
                Event::Close(code) => {
                    self.sender.answer(code).await?;
                    return Ok((count, code));
                }
                Event::End => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    /// Reads more than this, closes, and reads on until the answer: its code.
    pub async fn leave(mut self, size: usize, code: Option<u16>) -> io::Result<Option<u16>> {
        self.receiver.read_more_than(size).await?;
        self.sender.close(code).await?;
        Ok(self.receiver.read_to_end().await?.1)
    }

    /// Reads more than this, and is gone.
    pub async fn go(mut self, size: usize) -> io::Result<()> {
        self.receiver.read_more_than(size).await
    }
}

impl Sender {
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Sender::Tungstenite(sink) => sink.send(Message::binary(bytes.to_vec())).await.map_err(other),
            Sender::Fastwebsockets(writer) => {
                writer.write_frame(Frame::binary(Payload::Borrowed(bytes))).await.map_err(other)
            }
        }
    }

    async fn close(&mut self, code: Option<u16>) -> io::Result<()> {
        match self {
            Sender::Tungstenite(sink) => {
                let frame = code.map(|code| CloseFrame { code: code.into(), reason: "".into() });
                sink.send(Message::Close(frame)).await.map_err(other)
            }
            Sender::Fastwebsockets(writer) => {
                let body = code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec());
                writer.write_frame(Frame::close_raw(body.into())).await.map_err(other)
            }
        }
    }

    /// tungstenite has done it by itself, and wants to be flushed.
    async fn answer(&mut self, code: Option<u16>) -> io::Result<()> {
        match self {
            Sender::Tungstenite(sink) => match sink.flush().await {
                Ok(()) | Err(Error::ConnectionClosed) => Ok(()),
                Err(error) => Err(other(error)),
            },
            Sender::Fastwebsockets(_) => self.close(code).await,
        }
    }
}

impl Receiver {
    async fn next(&mut self) -> io::Result<Event> {
        match self {
            Receiver::Tungstenite(source) => match source.next().await.transpose().map_err(other)? {
                Some(Message::Close(frame)) => Ok(Event::Close(frame.map(|frame| frame.code.into()))),
                Some(message) => Ok(Event::Data(message.into_data().into())),
                None => Ok(Event::End),
            },
            Receiver::Fastwebsockets(reader) => {
                let mut ignore = |_: Frame<'_>| async { Ok::<_, WebSocketError>(()) };
                let frame = reader.read_frame(&mut ignore).await.map_err(other)?;
                if frame.opcode != OpCode::Close {
                    return Ok(Event::Data(frame.payload.to_vec()));
                }
                let code = frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                Ok(Event::Close(code))
            }
        }
    }

    async fn read_to_end(&mut self) -> io::Result<(Vec<u8>, Option<u16>)> {
        let mut received = Vec::new();
        loop {
            match self.next().await? {
                Event::Data(bytes) => received.extend(bytes),
                Event::Close(code) => return Ok((received, code)),
                Event::End => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    async fn read_more_than(&mut self, size: usize) -> io::Result<()> {
        let mut count = 0;
        while count <= size {
            match self.next().await? {
                Event::Data(bytes) => count += bytes.len(),
                _ => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        Ok(())
    }
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::other(error)
}
