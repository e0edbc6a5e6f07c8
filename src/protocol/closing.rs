//! The closing handshake (RFC 6455, section 7.1).

/// Which Close frames there have been.
///
/// ```text
///            send                  receive
///   Open ───────────▶ CloseSent ───────────▶ Closed
///    │                                         ▲
///    │   receive                     send      │
///    └───────────▶ CloseReceived ──────────────┘
/// ```
///
/// A Close counts as sent when it is queued: from then on nothing but control frames may follow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Closing {
    #[default]
    Open,
    CloseSent,
    CloseReceived,
    Closed,
}

impl Closing {
    /// This end's Close.
    #[must_use]
    pub(crate) fn send(self) -> Self {
        match self {
            Closing::Open | Closing::CloseSent => Closing::CloseSent,
            Closing::CloseReceived | Closing::Closed => Closing::Closed,
        }
    }

    /// The peer's Close.
    #[must_use]
    pub(crate) fn receive(self) -> Self {
        match self {
            Closing::Open | Closing::CloseReceived => Closing::CloseReceived,
            Closing::CloseSent | Closing::Closed => Closing::Closed,
        }
    }

    pub(crate) fn has_sent(self) -> bool {
        matches!(self, Closing::CloseSent | Closing::Closed)
    }

    pub(crate) fn has_received(self) -> bool {
        matches!(self, Closing::CloseReceived | Closing::Closed)
    }
}
