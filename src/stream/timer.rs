//! The timers of a stream, one for each direction, in one allocation, which is made when one is needed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::departure;

/// The time, as tokio tells it: in tests it can stand still.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

pin_project! {
    #[derive(Default)]
    struct Sleeps {
        #[pin]
        reader: Option<Sleep>,
        #[pin]
        writer: Option<Sleep>,
    }
}

/// Without a deadline yet, nothing but a null pointer.
#[derive(Default)]
pub(super) struct Timers(Option<Pin<Box<Sleeps>>>);

impl Timers {
    /// Waits for a deadline of the reader's: of the silence, of what has yet to leave, or of the transport's end.
    pub(super) fn poll_reader(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        poll(self.get().project().reader, cx, deadline)
    }

    /// Waits for a deadline of the writer's, see [`Config::stall_timeout`](crate::Config::stall_timeout).
    pub(super) fn poll_writer(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        poll(self.get().project().writer, cx, deadline)
    }

    fn get(&mut self) -> Pin<&mut Sleeps> {
        self.0.get_or_insert_with(|| Box::pin(Sleeps::default())).as_mut()
    }

    /// The reader waits for nothing any more.
    pub(super) fn stop_reader(&mut self) {
        if let Some(sleeps) = &mut self.0 {
            sleeps.as_mut().project().reader.set(None);
        }
    }
}

/// `Pending`: the timer has the waker, except where a stream is being dropped, and nobody waits.
fn poll(mut timer: Pin<&mut Option<Sleep>>, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
    if departure::is_under_way() {
        return Poll::Pending;
    }
    let deadline = tokio::time::Instant::from_std(deadline);
    if timer.is_none() {
        timer.set(Some(tokio::time::sleep_until(deadline)));
    }
    let Some(mut sleep) = timer.as_pin_mut() else { return Poll::Pending };
    if sleep.deadline() != deadline {
        sleep.as_mut().reset(deadline);
    }
    sleep.poll(cx)
}
