//! Keep-alive: a Ping after a silence, and the end after a second one.

use std::time::{Duration, Instant};

use super::clock::Phase;
use super::{Connection, Sink};
use crate::protocol::Closing;
use crate::protocol::encoder::MAX_CONTROL_FRAME;
use crate::{Error, OpCode};

/// How long the end of a stream waits for the end of its transport, where that is asked for.
const LINGER: Duration = Duration::from_secs(2);

impl Connection {
    /// Whether the silence of the peer is watched while a read waits. After this end's own Close the peer need not answer any more.
    #[inline]
    pub(crate) fn watches_silence(&self) -> bool {
        self.config.interval().is_some() && self.closing == Closing::Open
    }

    /// A read waits: queues a Ping, or ends the reading, where it has waited too long. Comes before the push, which takes
    /// the Ping along.
    pub(crate) fn silence(&mut self, now: Instant) {
        let Some(interval) = self.config.interval() else { return };
        if self.clock.phase() == Phase::Heard {
            self.clock.start(Phase::Listening, now, interval);
        }
        let phase = self.clock.phase();
        // A read that waits is woken in time. So far beyond it, none has waited: the silence counts anew.
        if self.clock.missed_by(now) > interval {
            self.clock.start(phase, now, interval);
        }
        if !self.clock.is_over(now) {
            return;
        }
        match phase {
            Phase::Listening => {
                self.queue_ping();
                // Where nothing can be sent any more, only the silence is left to be waited for.
                self.clock.enter(if self.sink == Sink::Open { Phase::Pinging } else { Phase::Sent });
            }
            Phase::Waiting => self.fail_receiving_with(Error::KeepAliveTimedOut),
            Phase::Heard | Phase::Pinging | Phase::Sent | Phase::Lingering => {}
        }
    }

    /// Comes after the push: once the Ping has left, the second interval begins.
    pub(crate) fn pushed(&mut self, now: Instant) {
        let Some(interval) = self.config.interval() else { return };
        // What is kept by now came after the Ping, and has waited for a flush or will.
        let flushed = self.taken.is_flushed() || !self.output.is_empty();
        if self.clock.phase() == Phase::Sent && flushed {
            self.clock.start(Phase::Waiting, now, interval);
        }
    }

    /// When [`silence`](Self::silence) is to be called again, if nothing else happens. While a Ping has not left, the transport says.
    pub(crate) fn silence_deadline(&self) -> Option<Instant> {
        self.clock.deadline().filter(|_| matches!(self.clock.phase(), Phase::Listening | Phase::Waiting))
    }

    /// Whether Pings leave with whatever polls the stream: after the peer's Close no read waits, and the path is to stay
    /// alive while the response takes its time.
    #[inline]
    pub(crate) fn pings_by_the_way(&self) -> bool {
        self.closing == Closing::CloseReceived && self.config.interval().is_some()
    }

    /// Queues such a Ping, if one is due.
    pub(crate) fn ping_by_the_way(&mut self, now: Instant) {
        let Some(interval) = self.config.interval() else { return };
        match self.clock.phase() {
            Phase::Listening => {}
            // One that has not left is enough.
            Phase::Pinging => return,
            Phase::Heard | Phase::Sent | Phase::Waiting | Phase::Lingering => {
                self.clock.start(Phase::Listening, now, interval)
            }
        }
        if self.clock.is_over(now) {
            self.queue_ping();
            self.clock.enter(Phase::Pinging);
        }
    }

    fn queue_ping(&mut self) {
        if self.sink == Sink::Open {
            let mut frame = [0; MAX_CONTROL_FRAME];
            let n = self.encoder.control(OpCode::Ping, &[], &mut frame);
            self.output.push_control(&frame[..n]);
        }
    }

    /// Until when the end waits for that of the transport, from the first call on.
    pub(crate) fn linger(&mut self, now: Instant) -> Instant {
        if self.clock.phase() != Phase::Lingering {
            self.clock.start(Phase::Lingering, now, LINGER);
        }
        self.clock.deadline().unwrap_or(now)
    }
}
