//! What the fuzz targets do: see README.md.

pub mod clock;
pub mod comparing;
pub mod ends;
pub mod handshake;
pub mod hostile;
pub mod reading;
pub mod user;
pub mod writing;

/// The model of `tests/contract/random`, as it is there, with other dice.
#[path = "../../tests/contract/random"]
#[allow(dead_code, unused_imports, clippy::unwrap_used)]
mod random {
    #[path = "../../../fuzz/src/ends/dice.rs"]
    pub mod dice;
    mod end;
    mod lane;
    mod model;
    mod net;
    pub mod plan;
    mod raw;
    pub mod shorten;
    mod tap;
    pub mod world;

    /// As there, and eight for each byte that the dice may ask for: the transport may take one at a time. The most seen is 3.
    const MAX_POLLS: usize = 4000 + 8 * dice::BUDGET;
}

#[path = "../../tests/contract/support"]
#[allow(dead_code, clippy::unwrap_used)]
mod support {
    pub mod wire;
}
