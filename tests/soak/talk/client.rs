//! The end that asks: any number of conversations, each over a connection of its own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use fastwebsockets_stream::{Client, Config, PayloadType, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::ask::{Ask, KINDS, Kind};
use super::dice::Dice;
use super::server::{compare, says, send};
use super::tally::Tally;
use super::{Check, Sequence};

/// Where the server listens, by the type of its streams.
#[derive(Clone)]
pub struct Servers {
    pub binary: Vec<SocketAddr>,
    pub text: Vec<SocketAddr>,
    /// For [`Kind::Silent`], where it has one of its own: whose keep-alive is soon over.
    pub silent: Vec<SocketAddr>,
}

/// How much a conversation has of everything.
#[derive(Clone, Copy)]
pub struct Measure {
    /// Bytes in one direction, at the most.
    pub bytes: u64,
    /// The longest pause between two parts of it; zero for none.
    pub pause: Duration,
    /// How many parts, at the most.
    pub parts: u64,
}

/// Of each handshake, and each `close`: a crowd on one machine, which may have other work, takes its time.
const LIMIT: Duration = Duration::from_secs(120);

/// One conversation.
pub async fn converse(
    servers: &Servers,
    measure: Measure,
    dice: &mut Dice,
    sequence: &Sequence,
    tally: &Tally,
) {
    let is_text = dice.below(4) == 0;
    let kind = KINDS[match dice.below(20) {
        // Most do something; the disconnected are as many as the closed.
        roll @ 0..=8 => roll,
        roll => roll % 3,
    } as usize];
    let place = sequence.boundary(dice.below(0x1_0000));
    let mut length = |most| sequence.boundary(place + dice.length(most)) - place;
    let up = if kind == Kind::Push { 0 } else { length(measure.bytes) };
    let down = if matches!(kind, Kind::HalfClose | Kind::Push | Kind::ServerCloses) {
        length(measure.bytes)
    } else {
        0
    };
    let code = 4000 + dice.below(1000) as u16;
    let ask = Ask { kind, place, up, down, code };
    match talk(servers, measure, dice, sequence, tally, ask, is_text).await {
        Ok(()) => tally.done(kind),
        Err(error) => tally.wrong(format!("client: {ask:?}, text {is_text}: {error:?}")),
    }
}

async fn talk(
    servers: &Servers,
    measure: Measure,
    dice: &mut Dice,
    sequence: &Sequence,
    tally: &Tally,
    ask: Ask,
    is_text: bool,
) -> io::Result<()> {
    let (addresses, payload_type) = match ask.kind {
        Kind::Silent if !servers.silent.is_empty() => (&servers.silent, PayloadType::Binary),
        _ if is_text => (&servers.text, PayloadType::Text),
        _ => (&servers.binary, PayloadType::Binary),
    };
    let address = addresses[dice.below(addresses.len() as u64) as usize];
    let frame = 1 << (8 + dice.below(13));
    let mut config = Config::new(payload_type).max_frame_len(Some(frame)).close_timeout(LIMIT);
    if dice.below(3) == 0 {
        config = config.write_buffer(1 << dice.below(16));
    }
    let tcp = TcpStream::connect(address).await?;
    let _opened = tally.opened();
    tcp.set_nodelay(true)?;
    let uri = format!("ws://{address}/");
    let client = Client::new(config).time_limit(LIMIT);
    let (mut stream, _) = client.over(tcp, &uri).await.map_err(io::Error::other)?;
    stream.write_all(ask.encode().as_bytes()).await?;
    // One that is silent from now on has said at least this.
    stream.flush().await?;

    let mut sent = Check::new(sequence, ask.place);
    let mut parts = 1 + dice.below(measure.parts);
    let mut dice = dice.clone();
    let mut pause = async || {
        if !measure.pause.is_zero() {
            tokio::time::sleep(measure.pause.mul_f64(dice.below(1000) as f64 / 1000.0)).await;
        }
    };
    if ask.kind == Kind::Echo {
        let (mut reader, mut writer) = stream.into_split();
        let writing = async {
            // Ends: each turn sends a part, the last all that is left.
            while sent.done < ask.up {
                let end = sent.done + (ask.up - sent.done).div_ceil(parts);
                parts = (parts - 1).max(1);
                pause().await;
                send(&mut writer, &mut sent, end).await?;
            }
            writer.shutdown().await
        };
        let reading = receive(&mut reader, sequence, tally, ask.place, ask.up);
        let (written, read) = tokio::join!(writing, reading);
        return written.and(read);
    }
    // Those who go are cut off anywhere.
    let goes = matches!(ask.kind, Kind::Reset | Kind::Fin | Kind::Drop | Kind::Silent);
    let up = if goes { ask.up / 2 } else { ask.up };
    while sent.done < up {
        let end = sent.done + (up - sent.done).div_ceil(parts);
        parts = (parts - 1).max(1);
        // Before a part, and not behind the last: a server that closes waits for this end no longer than it may.
        pause().await;
        send(&mut stream, &mut sent, end).await?;
    }
    end(stream, sequence, tally, ask).await
}

/// How this kind goes on once all was sent.
async fn end(
    mut stream: WebSocketStream<TcpStream>,
    sequence: &Sequence,
    tally: &Tally,
    ask: Ask,
) -> io::Result<()> {
    match ask.kind {
        Kind::HalfClose | Kind::Push => {
            stream.shutdown().await?;
            receive(&mut stream, sequence, tally, ask.place, ask.down).await
        }
        Kind::ServerCloses => match receive(&mut stream, sequence, tally, ask.place, ask.down).await {
            Err(error) if says(&error, ask.code) => Ok(()),
            other => Err(io::Error::other(format!("no Close of the server's: {other:?}"))),
        },
        Kind::ClientCloses => match stream.close(ask.code, "as I like").await?.and_then(|close| close.code) {
            Some(code) if u16::from(code) == ask.code => Ok(()),
            code => Err(io::Error::other(format!("it was answered with {code:?}"))),
        },
        Kind::Reset => stream.get_ref().set_zero_linger(),
        Kind::Fin => {
            let mut tcp = stream.into_parts().transport;
            tcp.shutdown().await?;
            // Until the server has gone too.
            drain(&mut tcp).await;
            Ok(())
        }
        Kind::Silent => {
            // The socket alone answers no Ping. It ends when the server gives up.
            drain(&mut stream.into_parts().transport).await;
            Ok(())
        }
        Kind::Drop | Kind::Echo => Ok(()),
    }
}

async fn drain(tcp: &mut TcpStream) {
    let mut bytes = [0; 256];
    // Ends with the connection.
    while matches!(tcp.read(&mut bytes).await, Ok(1..)) {}
}

/// Reads so many bytes, and the end.
async fn receive<R>(
    stream: &mut R,
    sequence: &Sequence,
    tally: &Tally,
    place: u64,
    length: u64,
) -> io::Result<()>
where
    R: tokio::io::AsyncRead + Unpin,
{
    let mut check = Check::new(sequence, place);
    let mut bytes = [0; 2048];
    loop {
        let n = stream.read(&mut bytes).await.map_err(|error| match check.done == length {
            true => error,
            false => io::Error::other(format!("{error:?} behind {} of {length} bytes", check.done)),
        })?;
        if n == 0 {
            break;
        }
        compare(&mut check, &bytes[..n], tally)?;
    }
    match check.done == length {
        true => Ok(()),
        false => Err(io::Error::other(format!("{} bytes and the end came, not {length}", check.done))),
    }
}
