use std::fmt;

/// Why a connection is closed: the status code of a Close frame (RFC 6455, section 7.4).
///
/// It holds any `u16`. Which codes can be sent is checked where they are, see [`is_sendable`](Self::is_sendable). `Display`
/// says the code and what it means.
///
/// # Examples
///
/// ```
/// use fastwebsockets_stream::CloseCode;
///
/// assert_eq!(CloseCode::from(1001), CloseCode::AWAY);
/// assert_eq!(u16::from(CloseCode::AWAY), 1001);
/// assert_eq!(CloseCode::AWAY.to_string(), "1001 (going away)");
/// assert_eq!(CloseCode::from(4000).to_string(), "4000 (private use)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = CloseCode(1000);
    /// 1001: this end goes away, as a server that shuts down, or a browser that leaves the page.
    pub const AWAY: Self = CloseCode(1001);
    /// 1002: the other end broke the protocol.
    pub const PROTOCOL: Self = CloseCode(1002);
    /// 1003: the other end sent a type of data that this one does not take.
    pub const UNSUPPORTED: Self = CloseCode(1003);
    /// 1005: stands for a Close without a code, and is never sent.
    pub const NO_STATUS: Self = CloseCode(1005);
    /// 1006: stands for an end without a Close, and is never sent.
    pub const ABNORMAL: Self = CloseCode(1006);
    /// 1007: data that does not fit its type came, as text that is not UTF-8.
    pub const INVALID: Self = CloseCode(1007);
    /// 1008: what came is against a policy; also where no other code fits.
    pub const POLICY: Self = CloseCode(1008);
    /// 1009: a message is too large to be processed.
    pub const SIZE: Self = CloseCode(1009);
    /// 1010: a client needs an extension that the server did not agree to.
    pub const EXTENSION: Self = CloseCode(1010);
    /// 1011: something unexpected keeps this end from going on.
    pub const ERROR: Self = CloseCode(1011);
    /// 1012: the server restarts. A client that comes again waits for a random time, 5 to 30 seconds.
    pub const RESTART: Self = CloseCode(1012);
    /// 1013: the server is overloaded. A client should come again later, or go elsewhere.
    pub const AGAIN: Self = CloseCode(1013);
    /// 1014: a gateway had an invalid response from the server behind it.
    pub const BAD_GATEWAY: Self = CloseCode(1014);
    /// 1015: stands for a TLS handshake that failed, and is never sent.
    pub const TLS: Self = CloseCode(1015);

    /// Any code, for constants of your own; elsewhere `from` and `into` do the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use fastwebsockets_stream::{CloseCode, CloseFrame};
    ///
    /// /// The account is in use elsewhere.
    /// const REPLACED: CloseCode = CloseCode::new(4001);
    ///
    /// fn is_replaced(close: &CloseFrame) -> bool {
    ///     matches!(close.code, Some(REPLACED))
    /// }
    /// assert!(is_replaced(&CloseFrame { code: Some(REPLACED), reason: String::new() }));
    /// ```
    pub const fn new(code: u16) -> Self {
        CloseCode(code)
    }

    /// Whether a Close frame can carry this code: 1000 to 1003, 1007 to 1014 and 3000 to 4999.
    ///
    /// 1004, 1005, 1006 and 1015 are never on the wire, and 1016 to 2999 are kept for the protocol's future (RFC 6455,
    /// section 7.4, and the registry of IANA). [`WebSocketStream::close`](crate::WebSocketStream::close) refuses the others
    /// with `InvalidInput`, and a peer that sends one breaks the protocol.
    ///
    /// # Examples
    ///
    /// ```
    /// use fastwebsockets_stream::CloseCode;
    ///
    /// assert!(CloseCode::NORMAL.is_sendable());
    /// assert!(!CloseCode::NO_STATUS.is_sendable());
    /// ```
    //= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
    //# 1005 is a reserved value and MUST NOT be set as a status code
    //= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
    //# 1006 is a reserved value and MUST NOT be set as a status code
    //= https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
    //# 1015 is a reserved value and MUST NOT be set as a status code
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// The meaning of the code, or of the range that it is from.
    const fn meaning(self) -> &'static str {
        match self.0 {
            1000 => "normal closure",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1005 => "no status received",
            1006 => "abnormal closure",
            1007 => "invalid payload data",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "extension required",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            1015 => "TLS handshake failed",
            // The ranges of RFC 6455, section 7.4.2.
            0..=999 => "not used",
            1004 | 1016..=2999 => "reserved",
            3000..=3999 => "registered use",
            4000..=4999 => "private use",
            5000..=u16::MAX => "undefined",
        }
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        CloseCode(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.meaning())
    }
}
