//! What must hold of any bytes: for cargo-fuzz, and for `cargo test`, which tries the corpus and mutations of it.

pub mod frame;
pub mod head;
pub mod metadata;
pub mod pair;
pub mod record;
pub mod timeout;
pub mod trailers;

/// Where to split bytes: everywhere if they are few.
fn splits(length: usize) -> impl Iterator<Item = usize> {
    (0..=length).step_by((length / 64).max(1))
}
