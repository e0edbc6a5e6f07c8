//! The opening handshake (RFC 6455, section 4; over HTTP/2, RFC 8441). Each part is behind a feature of its own.

#[cfg(any(feature = "upgrade", feature = "connect", feature = "listener"))]
mod headers;

#[cfg(any(feature = "listener", feature = "connect"))]
mod http1;
#[cfg(any(feature = "upgrade", feature = "connect", feature = "listener"))]
mod pass_on;

#[cfg(feature = "upgrade")]
mod downcast;
#[cfg(any(feature = "upgrade", feature = "listener"))]
mod origin;
#[cfg(any(feature = "upgrade", feature = "listener"))]
mod rejection;
#[cfg(any(feature = "upgrade", feature = "listener"))]
mod request;
#[cfg(feature = "upgrade")]
mod upgrade;
#[cfg(feature = "upgrade")]
mod upgraded;
#[cfg(any(feature = "upgrade", feature = "listener"))]
mod upgrader;

#[cfg(any(feature = "upgrade", feature = "connect", feature = "listener"))]
mod ending;

#[cfg(feature = "listener")]
mod asking;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "connect")]
mod client;
#[cfg(any(feature = "listener", feature = "connect"))]
mod deadline;
#[cfg(feature = "listener")]
mod listener;
#[cfg(feature = "listener")]
mod over;
#[cfg(feature = "listener")]
mod serving;
#[cfg(any(feature = "listener", feature = "connect"))]
mod socket;
#[cfg(feature = "tonic")]
mod tonic;
#[cfg(any(feature = "listener", feature = "connect"))]
mod transport;

#[cfg(feature = "listener")]
pub use asking::UpgradeRequest;
#[cfg(feature = "connect")]
pub use client::*;
#[cfg(feature = "listener")]
pub use listener::{Accepted, Incoming, Listener, ListenerAddr, Requests};
#[cfg(any(feature = "upgrade", feature = "listener"))]
pub use origin::Origins;
#[cfg(any(feature = "upgrade", feature = "listener"))]
pub use rejection::Rejection;
#[cfg(feature = "listener")]
pub use serving::Opened;
#[cfg(any(feature = "listener", feature = "connect"))]
pub use transport::MaybeTlsStream;
#[cfg(feature = "upgrade")]
pub use upgrade::{Upgrade, is_upgrade_request, upgrade};
#[cfg(feature = "upgrade")]
pub use upgraded::{UpgradedIo, UpgradedStream};
#[cfg(any(feature = "upgrade", feature = "listener"))]
pub use upgrader::Upgrader;
