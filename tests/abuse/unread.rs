//! A peer that never reads, while this end writes, answers Pings, and closes.

use std::task::Poll;

use fastwebsockets_stream::{Config, PayloadType, Role};

use crate::counting::cost;
use crate::kit::{ROLES, frame, read, stream, write};

/// What there is beside the rest of a frame: headroom for control frames, and what a thread stages.
const BESIDE: isize = 300 << 10;

/// Whatever the caller writes, and whatever comes, no more is kept than one frame of the caller's or one write buffer.
#[test]
fn peer_that_never_reads_costs_one_frame_whatever_is_written_and_however_often_it_pings() {
    let mut bytes = vec![0; 64 * 1024];
    let payload = vec![b'x'; 4 << 20];
    for role in ROLES {
        let pings = frame(role, 9, &[b'p'; 125]).repeat(2000);
        for (limit, buffer) in [(4 << 10, 0), (64 << 10, 0), (1 << 20, 0), (4 << 20, 0), (1 << 20, 64 << 10)]
        {
            // It takes that many bytes, and then nothing.
            for room in [0, 1, 100_000] {
                let config = Config::new(PayloadType::Binary).max_frame_len(Some(limit)).write_buffer(buffer);
                let mut stream = stream(role, &config, &[]);
                stream.get_mut().room = room;
                let (mut accepted, mut waits) = (0, 0);
                let (_, peak, left) = cost(|| {
                    for _ in 0..50 {
                        match write(&mut stream, &payload) {
                            Poll::Ready(written) => {
                                accepted += written.expect("the transport has not failed")
                            }
                            Poll::Pending => waits += 1,
                        }
                        stream.get_mut().input = &pings;
                        // Ends: nothing is for the caller.
                        while !stream.get_ref().input.is_empty() {
                            assert!(read(&mut stream, &mut bytes).is_pending());
                        }
                    }
                });
                let case = format!("{role:?}, frames of {limit}, buffer of {buffer}, room for {room}");
                assert!(
                    waits > 0 && accepted <= room + limit.max(buffer),
                    "{case}: {accepted} bytes were accepted"
                );
                let most = limit.max(buffer) as isize + BESIDE;
                assert!(peak <= most && left <= most, "{case}: {peak} bytes, {left} left");
                if role == Role::Server && room == 1 {
                    println!("{case}: at most {peak} bytes");
                }
            }
        }
    }
}

/// A waiting write that is polled for nothing costs no more than its own frame, and keeps nothing.
#[test]
fn write_that_waits_keeps_nothing_of_its_frame() {
    let payload = vec![b'x'; 1 << 20];
    for role in ROLES {
        let mut stream = stream(role, &Config::new(PayloadType::Binary), &[]);
        stream.get_mut().room = 0;
        for warm in [false, true] {
            let (allocations, _, left) = cost(|| {
                for _ in 0..10 {
                    assert!(write(&mut stream, &payload).is_pending());
                }
            });
            assert!(!warm || (allocations == 0 && left == 0), "{allocations} allocations, {left} bytes");
        }
    }
}
