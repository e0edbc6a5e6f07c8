//! Everybody who is measured where bytes go one way: every [`Peer`], and libraries that have frames and no byte stream,
//! in the cheapest loop there is.
//!
//! What is written is a slice of the caller's, the same for all. What is read may stay where the library has it.

use std::future::poll_fn;
use std::hint::black_box;
use std::io;
use std::ops::Deref;
use std::pin::Pin;

use bytes::Bytes;
use fastwebsockets::{Frame, Payload, WebSocket};
use fastwebsockets_stream::Role;
use futures_util::Sink as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::peers::{self, Ours, OursBuffered, Peer, Transport};

pub trait Contender {
    const NAME: &'static str;
    /// Its crate in Cargo.lock, with the start of the version where several are there.
    const PACKAGE: (&'static str, &'static str);
    /// False for what has no WebSocket in it.
    const FRAMES: bool = true;
    /// False for what hands out frames, and not bytes in the caller's buffer.
    const STREAM: bool = true;

    fn source<S: Transport>(io: S, role: Role) -> impl Source;
    fn sink<S: Transport>(io: S, role: Role) -> impl Sink;
}

pub trait Source: 'static {
    /// The next payload bytes, at least one; in `buf`, or where they lie.
    async fn read<'a>(&'a mut self, buf: &'a mut [u8]) -> io::Result<impl Deref<Target = [u8]> + 'a>;
}

pub trait Sink: 'static {
    /// Makes a frame of it.
    async fn write(&mut self, payload: &[u8]) -> io::Result<()>;
    async fn flush(&mut self) -> io::Result<()>;
}

/// Reads at least so many bytes, and returns how many it were.
pub async fn read(source: &mut impl Source, buf: &mut [u8], bytes: u64) -> io::Result<u64> {
    let mut read = 0;
    while read < bytes {
        read += black_box(&*source.read(buf).await?).len() as u64;
    }
    Ok(read)
}

/// Makes so many frames.
pub async fn write(sink: &mut impl Sink, payload: &[u8], frames: u64, flush_each: bool) -> io::Result<()> {
    for _ in 0..frames {
        sink.write(black_box(payload)).await?;
        if flush_each {
            sink.flush().await?;
        }
    }
    sink.flush().await
}

/// What somebody is, whatever the name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ours,
    /// A peer that fills the caller's buffer.
    ByteStream,
    /// A peer whose payload stays where it lies, which is less than a byte stream does.
    FrameLoop,
    /// What is left for nobody to save.
    Base,
}

impl Kind {
    pub fn of<C: Contender>() -> Self {
        match C::NAME {
            _ if !C::FRAMES => Kind::Base,
            name if name == <Ours as Peer>::NAME || name == <OursBuffered as Peer>::NAME => Kind::Ours,
            _ if C::STREAM => Kind::ByteStream,
            _ => Kind::FrameLoop,
        }
    }

    pub fn is_ours(self) -> bool {
        self == Kind::Ours
    }

    pub fn is_peer(self) -> bool {
        matches!(self, Kind::ByteStream | Kind::FrameLoop)
    }
}

pub trait Visitor {
    fn visit<C: Contender>(&mut self);
}

/// Ours first, then the transport alone, then the peers.
pub fn visit_all(visitor: &mut impl Visitor) {
    struct Through<'a, V>(&'a mut V);
    impl<V: Visitor> peers::Visitor for Through<'_, V> {
        fn visit<P: Peer>(&mut self) {
            self.0.visit::<P>();
        }
    }
    peers::visit_all(&mut Through(visitor));
    visitor.visit::<Fastwebsockets>();
    visitor.visit::<Yawc>();
}

impl<P: Peer> Contender for P {
    const NAME: &'static str = P::NAME;
    const PACKAGE: (&'static str, &'static str) = P::PACKAGE;
    const FRAMES: bool = P::FRAMES;

    fn source<S: Transport>(io: S, role: Role) -> impl Source {
        Stream(P::reader(io, role))
    }

    fn sink<S: Transport>(io: S, role: Role) -> impl Sink {
        Stream(P::writer(io, role))
    }
}

/// A byte stream.
pub struct Stream<T>(pub T);

impl<T: AsyncRead + Unpin + 'static> Source for Stream<T> {
    async fn read<'a>(&'a mut self, buf: &'a mut [u8]) -> io::Result<impl Deref<Target = [u8]> + 'a> {
        let mut into = ReadBuf::new(buf);
        poll_fn(|cx| Pin::new(&mut self.0).poll_read(cx, &mut into)).await?;
        match into.filled().len() {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => Ok(&buf[..n]),
        }
    }
}

impl<T: AsyncWrite + Unpin + 'static> Sink for Stream<T> {
    async fn write(&mut self, mut payload: &[u8]) -> io::Result<()> {
        while !payload.is_empty() {
            // Not `write_all`, whose future costs several nanoseconds.
            match poll_fn(|cx| Pin::new(&mut self.0).poll_write(cx, payload)).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => payload = &payload[n..],
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self.0).poll_flush(cx)).await
    }
}

/// `read_frame` and `write_frame` in a loop.
pub struct Fastwebsockets;

impl Contender for Fastwebsockets {
    const NAME: &'static str = "fastwebsockets";
    const PACKAGE: (&'static str, &'static str) = ("fastwebsockets", "");
    const STREAM: bool = false;

    fn source<S: Transport>(io: S, role: Role) -> impl Source {
        BareFrames::new(io, role)
    }

    fn sink<S: Transport>(io: S, role: Role) -> impl Sink {
        BareFrames::new(io, role)
    }
}

struct BareFrames<S> {
    websocket: WebSocket<S>,
    role: Role,
    /// Masking is in place: a client's payload comes here first, which is cheaper than the allocation otherwise.
    scratch: Vec<u8>,
}

impl<S: Transport> BareFrames<S> {
    fn new(io: S, role: Role) -> Self {
        let mut websocket = WebSocket::after_handshake(io, role.into());
        websocket.set_max_message_size(usize::MAX);
        BareFrames { websocket, role, scratch: Vec::new() }
    }
}

impl<S: Transport> Source for BareFrames<S> {
    async fn read<'a>(&'a mut self, _: &'a mut [u8]) -> io::Result<impl Deref<Target = [u8]> + 'a> {
        self.websocket.read_frame().await.map(|frame| frame.payload).map_err(io::Error::other)
    }
}

impl<S: Transport> Sink for BareFrames<S> {
    async fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        let payload = match self.role {
            Role::Server => Payload::Borrowed(payload),
            Role::Client => {
                self.scratch.clear();
                self.scratch.extend_from_slice(payload);
                Payload::BorrowedMut(&mut self.scratch)
            }
        };
        self.websocket.write_frame(Frame::binary(payload)).await.map_err(io::Error::other)
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.websocket.flush().await.map_err(io::Error::other)
    }
}

/// Its `Streaming`, the layer without reassembly, with buffers as large as ours.
pub struct Yawc;

impl Yawc {
    fn frames<S: Transport>(io: S, role: Role) -> YawcFrames<S> {
        let options = yawc::Options::default()
            .without_compression()
            .with_limits(usize::MAX, usize::MAX)
            .with_read_buffer_capacity(64 * 1024)
            .with_write_buffer_capacity(64 * 1024)
            .with_backpressure_boundary(64 * 1024);
        let role = match role {
            Role::Client => yawc::Role::Client,
            Role::Server => yawc::Role::Server,
        };
        let websocket = yawc::WebSocket::from_stream(io, role, options).expect("there are no extensions");
        YawcFrames(websocket.into_streaming())
    }
}

impl Contender for Yawc {
    const NAME: &'static str = "yawc";
    const PACKAGE: (&'static str, &'static str) = ("yawc", "");
    const STREAM: bool = false;

    fn source<S: Transport>(io: S, role: Role) -> impl Source {
        Self::frames(io, role)
    }

    fn sink<S: Transport>(io: S, role: Role) -> impl Sink {
        Self::frames(io, role)
    }
}

struct YawcFrames<S>(yawc::streaming::Streaming<S>);

impl<S: Transport> Source for YawcFrames<S> {
    async fn read<'a>(&'a mut self, _: &'a mut [u8]) -> io::Result<impl Deref<Target = [u8]> + 'a> {
        self.0.next_frame().await.map(yawc::Frame::into_payload).map_err(io::Error::other)
    }
}

impl<S: Transport> Sink for YawcFrames<S> {
    async fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut to = Pin::new(&mut self.0);
        poll_fn(|cx| to.as_mut().poll_ready(cx)).await.map_err(io::Error::other)?;
        to.start_send(yawc::Frame::binary(Bytes::copy_from_slice(payload))).map_err(io::Error::other)
    }

    async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self.0).poll_flush(cx)).await.map_err(io::Error::other)
    }
}
