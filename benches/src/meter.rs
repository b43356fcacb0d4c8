//! What a run cost: CPU and memory of the driver, the brain and the database, from the kernel's tables.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;

const TICKS_PER_SECOND: f64 = 100.0;

/// Processes to look at, each with all that it started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watched {
    /// The brain.
    pub(crate) brain: Option<u32>,
    /// The PostgreSQL server's first process.
    pub(crate) postgres: Option<u32>,
}

/// What a process and its descendants used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time in seconds, of ended children too.
    pub(crate) cpu_seconds: f64,
    /// Resident memory in KiB.
    pub(crate) rss_kib: u64,
    /// The most resident memory since the meter started, in KiB.
    pub(crate) peak_kib: u64,
}

/// A running measurement.
#[derive(Debug)]
pub(crate) struct Meter {
    watched: Watched,
    began: Instant,
    driver: f64,
    brain: Option<Usage>,
    postgres: Option<Usage>,
}

/// What a run cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Costs {
    took: Duration,
    driver_cpu_seconds: f64,
    brain: Option<(f64, u64)>,
    postgres: Option<f64>,
}

impl Meter {
    /// Starts to count; peaks of memory begin anew.
    pub(crate) fn start(watched: Watched) -> Self {
        if let Some(pid) = watched.brain {
            for pid in tree(pid) {
                // Not ours to write for a stranger's process: then the peak is that since its start.
                let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
            }
        }
        let usage = |pid: Option<u32>| pid.and_then(|pid| usage_of(pid).ok());
        Self {
            watched,
            brain: usage(watched.brain),
            postgres: usage(watched.postgres),
            driver: own_cpu_seconds(),
            began: Instant::now(),
        }
    }

    /// What was used since the start.
    pub(crate) fn stop(&self) -> Costs {
        let took = self.began.elapsed();
        let driver_cpu_seconds = own_cpu_seconds() - self.driver;
        let since = |before: Option<Usage>, pid: Option<u32>| {
            let (before, now) = (before?, usage_of(pid?).ok()?);
            Some((now.cpu_seconds - before.cpu_seconds, now.peak_kib))
        };
        Costs {
            took,
            driver_cpu_seconds,
            brain: since(self.brain, self.watched.brain),
            postgres: since(self.postgres, self.watched.postgres).map(|(cpu, _)| cpu),
        }
    }
}

impl Costs {
    /// The columns to print beside a number.
    pub(crate) fn columns(&self) -> Vec<(&'static str, f64)> {
        let share = |seconds: f64| 100.0 * seconds / self.took.as_secs_f64().max(1e-9);
        let mut columns = vec![
            ("driver_cpu_s", self.driver_cpu_seconds),
            ("driver_cpu_pct", share(self.driver_cpu_seconds)),
        ];
        if let Some((cpu, peak)) = self.brain {
            columns.push(("brain_cpu_s", cpu));
            columns.push(("brain_cpu_pct", share(cpu)));
            columns.push(("brain_peak_mib", mib(peak)));
        }
        if let Some(cpu) = self.postgres {
            columns.push(("pg_cpu_s", cpu));
            columns.push(("pg_cpu_pct", share(cpu)));
        }
        columns
    }
}

/// KiB as MiB.
pub(crate) fn mib(kib: u64) -> f64 {
    number(kib) / 1_024.0
}

/// A count as a number to print.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a bench are far below 2^52"
)]
pub(crate) const fn number(count: u64) -> f64 {
    count as f64
}

/// This process's own CPU time in seconds.
pub(crate) fn own_cpu_seconds() -> f64 {
    stat(std::process::id()).map_or(0.0, |stat| stat.own_ticks / TICKS_PER_SECOND)
}

/// What a process and its descendants used so far.
pub(crate) fn usage_of(pid: u32) -> anyhow::Result<Usage> {
    stat(pid).with_context(|| format!("there is no process {pid}"))?;
    let mut sum = Usage::default();
    for pid in tree(pid) {
        let Some(stat) = stat(pid) else { continue };
        sum.cpu_seconds += (stat.own_ticks + stat.ended_children_ticks) / TICKS_PER_SECOND;
        sum.rss_kib += status_kib(pid, "VmRSS:").unwrap_or(0);
        sum.peak_kib += status_kib(pid, "VmHWM:").unwrap_or(0);
    }
    Ok(sum)
}

/// The process that started `pid`.
pub(crate) fn parent_of(pid: u32) -> Option<u32> {
    stat(pid).map(|stat| stat.parent)
}

struct Stat {
    parent: u32,
    own_ticks: f64,
    ended_children_ticks: f64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in front may hold anything but ends at the last parenthesis.
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own_ticks: ticks(11)? + ticks(12)?,
        ended_children_ticks: ticks(13)? + ticks(14)?,
    })
}

fn status_kib(pid: u32, member: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with(member))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A process and all that descend from it.
fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        if let Some(parent) = parent_of(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_this_process_shows_as_driver_cpu() {
        let watched = Watched {
            brain: Some(std::process::id()),
            postgres: None,
        };
        let meter = Meter::start(watched);
        let mut sum = 0_u64;
        while own_cpu_seconds() - meter.driver < 0.05 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let columns: HashMap<_, _> = meter.stop().columns().into_iter().collect();
        assert!(columns["driver_cpu_s"] >= 0.05);
        assert!(columns["brain_cpu_s"] >= 0.05 && columns["brain_peak_mib"] > 1.0);
        assert!(!columns.contains_key("pg_cpu_s"));
    }

    #[test]
    fn process_that_is_not_there_is_named() {
        let sentence = usage_of(u32::MAX).unwrap_err().to_string();
        assert!(sentence.contains("no process"), "{sentence}");
    }
}
