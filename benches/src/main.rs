//! Benchmarks: `ingest`, `verify` and `footprint`. The ingest bench can drive any protocol-v2 brain by URL and credentials.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_errors_doc,
    reason = "a bench measures real time on a real machine and stops at the first fault"
)]

mod client;
mod driver;
mod events;
mod footprint;
mod ingest;
mod process;
mod report;
mod store_alone;
mod verify;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Benchmarks of z4j.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Events per second persisted, and how long an acknowledgement takes.
    Ingest(ingest::Options),
    /// Megabytes per second and core through verification, decoding and redaction.
    Verify,
    /// Start-up time and idle memory of the release binary.
    Footprint {
        /// The brain to start; built when absent.
        #[arg(long)]
        binary: Option<PathBuf>,
    },
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let report = match Cli::parse().bench {
        Bench::Ingest(options) => ingest::run(options).await?,
        Bench::Verify => verify::run()?,
        Bench::Footprint { binary } => footprint::run(&process::release_binary(binary)?).await?,
    };
    report.finish()
}
