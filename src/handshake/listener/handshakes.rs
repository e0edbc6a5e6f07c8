//! The handshakes under way: how many there may be, and which of them gives way to the next.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Accepted;
use super::handshake::{Asking, Outcome, Refused};
use crate::handshake::asking::Place;
use crate::handshake::{MaybeTlsStream, UpgradeRequest};

/// How old a handshake is before it has to make room. TLS and a request take two or three round trips, of 300 ms each on a slow
/// mobile link. Longer, and a crowd that keeps the backlog full would hold up the others longer too.
const GRACE: Duration = Duration::from_secs(1);

/// The handshakes of a listener, each in a task, and the clients that were refused and read their answer.
///
/// ```text
/// poll_room ──▶ begin ──▶ under way ──▶ done ──▶ poll_next
///                          │  │  └─▶ refused ──▶ lingering
///                          │  └─▶ asks ──▶ poll_request ──▶ deciding
///                          └─▶ failed, or gave way
/// ```
pub(super) struct Handshakes {
    pub(super) limit: usize,
    tasks: JoinSet<Outcome>,
    /// One for each of the tasks whose handshake is under way, or done and not accepted, in the order in which they began.
    begun: VecDeque<Handshake>,
    /// Brings the requests that are to be decided on.
    asking: UnboundedReceiver<Asking>,
    /// Those that wait to be taken; each has a task that is among those begun.
    asked: VecDeque<Asking>,
    /// Of the requests that were handed out, those that have not ended at both ends: the task that watches, and whoever decides.
    /// And which of the two has.
    deciding: HashMap<Id, Option<End>>,
    /// Whoever decides has let one go.
    released: UnboundedReceiver<Id>,
    release: UnboundedSender<Id>,
    /// How many those may be.
    pub(super) deciding_limit: usize,
    /// The one that is to make room, while a connection waits for some.
    giving_way: Option<GivingWay>,
    /// The limit has been reached, and that was logged.
    is_full: bool,
    lingering: JoinSet<()>,
}

struct Handshake {
    id: Id,
    task: AbortHandle,
    peer_addr: SocketAddr,
    network: IpAddr,
    since: Instant,
}

/// Who has ended with a request that was handed out.
#[derive(PartialEq, Eq)]
enum End {
    /// The task that watches it, and sends the refusal.
    Task,
    /// Whoever decides on it.
    Holder,
}

struct GivingWay {
    task: AbortHandle,
    /// It was told to end.
    is_told: bool,
    /// What it still has of its [`GRACE`].
    grace: Pin<Box<Sleep>>,
}

impl Handshakes {
    pub(super) fn new(limit: usize) -> Self {
        let (release, released) = unbounded_channel();
        Handshakes {
            limit,
            tasks: JoinSet::new(),
            begun: VecDeque::new(),
            asking: unbounded_channel().1,
            asked: VecDeque::new(),
            deciding: HashMap::new(),
            released,
            release,
            deciding_limit: 0,
            giving_way: None,
            is_full: false,
            lingering: JoinSet::new(),
        }
    }

    /// Requests are to wait for a decision, so many at a time. The sender is for those that begin from now on.
    pub(super) fn ask(&mut self, limit: usize) -> UnboundedSender<Asking> {
        let (sender, receiver) = unbounded_channel();
        self.asking = receiver;
        self.deciding_limit = limit;
        sender
    }

    /// How many are under way, or done and not accepted.
    pub(super) fn len(&self) -> usize {
        self.begun.len()
    }

    /// How many wait to be taken, to be decided on.
    pub(super) fn asked(&self) -> usize {
        self.asked.len()
    }

    /// How many wait for a decision.
    pub(super) fn deciding(&self) -> usize {
        self.deciding.len()
    }

    /// How many clients read why they were refused.
    pub(super) fn lingering(&self) -> usize {
        self.lingering.len()
    }

    /// Begins one more, for which there [is room](Self::poll_room).
    pub(super) fn begin<F>(&mut self, handshake: F, peer_addr: SocketAddr)
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let task = self.tasks.spawn(handshake);
        let (id, network, since) = (task.id(), network(peer_addr.ip()), Instant::now());
        self.begun.push_back(Handshake { id, task, peer_addr, network, since });
        self.giving_way = None;
    }

    /// The next one that is done; `None` once none is under way, no refusal is, and nobody lingers.
    ///
    /// `Pending`: woken by any task that ends, and by a request that is let go.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Accepted>> {
        // Each turn takes one that was handed out.
        while let Poll::Ready(Some(id)) = self.released.poll_recv(cx) {
            self.ended_at_one_end(id, End::Holder);
        }
        // Each turn takes a task that has ended. No handshake begins here, and each leaves one client to linger at most.
        loop {
            let nobody_lingers = match self.lingering.poll_join_next(cx) {
                Poll::Ready(Some(_)) => continue,
                nobody => nobody.is_ready(),
            };
            match self.tasks.poll_join_next_with_id(cx) {
                Poll::Ready(Some(Ok((id, outcome)))) => {
                    self.ended(id);
                    match outcome {
                        Ok(accepted) => return Poll::Ready(Some(accepted)),
                        Err(Some(refused)) => self.let_linger(refused),
                        Err(None) => {}
                    }
                }
                Poll::Ready(Some(Err(error))) => self.ended_without_outcome(&error),
                // Those that are decided on are others' business; what was decided is this one's.
                _ if nobody_lingers && self.begun.is_empty() && !self.refuses() => return Poll::Ready(None),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The next request that is to be decided on, up to the limit of those.
    ///
    /// `Pending`: woken by a request. For one that is let go, and one whose task ends, [`poll_next`](Self::poll_next) is to be
    /// polled first.
    pub(super) fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<UpgradeRequest<MaybeTlsStream>> {
        // Also at the limit: a request whose task has ended since is not to be kept. Each turn takes one of a task that has begun.
        while let Poll::Ready(Some((id, request))) = self.asking.poll_recv(cx) {
            if self.begun.iter().any(|handshake| handshake.id == id) {
                self.asked.push_back((id, request));
            }
        }
        while self.deciding.len() < self.deciding_limit {
            let Some((id, request)) = self.asked.pop_front() else { break };
            // Its time may be over, or it gives way.
            if !request.is_over() && !self.gives_way(id) && self.forget(id).is_some() {
                self.deciding.insert(id, None);
                return Poll::Ready(request.placed(Place::new(id, self.release.clone())));
            }
        }
        Poll::Pending
    }

    /// Waits until one more may begin, and sees to it that it may: at the limit, one gives way as soon as it has had its time.
    ///
    /// To be called once [`poll_next`](Self::poll_next) has nothing more, so that what is done has been taken.
    ///
    /// `Pending`: woken by what wakes `poll_next`, and when the next one has had its time.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.len() < self.limit {
            // With some distance, so that it is not logged for each one.
            self.is_full &= self.len() > self.limit / 2;
            return Poll::Ready(());
        }
        if !self.is_full {
            self.is_full = true;
            tracing::warn!(limit = self.limit, "so many handshakes are under way: the next connection waits");
        }
        // It stays the same one: until there is room, none begins and none has ended. And it is one at a time: after a moment in
        // which the whole process stood still, those that can go on do so before the next is chosen.
        if self.giving_way.is_none() {
            self.giving_way = self.next_to_give_way();
        }
        if let Some(GivingWay { task, is_told, grace }) = &mut self.giving_way {
            if !grace.is_elapsed() {
                ready!(grace.as_mut().poll(cx));
            }
            task.abort(); // Once more does nothing.
            *is_told = true;
        }
        Poll::Pending // The end of that task wakes.
    }

    /// The oldest of the network that has the most. A host with many costs no other its own, and among hosts with one each, the
    /// oldest goes.
    fn next_to_give_way(&self) -> Option<GivingWay> {
        let mut counts = HashMap::<_, usize>::new();
        for handshake in &self.begun {
            *counts.entry(handshake.network).or_default() += 1;
        }
        let most = counts.values().max();
        let oldest = self.begun.iter().find(|handshake| counts.get(&handshake.network) == most)?;
        let grace = Box::pin(sleep_until(oldest.since + GRACE));
        Some(GivingWay { task: oldest.task.clone(), is_told: false, grace })
    }

    /// Whether this task was told to end, and may not have yet.
    fn gives_way(&self, id: Id) -> bool {
        self.giving_way.as_ref().is_some_and(|giving_way| giving_way.is_told && giving_way.task.id() == id)
    }

    /// Whether a refusal that was decided on may still be on its way.
    fn refuses(&self) -> bool {
        self.deciding.values().any(|ended| *ended == Some(End::Holder))
    }

    fn ended_without_outcome(&mut self, error: &JoinError) {
        let Some(Handshake { peer_addr, .. }) = self.ended(error.id()) else { return };
        if error.is_cancelled() {
            tracing::info!(%peer_addr, "a handshake has given way to the next connection");
        } else {
            tracing::error!(%peer_addr, %error, "a handshake's task has failed");
        }
    }

    /// Its task has ended, by itself or because it was told to.
    fn ended(&mut self, id: Id) -> Option<Handshake> {
        self.asked.retain(|(asked, _)| *asked != id);
        let begun = self.forget(id);
        if begun.is_none() {
            self.ended_at_one_end(id, End::Task);
        }
        begun
    }

    /// The place is free once both ends have: an answer may still be on its way, or a look-up for a client that has left.
    fn ended_at_one_end(&mut self, id: Id, end: End) {
        if let Some(ended) = self.deciding.get_mut(&id)
            && ended.replace(end).is_some()
        {
            self.deciding.remove(&id);
        }
    }

    /// It is no longer under way.
    fn forget(&mut self, id: Id) -> Option<Handshake> {
        // Near the front, as most take equally long.
        let index = self.begun.iter().position(|handshake| handshake.id == id)?;
        self.begun.remove(index)
    }

    /// No more of them than handshakes: beyond that, the client is not waited for.
    fn let_linger(&mut self, refused: Refused) {
        if self.lingering.len() < self.limit {
            self.lingering.spawn(refused.linger());
        }
    }
}

/// What one host has: an IPv4 address, also where it comes through an IPv6 socket; of IPv6 the 64 bits that a host does not choose.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn network_is_the_ipv4_address_or_the_first_64_bits_of_ipv6() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::", "2001:db8:1:2::"),
            ("2001:db8:1:3:3:4:5:6", "2001:db8:1:3::"),
            ("::1", "::"),
        ] {
            assert_eq!(network(address.parse().unwrap()).to_string(), expected, "{address}");
        }
    }
}
