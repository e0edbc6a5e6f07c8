//! The connection that the handles share, and opening it again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::super::uri::Target;
use super::super::{Client, ConnectError};
use super::link::Link;
use super::open;
use super::stream::Connection;

/// What all handles have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) client: Client,
    /// Without user and password; `None` if the caller has made the transport.
    pub(super) leads_to: Option<Target>,
    pub(super) connection: Connection,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    link: Link,
    /// The one attempt to replace it, while somebody waits for it.
    dial: Weak<Dial>,
}

/// An attempt, which those who wait for it hold. When they have all gone, so has it.
#[derive(Debug)]
struct Dial {
    outcome: watch::Receiver<Option<Outcome>>,
    task: AbortHandle,
}

type Outcome = Result<Link, Arc<ConnectError>>;

/// A connection, or what to wait for.
enum Found {
    Open(Link),
    Dialling(Arc<Dial>),
}

impl Drop for Dial {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    pub(super) fn new(client: Client, leads_to: Option<Target>, link: Link) -> Self {
        let current = Mutex::new(Current { link, dial: Weak::new() });
        Shared { client, leads_to, connection: Connection::new(), current }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.current().link.is_closed()
    }

    /// The connection. If it has ended, another one, which all who ask meanwhile wait for; its time limit is its own.
    pub(super) async fn link(self: &Arc<Self>) -> Result<Link, ConnectError> {
        let dial = match self.find()? {
            Found::Open(link) => return Ok(link),
            Found::Dialling(dial) => dial,
        };
        let mut outcome = dial.outcome.clone();
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Ok(link))) => Ok(link.clone()),
            Ok(Some(Err(error))) => Err(self.not_reopened(error.clone())),
            // The runtime of the connections is no more.
            Ok(None) | Err(_) => Err(self.current().link.ended()),
        }
    }

    fn find(self: &Arc<Self>) -> Result<Found, ConnectError> {
        let mut current = self.current();
        if !current.link.is_closed() {
            return Ok(Found::Open(current.link.clone()));
        }
        if self.leads_to.is_none() {
            return Err(current.link.ended());
        }
        if let Some(dial) = current.dial.upgrade()
            // One that has failed is for those who have waited for it.
            && dial.outcome.borrow().is_none()
        {
            return Ok(Found::Dialling(dial));
        }
        let (sender, outcome) = watch::channel(None);
        let task = self.connection.runtime.spawn(self.clone().dial(sender)).abort_handle();
        let dial = Arc::new(Dial { outcome, task });
        current.dial = Arc::downgrade(&dial);
        Ok(Found::Dialling(dial))
    }

    async fn dial(self: Arc<Self>, outcome: watch::Sender<Option<Outcome>>) {
        let Some(target) = &self.leads_to else { return };
        tracing::debug!(
            host = target.host,
            port = target.port,
            "the HTTP/2 connection has ended; opening another"
        );
        let opened = open(&self.client, target, self.client.deadline()).await;
        if let Ok(link) = &opened {
            // Before those who wait are told: the next one finds it.
            self.current().link = link.clone();
        }
        outcome.send_replace(Some(opened.map_err(Arc::new)));
    }

    fn not_reopened(&self, source: Arc<ConnectError>) -> ConnectError {
        let (host, port) = self.leads_to.as_ref().map(Target::who).unwrap_or_default();
        ConnectError::Http2NotReopened { host, port, source }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
