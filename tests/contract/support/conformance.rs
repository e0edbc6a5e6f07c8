//! Runs a conversation through an echo over real TCP: a raw peer on one end, a stream on the other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::unconstrained;

use super::wire::{self, BINARY, CLOSE, CONTINUATION, Frame, KEY, PING, PONG, TEXT};
use super::{ROLES, name, rule, sentence};

/// A frame of the raw peer: its first octet less FIN, so that reserved bits can be set too.
pub fn whole(bits: u8, payload: impl AsRef<[u8]>) -> Frame {
    Frame { fin: true, opcode: bits, key: None, payload: payload.as_ref().to_vec() }
}

/// A frame without FIN.
pub fn part(bits: u8, payload: impl AsRef<[u8]>) -> Frame {
    Frame { fin: false, ..whole(bits, payload) }
}

/// A message in one frame for each of the parts.
pub fn message<P: AsRef<[u8]>>(opcode: u8, parts: impl IntoIterator<Item = P>) -> Vec<Frame> {
    let mut frames: Vec<Frame> = parts.into_iter().map(|payload| part(CONTINUATION, payload)).collect();
    frames[0].opcode = opcode;
    frames.last_mut().unwrap().fin = true;
    frames
}

pub fn ping(payload: impl AsRef<[u8]>) -> Frame {
    whole(PING, payload)
}

pub fn close(code: u16, reason: impl AsRef<[u8]>) -> Frame {
    whole(CLOSE, [&code.to_be_bytes(), reason.as_ref()].concat())
}

/// How a conversation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer closes with 1000 once it has got everything, and is answered.
    Peer,
    /// The peer's frames contain a Close, which is answered with this code, or with none.
    Answer(Option<u16>),
    /// The peer breaks a rule: the stream closes with this code and the rule, and reads fail with `InvalidData`.
    Violation(u16),
}

/// What the raw peer says, and what has to come of it.
#[derive(Clone, Debug)]
pub struct Case {
    name: String,
    sent: Vec<Frame>,
    echo: Vec<u8>,
    /// What may be read after `echo`: the start of text that turns out to be invalid.
    slack: Vec<u8>,
    pongs: Vec<Vec<u8>>,
    end: End,
    /// So many octets at the end are never sent.
    held_back: usize,
    /// Octets of each segment of the chopped delivery.
    chop: usize,
}

impl Case {
    pub fn new(name: impl Into<String>, sent: impl IntoIterator<Item = Frame>) -> Self {
        let sent = sent.into_iter().collect();
        let (echo, slack, pongs) = Default::default();
        Case { name: name.into(), sent, echo, slack, pongs, end: End::Peer, held_back: 0, chop: 1 }
    }

    pub fn echoes(mut self, echo: impl AsRef<[u8]>) -> Self {
        self.echo = echo.as_ref().to_vec();
        self
    }

    pub fn pongs<P: AsRef<[u8]>>(mut self, pongs: impl IntoIterator<Item = P>) -> Self {
        self.pongs = pongs.into_iter().map(|pong| pong.as_ref().to_vec()).collect();
        self
    }

    pub fn violates(mut self, code: u16) -> Self {
        self.end = End::Violation(code);
        self
    }

    pub fn answers(mut self, code: Option<u16>) -> Self {
        self.end = End::Answer(code);
        self
    }

    /// The text as far as it is valid has to come out; of the rest, what does not yet show that it is not.
    pub fn rejects_text(mut self, text: &[u8]) -> Self {
        let valid = std::str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len);
        self.slack = text[valid..].to_vec();
        self.echoes(&text[..valid]).violates(1007)
    }

    pub fn held_back(mut self, octets: usize) -> Self {
        self.held_back = octets;
        self
    }

    pub fn chopped(mut self, chop: usize) -> Self {
        self.chop = chop;
        self
    }
}

/// How the octets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    /// All at once, read into a large buffer.
    Whole,
    /// The peer's Close too, without waiting for the echo, which half-close still lets out.
    WithClose,
    /// In pieces of `Case::chop`, read into a small buffer.
    Chopped,
}

/// Runs all cases in both roles, with every delivery, and panics at the first finding.
pub async fn run(payload_type: PayloadType, cases: impl IntoIterator<Item = Case>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for case in cases {
        for role in ROLES {
            for delivery in [Delivery::Whole, Delivery::WithClose, Delivery::Chopped] {
                let label = format!("{}: {payload_type:?} {} {delivery:?}", case.name, name(role));
                let run = converse(&listener, role, payload_type, delivery, &case, &label);
                // tokio's budget would make a ready socket seem blocked now and then, and while it is blocked only
                // the latest Pong need be kept.
                let run = tokio::time::timeout(Duration::from_secs(30), unconstrained(run));
                assert!(run.await.is_ok(), "{label}: something is still missing");
            }
        }
    }
}

async fn converse(
    listener: &TcpListener,
    role: Role,
    payload_type: PayloadType,
    delivery: Delivery,
    case: &Case,
    label: &str,
) {
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (near, (far, _)) = (near.unwrap(), far.unwrap());
    near.set_nodelay(true).unwrap();
    let (most, room) = match delivery {
        Delivery::Whole | Delivery::WithClose => (usize::MAX, 64 * 1024),
        Delivery::Chopped => (case.chop, case.chop.clamp(100, 4000)),
    };
    let config =
        Config::new(payload_type).half_close(delivery == Delivery::WithClose).max_frame_len(Some(1 << 16));
    let stream = WebSocketStream::from_transport(Pieces { io: far, most }, role, [], config);
    let (frames, (heard, end)) = tokio::join!(speak(near, role, delivery, case), echo(stream, room));

    // What the application has read.
    let (echo, pongs) = (&case.echo, &case.pongs);
    assert!(heard.starts_with(echo), "{label}: {} octets read of {}", heard.len(), echo.len());
    assert!(case.slack.starts_with(&heard[echo.len()..]), "{label}: too much was read");
    let mut reason = String::new();
    match case.end {
        End::Violation(_) => {
            let error = end.expect_err(label);
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{label}");
            reason = sentence(rule(&error));
        }
        End::Peer | End::Answer(None | Some(1000 | 1001)) => {
            end.unwrap_or_else(|error| panic!("{label}: {error}"));
        }
        End::Answer(_) => {
            assert_eq!(end.expect_err(label).kind(), io::ErrorKind::ConnectionAborted, "{label}");
        }
    }

    // What the peer has got: whole frames, masked or not as the role demands, a Close last and only then.
    let (last, frames) = frames.split_last().unwrap_or_else(|| panic!("{label}: nothing came"));
    let opcode = if payload_type == PayloadType::Text { TEXT } else { BINARY };
    assert_eq!(last.opcode, CLOSE, "{label}: the last frame");
    for frame in frames {
        let known = frame.opcode == opcode || frame.opcode == PONG;
        assert!(known && frame.fin && frame.key.is_some() == (role == Role::Client), "{label}: {frame:?}");
        assert!(frame.opcode != TEXT || std::str::from_utf8(&frame.payload).is_ok(), "{label}: {frame:?}");
    }
    let answers = frames.iter().filter(|frame| frame.opcode == PONG).map(|frame| &frame.payload);
    assert!(answers.eq(pongs), "{label}: the pongs are not {pongs:?}");
    let data = wire::payload(frames);
    // Once a Close is under way, nothing can follow it: then the start of the echo is all that is due.
    let ends_one_direction = matches!(case.end, End::Answer(None | Some(1000)));
    if case.end == End::Peer || (delivery == Delivery::WithClose && ends_one_direction) {
        assert!(data == *echo, "{label}: {} octets echoed of {}", data.len(), echo.len());
    } else {
        assert!(heard.starts_with(&data), "{label}: not what was sent");
    }
    let code = match case.end {
        End::Peer => Some(1000),
        End::Answer(code) => code,
        End::Violation(code) => Some(code),
    };
    assert_eq!(last.payload, wire::close_payload(code, &reason), "{label}: the Close");
}

/// The application: what it read, and how that ended.
async fn echo(mut stream: WebSocketStream<Pieces>, room: usize) -> (Vec<u8>, io::Result<()>) {
    let (mut heard, mut buf, mut writable) = (Vec::new(), vec![0; room], true);
    let end = loop {
        match stream.read(&mut buf).await {
            Ok(0) => break Ok(()),
            Ok(n) => {
                heard.extend(&buf[..n]);
                // It fails once a Close is under way. The peer sees what is missing where nothing may be.
                writable = writable && stream.write_all(&buf[..n]).await.is_ok();
            }
            Err(error) => break Err(error),
        }
    };
    let shut = stream.shutdown().await;
    // A socket that is dropped with input in it would reset the connection.
    let _ = tokio::io::copy(stream.get_mut(), &mut tokio::io::sink()).await;
    (heard, end.and(shut))
}

/// The raw peer: every frame that came until the transport ended.
async fn speak(io: TcpStream, role: Role, delivery: Delivery, case: &Case) -> Vec<Frame> {
    let key = (role == Role::Server).then_some(KEY);
    let encode = |frame: &Frame| wire::encode(frame.fin, frame.opcode, key, &frame.payload);
    let mut octets: Vec<u8> = case.sent.iter().flat_map(encode).collect();
    octets.truncate(octets.len() - case.held_back);
    let normal = encode(&close(1000, "done"));
    if delivery == Delivery::WithClose && case.end == End::Peer {
        octets.extend(&normal);
    }
    let (mut reader, mut writer) = io.into_split();
    let complete = Notify::new();
    let send = async {
        let chop = if delivery == Delivery::Chopped { case.chop } else { octets.len().max(1) };
        for piece in octets.chunks(chop) {
            // It fails where the stream has found a violation and is gone.
            if writer.write_all(piece).await.is_err() {
                break;
            }
        }
        if case.end == End::Peer && delivery != Delivery::WithClose {
            complete.notified().await;
            writer.write_all(&normal).await.unwrap();
        }
        writer
    };
    let receive = async {
        let (mut frames, mut bytes): (_, Vec<u8>) = (Vec::new(), Vec::new());
        let (mut data, mut pongs) = (0, 0);
        loop {
            if data >= case.echo.len() && pongs >= case.pongs.len() {
                complete.notify_one();
            }
            bytes.reserve(1 << 16);
            if reader.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                assert!(bytes.is_empty(), "{}: {} octets are not a whole frame", case.name, bytes.len());
                return frames;
            }
            let (new, rest) = wire::decode_prefix(&bytes);
            data += wire::payload(&new).len();
            pongs += new.iter().filter(|frame| frame.opcode == PONG).count();
            frames.extend(new);
            let seen = bytes.len() - rest.len();
            bytes.drain(..seen);
        }
    };
    // The writing half is kept until the stream has ended the connection.
    tokio::join!(send, receive).1
}

/// A transport that reads at most so many octets at a time.
struct Pieces {
    io: TcpStream,
    most: usize,
}

impl AsyncRead for Pieces {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let n = buf.remaining().min(this.most);
        let mut piece = ReadBuf::new(buf.initialize_unfilled_to(n));
        ready!(Pin::new(&mut this.io).poll_read(cx, &mut piece))?;
        let n = piece.filled().len();
        buf.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
