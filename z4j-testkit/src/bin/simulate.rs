//! Runs seeds of the frame simulator: one, a row of them, or fresh ones for a while.
//!
//! `simulate --seed 4711` runs one seed; with `--trace` it prints the whole trace, which is the same in every process.
//! `simulate --first 1 --seeds 200` runs a row. `simulate --minutes 5` runs seeds that follow from the time of day.
#![allow(
    clippy::disallowed_methods,
    reason = "a tool: it measures how long it takes, and picks fresh seeds"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use z4j_testkit::sim::{Situation, Sweep, World, sweep};

/// What to run.
#[derive(Debug, Default)]
struct Order {
    seed: Option<u64>,
    prints_trace: bool,
    first: u64,
    seeds: Option<u64>,
    minutes: Option<u64>,
    threads: Option<usize>,
}

impl Order {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut order = Self {
            first: 1,
            ..Self::default()
        };
        while let Some(name) = arguments.next() {
            if name == "--trace" {
                order.prints_trace = true;
                continue;
            }
            let value = arguments.next().and_then(|value| value.parse::<u64>().ok());
            let value = value.ok_or_else(|| format!("{name} needs a number"))?;
            match name.as_str() {
                "--seed" => order.seed = Some(value),
                "--first" => order.first = value,
                "--seeds" => order.seeds = Some(value),
                "--minutes" => order.minutes = Some(value),
                "--threads" => order.threads = usize::try_from(value).ok(),
                _ => return Err(format!("{name} is not known")),
            }
        }
        Ok(order)
    }
}

fn main() -> ExitCode {
    let order = match Order::read(std::env::args().skip(1)) {
        Ok(order) => order,
        Err(problem) => {
            eprintln!("simulate: {problem}");
            return ExitCode::FAILURE;
        }
    };
    match order.seed {
        Some(seed) => one(seed, order.prints_trace),
        None => many(&order),
    }
}

fn one(seed: u64, prints_trace: bool) -> ExitCode {
    let began = Instant::now();
    let outcome = World::new(seed).run();
    if prints_trace {
        print!("{}", outcome.trace());
    }
    println!("{outcome}");
    println!(
        "trace   {} sha256 {}",
        outcome.trace().lines().count(),
        outcome.digest()
    );
    let (virtual_s, real_s) = (
        outcome.lasted().as_secs_f64(),
        began.elapsed().as_secs_f64(),
    );
    eprintln!("{virtual_s:.1} s of virtual time in {real_s:.3} s");
    for (situation, times) in outcome.met() {
        println!("met     {} ({times})", situation.as_str());
    }
    if outcome.violations().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn many(order: &Order) -> ExitCode {
    let began = Instant::now();
    let until = order
        .minutes
        .map(|minutes| began + Duration::from_secs(60 * minutes));
    let first = if until.is_some() {
        fresh()
    } else {
        order.first
    };
    let threads = order.threads.unwrap_or_else(cores);
    let count = order
        .seeds
        .unwrap_or(if until.is_some() { u64::MAX } else { 200 });
    // Runs that are under way when the count is reached are counted too.
    let room = count.saturating_sub(threads as u64 - 1).max(1);
    let goes_on = |sum: &Sweep| {
        sum.broken.is_empty() && sum.runs < room && until.is_none_or(|until| Instant::now() < until)
    };
    let sum = sweep(first, threads, World::new, goes_on);
    report(&sum, first, began.elapsed());
    if sum.broken.is_empty() && sum.runs > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn report(sum: &Sweep, first: u64, took: Duration) {
    let seconds = took.as_secs_f64().max(0.001);
    println!(
        "{} seeds from {first} on in {seconds:.1} s: {:.1} seeds/s, {:.0} s of virtual time",
        sum.runs,
        sum.runs as f64 / seconds,
        sum.lasted.as_secs_f64()
    );
    for situation in Situation::ALL {
        let runs = sum.met.get(situation).copied().unwrap_or(0);
        println!("{runs:>7}  {}", situation.as_str());
    }
    for outcome in &sum.broken {
        println!("{outcome}");
    }
}

/// A seed that was most likely never run.
fn fresh() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(1, |since| since.as_secs().wrapping_mul(1_000_000))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
