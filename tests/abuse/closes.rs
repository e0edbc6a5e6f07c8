//! What follows a Close: it is not read, not answered, and not waited for.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use fastwebsockets_stream::{Config, PayloadType, WebSocketStream};
use tokio::io::AsyncWrite;

use crate::counting::cost;
use crate::kit::{Memory, ROLES, flush, frame, read, stream, write};

const CLOSES: usize = 100_000;

fn shut_down(stream: &mut crate::kit::Stream<'_>) {
    let polled = Pin::new(stream).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(()))), "{polled:?}");
}

#[test]
fn flood_of_closes_is_one_close_and_the_rest_is_left_in_the_transport() {
    let mut bytes = vec![0; 16 * 1024];
    for role in ROLES {
        for ours_first in [false, true] {
            let input = frame(role, 8, &1000_u16.to_be_bytes()).repeat(CLOSES);
            let mut stream = stream(role, &Config::new(PayloadType::Binary), &input);
            if ours_first {
                shut_down(&mut stream);
            }
            let first = read(&mut stream, &mut bytes);
            assert!(matches!(first, Poll::Ready(Ok(0))));
            let (left, written) = (stream.get_ref().input.len(), stream.get_ref().written);
            assert!(left >= input.len() - bytes.len(), "one read of the transport has met the end");
            let (allocations, ..) = cost(|| {
                for _ in 0..1000 {
                    assert!(matches!(read(&mut stream, &mut bytes), Poll::Ready(Ok(0))));
                    assert!(flush(&mut stream).is_ready());
                }
            });
            assert_eq!((stream.get_ref().input.len(), stream.get_ref().written), (left, written));
            assert_eq!(allocations, 0);
            shut_down(&mut stream);
            assert!(matches!(write(&mut stream, b"x"), Poll::Ready(Err(_))));
            let close = frame(stream.role(), 8, &1000_u16.to_be_bytes()).len();
            // Masked the other way round than the peer's.
            let close = if role == fastwebsockets_stream::Role::Client { close + 4 } else { close - 4 };
            assert_eq!(stream.get_ref().written, close, "one Close");
        }
    }
}

/// Dropping looks at what lies there, so that no reset destroys the answer; but a peer that goes on sending is not waited for.
#[test]
fn drop_reads_at_most_a_mebibyte_of_what_a_peer_goes_on_sending() {
    let mut bytes = vec![0; 16 * 1024];
    for role in ROLES {
        let input = [frame(role, 8, &1000_u16.to_be_bytes()), vec![0; 8 << 20]].concat();
        let mut memory = Memory::new(&input);
        let config = Config::new(PayloadType::Binary);
        let mut stream = WebSocketStream::from_transport(&mut memory, role, [], config);
        let mut buf = tokio::io::ReadBuf::new(&mut bytes);
        let polled = tokio::io::AsyncRead::poll_read(
            Pin::new(&mut stream),
            &mut Context::from_waker(Waker::noop()),
            &mut buf,
        );
        assert!(matches!(polled, Poll::Ready(Ok(()))) && buf.filled().is_empty());
        drop(stream);
        let taken = input.len() - memory.input.len();
        assert!(memory.written > 0, "the answer has left");
        assert!(taken > bytes.len() && taken <= (1 << 20) + (128 << 10), "{taken} bytes");
    }
}
