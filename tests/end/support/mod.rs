//! The kit: links between two ends, and the table of what programs do over them.

pub mod links;
pub mod matrix;
#[path = "../../handshake/support/tls.rs"]
#[allow(dead_code)]
pub mod tls;

use std::time::Duration;

use fastwebsockets_stream::{Config, PayloadType};

/// All defaults.
pub fn defaults() -> Config {
    Config::new(PayloadType::Binary)
}

/// Longer than anything takes that ends at all.
pub const LIMIT: Duration = Duration::from_secs(60);

/// What a future gives, which must not take long.
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LIMIT, future).await.expect("it hangs")
}

/// Many bytes that do not repeat where a buffer or a frame ends.
pub fn bulk(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        bytes.extend_from_slice(&state.rotate_left(29).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
