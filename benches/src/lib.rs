//! Benchmarks that can drive any protocol-v2 brain.
