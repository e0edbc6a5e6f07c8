//! Masking keys show no pattern that a counter, a seed that is shared, or a key that is used again would leave: PROMISES 3.7. More than
//! that no test can show: that the generator is one for secrets is to be seen in `frame::mask`.

use std::collections::HashSet;

use fastwebsockets_stream::Role;

use crate::support::{Task, binary, ok, stream, wire};

/// The keys of so many frames of one client.
fn keys(count: usize) -> Vec<u32> {
    let (mut stream, mock) = stream(Role::Client, binary());
    let task = Task::default();
    for _ in 0..count {
        ok(task.write(&mut stream, b"x"));
    }
    let frames = wire::decode(&mock.take_written());
    frames.iter().map(|frame| u32::from_le_bytes(frame.key.expect("a client masks"))).collect()
}

/// Of so many random words one is expected to be there twice, in each of the cases below. Ten are a pattern.
#[track_caller]
fn assert_no_pattern(words: impl ExactSizeIterator<Item = u32>, what: &str) {
    let count = words.len();
    let different = words.collect::<HashSet<_>>().len();
    assert!(count - different < 10, "{} of {count} {what} are there twice", count - different);
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.3
//= type=test
//# the client MUST pick a fresh masking key from the set of allowed 32-bit values.
#[test]
fn keys_have_all_32_bits_each_as_often_set_as_not() {
    let keys = keys(1 << 16);
    for bit in 0..32 {
        let set = keys.iter().filter(|key| **key >> bit & 1 == 1).count();
        // Eight standard deviations, which are 128.
        assert!(set.abs_diff(keys.len() / 2) < 1024, "bit {bit} is set in {set} keys of {}", keys.len());
    }
    assert_no_pattern(keys.into_iter(), "keys");
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.3
//= type=test
//# the masking key for a given frame MUST NOT make it simple for a server/proxy to predict the masking key for
//# a subsequent frame.
#[test]
fn keys_follow_each_other_without_a_pattern() {
    let keys = keys(1 << 16);
    for distance in [1, 2, 63, 64, 65] {
        let pairs = || keys.windows(distance + 1).map(|keys| (keys[0], keys[distance]));
        assert_no_pattern(pairs().map(|(a, b)| b.wrapping_sub(a)), "differences");
        assert_no_pattern(pairs().map(|(a, b)| b ^ a), "sums");
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.3
//= type=test
//# the masking key MUST be derived from a strong source of entropy
#[test]
fn keys_of_other_streams_and_threads_are_others() {
    let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(|| [keys(2048), keys(2048)].concat())).collect();
    let all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().expect("keys")).collect();
    assert_eq!(all.len(), 1 << 15);
    assert_no_pattern(all.into_iter(), "keys");
}
