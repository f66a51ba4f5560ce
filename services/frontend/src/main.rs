//! frontend.

fn main() {}
