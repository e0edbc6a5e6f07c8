//! The stream in each of its forms, and one poll of each call that a user can make.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use fastwebsockets_stream::{CloseFrame, OwnedReadHalf, OwnedWriteHalf, WebSocketStream};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};
// Its guards may be held across an await, and are only ever tried for: nobody waits.
use tokio::sync::Mutex;

use crate::transport::Link;

pub type Stream = WebSocketStream<Link>;

/// How the tasks share the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is: what one task does with both directions, or two that take turns.
    Whole,
    /// `tokio::io::split`.
    Split,
    /// `into_split`.
    Halves,
}

pub enum Ends {
    Whole(Arc<Mutex<Stream>>),
    Split(ReadHalf<Stream>, WriteHalf<Stream>),
    Halves(Option<OwnedReadHalf<Link>>, Option<Arc<Mutex<OwnedWriteHalf<Link>>>>),
}

/// What a user does. The numbers are lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Read(usize),
    /// Reads until the end, or an error.
    ReadToEnd(usize),
    /// `fill_buf`, and so much of it consumed; until the end, or an error.
    FillToEnd(usize),
    Write(usize),
    Flush,
    Shutdown,
    /// The whole closing handshake.
    Close(u16),
    /// The reading half is dropped.
    DropReader,
    DropWriter,
    ForgetWriter,
}

impl Op {
    pub fn reads(self) -> bool {
        matches!(self, Op::Read(_) | Op::ReadToEnd(_) | Op::FillToEnd(_))
    }
}

/// What a call has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Done {
    /// Payload; none at the end.
    Read(Vec<u8>),
    Wrote(Vec<u8>),
    Flushed,
    Shut,
    Closed,
    Dropped,
    Failed(ErrorKind),
}

pub type Closing = Pin<Box<dyn Future<Output = io::Result<Option<CloseFrame>>>>>;

impl Ends {
    pub fn new(stream: Stream, form: Form) -> Self {
        match form {
            Form::Whole => Ends::Whole(Arc::new(Mutex::new(stream))),
            Form::Split => {
                let (reader, writer) = tokio::io::split(stream);
                Ends::Split(reader, writer)
            }
            Form::Halves => {
                let (reader, writer) = stream.into_split();
                Ends::Halves(Some(reader), Some(Arc::new(Mutex::new(writer))))
            }
        }
    }

    /// Somebody has borrowed the whole stream for its `close`.
    pub fn is_lent(&self) -> bool {
        matches!(self, Ends::Whole(stream) if stream.try_lock().is_err())
    }

    fn with_reader<T>(&mut self, read: impl FnOnce(Pin<&mut (dyn AsyncRead + Unpin)>) -> T) -> T {
        match self {
            Ends::Whole(stream) => read(Pin::new(&mut *stream.try_lock().expect("nobody closes"))),
            Ends::Split(reader, _) => read(Pin::new(reader)),
            Ends::Halves(reader, _) => read(Pin::new(reader.as_mut().expect("the reading half"))),
        }
    }

    fn with_buffered<T>(&mut self, read: impl FnOnce(Pin<&mut (dyn AsyncBufRead + Unpin)>) -> T) -> T {
        match self {
            Ends::Whole(stream) => read(Pin::new(&mut *stream.try_lock().expect("nobody closes"))),
            Ends::Split(..) => unreachable!("tokio's halves have no buffer"),
            Ends::Halves(reader, _) => read(Pin::new(reader.as_mut().expect("the reading half"))),
        }
    }

    fn with_writer<T>(&mut self, write: impl FnOnce(Pin<&mut (dyn AsyncWrite + Unpin)>) -> T) -> T {
        match self {
            Ends::Whole(stream) => write(Pin::new(&mut *stream.try_lock().expect("nobody closes"))),
            Ends::Split(_, writer) => write(Pin::new(writer)),
            Ends::Halves(_, writer) => {
                let writer = writer.as_ref().expect("the writing half");
                write(Pin::new(&mut *writer.try_lock().expect("nobody closes")))
            }
        }
    }

    /// `close` as a future of its own, which has the stream or the half until it is over.
    pub fn closing(&self, code: u16) -> Closing {
        match self {
            Ends::Whole(stream) => {
                let mut stream = stream.clone().try_lock_owned().expect("nobody closes");
                Box::pin(async move { stream.close(code, "").await })
            }
            Ends::Halves(_, Some(writer)) => {
                let mut writer = writer.clone().try_lock_owned().expect("nobody closes");
                Box::pin(async move { writer.close(code, "").await })
            }
            _ => unreachable!("only a stream and a writing half can be closed"),
        }
    }

    /// One poll of anything but `close`. A write offers `bytes`.
    pub fn poll(&mut self, op: Op, bytes: &[u8], cx: &mut Context<'_>) -> Poll<Done> {
        let result = match op {
            Op::Read(room) | Op::ReadToEnd(room) => ready!(self.poll_read(room, cx)).map(Done::Read),
            Op::FillToEnd(most) => ready!(self.poll_fill(most, cx)).map(Done::Read),
            Op::Write(_) => ready!(self.with_writer(|writer| writer.poll_write(cx, bytes)))
                .map(|n| Done::Wrote(bytes[..n].to_vec())),
            Op::Flush => ready!(self.with_writer(|writer| writer.poll_flush(cx))).map(|()| Done::Flushed),
            Op::Shutdown => ready!(self.with_writer(|writer| writer.poll_shutdown(cx))).map(|()| Done::Shut),
            Op::Close(_) => unreachable!("it is a future of its own"),
            Op::DropReader | Op::DropWriter | Op::ForgetWriter => {
                self.leave(op);
                Ok(Done::Dropped)
            }
        };
        Poll::Ready(result.unwrap_or_else(|error| Done::Failed(error.kind())))
    }

    fn poll_read(&mut self, room: usize, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        let mut buffer = vec![0; room];
        let mut buf = ReadBuf::new(&mut buffer);
        ready!(self.with_reader(|reader| reader.poll_read(cx, &mut buf)))?;
        Poll::Ready(Ok(buf.filled().to_vec()))
    }

    fn poll_fill(&mut self, most: usize, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        self.with_buffered(|mut reader| {
            let seen = ready!(reader.as_mut().poll_fill_buf(cx))?;
            let taken = seen[..seen.len().min(most)].to_vec();
            reader.consume(taken.len());
            Poll::Ready(Ok(taken))
        })
    }

    fn leave(&mut self, op: Op) {
        let Ends::Halves(reader, writer) = self else { unreachable!("only halves are dropped one by one") };
        match op {
            Op::DropReader => drop(reader.take()),
            _ => {
                let writer = writer.take().and_then(Arc::into_inner).expect("the writing half").into_inner();
                if op == Op::ForgetWriter { writer.forget() } else { drop(writer) }
            }
        }
    }
}
