//! The project's own tasks: serve, test, bench, gen.
fn main() {}
