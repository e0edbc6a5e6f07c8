//! What this end puts on the wire: one frame for each write, and control frames.

use std::io::IoSlice;

use crate::buffer::Buffer;
use crate::frame::header::{self, MAX_CONTROL_PAYLOAD};
use crate::frame::{Header, Key, mask};
use crate::{OpCode, Role};

/// The longest control frame.
pub(crate) const MAX_CONTROL_FRAME: usize = 2 + 4 + MAX_CONTROL_PAYLOAD;

/// The sending half of the protocol.
pub(crate) struct Encoder {
    role: Role,
    /// The key of a frame that the transport refused; as octets, which need no padding.
    refused: Option<[u8; 4]>,
}

impl Encoder {
    pub(crate) fn new(role: Role) -> Self {
        if role == Role::Client {
            Key::forget_those_of_a_parent();
        }
        Encoder { role, refused: None }
    }

    #[inline]
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    #[inline]
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
    //# a client MUST mask all frames that it sends to the server
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
    //# A server MUST NOT mask any frames that it sends to the client.
    pub(crate) fn masks(&self) -> bool {
        self.role == Role::Client
    }

    /// The header of a data frame, which is a whole message, with a key of its own.
    ///
    /// A frame that was refused may be offered again, and then it is the same to the last byte: some transports
    /// (those of OpenSSL) have put aside what they refused, and go on with that.
    #[inline(always)]
    pub(crate) fn data_header(&mut self, opcode: OpCode, length: usize) -> Header {
        let key = match self.refused {
            None => self.key(),
            refused => {
                self.refused = None;
                refused.map(Key::from)
            }
        };
        Header { fin: true, opcode, key, length: length as u64 }
    }

    /// The transport has taken nothing of the frame with this header.
    pub(crate) fn refuse(&mut self, header: &Header) {
        self.refused = header.key.map(Key::octets);
    }

    /// The key of a frame that the transport has refused.
    pub(crate) fn refused(&self) -> Option<Key> {
        self.refused.map(Key::from)
    }

    /// Goes on where another encoder has stopped.
    pub(crate) fn restore(&mut self, refused: Option<Key>) {
        self.refused = refused.map(Key::octets);
    }

    /// How long a data frame with this much payload is.
    pub(crate) fn frame_len(&self, length: usize) -> usize {
        header::encoded_len(length as u64, self.masks()).saturating_add(length)
    }

    /// A whole control frame; returns its length.
    pub(crate) fn control(&self, opcode: OpCode, payload: &[u8], out: &mut [u8; MAX_CONTROL_FRAME]) -> usize {
        let key = self.key();
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
        //# Control frames themselves MUST NOT be fragmented.
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
        //# Close frames sent from client to server must be masked
        let n = Header { fin: true, opcode, key, length: payload.len() as u64 }.encode(out);
        mask::copy(payload, &mut out[n..n + payload.len()], key.unwrap_or_default());
        n + payload.len()
    }

    #[inline]
    fn key(&self) -> Option<Key> {
        self.masks().then(Key::fresh)
    }
}

/// Writes a header and the first `length` bytes of payload to the start of `out`, and returns how much that is.
#[inline(always)]
pub(crate) fn write_frame(
    header: &Header,
    payload: &(impl Body + ?Sized),
    length: usize,
    out: &mut [u8],
) -> usize {
    let n = header.encode(out);
    payload.copy(0, &mut out[n..n + length], header.key);
    n + length
}

/// What is left of a frame of which the transport has a part: `stage`, which is wire bytes, then the payload from `staged` on.
//= https://www.rfc-editor.org/rfc/rfc6455#section-10.3
//# the payload (application-supplied data) of that frame must not be capable of being modified by the
//# application.
pub(crate) fn rest_of_frame(
    header: &Header,
    stage: &[u8],
    payload: &(impl Body + ?Sized),
    staged: usize,
) -> (Buffer, usize) {
    let length = stage.len() + payload.len() - staged;
    let rest = Buffer::filled(length, |at, mut out| {
        let here = &stage[at.min(stage.len())..];
        let n = here.len().min(out.len());
        out[..n].copy_from_slice(&here[..n]);
        out = &mut out[n..];
        if !out.is_empty() {
            payload.copy(staged + (at + n - stage.len()), out, header.key);
        }
    });
    (rest, length)
}

/// The payload of a frame, wherever its bytes are.
pub(crate) trait Body {
    fn len(&self) -> usize;

    /// Its bytes; no part is empty.
    fn parts(&self) -> impl Iterator<Item = &[u8]>;

    /// Copies what is from byte `from` on to `out`, as much as fits, masked where there is a key.
    fn copy(&self, from: usize, out: &mut [u8], key: Option<Key>);
}

impl Body for [u8] {
    #[inline]
    fn len(&self) -> usize {
        self.len()
    }

    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self).filter(|part| !part.is_empty())
    }

    #[inline(always)]
    fn copy(&self, from: usize, out: &mut [u8], key: Option<Key>) {
        let here = &self[from..];
        let n = here.len().min(out.len());
        match key {
            None => out[..n].copy_from_slice(&here[..n]),
            Some(key) => mask::copy(&here[..n], &mut out[..n], key.rotate(from)),
        }
    }
}

/// What an earlier write left of a code point, then the start of the caller's slices.
#[derive(Clone, Copy)]
pub(crate) struct Slices<'a> {
    prefix: &'a [u8],
    slices: &'a [IoSlice<'a>],
    len: usize,
}

impl<'a> Slices<'a> {
    /// `len` bytes of prefix and slices, which hold at least as many.
    pub(crate) fn new(prefix: &'a [u8], slices: &'a [IoSlice<'a>], len: usize) -> Self {
        Slices { prefix, slices, len }
    }
}

impl Body for Slices<'_> {
    fn len(&self) -> usize {
        self.len
    }

    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut left = self.len;
        std::iter::once(self.prefix).chain(self.slices.iter().map(|slice| &**slice)).filter_map(move |part| {
            let part = &part[..part.len().min(left)];
            left -= part.len();
            (!part.is_empty()).then_some(part)
        })
    }

    fn copy(&self, mut from: usize, mut out: &mut [u8], key: Option<Key>) {
        let mut key = key.map(|key| key.rotate(from));
        for part in self.parts() {
            if from >= part.len() {
                from -= part.len();
                continue;
            }
            let n = (part.len() - from).min(out.len());
            let (here, rest) = out.split_at_mut(n);
            part[from..from + n].copy(0, here, key);
            key = key.map(|key| key.rotate(n));
            from = 0;
            out = rest;
            if out.is_empty() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn client_that_begins_gives_up_the_keys_of_the_process_that_has_forked() {
        let parents = Key::pretend_to_have_forked();
        let keys: Vec<_> =
            [Role::Client; 2].map(|role| Encoder::new(role).data_header(OpCode::Binary, 1).key).into();
        assert!(keys.iter().all(|key| key.is_some_and(|key| !parents.contains(&key.octets()))));
    }

    #[test]
    fn slices_copy_any_part_of_their_parts() {
        let slices = [b"bcd".as_slice(), b"", b"efg", b"hij"].map(IoSlice::new);
        let payload = Slices::new(b"a", &slices, 8);
        assert_eq!(payload.parts().collect::<Vec<_>>().concat(), b"abcdefgh");
        for from in 0..=8 {
            for to in from..=8 {
                let mut out = vec![0; to - from];
                payload.copy(from, &mut out, None);
                assert_eq!(out, b"abcdefgh"[from..to]);
                payload.copy(from, &mut out, Some([1, 2, 3, 4].into()));
                let masked = |i: usize| b"abcdefgh"[i] ^ [1, 2, 3, 4][i % 4];
                assert_eq!(out, (from..to).map(masked).collect::<Vec<_>>());
            }
        }
    }
}
