//! user.

fn main() {}
