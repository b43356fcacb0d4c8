//! Numbers that follow from task records, moved by their differences.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use z4j_core::task::{CounterKey, TaskRecord, TaskState, counter_delta};
use z4j_core::time::Timestamp;

use crate::fault::Fault;

use super::merge::Slot;

/// By how much each counter moves.
#[derive(Default)]
pub(super) struct Deltas<'f> {
    states: HashMap<(i64, TaskState), i64>,
    minutes: HashMap<(i64, Timestamp, TaskState), i64>,
    facets: HashMap<(i64, &'static str, &'f str), i64>,
}

impl<'f> Deltas<'f> {
    /// Notes that a record became another one.
    pub(super) fn note(
        &mut self,
        slot: &'f Slot<'_>,
        before: Option<&'f TaskRecord>,
        after: &'f TaskRecord,
    ) {
        for (key, by) in counter_delta(before, after) {
            match key {
                CounterKey::State(state) => {
                    *self.states.entry((slot.project, state)).or_default() += by
                }
                CounterKey::Minute { minute, state } => {
                    *self
                        .minutes
                        .entry((slot.project, minute, state))
                        .or_default() += by;
                }
            }
        }
        if before.is_none() {
            self.facet(slot.project, "engine", None, Some(slot.engine));
        }
        self.facet(
            slot.project,
            "name",
            before.and_then(TaskRecord::name),
            after.name(),
        );
        self.facet(
            slot.project,
            "queue",
            before.and_then(TaskRecord::queue),
            after.queue(),
        );
        self.facet(
            slot.project,
            "worker",
            before.and_then(TaskRecord::worker),
            after.worker(),
        );
    }

    fn facet(
        &mut self,
        project: i64,
        facet: &'static str,
        before: Option<&'f str>,
        after: Option<&'f str>,
    ) {
        if before == after {
            return;
        }
        if let Some(value) = before {
            *self.facets.entry((project, facet, value)).or_default() -= 1;
        }
        if let Some(value) = after {
            *self.facets.entry((project, facet, value)).or_default() += 1;
        }
    }

    pub(super) fn write(&self, db: &Connection) -> Result<(), Fault> {
        let mut states = db.prepare_cached(
            "INSERT INTO state_counts (project, state, count) VALUES (?1, ?2, ?3)
             ON CONFLICT (project, state) DO UPDATE SET count = count + excluded.count",
        )?;
        for ((project, state), by) in self.states.iter().filter(|(_, by)| **by != 0) {
            states.execute(params![project, state.as_str(), by])?;
        }
        let mut minutes = db.prepare_cached(
            "INSERT INTO minute_counts (project, minute, state, count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (project, minute, state) DO UPDATE SET count = count + excluded.count",
        )?;
        for ((project, minute, state), by) in self.minutes.iter().filter(|(_, by)| **by != 0) {
            minutes.execute(params![project, minute.as_micros(), state.as_str(), by])?;
        }
        let mut facets = db.prepare_cached(
            "INSERT INTO facet_counts (project, facet, value, count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (project, facet, value) DO UPDATE SET count = count + excluded.count",
        )?;
        for ((project, facet, value), by) in self.facets.iter().filter(|(_, by)| **by != 0) {
            facets.execute(params![project, facet, value, by])?;
        }
        Ok(())
    }
}
