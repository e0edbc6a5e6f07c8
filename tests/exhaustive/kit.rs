//! A stream over memory that is cheap to make: there are millions of them.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fastwebsockets_stream::{CloseCode, Config, Error, PayloadType, Role, WebSocketStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub const ROLES: [Role; 2] = [Role::Client, Role::Server];
pub const TYPES: [PayloadType; 2] = [PayloadType::Binary, PayloadType::Text];

pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What has come, and what has been sent. Nothing ever ends.
#[derive(Default)]
pub struct Memory<'a> {
    pub input: &'a [u8],
    pub written: Vec<u8>,
    pub is_shut: bool,
}

impl AsyncRead for Memory<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (now, later) = self.input.split_at(self.input.len().min(buf.remaining()));
        if now.is_empty() {
            return Poll::Pending;
        }
        self.input = later;
        buf.put_slice(now);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_shut = true;
        Poll::Ready(Ok(()))
    }
}

pub type Stream<'a> = WebSocketStream<Memory<'a>>;

pub fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

pub fn stream<'a>(role: Role, payload_type: PayloadType) -> Stream<'a> {
    let config = Config::new(payload_type).close_timeout(Duration::MAX);
    WebSocketStream::from_transport(Memory::default(), role, [], config)
}

/// What a read returns.
#[derive(Debug)]
pub enum Read {
    Waits,
    Bytes(usize),
    Fails(io::Error),
}

pub fn read(stream: &mut Stream<'_>, bytes: &mut [u8]) -> Read {
    let mut buf = ReadBuf::new(bytes);
    match Pin::new(stream).poll_read(&mut cx(), &mut buf) {
        Poll::Pending => Read::Waits,
        Poll::Ready(Ok(())) => Read::Bytes(buf.filled().len()),
        Poll::Ready(Err(error)) => Read::Fails(error),
    }
}

/// Lets this come, and reads it.
pub fn feed<'a>(stream: &mut Stream<'a>, input: &'a [u8], bytes: &mut [u8]) -> Read {
    stream.get_mut().input = input;
    read(stream, bytes)
}

/// What was sent since this was last asked.
pub fn sent(stream: &mut Stream<'_>) -> Vec<u8> {
    std::mem::take(&mut stream.get_mut().written)
}

pub fn shut_down(stream: &mut Stream<'_>) {
    let polled = Pin::new(stream).poll_shutdown(&mut cx());
    assert!(matches!(polled, Poll::Ready(Ok(()))), "shutdown waits for nobody: {polled:?}");
}

/// Calls `close`, and gives up once it waits: whatever comes from then on is discarded.
pub fn discard(stream: &mut Stream<'_>) {
    let mut close = pin!(stream.close(CloseCode::NORMAL, ""));
    assert!(close.as_mut().poll(&mut cx()).is_pending(), "the peer has not closed");
}

/// The rule that an error of the crate's names.
pub fn rule(error: &io::Error) -> &Error {
    error.get_ref().and_then(|inner| inner.downcast_ref()).expect("an error of the crate")
}

/// The key of the peer's frames.
pub fn peers_key(role: Role) -> Option<[u8; 4]> {
    (role == Role::Server).then_some(KEY)
}

pub fn mask(payload: &mut [u8], key: Option<[u8; 4]>) {
    if let Some(key) = key {
        // > transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4) (RFC 6455, section 5.3)
        for (i, octet) in payload.iter_mut().enumerate() {
            *octet ^= key[i % 4];
        }
    }
}

/// The peer's frame, in the shortest form.
pub fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let key = peers_key(role);
    let mark = if key.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        n @ 0..=125 => out.push(mark | n as u8),
        n @ 126..=0xffff => {
            out.push(mark | 126);
            out.extend((n as u16).to_be_bytes());
        }
        n => {
            out.push(mark | 127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    out.extend(key.into_iter().flatten());
    let start = out.len();
    out.extend_from_slice(payload);
    mask(&mut out[start..], key);
    out
}

/// The one control frame that was sent: its first octet and its payload, unmasked; `None` if nothing was sent.
pub fn control(role: Role, mut sent: Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let [first, second, ..] = sent[..] else {
        assert!(sent.is_empty(), "half a header was sent");
        return None;
    };
    // > A client MUST mask all frames that it sends to the server. […] A server MUST NOT mask any frames (section 5.1)
    assert_eq!(second & 0x80 != 0, role == Role::Client, "masked by clients alone");
    let length = usize::from(second & 0x7f);
    let key = (role == Role::Client).then(|| [sent[2], sent[3], sent[4], sent[5]]);
    let mut payload = sent.split_off(if key.is_some() { 6 } else { 2 });
    assert_eq!(payload.len(), length, "one whole frame was sent");
    mask(&mut payload, key);
    Some((first, payload))
}
