//! Benchmarks that can drive any protocol-v2 brain by URL and credentials.

use std::process::ExitCode;

fn main() -> ExitCode {
    z4j_benches::main()
}
