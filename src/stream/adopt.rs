//! Taking over a `fastwebsockets::WebSocket` that may have been used before.
//!
//! fastwebsockets keeps what it has read ahead to itself. But it can be made to parse it: its halves accept any
//! reader, so the transport is taken out and a [`Feed`] put in its place. Every complete frame then comes out as
//! it is, and is written down again. When fastwebsockets asks for more, it is given *pads*: from what it makes of
//! them, and from how many it takes, follows where the bytes of the wire had ended, and the pads are taken off
//! again.
//!
//! Whatever the outcome, it is wire bytes, which the stream decodes like any others.

mod feed;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use fastwebsockets::{Frame, WebSocket, WebSocketError, WebSocketRead, WebSocketWrite};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::frame::{Key, mask};
use crate::{Config, Error, OpCode, PayloadType, Role};

use feed::{BULK, Feed, GROWN_FRESH_BUFFER, Probe, Source};

/// What a `WebSocket` consists of.
pub(super) struct Adopted<S> {
    pub(super) io: S,
    pub(super) role: Role,
    pub(super) close_sent: bool,
    /// It has never read anything, so no message of the peer's can be half read.
    pub(super) is_fresh: bool,
    /// What had been read ahead.
    pub(super) wire: Vec<u8>,
    pub(super) rest: Rest,
}

/// What follows the bytes that could be recovered.
pub(super) enum Rest {
    /// Whatever the transport brings.
    Known,
    /// A frame of which these octets of the header had come, after a first one that is lost.
    Hidden(Vec<u8>),
    /// Something that cannot be recovered.
    Lost(Error),
}

/// fastwebsockets' own default, and as much as is ever allocated for a frame that had been cut.
const MAX_FRAME: usize = 64 << 20;

pub(super) fn take_apart<S>(mut websocket: WebSocket<S>, config: &Config) -> Adopted<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let close_sent = websocket.is_closed();
    websocket.set_auto_apply_mask(true);
    websocket.set_auto_close(false);
    websocket.set_auto_pong(false);
    websocket.set_max_message_size(MAX_FRAME);

    let (io, feed, probe) = (Cell::new(None), Feed::default(), Cell::new(0));
    let (reader, writer) = websocket.split(|transport| {
        io.set(Some(transport));
        (Source(&feed), Probe(&probe))
    });
    let Some(io) = io.into_inner() else { unreachable!("split calls its argument") };
    let role = role_of(writer, &probe);
    let (wire, rest, is_fresh) = Recovery { reader, feed: &feed, role, config }.run();
    Adopted { io, role, close_sent, is_fresh, wire, rest }
}

/// A Close, written to memory, shows by its MASK bit whose it is. It is taken even after one was sent.
fn role_of(mut writer: WebSocketWrite<Probe<'_>>, probe: &Cell<u8>) -> Role {
    let written = poll_once(pin!(writer.write_frame(Frame::close_raw(Vec::new().into()))));
    debug_assert!(matches!(written, Poll::Ready(Ok(()))));
    if probe.get() & 0x80 != 0 { Role::Client } else { Role::Server }
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Gets the read-ahead out of the reading half.
struct Recovery<'a> {
    reader: WebSocketRead<Source<'a>>,
    feed: &'a Feed,
    role: Role,
    config: &'a Config,
}

impl Recovery<'_> {
    /// What had been read ahead, what follows, and whether the `WebSocket` has never read anything.
    fn run(mut self) -> (Vec<u8>, Rest, bool) {
        let mut wire = Vec::new();
        // Ends: each turn takes a frame out of a buffer that is not filled any more, until it asks for more.
        let (outcome, pads) = loop {
            self.feed.restart(wire.is_empty());
            let outcome = read_frame(&mut self.reader, self.feed, self.role);
            match outcome {
                Ok(frame) if self.feed.fed() == 0 => frame.append_to(&mut wire, 0),
                Ok(frame) => {
                    let left_over = self.count_left_over();
                    break (Ok(frame), self.feed.fed() - left_over);
                }
                Err(error) => break (Err(error), self.feed.fed()),
            }
        };
        let rest = match outcome {
            Ok(frame) => {
                frame.append_to(&mut wire, pads);
                Rest::Known
            }
            // Two pads made a header, and a bad one: there was nothing at all.
            Err(WebSocketError::ReservedBitsNotZero) if pads == 2 => Rest::Known,
            Err(WebSocketError::ControlFrameFragmented) if pads == 2 && self.feed.seems_fresh() => {
                let is_fresh = self.is_fresh();
                return (wire, Rest::Known, is_fresh);
            }
            Err(error) => self.explain(&error, pads),
        };
        (wire, rest, false)
    }

    /// Of an empty buffer with the room of a fresh one: whether it is one. A buffer that has been read through may have grown,
    /// or be shared with frames that were returned, and then makes room for a large frame in another way.
    ///
    /// Where this cannot be told, because a frame without payload has just emptied a buffer that has never grown, it is
    /// taken for fresh.
    fn is_fresh(&mut self) -> bool {
        self.feed.give_header();
        // It waits for the payload, which never comes.
        poll_frame(&mut self.reader).is_pending() && self.feed.last_room.get() == GROWN_FRESH_BUFFER
    }

    /// Of the pads that were given in bulk, those that the frame did not need: zeros, which are read as empty
    /// continuation frames of two octets each.
    fn count_left_over(&mut self) -> usize {
        let fed = self.feed.fed();
        let mut octets = 0;
        while octets < BULK && poll_frame(&mut self.reader).is_ready() {
            octets += 2;
        }
        // One more zero makes a frame of an odd one.
        self.feed.give_one();
        if poll_frame(&mut self.reader).is_ready() {
            octets += 1;
        }
        self.feed.set_fed(fed);
        octets
    }

    /// What an error says about the bytes that had come, given how many pads it took to provoke it.
    fn explain(&self, error: &WebSocketError, pads: usize) -> Rest {
        match error {
            WebSocketError::PingFrameTooLarge => {
                Rest::Lost(Error::ControlFrameTooLong { opcode: OpCode::Ping })
            }
            // Pads in the upper half of a 64-bit length: its octets that had come are zero in any frame below
            // 4 GiB. All of the masking key, if there is one, was pads too.
            WebSocketError::FrameTooLarge => {
                let key = if self.role == Role::Server { 4 } else { 0 };
                let mask = if self.role == Role::Server { 0x80 } else { 0 };
                match pads.checked_sub(key) {
                    Some(missing @ 4..=8) if !(self.config.allow_unmasked && pads == 8) => {
                        let mut octets = vec![mask | 127];
                        octets.resize(1 + 8 - missing, 0);
                        Rest::Hidden(octets)
                    }
                    _ => Rest::Lost(Error::AdoptedFrameTooLarge),
                }
            }
            // Only Text is checked, and here all of it is refused.
            WebSocketError::InvalidUTF8 if self.config.payload_type == PayloadType::Binary => {
                let (received, expected) = (PayloadType::Text, PayloadType::Binary);
                Rest::Lost(Error::WrongPayloadType { received, expected })
            }
            WebSocketError::InvalidUTF8 if pads == 0 => Rest::Lost(Error::InvalidUtf8),
            WebSocketError::InvalidUTF8 => Rest::Lost(Error::AdoptedTextCut),
            error => Rest::Lost(Error::AdoptedInvalid { reason: error.to_string() }),
        }
    }
}

/// A frame as fastwebsockets returns it, taken apart again.
struct Recovered {
    head: [u8; 16],
    head_len: usize,
    /// Of the payload, pads and all.
    length: usize,
    /// As on the wire: all that had come, and not much more.
    payload: Vec<u8>,
}

impl Recovered {
    /// `fed` is how many pads were given; of the last lot some may be left over.
    fn new(mut frame: Frame<'_>, role: Role, fed: usize) -> Self {
        let mut head = [0; 16];
        let head_len = frame.fmt_head(&mut head);
        let length = frame.payload.len();
        let mut payload = frame.payload[..length.saturating_sub(fed.saturating_sub(BULK))].to_vec();
        // A server's fastwebsockets has unmasked it. `Frame::mask` would invent a key where there is none.
        if role == Role::Server
            && head[1] & 0x80 != 0
            && let Some(key) = head[..head_len].last_chunk()
        {
            let n = payload.len();
            mask::shift(&mut payload, 0, 0, n, Key::from(*key));
        }
        Recovered { head, head_len, length, payload }
    }

    /// Writes the frame down, less the pads at its end. If they are more than its payload, they reach into the
    /// header: then they, too, had not come.
    fn append_to(&self, wire: &mut Vec<u8>, pads: usize) {
        let in_header = pads.saturating_sub(self.length);
        // Only a first octet has two octets of header and three pads: they were a length of 16 bits, and it is zero.
        let head_len = if (self.head_len, in_header) == (2, 3) { 4 } else { self.head_len };
        wire.extend_from_slice(&self.head[..head_len.saturating_sub(in_header)]);
        wire.extend_from_slice(&self.payload[..self.length.saturating_sub(pads)]);
    }
}

/// Polls for a frame, once.
fn poll_frame(reader: &mut WebSocketRead<Source<'_>>) -> Poll<()> {
    let mut send = no_send;
    poll_once(pin!(reader.read_frame::<_, Infallible>(&mut send))).map(|_| ())
}

/// Reads a frame, giving pads for as long as more is asked for.
///
/// Ends: a frame of up to [`MAX_FRAME`] bytes is complete after as many pads, a larger one is an error.
fn read_frame(
    reader: &mut WebSocketRead<Source<'_>>,
    feed: &Feed,
    role: Role,
) -> Result<Recovered, WebSocketError> {
    let mut send = no_send;
    let mut future = pin!(reader.read_frame::<_, Infallible>(&mut send));
    loop {
        match poll_once(future.as_mut()) {
            Poll::Ready(result) => return result.map(|frame| Recovered::new(frame, role, feed.fed())),
            Poll::Pending => feed.give(),
        }
    }
}

/// Nothing is to be sent: auto_pong and auto_close are off.
fn no_send(_: Frame<'_>) -> Ready<Result<(), Infallible>> {
    ready(Ok(()))
}
