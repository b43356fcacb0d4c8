//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::report::Report;
use crate::{
    ack, ceiling, command, footprint, idle, ingest, nofile, process, query, storm, verify,
};

/// Benchmarks that can drive any protocol-v2 brain by URL and credentials, several side by side in one run.
///
/// Beside every number stands what driver, brain and database used meanwhile: CPU seconds, and % of one core.
#[derive(Debug, Parser)]
#[command(name = "z4j-benches")]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
    /// Add the numbers to this file, one JSON object per line
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Events per second persisted, for several numbers of connections and events per frame; with --decay as a store grows
    Ingest(ingest::Options),
    /// How long an acknowledgement takes at a tenth of the top rate, or at --rate
    Ack(ack::Options),
    /// From a REST call that retries or cancels a task to the command's frame on the agent
    Command(command::Options),
    /// Task list, filters, search, sorts and the thousandth page over REST, with many tasks stored
    Query(query::Options),
    /// Memory for each idle agent
    Idle(idle::Options),
    /// Agents that all come back at once after the brain was killed
    Storm(storm::Options),
    /// What the driver itself reaches against a server that does nothing
    DriverCeiling(ceiling::Options),
    /// Megabytes per second and core through verification, decoding and redaction
    Verify,
    /// Start-up time and idle memory of the release binary
    Footprint {
        /// The brain to start [default: the release build, made when absent]
        #[arg(long)]
        binary: Option<PathBuf>,
    },
    /// The server that does nothing; ends with its standard input
    #[command(hide = true)]
    Acceptor,
}

/// Runs the bench that the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("z4j-benches: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    nofile::raise()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let report = runtime.block_on(async {
        let mut stop = signal(SignalKind::terminate())?;
        // Stopped in the middle, what was started is ended by its `Drop`.
        tokio::select! {
            report = bench(cli.bench) => report,
            _ = tokio::signal::ctrl_c() => bail!("stopped"),
            _ = stop.recv() => bail!("stopped"),
        }
    })?;
    report.map_or(Ok(()), |report| report.finish(cli.json.as_deref()))
}

async fn bench(bench: Bench) -> anyhow::Result<Option<Report>> {
    Ok(Some(match bench {
        Bench::Ingest(options) => Box::pin(ingest::run(&options)).await?,
        Bench::Ack(options) => Box::pin(ack::run(&options)).await?,
        Bench::Command(options) => Box::pin(command::run(&options)).await?,
        Bench::Query(options) => Box::pin(query::run(&options)).await?,
        Bench::Idle(options) => Box::pin(idle::run(&options)).await?,
        Bench::Storm(options) => Box::pin(storm::run(&options)).await?,
        Bench::DriverCeiling(options) => ceiling::run(&options).await?,
        Bench::Verify => verify::run()?,
        Bench::Footprint { binary } => {
            footprint::run(&process::release_binary(binary.as_deref())?).await?
        }
        Bench::Acceptor => {
            ceiling::accept().await?;
            return Ok(None);
        }
    }))
}
