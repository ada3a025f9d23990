// A quick start.
fn main() {}
