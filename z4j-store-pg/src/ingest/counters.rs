//! Numbers that follow from task records, moved by their differences.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;
use uuid::Uuid;
use z4j_core::task::{CounterKey, TaskRecord, TaskState, counter_delta};

use super::fold::Slot;
use super::lane::{Lane, Statement};
use crate::fault::Fault;
use crate::text;

/// Shards of each counter. One more than transactions that usually run at once: each takes one for itself.
const SHARDS: i32 = 16;

/// The first shard that no other transaction moves now, kept until the end of this one; none when all are taken.
pub(super) const SHARD: Statement = Statement {
    sql: "SELECT shard::int2 FROM generate_series(0, $1 - 1) AS shard WHERE pg_try_advisory_xact_lock(2050255470, shard) LIMIT 1",
    types: &[Type::INT4],
};

pub(super) const MOVE: Statement = Statement {
    sql: "INSERT INTO counters (project_id, kind, name, shard, count)
          SELECT project_id, kind, name, $5, count FROM unnest($1, $2, $3, $4) AS moved (project_id, kind, name, count)
          ON CONFLICT (project_id, kind, name, shard) DO UPDATE SET count = counters.count + excluded.count",
    types: &[
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::INT2,
    ],
};

/// The name of a sum about something that is named within an engine. Stored text never holds what joins the two.
fn pair(engine: &str, name: &str) -> String {
    format!("{}\u{FDD0}2{}", text::put(engine), text::put(name))
}

/// A value that people filter by.
type Value = fn(&TaskRecord) -> Option<&str>;

/// By how much each counter moves, in the order in which rows are locked.
#[derive(Default)]
pub(super) struct Deltas {
    sums: BTreeMap<(Uuid, &'static str, String), i64>,
}

impl Deltas {
    /// Notes that a task's record became another one.
    pub(super) fn note(&mut self, slot: &Slot<'_>, after: &TaskRecord) {
        let before = slot.before();
        for (key, by) in counter_delta(before, after) {
            match key {
                CounterKey::State(state) => {
                    self.add(slot, "state", state.as_str().to_owned(), by);
                }
                CounterKey::Minute { minute, state } => {
                    let number = minute.as_micros().div_euclid(60_000_000);
                    self.add(slot, "minute", format!("{number:012}:{state}"), by);
                }
            }
        }
        if before.is_none() {
            self.add(slot, "engine", text::put(slot.engine).into_owned(), 1);
        }
        let values: [(_, Value); 3] = [
            ("name", TaskRecord::name),
            ("queue", TaskRecord::queue),
            ("worker", TaskRecord::worker),
        ];
        for (kind, value) in values {
            let (old, new) = (before.and_then(value), value(after));
            if old == new {
                continue;
            }
            if let Some(old) = old {
                self.add(slot, kind, text::put(old).into_owned(), -1);
            }
            if let Some(new) = new {
                self.add(slot, kind, text::put(new).into_owned(), 1);
            }
        }
        if let Some(before) = before {
            self.place(slot, before, -1);
        }
        self.place(slot, after, 1);
    }

    /// Where a task stands in the sums of its worker and its queue.
    fn place(&mut self, slot: &Slot<'_>, record: &TaskRecord, by: i64) {
        let of_worker = match record.state() {
            TaskState::Success => Some("worker_succeeded"),
            TaskState::Failure => Some("worker_failed"),
            _ => None,
        };
        if let (Some(kind), Some(worker)) = (of_worker, record.worker()) {
            self.add(slot, kind, pair(slot.engine, worker), by);
        }
        let of_queue = match record.state() {
            TaskState::Received | TaskState::Retry => Some("queue_waiting"),
            TaskState::Started => Some("queue_running"),
            _ => None,
        };
        if let (Some(kind), Some(queue)) = (of_queue, record.queue()) {
            self.add(slot, kind, pair(slot.engine, queue), by);
        }
    }

    fn add(&mut self, slot: &Slot<'_>, kind: &'static str, name: String, by: i64) {
        let key = (*slot.project.as_uuid(), kind, name);
        *self.sums.entry(key).or_default() += by;
    }

    /// Moves the counters of a shard.
    pub(super) async fn write(&self, lane: &Lane, shard: i16) -> Result<(), Fault> {
        let moved: Vec<_> = self.sums.iter().filter(|(_, by)| **by != 0).collect();
        if moved.is_empty() {
            return Ok(());
        }
        let projects: Vec<Uuid> = moved.iter().map(|((project, _, _), _)| *project).collect();
        let kinds: Vec<&str> = moved.iter().map(|((_, kind, _), _)| *kind).collect();
        let names: Vec<&str> = moved
            .iter()
            .map(|((_, _, name), _)| name.as_str())
            .collect();
        let counts: Vec<i64> = moved.iter().map(|(_, by)| **by).collect();
        lane.query(&MOVE, &[&projects, &kinds, &names, &counts, &shard])
            .await?;
        Ok(())
    }
}

/// Takes a shard for this transaction. When all are taken, it shares the last one and waits for whoever has it.
pub(super) async fn shard(lane: &Lane) -> Result<i16, Fault> {
    let rows = lane.query(&SHARD, &[&SHARDS]).await?;
    match rows.first() {
        Some(row) => Ok(row.try_get(0)?),
        None => Ok(i16::try_from(SHARDS - 1).unwrap_or_default()),
    }
}
