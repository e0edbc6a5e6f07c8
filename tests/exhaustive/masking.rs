//! Payload that is masked, on its way in and out, at every alignment of the caller's memory, against the loop of section 5.3. The
//! loops themselves are tried at every alignment of both sides in `frame::mask`.

use std::pin::Pin;
use std::task::Poll;

use fastwebsockets_stream::{PayloadType, Role};
use tokio::io::AsyncWrite;

use crate::kit::{Read, cx, feed, frame, mask, sent, stream};

/// As wide as any vector.
const WIDTH: usize = 64;

/// Around four vectors, and around where the widest ones are used.
fn lengths() -> impl Iterator<Item = usize> {
    (0..=4 * WIDTH + 1).chain(760..=776)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 256) as u8).collect()
}

#[test]
fn masked_payload_is_read_as_section_5_3_says_at_every_alignment_and_rotation_of_the_key() {
    let mut memory = vec![0; 16 * 1024];
    let start = memory.as_ptr().align_offset(WIDTH);
    let mut cases = 0;
    for length in lengths() {
        let payload = pattern(length);
        let input = frame(Role::Server, 0x82, &payload);
        let head = input.len() - length;
        for alignment in 0..WIDTH {
            // The first read takes so much of the payload that the key is rotated for the second.
            for first in 0..4.min(length + 1) {
                let bytes = &mut memory[start + alignment..];
                let mut stream = stream(Role::Server, PayloadType::Binary);
                let (begin, rest) = input.split_at(head + first);
                let got = feed(&mut stream, begin, bytes);
                assert!(
                    matches!(got, Read::Bytes(n) if n == first) || (first == 0 && matches!(got, Read::Waits))
                );
                assert_eq!(bytes[..first], payload[..first]);
                if first < length {
                    let got = feed(&mut stream, rest, bytes);
                    assert!(matches!(got, Read::Bytes(n) if n == length - first), "{got:?}");
                    assert!(bytes[..length - first] == payload[first..], "{length} bytes at {alignment}");
                }
                cases += 1;
            }
        }
    }
    println!("{cases} masked reads");
    // Of 0, 1 and 2 bytes fewer can come first.
    assert_eq!(cases, WIDTH * (4 * lengths().count() - 6));
}

#[test]
fn payload_is_written_as_section_5_3_says_from_every_alignment() {
    let mut memory = vec![0; 16 * 1024];
    let start = memory.as_ptr().align_offset(WIDTH);
    let mut cases = 0;
    let mut stream = stream(Role::Client, PayloadType::Binary);
    for length in lengths() {
        let payload = pattern(length);
        for alignment in 0..WIDTH {
            let bytes = &mut memory[start + alignment..][..length];
            bytes.copy_from_slice(&payload);
            let polled = Pin::new(&mut stream).poll_write(&mut cx(), bytes);
            assert!(matches!(polled, Poll::Ready(Ok(n)) if n == length), "{polled:?}");
            let mut sent = sent(&mut stream);
            let head = if length < 126 { 2 } else { 4 };
            let key = sent[head..].first_chunk().copied();
            mask(&mut sent[head + 4..], key);
            assert!(sent[head + 4..] == payload, "{length} bytes from {alignment}");
            cases += 1;
        }
    }
    println!("{cases} masked writes");
    assert_eq!(cases, WIDTH * lengths().count());
}
