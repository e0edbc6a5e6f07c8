//! Keep-alive: a Ping after a silence, and the end after a second one.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep};

use super::push::Sink;
use super::{WebSocketStream, departure};
use crate::protocol::Closing;
use crate::protocol::encoder::MAX_CONTROL_FRAME;
use crate::{Error, OpCode};

/// What the silence is waited for.
///
/// ```text
///          a read waits            interval over           the transport took the Ping
///   Heard ───────────────▶ Listening ───────────▶ Pinging ───────────────────────────▶ Left
///     ▲                                                                                 │ flushed
///     │ any byte, in any state                      TimedOut ◀─────────────── Waiting ◀─┘
///     └───────────                                           interval over
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Heard,
    Listening,
    Pinging,
    Left,
    Waiting,
    /// Both Closes are there, and the transport has yet to end.
    Lingering,
}

/// How long the end of a stream waits for the end of its transport, where that is asked for.
const LINGER: Duration = Duration::from_secs(2);

/// The state of [`Config::keep_alive`](crate::Config::keep_alive); without it, nothing but a null pointer.
#[derive(Default)]
pub(super) struct KeepAlive(Option<Box<Clock>>);

struct Clock {
    timer: Pin<Box<Sleep>>,
    phase: Phase,
}

impl KeepAlive {
    /// Bytes have come from the peer.
    #[inline]
    pub(super) fn heard(&mut self) {
        if let Some(clock) = &mut self.0 {
            clock.phase = Phase::Heard;
        }
    }

    /// All that was queued has left, or never will.
    #[inline]
    pub(super) fn left(&mut self) {
        if let Some(clock) = self.0.as_mut().filter(|clock| clock.phase == Phase::Pinging) {
            clock.phase = Phase::Left;
        }
    }

    /// A Close or an error: nothing is waited for any more.
    pub(super) fn stop(&mut self) {
        *self = KeepAlive::default();
    }

    fn phase(&self) -> Phase {
        self.0.as_ref().map_or(Phase::Heard, |clock| clock.phase)
    }

    pub(super) fn lingers(&self) -> bool {
        self.phase() == Phase::Lingering
    }

    /// Waits for as long as a stream may linger, from the first call on. `Pending`: the timer has the waker.
    pub(super) fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.lingers() && Handle::try_current().is_ok() {
            self.start(LINGER, Phase::Lingering);
        }
        // Outside of a runtime there is no waiting.
        if !self.lingers() || self.is_over(cx) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn start(&mut self, interval: Duration, phase: Phase) {
        match &mut self.0 {
            Some(clock) => {
                let now = Instant::now();
                clock.timer.as_mut().reset(now.checked_add(interval).unwrap_or(now + FAR));
                clock.phase = phase;
            }
            None if departure::is_under_way() => {}
            None => {
                self.0 = Some(Box::new(Clock { timer: Box::pin(tokio::time::sleep(interval)), phase }));
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        if let Some(clock) = &mut self.0 {
            clock.phase = phase;
        }
    }

    /// How long ago the timer was over.
    fn missed_by(&self) -> Option<Duration> {
        Some(Instant::now().saturating_duration_since(self.0.as_ref()?.timer.deadline()))
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.0.as_mut().is_some_and(|clock| clock.timer.as_mut().poll(cx).is_ready())
    }
}

/// What stands for an interval that no clock can hold.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// A read waits: says whether it has waited too long. Comes before the push, which takes the Ping along.
    pub(super) fn poll_keep_alive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // After this end's own Close the peer need not answer any more; the socket has a keep-alive of its own.
        let Some(interval) = self.config.interval().filter(|_| self.closing == Closing::Open) else {
            return Poll::Pending;
        };
        if self.keep_alive.phase() == Phase::Heard {
            self.keep_alive.start(interval, Phase::Listening);
        }
        let phase = self.keep_alive.phase();
        // A read that waits is woken in time. So far beyond it, none has waited: the silence counts anew.
        if self.keep_alive.missed_by().is_some_and(|late| late > interval) {
            self.keep_alive.start(interval, phase);
        }
        if matches!(phase, Phase::Pinging | Phase::Left) || !self.keep_alive.is_over(cx) {
            // The timer has this waker; while the Ping has not left, the transport's write side has it.
            return Poll::Pending;
        }
        if phase == Phase::Waiting {
            self.fail_read_with(Error::KeepAliveTimedOut);
            return Poll::Ready(self.end.take_error().map_or(Ok(()), Err));
        }
        self.queue_ping();
        // Where nothing can be sent any more, only the silence is left to be waited for.
        self.keep_alive.enter(if self.sink == Sink::Open { Phase::Pinging } else { Phase::Left });
        Poll::Pending
    }

    /// Comes after the push: once the Ping has left, the second interval begins.
    pub(super) fn start_keep_alive_wait(&mut self, cx: &mut Context<'_>) {
        let Some(interval) = self.config.interval() else { return };
        // What is kept by now came after the Ping, and has waited for a flush or will.
        let flushed = self.unflushed.is_nothing() || !self.output.is_empty();
        if self.keep_alive.phase() == Phase::Left && flushed {
            self.keep_alive.start(interval, Phase::Waiting);
            // Leaves the waker with the timer. If it is over by now, the next poll will see it.
            if self.keep_alive.is_over(cx) {
                self.wakers.yield_now(cx.waker());
            }
        }
    }
}

impl<S> WebSocketStream<S> {
    /// After the peer's Close no read waits. A Ping that is due leaves with whatever polls the stream, so that the path
    /// stays alive while the response takes its time.
    #[inline]
    pub(super) fn ping_while_half_closed(&mut self, cx: &mut Context<'_>) {
        if self.closing == Closing::CloseReceived
            && let Some(interval) = self.config.interval()
        {
            self.ping_if_due(cx, interval);
        }
    }

    #[cold]
    fn ping_if_due(&mut self, cx: &mut Context<'_>, interval: Duration) {
        match self.keep_alive.phase() {
            Phase::Listening => {}
            // One that has not left is enough.
            Phase::Pinging => return,
            Phase::Heard | Phase::Left | Phase::Waiting | Phase::Lingering => {
                self.keep_alive.start(interval, Phase::Listening)
            }
        }
        if self.keep_alive.is_over(cx) {
            self.queue_ping();
            self.keep_alive.enter(Phase::Pinging);
        }
    }

    fn queue_ping(&mut self) {
        if self.sink == Sink::Open {
            let mut frame = [0; MAX_CONTROL_FRAME];
            let n = self.encoder.control(OpCode::Ping, &[], &mut frame);
            self.output.push_control(&frame[..n]);
        }
    }
}
