//! P.

fn main() {}
