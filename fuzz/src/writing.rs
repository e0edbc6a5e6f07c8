//! One stream that writes: what is on the wire, as the oracle and as a second stream read it.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
use kit::input::{self, Input};
use kit::line::{After, Line, Pipe};
use kit::oracle::{Mask, Oracle};
use kit::task::Task;
use kit::utf8::Utf8;
use tokio::io::AsyncWrite;

/// The stream, and what it has accepted.
struct Writer {
    stream: WebSocketStream<Pipe>,
    line: Rc<RefCell<Line>>,
    task: Task,
    is_text: bool,
    /// The most that a frame carries.
    most: usize,
    accepted: Vec<u8>,
    /// What each frame must carry.
    frames: Vec<Vec<u8>>,
    /// Text that waits for the rest of its code point.
    tail: Vec<u8>,
    serial: usize,
    /// So many bytes more are offered.
    budget: usize,
}

/// Draws a run, and checks it.
pub fn check(input: &mut Input<'_>) {
    let flags = input.byte();
    let flag = |bit: u8| flags >> bit & 1 == 1;
    let (is_server, is_text) = (flag(0), flag(1));
    let limit = flag(2).then(|| 1 + input.below(300));
    let buffer = if flag(3) { 1 + input.below(900) } else { 0 };
    let config = Config::new(if is_text { PayloadType::Text } else { PayloadType::Binary })
        .max_frame_len(limit)
        .write_buffer(buffer);
    let line = Line::open();
    line.borrow_mut().vectored = flag(4);
    let role = if is_server { Role::Server } else { Role::Client };
    let mut writer = Writer {
        stream: WebSocketStream::from_transport(Pipe(line.clone()), role, [], config.clone()),
        line,
        task: Task::default(),
        is_text,
        most: limit.unwrap_or(usize::MAX).max(if is_text { 4 } else { 1 }),
        accepted: Vec::new(),
        frames: Vec::new(),
        tail: Vec::new(),
        serial: 0,
        budget: 600_000,
    };
    // Ends with the input, and at the latest after so many.
    for _ in 0..200 {
        if input.is_over() {
            break;
        }
        writer.act(input);
    }
    writer.finish();
    let wire = writer.line.borrow().written.clone();
    writer.check_wire(&wire, is_server);
    writer.check_round_trip(wire, is_server, config);
}

impl Writer {
    fn act(&mut self, input: &mut Input<'_>) {
        match input.byte() {
            kind @ 0..=129 => {
                let slices = if kind % 3 == 0 { input.below(70) } else { 1 };
                let lengths = (0..slices).map(|_| {
                    let length = input.length().min(self.budget);
                    self.budget -= length;
                    length
                });
                let lengths: Vec<usize> = lengths.collect();
                self.write(&lengths, kind % 3 == 0);
            }
            130..=169 => self.flush(),
            170..=179 => self.write_invalid(input),
            180..=199 => {
                let n = input.below(40);
                self.line.borrow_mut().steps.extend(input.take(n));
            }
            200..=229 => self.line.borrow_mut().window = input.length(),
            _ => self.open(),
        }
    }

    fn open(&mut self) {
        let mut line = self.line.borrow_mut();
        line.window = usize::MAX;
        line.wake_writer();
    }

    /// Bytes that go on where the last ones ended.
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        self.serial += 1;
        if !self.is_text {
            return input::pattern(self.serial, len);
        }
        input::text_behind(&self.tail, self.serial, len)
    }

    fn write(&mut self, lengths: &[usize], vectored: bool) {
        let bytes = self.bytes(lengths.iter().sum());
        let slices = input::slices(&bytes, lengths);
        let before = self.line.borrow().written.len();
        let stream = Pin::new(&mut self.stream);
        let polled = self.task.run(|cx| match vectored {
            true => stream.poll_write_vectored(cx, &slices),
            false => stream.poll_write(cx, &bytes),
        });
        match polled {
            // Nothing of it is kept: the next write offers something else.
            Poll::Pending => self.check_nothing_of(before),
            Poll::Ready(Ok(n)) => {
                let most = if self.is_text { self.most - self.tail.len() } else { self.most };
                assert_eq!(n, bytes.len().min(most), "a write takes all, up to the limit");
                self.accept(&bytes[..n]);
            }
            Poll::Ready(Err(error)) => panic!("{error:?}, and nothing has failed"),
        }
    }

    fn accept(&mut self, bytes: &[u8]) {
        self.accepted.extend(bytes);
        if !self.is_text {
            self.frames.push(bytes.to_vec());
            return;
        }
        let mut frame = std::mem::take(&mut self.tail);
        frame.extend(bytes);
        let mut utf8 = Utf8::default();
        assert!(frame.iter().all(|octet| utf8.take(*octet)), "no text was accepted");
        self.tail = frame.split_off(frame.len() - utf8.unfinished());
        if !frame.is_empty() {
            self.frames.push(frame);
        }
    }

    /// A write that waits has sent nothing of its own: what is on the wire are frames that were accepted.
    fn check_nothing_of(&self, before: usize) {
        let line = self.line.borrow();
        assert!(line.written.len() >= before);
        let mut sent = Oracle::of_sender(Mask::Either, self.is_text);
        sent.push(&line.written);
        assert_eq!(sent.broken, None);
        assert!(self.accepted.starts_with(&sent.payload), "bytes of a write that waits are on the wire");
    }

    fn flush(&mut self) {
        let stream = Pin::new(&mut self.stream);
        if let Poll::Ready(result) = self.task.run(|cx| stream.poll_flush(cx)) {
            result.expect("nothing has failed");
            let line = self.line.borrow();
            assert_eq!(line.flushed, line.written.len());
            let mut sent = Oracle::of_sender(Mask::Either, self.is_text);
            sent.push(&line.written);
            assert_eq!(sent.data().count(), self.frames.len(), "a flush is over, and frames are missing");
        }
    }

    /// What is no text is refused whole, and the stream goes on.
    fn write_invalid(&mut self, input: &mut Input<'_>) {
        if !self.is_text {
            return;
        }
        let bytes = input.take(8);
        let mut utf8 = Utf8::default();
        if self.tail.iter().chain(bytes).all(|octet| utf8.take(*octet)) {
            return;
        }
        let stream = Pin::new(&mut self.stream);
        match self.task.run(|cx| stream.poll_write(cx, bytes)) {
            // Up to the limit it may be text: then there is nothing to say about it.
            Poll::Ready(Ok(n)) => self.accept(&bytes[..n]),
            Poll::Ready(Err(error)) => assert_eq!(error.kind(), ErrorKind::InvalidData),
            Poll::Pending => {}
        }
    }

    /// Everything opens, and the stream is shut down.
    fn finish(&mut self) {
        self.line.borrow_mut().steps.clear();
        self.open();
        let stream = Pin::new(&mut self.stream);
        match self.task.run(|cx| stream.poll_shutdown(cx)) {
            Poll::Ready(Ok(())) => assert!(self.tail.is_empty(), "a code point is lost without a word"),
            Poll::Ready(Err(error)) => {
                assert!(error.kind() == ErrorKind::InvalidData && !self.tail.is_empty(), "{error:?}");
            }
            Poll::Pending => panic!("a shutdown waits where everything is open"),
        }
    }

    /// One frame for each write, whole and masked as it must be, then one Close.
    fn check_wire(&self, wire: &[u8], is_server: bool) {
        let mut sent = Oracle::of_sender(if is_server { Mask::Never } else { Mask::Always }, self.is_text);
        sent.push(wire);
        assert_eq!(sent.broken, None);
        assert!(sent.is_between_frames(), "a frame is torn");
        assert!(sent.frames.iter().all(|frame| frame.fin), "a write is one frame");
        let data: Vec<&[u8]> = sent.data().map(|frame| &frame.payload[..]).collect();
        assert!(
            data == self.frames.iter().map(|frame| &frame[..]).collect::<Vec<_>>(),
            "other frames than writes"
        );
        assert_eq!(sent.frames.len(), data.len() + 1);
        let due = if self.tail.is_empty() { 1000 } else { 1007 };
        assert_eq!(sent.close.expect("a Close").0, Some(due));
        // Two may be the same by chance; three are not.
        let keys: Vec<_> = sent.frames.iter().filter_map(|frame| frame.key).collect();
        assert!(keys.windows(3).all(|keys| keys[0] != keys[1] || keys[1] != keys[2]), "keys repeat");
    }

    /// A second stream reads what the first has written.
    fn check_round_trip(&self, wire: Vec<u8>, is_server: bool, config: Config) {
        let line = Line::open();
        line.borrow_mut().arrive(&wire);
        line.borrow_mut().end(After::End);
        let role = if is_server { Role::Client } else { Role::Server };
        let mut reader = WebSocketStream::from_transport(Pipe(line), role, [], config);
        let (task, mut payload) = (Task::default(), Vec::new());
        let end = loop {
            match task.read(&mut reader, 5000) {
                Poll::Ready(Ok(bytes)) if bytes.is_empty() => break Ok(()),
                Poll::Ready(Ok(bytes)) => payload.extend(bytes),
                Poll::Ready(Err(error)) => break Err(error.kind()),
                // A flood of empty frames: others have their turn.
                Poll::Pending => assert!(task.was_woken(), "a read waits for what is there"),
            }
        };
        let whole = self.accepted.len() - self.tail.len();
        assert!(payload == self.accepted[..whole], "other bytes than were written");
        assert_eq!(end, if self.tail.is_empty() { Ok(()) } else { Err(ErrorKind::ConnectionAborted) });
    }
}
