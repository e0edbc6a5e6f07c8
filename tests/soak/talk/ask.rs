//! What a client begins a conversation with: what it wants, in letters, so that it is text too.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What a conversation consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the client sends comes back while it sends, and then both shut down.
    Echo,
    /// The client sends, shuts down, and then gets an answer.
    HalfClose,
    /// The server sends, and shuts down.
    Push,
    /// The server closes with a code of its own.
    ServerCloses,
    /// The client closes with a code of its own.
    ClientCloses,
    /// The client goes: its socket is reset,
    Reset,
    /// or ended without a Close,
    Fin,
    /// or dropped with its stream.
    Drop,
    /// The client says nothing any more, and stays.
    Silent,
}

/// The order of [`Kind`].
pub const KINDS: [Kind; 9] = [
    Kind::Echo,
    Kind::HalfClose,
    Kind::Push,
    Kind::ServerCloses,
    Kind::ClientCloses,
    Kind::Reset,
    Kind::Fin,
    Kind::Drop,
    Kind::Silent,
];

#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub kind: Kind,
    /// Where in the sequence both ends begin.
    pub place: u64,
    /// What the client says it sends.
    pub up: u64,
    /// What the server is to send.
    pub down: u64,
    /// Of a Close.
    pub code: u16,
}

const LENGTH: usize = 1 + 4 * 8;

impl Ask {
    pub fn encode(&self) -> String {
        let Ask { kind, place, up, down, code } = *self;
        format!("{}{place:08x}{up:08x}{down:08x}{code:08x}", kind as u8)
    }

    /// Reads one, which all conversations begin with.
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Ask> {
        let mut bytes = [0; LENGTH];
        stream.read_exact(&mut bytes).await?;
        let wrong = || io::Error::new(io::ErrorKind::InvalidInput, "this is no beginning of a conversation");
        let text = str::from_utf8(&bytes).map_err(|_| wrong())?;
        let (kind, rest) = text.split_at(1);
        let kind = kind.parse().ok().and_then(|kind: usize| KINDS.get(kind)).ok_or_else(wrong)?;
        let number = |at: usize| u64::from_str_radix(&rest[8 * at..8 * at + 8], 16).map_err(|_| wrong());
        let code = u16::try_from(number(3)?).map_err(|_| wrong())?;
        Ok(Ask { kind: *kind, place: number(0)?, up: number(1)?, down: number(2)?, code })
    }
}
