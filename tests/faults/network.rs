//! A network between two ends: windows, delays, and one disaster at an exact byte. Its time is tokio's, which is paused.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::dice::Dice;

/// What a direction is like.
#[derive(Clone, Copy, Debug)]
pub struct Traits {
    /// So many bytes can be under way.
    pub window: usize,
    /// Most bytes for one call.
    pub chunk: usize,
    /// Each chunk is under way for up to so many milliseconds.
    pub delay: u64,
    /// One poll in four is `Pending` and wakes at once.
    pub hesitates: bool,
}

/// What happens to the whole connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The direction ends there, and so does the other one with what is under way.
    End,
    /// What is under way is lost, and every call fails.
    Reset,
    /// Nothing passes any more, and nobody is told.
    Silence,
}

/// After which byte of which direction (0: from the client).
#[derive(Clone, Copy, Debug)]
pub struct Disaster {
    pub way: usize,
    pub at: usize,
    pub fate: Fate,
}

struct Way {
    traits: Traits,
    flight: VecDeque<(Instant, Vec<u8>)>,
    len: usize,
    ended: bool,
    /// The end that reads has gone.
    is_unread: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    timer: Option<Pin<Box<Sleep>>>,
}

pub struct Network {
    ways: [Way; 2],
    dice: Dice,
    disaster: Option<Disaster>,
    pub happened: Option<Fate>,
    /// How many bytes each direction has taken.
    pub passed: [usize; 2],
}

/// An end's transport.
pub struct Link {
    network: Rc<RefCell<Network>>,
    end: usize,
}

impl Network {
    /// The network, the client's end and the server's.
    pub fn new(traits: [Traits; 2], disaster: Option<Disaster>, seed: u64) -> (Rc<RefCell<Self>>, [Link; 2]) {
        let ways = traits.map(|traits| Way {
            traits,
            flight: VecDeque::new(),
            len: 0,
            ended: false,
            is_unread: false,
            reader: None,
            writer: None,
            timer: None,
        });
        let dice = Dice::new(seed);
        let network = Network { ways, dice, disaster, happened: None, passed: [0; 2] };
        let network = Rc::new(RefCell::new(network));
        let links = [0, 1].map(|end| Link { network: network.clone(), end });
        (network, links)
    }

    fn strike(&mut self, fate: Fate) {
        self.happened = Some(fate);
        for way in &mut self.ways {
            if fate == Fate::Reset {
                way.lose_all();
            }
            way.ended |= fate == Fate::End;
            way.wake();
        }
    }

    fn hesitates(&mut self, way: usize, cx: &Context<'_>) -> bool {
        let hesitates = self.ways[way].traits.hesitates && self.dice.one_in(4);
        if hesitates {
            cx.waker().wake_by_ref();
        }
        hesitates
    }

    fn poll_write(&mut self, end: usize, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(disaster) = self.disaster.filter(|disaster| disaster.way == end)
            && self.happened.is_none()
            && self.passed[end] >= disaster.at
        {
            self.strike(disaster.fate);
        }
        let gone = self.ways[end].is_unread || self.happened == Some(Fate::Reset);
        if gone {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        if self.ways[end].ended {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if self.hesitates(end, cx) {
            return Poll::Pending;
        }
        let way = &mut self.ways[end];
        let left = self.disaster.filter(|disaster| disaster.way == end && self.happened.is_none());
        let left = left.map_or(usize::MAX, |disaster| disaster.at - self.passed[end]);
        let n = bytes.len().min(way.traits.window - way.len).min(way.traits.chunk).min(left);
        if n == 0 && !bytes.is_empty() {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        way.len += n;
        self.passed[end] += n;
        if self.happened != Some(Fate::Silence) && n > 0 {
            let delay = self.dice.below(usize::try_from(way.traits.delay).unwrap_or(0) + 1);
            let arrival = Instant::now() + Duration::from_millis(delay as u64);
            let arrival = way.flight.back().map_or(arrival, |(last, _)| arrival.max(*last));
            way.flight.push_back((arrival, bytes[..n].to_vec()));
            way.reader.take().into_iter().for_each(Waker::wake);
        }
        if n == left {
            let fate = self.disaster.map_or(Fate::End, |disaster| disaster.fate);
            self.strike(fate);
        }
        Poll::Ready(Ok(n))
    }

    fn poll_read(&mut self, end: usize, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.happened == Some(Fate::Reset) || self.ways[1 - end].is_lost() {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        if self.hesitates(1 - end, cx) {
            return Poll::Pending;
        }
        let way = &mut self.ways[1 - end];
        let Some((arrival, bytes)) = way.flight.front_mut() else {
            if way.ended {
                return Poll::Ready(Ok(()));
            }
            way.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        if *arrival > Instant::now() {
            let timer = way.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(*arrival)));
            if timer.deadline() != *arrival {
                timer.as_mut().reset(*arrival);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        let n = bytes.len().min(buf.remaining());
        buf.put_slice(&bytes[..n]);
        bytes.drain(..n);
        if bytes.is_empty() {
            way.flight.pop_front();
        }
        way.len -= n;
        way.writer.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }

    /// An end closes its socket. What lies unread there becomes a reset, which overtakes what is under way.
    fn leave(&mut self, end: usize) {
        let now = Instant::now();
        let way = &self.ways[1 - end];
        let has_unread = way.flight.front().is_some_and(|(arrival, _)| *arrival <= now);
        // Where it hesitates, what lies there cannot be read in passing.
        let has_unread = has_unread && !way.traits.hesitates;
        self.ways[1 - end].is_unread = true;
        if has_unread {
            self.ways[end].lose_all();
        }
        if self.happened == Some(Fate::Silence) {
            return;
        }
        self.ways[end].ended = true;
        self.ways.iter_mut().for_each(Way::wake);
    }
}

impl Way {
    fn lose_all(&mut self) {
        (self.len, self.ended) = (usize::MAX, true);
        self.flight.clear();
    }

    fn is_lost(&self) -> bool {
        self.len == usize::MAX
    }

    fn wake(&mut self) {
        let wakers = [self.reader.take(), self.writer.take()];
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.network.borrow_mut().poll_read(self.end, cx, buf)
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.network.borrow_mut().poll_write(self.end, cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let network = &mut *self.network.borrow_mut();
        if network.happened != Some(Fate::Silence) {
            network.ways[self.end].ended = true;
            network.ways[self.end].wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.network.borrow_mut().leave(self.end);
    }
}
