//! Requests that never end, and thousands of which only the beginning comes.

use std::pin::pin;
use std::task::{Context, Waker};

use fastwebsockets_stream::{Config, PayloadType, Upgrader};

use crate::counting::cost;
use crate::heads::{Endless, HEAD, HEAP, block_on};
use crate::kit::Memory;

/// After a refusal, what a client goes on sending is discarded, so that it reads the answer; so much, and for 2 seconds.
const REST: usize = 64 << 10;

fn upgrader() -> Upgrader {
    Upgrader::new(Config::new(PayloadType::Binary))
}

#[test]
fn request_that_never_ends_is_refused_at_its_limit_with_bounded_memory() {
    let cases: [(&str, &[u8], &[u8]); 6] = [
        ("a first line", b"GET /", b"a"),
        ("empty lines before it", b"", b"\r\n"),
        ("a field", b"GET / HTTP/1.1\r\nX: ", b"a"),
        ("a name of a field", b"GET / HTTP/1.1\r\n", b"a"),
        ("fields", b"GET / HTTP/1.1\r\n", b"X: y\r\n"),
        (
            "long fields",
            b"GET / HTTP/1.1\r\n",
            b"A-field: of some length, of which there are not so many\r\n",
        ),
    ];
    for (name, begin, each) in cases {
        for piece in [1, 1000, usize::MAX] {
            let mut io = Endless::new(begin, each, piece);
            let (mut result, upgrader) = (None, upgrader());
            let (allocations, peak, left) = cost(|| {
                result = Some(block_on(async { upgrader.over(&mut io).await.map(|_| ()) }));
            });
            let error = result.expect("it has ended").expect_err("it is no request");
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{name}: {error}");
            assert!(io.given <= HEAD + REST + (16 << 10), "{name}: {} bytes were read", io.given);
            assert!(peak <= HEAP, "{name}: {peak} bytes");
            // Each growth of what was read, and a runtime; not one for each byte.
            assert!(allocations <= 200, "{name}: {allocations} allocations");
            if piece == 1 {
                println!("{name}: {} bytes read, {peak} bytes of heap, {left} left; {error}", io.given);
            }
        }
    }
}

/// What a handshake holds that has begun and does not go on, beside its socket.
#[test]
fn ten_thousand_half_open_handshakes_hold_a_few_kibibytes_each() {
    const CROWD: usize = 10_000;
    let upgrader = upgrader().time_limit(std::time::Duration::MAX);
    for (name, begin, most) in
        [("silent", &b""[..], 8 << 10), ("in their request", b"GET / HTTP/1.1\r\nHost: exam", 12 << 10)]
    {
        let mut crowd = Vec::with_capacity(CROWD);
        let (_, peak, held) = cost(|| {
            for _ in 0..CROWD {
                let mut handshake = Box::pin(upgrader.over(Memory::new(begin)));
                assert!(pin!(&mut handshake).poll(&mut Context::from_waker(Waker::noop())).is_pending());
                crowd.push(handshake);
            }
        });
        assert!(peak <= most * CROWD as isize, "{name}: {} bytes each", peak / CROWD as isize);
        println!("{CROWD} handshakes that are {name}: {} bytes each", held / CROWD as isize);
        let (_, _, freed) = cost(|| drop(crowd));
        assert!(freed <= -held, "{name}: {} bytes stay", held + freed);
    }
}
