//! The opening handshake (RFC 6455, section 4; over HTTP/2, RFC 8441). Each part is behind a feature of its own.

#[cfg(any(feature = "upgrade", feature = "connect"))]
mod headers;

#[cfg(any(feature = "listener", feature = "connect"))]
mod http1;

#[cfg(feature = "upgrade")]
mod downcast;
#[cfg(feature = "upgrade")]
mod origin;
#[cfg(feature = "upgrade")]
mod rejection;
#[cfg(feature = "upgrade")]
mod request;
#[cfg(feature = "upgrade")]
mod upgrade;
#[cfg(feature = "upgrade")]
mod upgrader;

#[cfg(any(feature = "upgrade", feature = "connect"))]
mod ending;

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "connect")]
mod client;
#[cfg(feature = "listener")]
mod listener;
#[cfg(feature = "listener")]
mod over;
#[cfg(any(feature = "listener", feature = "connect"))]
mod socket;
#[cfg(feature = "tonic")]
mod tonic;
#[cfg(any(feature = "listener", feature = "connect"))]
mod transport;

#[cfg(feature = "connect")]
pub use client::*;
#[cfg(feature = "listener")]
pub use listener::{Accepted, Incoming, Listener, ListenerAddr};
#[cfg(feature = "upgrade")]
pub use origin::Origins;
#[cfg(feature = "listener")]
pub use over::Opened;
#[cfg(feature = "upgrade")]
pub use rejection::Rejection;
#[cfg(any(feature = "listener", feature = "connect"))]
pub use transport::MaybeTlsStream;
#[cfg(feature = "upgrade")]
pub use upgrade::{Upgrade, is_upgrade_request, upgrade};
#[cfg(feature = "upgrade")]
pub use upgrader::Upgrader;
