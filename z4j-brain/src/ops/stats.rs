//! Numbers of a project.

use std::collections::BTreeMap;
use std::time::Duration;

use z4j_core::id::ProjectId;
use z4j_core::store::{AgentRow, MinuteCount, StoreError, WorkerRow, WorkerState};
use z4j_core::task::TaskState;
use z4j_core::time::Timestamp;

use crate::shared::Shared;

const MINUTE: Duration = Duration::from_secs(60);

/// Tasks that ended, by how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) success: u64,
    pub(crate) failure: u64,
    pub(crate) revoked: u64,
    pub(crate) rejected: u64,
    pub(crate) retry: u64,
}

impl Ended {
    fn add(&mut self, count: &MinuteCount) {
        let slot = match count.state {
            TaskState::Success => &mut self.success,
            TaskState::Failure => &mut self.failure,
            TaskState::Revoked => &mut self.revoked,
            TaskState::Rejected => &mut self.rejected,
            TaskState::Retry => &mut self.retry,
            TaskState::Pending
            | TaskState::Received
            | TaskState::Started
            | TaskState::Lost
            | TaskState::Unknown => return,
        };
        *slot = slot.saturating_add(count.count);
    }
}

/// A project's numbers over one window and the one before it.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) states: BTreeMap<&'static str, u64>,
    pub(crate) finished: Ended,
    pub(crate) previous: Ended,
    pub(crate) agents: Vec<AgentRow>,
    pub(crate) workers: Vec<WorkerRow>,
}

/// One step of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) at: Timestamp,
    pub(crate) ended: Ended,
    pub(crate) is_complete: bool,
}

/// How many tasks are in each state now, every state named.
///
/// # Errors
/// The store's fault.
pub(crate) async fn states(
    shared: &Shared,
    project: ProjectId,
) -> Result<BTreeMap<&'static str, u64>, StoreError> {
    let mut states: BTreeMap<_, _> = TaskState::ALL
        .iter()
        .map(|state| (state.as_str(), 0))
        .collect();
    for count in shared.store.state_counts(project).await? {
        states.insert(count.state.as_str(), count.count);
    }
    Ok(states)
}

/// The numbers of the last `minutes` minutes, the running one included, and of as many before them.
///
/// # Errors
/// The store's fault.
pub(crate) async fn numbers(
    shared: &Shared,
    project: ProjectId,
    minutes: u32,
) -> Result<Numbers, StoreError> {
    let window = MINUTE * minutes;
    let until = shared.env.now().floor_minute().plus(MINUTE);
    let since = until.minus(window);
    let counts = shared
        .store
        .minute_counts(project, since.minus(window), until)
        .await?;
    let (mut finished, mut previous) = (Ended::default(), Ended::default());
    for count in &counts {
        let side = if count.minute >= since {
            &mut finished
        } else {
            &mut previous
        };
        side.add(count);
    }
    Ok(Numbers {
        states: states(shared, project).await?,
        finished,
        previous,
        agents: shared.store.agents(project).await?,
        workers: shared.store.workers(project).await?,
    })
}

/// What ended in the last `minutes` minutes, in buckets of `bucket` minutes that begin at multiples of their length.
///
/// # Errors
/// The store's fault.
pub(crate) async fn trend(
    shared: &Shared,
    project: ProjectId,
    minutes: u32,
    bucket: u32,
) -> Result<Vec<Bucket>, StoreError> {
    let now = shared.env.now();
    let step = MINUTE * bucket;
    let first = floor(now.minus(MINUTE * minutes.saturating_sub(1)), step);
    let until = floor(now, step).plus(step);
    let counts = shared.store.minute_counts(project, first, until).await?;
    Ok(fill(&counts, first, now, step))
}

fn fill(counts: &[MinuteCount], first: Timestamp, now: Timestamp, step: Duration) -> Vec<Bucket> {
    let mut by_bucket: BTreeMap<Timestamp, Ended> = BTreeMap::new();
    for count in counts {
        by_bucket
            .entry(floor(count.minute, step))
            .or_default()
            .add(count);
    }
    let mut buckets = Vec::new();
    let mut at = first;
    while at <= now {
        let end = at.plus(step);
        buckets.push(Bucket {
            at,
            ended: by_bucket.get(&at).copied().unwrap_or_default(),
            is_complete: end <= now,
        });
        at = end;
    }
    buckets
}

fn floor(at: Timestamp, step: Duration) -> Timestamp {
    let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_micros(at.as_micros() - at.as_micros().rem_euclid(step))
}

impl Numbers {
    /// Agents that are not revoked, by whether they are connected: online, offline, never connected.
    pub(crate) fn agents_by_state(&self) -> (u64, u64, u64) {
        let mut counts = (0, 0, 0);
        for agent in self
            .agents
            .iter()
            .filter(|agent| agent.revoked_at.is_none())
        {
            if !agent.links.is_empty() {
                counts.0 += 1;
            } else if agent.last_connected_at.is_some() {
                counts.1 += 1;
            } else {
                counts.2 += 1;
            }
        }
        counts
    }

    /// Workers that are there and that are not.
    pub(crate) fn workers_by_state(&self) -> (u64, u64) {
        let is_online = |worker: &&WorkerRow| worker.state == WorkerState::Online;
        let online = self.workers.iter().filter(is_online).count();
        let offline = self.workers.len() - online;
        (
            u64::try_from(online).unwrap_or(0),
            u64::try_from(offline).unwrap_or(0),
        )
    }

    /// Event records that agents declared lost.
    pub(crate) fn lost_events(&self) -> u64 {
        self.agents
            .iter()
            .filter_map(|agent| agent.telemetry_loss.as_deref())
            .map(lost_in)
            .sum()
    }
}

/// The event records in one agent's declared loss.
fn lost_in(loss: &str) -> u64 {
    let counters: serde_json::Value = serde_json::from_str(loss).unwrap_or_default();
    let records = counters
        .get("event_records")
        .and_then(serde_json::Value::as_u64);
    let adapters = counters
        .get("adapter_events")
        .and_then(serde_json::Value::as_object);
    let in_adapters = adapters
        .into_iter()
        .flat_map(|map| map.values())
        .filter_map(serde_json::Value::as_u64);
    records.unwrap_or(0).saturating_add(in_adapters.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn buckets_have_no_gaps_and_the_running_one_is_not_complete() {
        let count = MinuteCount {
            minute: at("2026-11-23T10:07:00Z"),
            state: TaskState::Failure,
            count: 3,
        };
        let step = MINUTE * 5;
        let buckets = fill(
            &[count],
            at("2026-11-23T10:00:00Z"),
            at("2026-11-23T10:12:30Z"),
            step,
        );
        let seen: Vec<_> = buckets
            .iter()
            .map(|b| (b.at.to_string(), b.ended.failure, b.is_complete))
            .collect();
        assert_eq!(
            seen,
            [
                ("2026-11-23T10:00:00.000000Z".to_owned(), 0, true),
                ("2026-11-23T10:05:00.000000Z".to_owned(), 3, true),
                ("2026-11-23T10:10:00.000000Z".to_owned(), 0, false),
            ]
        );
    }

    #[test]
    fn declared_loss_counts_records_and_adapters() {
        assert_eq!(
            lost_in(r#"{"event_records":3,"command_results":9,"adapter_events":{"celery":2}}"#),
            5
        );
        assert_eq!(lost_in("nonsense"), 0);
    }
}
