//! Attacks on a network of nodes, for tests.

fn main() {}
