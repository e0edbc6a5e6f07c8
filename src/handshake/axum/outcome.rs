//! What the task of a stream may end with.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use sealed::{Never, Sealed};

/// What the function given to [`on_upgrade`](super::WebSocketUpgrade::on_upgrade) may return: `()`, or a `Result<(), E>`, so
/// that `?` works in it. It may also never return.
///
/// `E` is whatever becomes a `Box<dyn Error + Send + Sync>`: [`io::Error`], `anyhow::Error`, a string. An error is
/// logged, see there. The trait is sealed.
#[diagnostic::on_unimplemented(
    message = "the function given to `on_upgrade` returns `{Self}`",
    label = "expected `()` or `Result<(), E>`, where `E` becomes a `Box<dyn Error + Send + Sync>`"
)]
pub trait Outcome: Sealed {}

impl Outcome for () {}

impl<E: Into<Box<dyn Error + Send + Sync>>> Outcome for Result<(), E> {}

impl Outcome for Never {}

mod sealed {
    use std::error::Error;

    pub trait Sealed {
        fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>>;
    }

    impl Sealed for () {
        fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>> {
            Ok(())
        }
    }

    impl Sealed for Never {
        fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>> {
            self
        }
    }

    impl<E: Into<Box<dyn Error + Send + Sync>>> Sealed for Result<(), E> {
        fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>> {
            self.map_err(Into::into)
        }
    }

    /// `!`, which has no name in stable Rust: what a loop without an end returns.
    pub(super) type Never = <fn() -> ! as Returns>::Output;

    pub trait Returns {
        type Output;
    }

    impl<T> Returns for fn() -> T {
        type Output = T;
    }
}

/// Logs an error. It has nowhere else to go: the response has left.
pub(super) fn report(outcome: impl Outcome, peer_addr: Option<SocketAddr>) {
    let Err(error) = outcome.into_result() else { return };
    let peer_addr = peer_addr.map(tracing::field::display);
    let (is_departure, error): (bool, &dyn Error) = (is_departure(&*error), &*error);
    if is_departure {
        tracing::debug!(peer_addr, error, "the WebSocket has ended without a Close");
    } else {
        tracing::warn!(peer_addr, error, "the WebSocket's handler has failed");
    }
}

/// Whether a client has just gone, as clients do: a tab is closed, a phone loses its network. That is no fault of the server's,
/// and at a level that is watched it would hide what is.
fn is_departure(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        let kinds = [BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof];
        if io.is_some_and(|io| kinds.contains(&io.kind())) {
            return true;
        }
        // An `io::Error` skips what is inside of it as a source.
        next = match io.and_then(io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    false
}
