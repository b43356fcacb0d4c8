//! A worker with a small in-process queue, connected to a brain: something to look at on the dashboard.
//!
//! ```text
//! Z4J_BRAIN_URL=http://127.0.0.1:7700 Z4J_TOKEN=… Z4J_PROJECT_ID=default Z4J_HMAC_SECRET=… \
//!     cargo run --example worker --features inproc -- --rate 5
//! ```
//!
//! `--rate N` submits N jobs per second until Ctrl-C; `--once` submits one of each kind and ends when they are done
//! and delivered.

#![allow(clippy::disallowed_methods, reason = "a program reads its environment")]

use std::env;
use std::error::Error;
use std::time::Duration;

use serde_json::json;
use z4j_agent::engine::inproc::{InprocConfig, InprocEngine, Job, JobError, JobSpec};
use z4j_agent::{Agent, Credential};

type Outcome = Result<serde_json::Value, JobError>;

struct Options {
    per_second: f64,
    once: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let options = options()?;
    let engine = InprocEngine::new(InprocConfig {
        concurrency: 8,
        ..InprocConfig::default()
    });
    register(&engine);
    let workers = engine.start();

    let credential = Credential::new(
        variable("Z4J_TOKEN")?,
        variable("Z4J_PROJECT_ID")?,
        variable("Z4J_HMAC_SECRET")?,
    );
    let agent = Agent::builder(variable("Z4J_BRAIN_URL")?, credential)
        .with_engine(engine.clone())
        .with_name("example-worker")
        .with_worker_role("task")
        .build()?
        .spawn();

    if options.once {
        submit_all_and_wait(&engine).await?;
    } else {
        submit_until_interrupted(&engine, options.per_second).await?;
    }
    engine.cancel_waiting();
    workers.stop().await;
    let left = agent.shutdown(Duration::from_secs(10)).await;
    eprintln!(
        "stopped; {} events were not delivered, {} were lost",
        left.buffered_events, left.lost_events
    );
    Ok(())
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        per_second: 2.0,
        once: false,
    };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--once" => options.once = true,
            "--rate" => {
                let text = arguments.next().ok_or("--rate needs a number")?;
                let rate: f64 = text
                    .parse()
                    .map_err(|_| format!("{text} is not a number"))?;
                if !(rate > 0.0 && rate <= 10_000.0) {
                    return Err("--rate must be above 0 and at most 10000".to_owned());
                }
                options.per_second = rate;
            }
            other => {
                return Err(format!(
                    "unknown argument {other}; there are --rate N and --once"
                ));
            }
        }
    }
    Ok(options)
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("the variable {name} is not set"))
}

/// Jobs that succeed, fail, succeed at the third attempt, and take long enough to be cancelled.
fn register(engine: &InprocEngine) {
    engine.register("shop.charge_card", charge_card);
    engine.register("shop.send_receipt", send_receipt);
    engine.register("shop.sync_stock", sync_stock);
    engine.register("reports.build", build_report);
}

async fn charge_card(job: Job) -> Outcome {
    tokio::time::sleep(Duration::from_millis(30)).await;
    let cents = job
        .kwargs
        .get("amount_cents")
        .and_then(serde_json::Value::as_i64)
        .unwrap_or(0);
    if cents > 90_000 {
        return Err(JobError::new(
            "CardDeclined",
            format!("card declined for {cents} cents"),
        ));
    }
    Ok(json!({"charged_cents": cents}))
}

async fn send_receipt(job: Job) -> Outcome {
    tokio::time::sleep(Duration::from_millis(15)).await;
    Ok(json!({"order": job.args.first(), "sent": true}))
}

async fn sync_stock(job: Job) -> Outcome {
    tokio::time::sleep(Duration::from_millis(50)).await;
    if job.attempt < 2 {
        return Err(JobError::new(
            "UpstreamTimeout",
            format!("no answer, attempt {}", job.attempt + 1),
        ));
    }
    Ok(json!({"articles": 128}))
}

async fn build_report(job: Job) -> Outcome {
    let seconds = job
        .kwargs
        .get("seconds")
        .and_then(serde_json::Value::as_u64)
        .unwrap_or(20);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Ok(json!({"pages": 12}))
}

/// The `number`th job of the mix.
fn job(number: u64) -> JobSpec {
    let order = json!(1_000 + number);
    // Long jobs are rare enough that they do not fill all slots at ten jobs per second.
    match number % 40 {
        3 | 13 | 23 | 33 => JobSpec::new("shop.charge_card")
            .with_kwarg("amount_cents", 99_000)
            .with_kwarg("card_number", "4111 1111 1111 1111")
            .on_queue("payments"),
        6 | 16 | 26 | 36 => JobSpec::new("shop.sync_stock")
            .with_retries(3, Duration::from_millis(400))
            .on_queue("stock"),
        9 => JobSpec::new("reports.build")
            .with_kwarg("seconds", 20)
            .on_queue("reports"),
        even if even % 2 == 0 => JobSpec::new("shop.charge_card")
            .with_args([order])
            .with_kwarg("amount_cents", 1_250)
            .on_queue("payments"),
        _ => JobSpec::new("shop.send_receipt")
            .with_args([order])
            .with_kwarg("locale", "en"),
    }
}

async fn submit_until_interrupted(
    engine: &InprocEngine,
    per_second: f64,
) -> Result<(), Box<dyn Error>> {
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second));
    for number in 0.. {
        tokio::select! {
            _ = ticks.tick() => if let Err(error) = engine.submit(job(number)) {
                eprintln!("job {number} was not taken: {error}");
            },
            interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
        }
    }
    Ok(())
}

async fn submit_all_and_wait(engine: &InprocEngine) -> Result<(), Box<dyn Error>> {
    let mut waiting = Vec::new();
    for spec in [
        job(0),
        job(1),
        job(3),
        job(6),
        job(9).with_kwarg("seconds", 1),
    ] {
        waiting.push(engine.submit(spec)?);
    }
    let is_over =
        |task_id: &String| matches!(engine.job_state(task_id), Some("success" | "failure"));
    while !waiting.iter().all(is_over) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
