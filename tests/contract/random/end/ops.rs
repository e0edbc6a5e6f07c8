//! The operations, each polled once and held against the model.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use fastwebsockets_stream::Config;
#[cfg(feature = "fastwebsockets")]
use fastwebsockets_stream::WebSocketStream;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::{End, Failure, Step, Stream, close_of, ensure};
use crate::random::lane::close;

impl End {
    /// Polls the stream as this task.
    pub(super) fn with<T>(
        &self,
        lane: usize,
        poll: impl FnOnce(Pin<&mut Stream>, &mut Context<'_>) -> T,
    ) -> T {
        let waker = self.lanes[lane].waker();
        let mut home = self.home.borrow_mut();
        let stream = home.as_mut().expect("nobody has borrowed it");
        poll(Pin::new(stream), &mut Context::from_waker(&waker))
    }

    pub(super) fn show<T: std::fmt::Debug>(&self, polled: &Poll<io::Result<T>>) {
        self.log(|_| match polled {
            Poll::Pending => "  Pending".into(),
            Poll::Ready(Ok(value)) => format!("  {value:02x?}"),
            Poll::Ready(Err(error)) => format!("  {:?}: {error}", error.kind()),
        });
    }

    pub(super) fn read(&mut self, lane: usize, room: usize) -> Result<Step, Failure> {
        let mut bytes = vec![0xaa; room];
        let mut buf = ReadBuf::new(&mut bytes);
        let polled = self.with(lane, |stream, cx| stream.poll_read(cx, &mut buf));
        let polled = polled.map_ok(|()| buf.filled().to_vec());
        self.show(&polled);
        self.view(|model, view| {
            model.receive(view);
            model.after_read(Some(room), &polled, view)
        })?;
        Ok(Step::from(&polled))
    }

    pub(super) fn look(&mut self, lane: usize, most: usize) -> Result<Step, Failure> {
        let polled = self.with(lane, |stream, cx| stream.poll_fill_buf(cx).map_ok(<[u8]>::to_vec));
        self.show(&polled);
        self.view(|model, view| {
            model.receive(view);
            model.after_read(None, &polled, view)
        })?;
        if let Poll::Ready(Ok(bytes)) = &polled {
            let n = most.min(bytes.len());
            self.with(lane, |stream, _| stream.consume(n));
            self.model.consume(&bytes[..n]);
        }
        Ok(Step::from(&polled))
    }

    pub(super) fn write(&mut self, lane: usize, lengths: &[usize]) -> Result<Step, Failure> {
        let seed = self.lanes[lane].bytes;
        let bytes = self.model.make(seed, lengths.iter().sum());
        let polled = if lengths.len() == 1 {
            self.with(lane, |stream, cx| stream.poll_write(cx, &bytes))
        } else {
            let mut left = &bytes[..];
            let slices = lengths.iter().map(|len| {
                let (slice, rest) = left.split_at(*len);
                left = rest;
                io::IoSlice::new(slice)
            });
            let slices: Vec<_> = slices.collect();
            self.with(lane, |stream, cx| stream.poll_write_vectored(cx, &slices))
        };
        self.show(&polled);
        self.view(|model, view| model.after_write(seed, &bytes, &polled, view))?;
        Ok(Step::from(&polled))
    }

    pub(super) fn flush(&mut self, lane: usize) -> Result<Poll<io::Result<()>>, Failure> {
        let polled = self.with(lane, |stream, cx| stream.poll_flush(cx));
        self.show(&polled);
        self.view(|model, view| model.after_flush(&polled, view))?;
        Ok(polled)
    }

    pub(super) fn close(
        &mut self,
        lane: usize,
        code: u16,
        reason: &str,
        most: u32,
        valid: bool,
    ) -> Result<Step, Failure> {
        if valid {
            self.view(|model, view| model.begin(Some((code, reason)), view));
        }
        if self.lanes[lane].closing.is_none() {
            // It is alone with the stream: what the other task was about has been cancelled.
            for other in (0..self.lanes.len()).filter(|other| *other != lane) {
                self.lanes[other].cancel();
            }
            self.lanes[lane].closing = Some(close(&self.home, code, reason.to_owned()));
        }
        let here = &mut self.lanes[lane];
        let waker = here.waker();
        let Some(closing) = &mut here.closing else { return Ok(Step::Ready) };
        let polled = closing.as_mut().poll(&mut Context::from_waker(&waker));
        let is_last = polled.is_ready() || here.polls >= most;
        if is_last {
            here.closing = None;
            self.lanes.iter_mut().for_each(|lane| lane.runnable = true);
        }
        self.show(&polled);
        self.view(|model, view| model.receive(view));
        if let Poll::Ready(result) = polled {
            let result = result.map(|close| close.as_ref().map(close_of));
            self.view(|model, view| model.after_close(result, valid, view))?;
        }
        Ok(if is_last { Step::Ready } else { Step::Pending })
    }

    /// Replaces the stream; whoever waited for something has to ask again.
    pub(super) fn rebuild(&mut self, lane: usize, change: impl FnOnce(Stream, Config) -> Stream) {
        let stream = self.home.borrow_mut().take();
        *self.home.borrow_mut() = stream.map(|stream| change(stream, self.config.clone()));
        for (i, other) in self.lanes.iter_mut().enumerate() {
            if i != lane {
                other.runnable = true;
            }
        }
    }

    /// After a flush, without which what was written may be anywhere.
    pub(super) fn inner(&mut self, lane: usize) -> Result<Step, Failure> {
        let flushed = self.flush(lane)?;
        if !matches!(flushed, Poll::Ready(Ok(()))) {
            return Ok(Step::from(&flushed));
        }
        self.observe(false)?;
        let (was_clean, may_owe) = self.view(|model, view| (model.is_clean(view), model.may_owe(view)));
        let mut given = None;
        self.rebuild(lane, |stream, config| {
            let (stream, was_given) = through_inner(stream, config);
            given = was_given;
            stream
        });
        self.log(|_| format!("  {given:?}"));
        if given == Some(true) {
            self.model.write_waits = false;
        }
        let fits = given.is_none_or(|given| given == was_clean || (was_clean && may_owe));
        ensure("1.4 the WebSocket is given if nothing is lost", fits, || {
            format!("given {given:?}, clean {was_clean}")
        })?;
        Ok(Step::Ready)
    }
}

/// The stream, through the `WebSocket` of fastwebsockets if that is given.
#[cfg(feature = "fastwebsockets")]
fn through_inner(stream: Stream, config: Config) -> (Stream, Option<bool>) {
    match stream.try_into_inner() {
        Ok(websocket) => (WebSocketStream::with_config(websocket, config), Some(true)),
        Err(stream) => (stream, Some(false)),
    }
}

#[cfg(not(feature = "fastwebsockets"))]
fn through_inner(stream: Stream, _: Config) -> (Stream, Option<bool>) {
    (stream, None)
}
