//! Servers whose answer never ends.

use fastwebsockets_stream::{Client, Config, PayloadType};

use crate::counting::cost;
use crate::heads::{Endless, HEAD, HEAP, block_on};

#[test]
fn answer_that_never_ends_is_an_error_at_its_limit_with_bounded_memory() {
    let cases: [(&str, &[u8], &[u8]); 6] = [
        ("a first line", b"HTTP/1.1 101 ", b"a"),
        ("a field", b"HTTP/1.1 101 Switching Protocols\r\nX: ", b"a"),
        ("fields", b"HTTP/1.1 101 Switching Protocols\r\n", b"X: y\r\n"),
        ("interim answers", b"", b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"),
        ("a refusal's body", b"HTTP/1.1 403 Forbidden\r\n\r\n", b"no, "),
        (
            "a refusal's chunks",
            b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"4\r\nno, \r\n",
        ),
    ];
    for (name, begin, each) in cases {
        for piece in [1, 1000, usize::MAX] {
            let mut io = Endless::new(begin, each, piece);
            let client = Client::new(Config::new(PayloadType::Binary));
            let mut result = None;
            let (allocations, peak, _) = cost(|| {
                result = Some(block_on(async { client.over(&mut io, "ws://localhost/").await.map(|_| ()) }));
            });
            let error = result.expect("it has ended").expect_err("it is no answer");
            assert!(io.given <= HEAD, "{name}: {} bytes were read", io.given);
            assert!(peak <= HEAP, "{name}: {peak} bytes");
            // Of what grows, a line for each chunk of 1 KiB in all, and a runtime; not one for each byte.
            assert!(allocations <= 600, "{name}: {allocations} allocations");
            if piece == 1 {
                println!(
                    "{name}: {} bytes read, {peak} bytes of heap, {allocations} allocations; {error}",
                    io.given
                );
            }
        }
    }
}
