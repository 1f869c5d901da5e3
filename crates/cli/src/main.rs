//! The command line program cantus.
fn main() {}
