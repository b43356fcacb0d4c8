//! CPU time of the calling thread: what a stage costs on a core, whatever else runs on the machine.

use std::fs;
use std::time::{Duration, Instant};

/// A running measurement.
#[derive(Debug)]
pub(crate) struct CpuTimer {
    on_cpu: Option<u64>,
    began: Instant,
}

impl CpuTimer {
    /// Starts to count for this thread.
    pub(crate) fn start() -> Self {
        Self {
            on_cpu: on_cpu_ns(),
            began: Instant::now(),
        }
    }

    /// CPU time since the start; time by the clock where the kernel does not say. Read it on the thread that started.
    pub(crate) fn stop(&self) -> Duration {
        match (self.on_cpu, on_cpu_ns()) {
            (Some(before), Some(now)) => Duration::from_nanos(now.saturating_sub(before)),
            _ => self.began.elapsed(),
        }
    }
}

fn on_cpu_ns() -> Option<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_costs_no_cpu_time_and_work_does() {
        if on_cpu_ns().is_none() {
            return;
        }
        let timer = CpuTimer::start();
        while timer.stop() < Duration::from_millis(20) {
            std::hint::black_box(0);
        }
        let worked = timer.began.elapsed();
        assert!(timer.stop() <= worked + Duration::from_millis(20));
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let timer = CpuTimer::start();
        assert!(receiver.recv_timeout(Duration::from_millis(60)).is_err());
        assert!(timer.stop() < Duration::from_millis(40));
        drop(sender);
    }
}
