//! The halves' lock is free whenever code of somebody else runs that they call: wakers above all. PROMISES 1.8.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use super::*;

/// A task that looks at its half when it is woken, and remembers whether the lock was free.
struct Looks<H> {
    half: Mutex<Option<H>>,
    seen: Mutex<Vec<bool>>,
}

impl<H: std::fmt::Debug + Send + 'static> Looks<H> {
    fn new(half: H) -> Arc<Self> {
        Arc::new(Looks { half: Mutex::new(Some(half)), seen: Mutex::default() })
    }

    fn run<T>(self: &Arc<Self>, poll: impl FnOnce(&Task, &mut H) -> Poll<T>) -> Poll<T> {
        let task = Task::from(Waker::from(self.clone()));
        poll(&task, self.half.lock().unwrap().as_mut().unwrap())
    }

    fn seen(&self) -> Vec<bool> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

impl<H: std::fmt::Debug + Send + 'static> Wake for Looks<H> {
    fn wake(self: Arc<Self>) {
        let shown = format!("{:?}", self.half.lock().unwrap());
        // The stream is shown if nobody has it.
        self.seen.lock().unwrap().push(shown.contains("peer_close"));
    }
}

#[test]
fn nobody_is_woken_with_the_lock_held() {
    for role in ROLES {
        // By a write that keeps something.
        let (reader, mut writer, mock) = halves(role, binary());
        let reads = Looks::new(reader);
        assert!(reads.run(|task, half| task.read(half, 64)).is_pending());
        mock.set_room(1);
        ok(Task::default().write(&mut writer, b"data"));
        assert_eq!(reads.seen(), [true], "{}", name(role));
        // By the drop of the writing half.
        mock.set_room(usize::MAX);
        assert!(reads.run(|task, half| task.read(half, 64)).is_pending());
        reads.seen();
        drop(writer);
        assert_eq!(reads.seen(), [true], "{}", name(role));

        // By a read that has made room, by one that meets the Close, and by the drop of the reading half.
        let (mut reader, writer, mock) = halves(role, binary());
        let writes = Looks::new(writer);
        mock.set_room(1);
        ok(writes.run(|task, half| task.write(half, b"data")));
        assert!(writes.run(|task, half| task.write(half, b"data")).is_pending());
        mock.set_room(2);
        assert!(Task::default().read(&mut reader, 64).is_pending());
        assert_eq!(writes.seen(), [true], "{}", name(role));
        assert!(writes.run(|task, half| task.write(half, b"data")).is_pending());
        mock.feed(&wire::close(role, Some(1001), ""));
        assert_eq!(ok(Task::default().read(&mut reader, 64)), b"");
        assert_eq!(writes.seen(), [true], "{}", name(role));

        let (reader, writer, mock) = halves(role, binary());
        let writes = Looks::new(writer);
        mock.set_room(1);
        ok(writes.run(|task, half| task.write(half, b"data")));
        assert!(writes.run(|task, half| task.write(half, b"data")).is_pending());
        drop(reader);
        assert_eq!(writes.seen(), [true], "{}", name(role));
    }
}

/// A call that yields wakes its own task, and nobody under the lock.
#[test]
fn nobody_is_woken_with_the_lock_held_by_a_flood_while_the_writing_half_closes() {
    let patient = || binary().close_timeout(std::time::Duration::MAX);
    for role in ROLES {
        let flood = wire::ping(role, b"").repeat(100);
        let task = Task::default();
        // The reading half waits, and the closing one meets the flood.
        let (reader, mut writer, mock) = halves(role, patient());
        let reads = Looks::new(reader);
        let mut close = Box::pin(writer.close(1001, "bye"));
        assert!(task.run(|cx| close.as_mut().poll(cx)).is_pending());
        assert!(reads.run(|task, half| task.read(half, 64)).is_pending());
        reads.seen();
        mock.state().read_chunk = wire::ping(role, b"").len();
        mock.feed(&flood);
        let wakes = task.wakes();
        assert!(task.run(|cx| close.as_mut().poll(cx)).is_pending());
        assert!(task.wakes() > wakes && !mock.state().input.is_empty(), "it has yielded");
        assert!(reads.seen().iter().all(|is_free| *is_free), "{}", name(role));

        // The other way round.
        let (mut reader, writer, mock) = halves(role, patient());
        let closes = Looks::new(writer);
        let close = |task: &Task, half: &mut OwnedWriteHalf<Transport>| {
            let mut close = Box::pin(half.close(1001, "bye"));
            task.run(|cx| close.as_mut().poll(cx)).map(drop)
        };
        assert!(closes.run(close).is_pending());
        closes.seen();
        mock.state().read_chunk = wire::ping(role, b"").len();
        mock.feed(&flood);
        let wakes = task.wakes();
        assert!(task.read(&mut reader, 64).is_pending());
        assert!(task.wakes() > wakes && !mock.state().input.is_empty(), "it has yielded");
        assert!(closes.seen().iter().all(|is_free| *is_free), "{}", name(role));
    }
}

/// A task that has gone wrong: nothing but the stream's waker is left of it, and it owns the other half.
#[test]
fn half_may_be_dropped_by_the_waker_that_another_one_replaces() {
    for role in ROLES {
        let (reader, mut writer, mock) = halves(role, binary());
        let reads = Looks::new(reader);
        assert!(reads.run(|task, half| task.read(half, 64)).is_pending());
        mock.set_room(1);
        ok(Task::default().write(&mut writer, b"data"));
        let last = Looks::new(writer);
        let waker = Waker::from(last.clone());
        let mut reader = reads.half.lock().unwrap().take().unwrap();
        assert!(Task::from(waker).read(&mut reader, 64).is_pending());
        drop(last);
        // The waker is replaced, and with it goes the writing half.
        let task = Task::default();
        assert!(task.read(&mut reader, 64).is_pending());
        mock.set_room(usize::MAX);
        while {
            assert!(task.read(&mut reader, 64).is_pending());
            task.wakes() > 0
        } {}
        let frames: Vec<u8> = sent(&mock).into_iter().map(|frame| frame.0).collect();
        assert_eq!(frames, [wire::BINARY, wire::CLOSE], "{}", name(role));
    }
}

/// A transport that panics leaves the halves as it would leave the stream.
#[test]
fn halves_outlive_a_transport_that_panics() {
    struct Panics(Transport, bool);
    impl AsyncRead for Panics {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut tokio::io::ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if std::mem::take(&mut self.1) {
                std::panic::resume_unwind(Box::new(()));
            }
            std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }
    impl AsyncWrite for Panics {
        fn poll_write(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            std::pin::Pin::new(&mut self.0).poll_write(cx, buf)
        }
        fn poll_flush(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            std::pin::Pin::new(&mut self.0).poll_flush(cx)
        }
        fn poll_shutdown(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            std::pin::Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }
    for role in ROLES {
        let (mock, transport) = Mock::new();
        let stream = WebSocketStream::from_transport(Panics(transport, true), role, [], binary());
        let (mut reader, mut writer) = stream.into_split();
        let task = Task::default();
        let read = std::panic::AssertUnwindSafe(|| task.read(&mut reader, 64));
        std::panic::catch_unwind(read).unwrap_err();
        ok(task.write(&mut writer, b"data"));
        mock.feed(&wire::data(role, b"data"));
        assert_eq!(ok(task.read(&mut reader, 64)), b"data");
        ok(task.shutdown(&mut reader.reunite(writer).unwrap()));
        assert_eq!(sent(&mock), [(wire::BINARY, b"data".to_vec()), close_of(Some(1000))], "{}", name(role));
    }
}
