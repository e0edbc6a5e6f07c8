//! Keep-alive: a Ping after a silence, and the end after a second one.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use fastwebsockets::OpCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

use super::WebSocketStream;
use super::push::{Sink, Unflushed};
use crate::Error;
use crate::protocol::Closing;
use crate::protocol::encoder::MAX_CONTROL_FRAME;

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
}

/// The state of [`Config::keep_alive`](crate::Config::keep_alive); without it, nothing but a null pointer.
#[derive(Default)]
pub(super) struct KeepAlive {
    timer: Option<Pin<Box<Sleep>>>,
    phase: Phase,
}

impl KeepAlive {
    /// Bytes have come from the peer.
    #[inline]
    pub(super) fn heard(&mut self) {
        self.phase = Phase::Heard;
    }

    /// All that was queued has left.
    #[inline]
    pub(super) fn left(&mut self) {
        if self.phase == Phase::Pinging {
            self.phase = Phase::Left;
        }
    }

    /// A Close or an error: nothing is waited for any more.
    pub(super) fn stop(&mut self) {
        *self = KeepAlive::default();
    }

    fn start(&mut self, interval: Duration, phase: Phase) {
        self.phase = phase;
        match &mut self.timer {
            Some(timer) => {
                let now = Instant::now();
                timer.as_mut().reset(now.checked_add(interval).unwrap_or(now + FAR));
            }
            None => self.timer = Some(Box::pin(tokio::time::sleep(interval))),
        }
    }

    /// How long ago the timer was over.
    fn missed_by(&self) -> Option<Duration> {
        Some(Instant::now().saturating_duration_since(self.timer.as_ref()?.deadline()))
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
    }
}

/// What stands for an interval that no clock can hold.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// A read waits: says whether it has waited too long. Comes before the push, which takes the Ping along.
    pub(super) fn poll_keep_alive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(interval) = self.config.interval().filter(|_| self.closing == Closing::Open) else {
            return Poll::Pending;
        };
        if self.keep_alive.phase == Phase::Heard {
            self.keep_alive.start(interval, Phase::Listening);
        }
        let phase = self.keep_alive.phase;
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
        if self.sink == Sink::Open {
            let mut frame = [0; MAX_CONTROL_FRAME];
            let n = self.encoder.control(OpCode::Ping, &[], &mut frame);
            self.output.push_control(&frame[..n]);
        }
        // Where nothing can be sent any more, only the silence is left to be waited for.
        self.keep_alive.phase = if self.sink == Sink::Open { Phase::Pinging } else { Phase::Left };
        Poll::Pending
    }

    /// Comes after the push: once the Ping has left, the second interval begins.
    pub(super) fn start_keep_alive_wait(&mut self, cx: &mut Context<'_>) {
        let Some(interval) = self.config.interval() else { return };
        // What is kept by now came after the Ping, and has waited for a flush or will.
        let flushed = self.unflushed == Unflushed::Nothing || !self.output.is_empty();
        if self.keep_alive.phase == Phase::Left && flushed {
            self.keep_alive.start(interval, Phase::Waiting);
            // Leaves the waker with the timer. If it is over by now, the next poll will see it.
            if self.keep_alive.is_over(cx) {
                cx.waker().wake_by_ref();
            }
        }
    }
}
