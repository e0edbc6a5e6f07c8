//! The transport, which leaves a stream only when that is taken apart.

use std::pin::Pin;

/// A transport that can be taken out of a type with a `Drop` of its own.
pub(super) struct Transport<S>(Option<S>);

const TAKEN: &str = "only a stream that is taken apart has no transport, and nobody has that any more";

impl<S> Transport<S> {
    pub(super) fn new(io: S) -> Self {
        Transport(Some(io))
    }

    #[inline]
    pub(super) fn get_ref(&self) -> &S {
        self.0.as_ref().expect(TAKEN)
    }

    #[inline]
    pub(super) fn get_mut(&mut self) -> &mut S {
        self.0.as_mut().expect(TAKEN)
    }

    /// For the stream that is being taken apart: dropping what is left of it does nothing.
    pub(super) fn take(&mut self) -> S {
        self.0.take().expect(TAKEN)
    }

    pub(super) fn is_taken(&self) -> bool {
        self.0.is_none()
    }
}

impl<S: Unpin> Transport<S> {
    #[inline]
    pub(super) fn as_pin(&mut self) -> Pin<&mut S> {
        Pin::new(self.get_mut())
    }
}
