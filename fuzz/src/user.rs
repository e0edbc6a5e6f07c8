//! A stream and the two tasks that use it: whole, or in halves.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use fastwebsockets_stream::{CloseCode, CloseFrame, OwnedReadHalf, OwnedWriteHalf, WebSocketStream};
use kit::line::Pipe;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

pub type Closing = Pin<Box<dyn Future<Output = io::Result<Option<CloseFrame>>>>>;

type Place<T> = Rc<RefCell<Option<T>>>;

/// What there is of a stream; a future that has borrowed a part of it gives it back when it is dropped.
#[derive(Default)]
pub struct User {
    whole: Place<WebSocketStream<Pipe>>,
    reader: Place<OwnedReadHalf<Pipe>>,
    writer: Place<OwnedWriteHalf<Pipe>>,
}

/// Who has been borrowed.
struct Lent<T> {
    what: Option<T>,
    home: Place<T>,
}

impl<T> Lent<T> {
    fn of(home: &Place<T>) -> Option<Self> {
        Some(Lent { what: Some(home.borrow_mut().take()?), home: home.clone() })
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        *self.home.borrow_mut() = self.what.take();
    }
}

impl User {
    pub fn new(stream: WebSocketStream<Pipe>) -> Self {
        User { whole: Rc::new(RefCell::new(Some(stream))), ..User::default() }
    }

    pub fn is_whole(&self) -> bool {
        self.whole.borrow().is_some()
    }

    pub fn can_read(&self) -> bool {
        self.is_whole() || self.reader.borrow().is_some()
    }

    pub fn can_write(&self) -> bool {
        self.is_whole() || self.writer.borrow().is_some()
    }

    pub fn has_both_halves(&self) -> bool {
        self.reader.borrow().is_some() && self.writer.borrow().is_some()
    }

    pub fn read(&self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<Vec<u8>>> {
        let mut bytes = vec![0xaa; room];
        let mut buf = ReadBuf::new(&mut bytes);
        let polled = if let Some(stream) = self.whole.borrow_mut().as_mut() {
            Pin::new(stream).poll_read(cx, &mut buf)
        } else {
            let mut half = self.reader.borrow_mut();
            Pin::new(half.as_mut().expect("there is a reader")).poll_read(cx, &mut buf)
        };
        polled.map_ok(|()| buf.filled().to_vec())
    }

    /// A look at what was read ahead, of which `most` is taken.
    pub fn look(&self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<(Vec<u8>, usize)>> {
        fn look(
            mut reader: Pin<&mut impl AsyncBufRead>,
            cx: &mut Context<'_>,
            most: usize,
        ) -> Poll<io::Result<(Vec<u8>, usize)>> {
            let polled =
                reader.as_mut().poll_fill_buf(cx).map_ok(|bytes| (bytes.to_vec(), bytes.len().min(most)));
            if let Poll::Ready(Ok((_, taken))) = &polled {
                reader.consume(*taken);
            }
            polled
        }
        if let Some(stream) = self.whole.borrow_mut().as_mut() {
            return look(Pin::new(stream), cx, most);
        }
        look(Pin::new(self.reader.borrow_mut().as_mut().expect("there is a reader")), cx, most)
    }

    /// Has whoever writes do something.
    pub fn write<T>(&self, act: impl FnOnce(Pin<&mut (dyn AsyncWrite + Unpin)>) -> T) -> T {
        if let Some(stream) = self.whole.borrow_mut().as_mut() {
            return act(Pin::new(stream));
        }
        act(Pin::new(self.writer.borrow_mut().as_mut().expect("there is a writer")))
    }

    /// `close`, of the whole or of the writing half.
    pub fn close(&self, code: u16, reason: String) -> Closing {
        if let Some(mut lent) = Lent::of(&self.whole) {
            return Box::pin(async move {
                lent.what.as_mut().expect("it was there").close(CloseCode::from(code), &reason).await
            });
        }
        let mut lent = Lent::of(&self.writer).expect("there is a writer");
        Box::pin(async move {
            lent.what.as_mut().expect("it was there").close(CloseCode::from(code), &reason).await
        })
    }

    /// As `Debug` shows the stream, or a half of it.
    pub fn show(&self) -> Option<String> {
        fn show(place: &Place<impl fmt::Debug>) -> Option<String> {
            place.borrow().as_ref().map(|stream| format!("{stream:?}"))
        }
        show(&self.whole).or_else(|| show(&self.writer)).or_else(|| show(&self.reader))
    }

    /// Taken apart and put together.
    pub fn rebuild(&self) {
        let stream = self.whole.borrow_mut().take();
        *self.whole.borrow_mut() = stream.map(|stream| WebSocketStream::from_parts(stream.into_parts()));
    }

    /// In halves, or whole again.
    pub fn split_or_unite(&self) {
        if let Some(stream) = self.whole.borrow_mut().take() {
            let (reader, writer) = stream.into_split();
            *self.reader.borrow_mut() = Some(reader);
            *self.writer.borrow_mut() = Some(writer);
        } else if self.has_both_halves() {
            let halves = (self.reader.borrow_mut().take(), self.writer.borrow_mut().take());
            let (Some(reader), Some(writer)) = halves else { return };
            *self.whole.borrow_mut() = Some(reader.reunite(writer).expect("they are of one stream"));
        }
    }

    pub fn drop_reader(&self) {
        drop(self.reader.borrow_mut().take());
    }

    pub fn drop_writer(&self, forget: bool) {
        match self.writer.borrow_mut().take() {
            Some(writer) if forget => writer.forget(),
            writer => drop(writer),
        }
    }

    pub fn drop_all(&self) {
        drop(self.whole.borrow_mut().take());
        self.drop_reader();
        self.drop_writer(false);
    }
}
