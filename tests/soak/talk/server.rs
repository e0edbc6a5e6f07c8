//! The end that does what is asked, and knows how it should end.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use fastwebsockets_stream::{CloseCode, Error, Listener, WebSocketStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::ask::{Ask, Kind};
use super::tally::Tally;
use super::{Check, Sequence};

/// A task for each connection, until the listener is closed.
pub async fn serve(mut listener: Listener, sequence: Arc<Sequence>, tally: Arc<Tally>) {
    while let Some(accepted) = listener.accept().await {
        let (sequence, tally) = (sequence.clone(), tally.clone());
        tokio::spawn(async move {
            let _opened = tally.opened();
            // On the heap while it is under way, as the tasks of servers are.
            talk(accepted.stream, &sequence, &tally).await;
        });
    }
}

async fn talk<S>(mut stream: WebSocketStream<S>, sequence: &Sequence, tally: &Tally)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let ask = match Ask::read(&mut stream).await {
        Ok(ask) => ask,
        Err(error) if is_cut(&error) => {
            tally.cut.fetch_add(1, Relaxed);
            return;
        }
        Err(error) => return tally.wrong(format!("server: before it was asked: {error:?}")),
    };
    let ended = match ask.kind {
        Kind::ServerCloses => close(&mut stream, ask, sequence, tally).await,
        _ => answer(&mut stream, ask, sequence, tally).await,
    };
    let is_right = match (ask.kind, &ended) {
        (Kind::Echo | Kind::HalfClose | Kind::Push | Kind::ServerCloses, ended) => ended.is_ok(),
        (Kind::ClientCloses, Err(error)) => says(error, ask.code),
        (Kind::Reset | Kind::Drop, Err(error)) => is_cut(error),
        (Kind::Fin, Err(error)) => error.kind() == ErrorKind::UnexpectedEof,
        (Kind::Silent, Err(error)) => error.kind() == ErrorKind::TimedOut,
        _ => false,
    };
    if is_right {
        tally.done(ask.kind);
    } else {
        tally.wrong(format!("server: {ask:?}: {ended:?}"));
    }
}

/// The peer has gone without a word.
fn is_cut(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let is_close = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .is_some_and(|error| matches!(error, Error::ClosedAbnormally { .. }));
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe | ConnectionAborted) && !is_close
}

/// The peer's Close had this code.
pub(super) fn says(error: &io::Error, code: u16) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(Error::ClosedAbnormally { close, .. }) if close.code == Some(CloseCode::from(code)))
}

/// Reads to the end, compares, sends back what comes if that is asked, and sends at last what is asked.
async fn answer<S>(
    stream: &mut WebSocketStream<S>,
    ask: Ask,
    sequence: &Sequence,
    tally: &Tally,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut check = Check::new(sequence, ask.place);
    let mut bytes = [0; 2048];
    loop {
        let n = stream.read(&mut bytes).await?;
        if n == 0 {
            break;
        }
        compare(&mut check, &bytes[..n], tally)?;
        if ask.kind == Kind::Echo {
            stream.write_all(&bytes[..n]).await?;
        }
    }
    if check.done != ask.up {
        return Err(io::Error::other(format!("{} bytes and the end came, not {}", check.done, ask.up)));
    }
    if ask.kind != Kind::Echo {
        send(stream, &mut Check::new(sequence, ask.place), ask.down).await?;
    }
    stream.shutdown().await
}

async fn close<S>(
    stream: &mut WebSocketStream<S>,
    ask: Ask,
    sequence: &Sequence,
    tally: &Tally,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut check = Check::new(sequence, ask.place);
    let mut bytes = [0; 2048];
    while check.done < ask.up {
        let n = stream.read(&mut bytes).await?;
        if n == 0 {
            return Err(io::Error::other(format!("{} bytes and the end came, not {}", check.done, ask.up)));
        }
        compare(&mut check, &bytes[..n], tally)?;
    }
    send(stream, &mut Check::new(sequence, ask.place), ask.down).await?;
    let close = stream.close(ask.code, "as you asked").await?;
    match close.and_then(|close| close.code) {
        Some(code) if u16::from(code) == ask.code => Ok(()),
        code => Err(io::Error::other(format!("it was answered with {code:?}"))),
    }
}

pub(super) fn compare(check: &mut Check<'_>, bytes: &[u8], tally: &Tally) -> io::Result<()> {
    if !check.goes_on_with(bytes) {
        return Err(io::Error::other(format!("a wrong byte within {} behind {}", bytes.len(), check.done)));
    }
    tally.bytes.fetch_add(bytes.len() as u64, Relaxed);
    Ok(())
}

pub(super) async fn send<W>(stream: &mut W, check: &mut Check<'_>, length: u64) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    while check.done < length {
        stream.write_all(check.next(length - check.done)).await?;
    }
    stream.flush().await
}
