//! One plain pass over the data, to hold the large frames against: nobody's codec, and what none does without.

use std::hint::black_box;
use std::io;
use std::ops::Deref;

use fastwebsockets_stream::Role;

use crate::frames::{Contender, Sink, Source, Stream};
use crate::peers::Transport;

/// Reading: what the transport copies, and where a mask is to be taken off, a loop of XOR in place. Writing: a copy
/// of the payload, with XOR where a mask is to be put on; nothing gets to the transport.
pub struct OnePass;

impl Contender for OnePass {
    const NAME: &'static str = "one plain pass";
    const PACKAGE: (&'static str, &'static str) = ("bench", "");
    const FRAMES: bool = false;

    fn source<S: Transport>(io: S, role: Role) -> impl Source {
        PassIn { io: Stream(io), masked: role == Role::Server }
    }

    fn sink<S: Transport>(_: S, role: Role) -> impl Sink {
        PassOut { masks: role == Role::Client, staging: vec![0; STAGING] }
    }
}

/// As much as ours masks at a time.
const STAGING: usize = 64 * 1024;

const KEY: u64 = 0x3d21_fa37_3d21_fa37;

struct PassIn<S> {
    io: Stream<S>,
    masked: bool,
}

impl<S: Transport> Source for PassIn<S> {
    async fn read<'a>(&'a mut self, buf: &'a mut [u8]) -> io::Result<impl Deref<Target = [u8]> + 'a> {
        let n = self.io.read(buf).await?.len();
        let read = &mut buf[..n];
        if self.masked {
            let (words, rest) = read.as_chunks_mut::<8>();
            words.iter_mut().for_each(|word| *word = (u64::from_ne_bytes(*word) ^ KEY).to_ne_bytes());
            rest.iter_mut().for_each(|octet| *octet ^= KEY as u8);
        }
        Ok(&*read)
    }
}

struct PassOut {
    masks: bool,
    staging: Vec<u8>,
}

impl Sink for PassOut {
    async fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        for from in payload.chunks(STAGING) {
            let to = &mut self.staging[..from.len()];
            if self.masks {
                let ((to, to_rest), (from, from_rest)) = (to.as_chunks_mut::<8>(), from.as_chunks::<8>());
                for (to, from) in to.iter_mut().zip(from) {
                    *to = (u64::from_ne_bytes(*from) ^ KEY).to_ne_bytes();
                }
                to_rest.iter_mut().zip(from_rest).for_each(|(to, from)| *to = from ^ KEY as u8);
            } else {
                to.copy_from_slice(from);
            }
            black_box(&mut *to);
        }
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
