//! What goes for all of the ways to connect: the time limit, and what is logged.

use std::future::Future;

use tracing::Instrument;

use super::super::deadline::Deadline;
use super::uri::Target;
use super::{ConnectError, Phase};

impl Deadline {
    /// Waits for something on the way to a server (or a proxy), but not longer than this.
    pub(super) async fn keep<T>(
        self,
        phase: Phase,
        host: &str,
        port: u16,
        work: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let late = || ConnectError::TimedOut { host: host.to_owned(), port, limit: self.limit, phase };
        self.cut(work).await.unwrap_or_else(|| Err(late()))
    }
}

/// Does it within the span of a connection, and logs how it ends: no query, no value of a field, nothing that the server says.
pub(super) async fn logged<T>(
    target: &Target,
    connecting: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    let scheme = if target.secure { "wss" } else { "ws" };
    let span = tracing::debug_span!("connect", host = target.host, port = target.port, scheme);
    let logging = async {
        let connected = connecting.await;
        match &connected {
            Ok(_) => tracing::debug!("the WebSocket is open"),
            Err(ConnectError::Rejected { response, .. }) => {
                tracing::debug!(status = response.status().as_u16(), "the server has refused the upgrade");
            }
            Err(ConnectError::TimedOut { limit, phase, .. }) => {
                tracing::debug!(?limit, %phase, "the time limit has passed");
            }
            Err(error) => tracing::debug!(kind = %error.kind(), "connecting has failed"),
        }
        connected
    };
    logging.instrument(span).await
}
