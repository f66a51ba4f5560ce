//! Properties that hold for any bytes. cargo-fuzz checks them, and so does `cargo test`, with the corpus and mutations of
//! it.

pub mod frame;
pub mod head;
pub mod json;
pub mod metadata;
pub mod pair;
pub mod record;
pub mod resident;
pub mod timeout;
pub mod trailers;

/// The positions to split at: all of them in short input.
fn splits(length: usize) -> impl Iterator<Item = usize> {
    (0..=length).step_by((length / 64).max(1))
}
