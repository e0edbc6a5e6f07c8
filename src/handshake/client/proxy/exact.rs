//! Reads what a proxy answers, and not an octet further: what comes behind it is the server's.

use std::io;

use tokio::io::AsyncReadExt;

use super::super::MaybeTlsStream;

/// How much is looked at, at a time.
const LOOK: usize = 4 * 1024;

/// Why there is no answer.
pub(super) enum Unread<E> {
    /// It is none, for the reason that the one who takes it has.
    Wrong(E),
    /// The connection has ended.
    Ended {
        /// Whether a part of the answer had come.
        begun: bool,
    },
    /// The connection has failed.
    Failed(io::Error),
}

/// Hands what comes to `take`, until that has its answer and says how many of the octets it got last are behind it. Those stay
/// in the transport.
///
/// Ends with the answer, with the transport, or where `take` has a limit.
pub(super) async fn read<T, E>(
    io: &mut MaybeTlsStream,
    mut take: impl FnMut(&[u8]) -> Result<Option<(T, usize)>, E>,
) -> Result<T, Unread<E>> {
    let mut room = vec![0; LOOK];
    let mut begun = false;
    loop {
        let n = io.peek(&mut room).await.map_err(Unread::Failed)?;
        if n == 0 {
            return Err(Unread::Ended { begun });
        }
        begun = true;
        let (answer, behind) = match take(&room[..n]).map_err(Unread::Wrong)? {
            Some((answer, behind)) => (Some(answer), behind),
            None => (None, 0),
        };
        // The same ones again, which are there.
        io.read_exact(&mut room[..n - behind]).await.map_err(Unread::Failed)?;
        if let Some(answer) = answer {
            return Ok(answer);
        }
    }
}
