/// Which end of the connection a stream is.
///
/// A client masks the frames that it sends, and a server does not (RFC 6455, section 5.1).
///
/// There is no third end, so a `match` needs no other arm: this enum is the one here that is not `#[non_exhaustive]`.
///
/// # Examples
///
/// ```
/// use fastwebsockets_stream::Role;
///
/// fn peer(role: Role) -> Role {
///     match role {
///         Role::Client => Role::Server,
///         Role::Server => Role::Client,
///     }
/// }
/// assert_eq!(peer(Role::Client), Role::Server);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that asked for the connection.
    Client,
    /// The end that was asked.
    Server,
}
