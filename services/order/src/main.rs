//! order.

fn main() {}
