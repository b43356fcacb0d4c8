//! The z4j brain: server and operator's commands in one binary.
fn main() {}
