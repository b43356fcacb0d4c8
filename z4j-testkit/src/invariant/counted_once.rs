//! I-07: every counter, rate and count equals its recomputation from the final records.

use std::collections::BTreeMap;

use z4j_core::store::Facet;
use z4j_core::task::{CounterKey, TaskState, counters_of};

use super::Broken;
use crate::sim::oracle::Facts;
use crate::sim::{Picture, StoredProject};

pub(super) fn check(picture: &Picture, _: &Facts, broken: &mut Broken) {
    for project in &picture.projects {
        counters(project, broken);
        let tasks = || project.tasks.values().map(|task| &task.summary);
        let columns = [
            (
                "names",
                &project.facets.names,
                count(tasks().map(|task| task.name.clone())),
            ),
            (
                "queues",
                &project.facets.queues,
                count(tasks().map(|task| task.queue.clone())),
            ),
            (
                "workers",
                &project.facets.workers,
                count(tasks().map(|task| task.worker.clone())),
            ),
            (
                "engines",
                &project.facets.engines,
                count(tasks().map(|task| Some(task.key.engine.clone()))),
            ),
        ];
        for (column, stored, counted) in columns {
            compare(column, &of_facets(stored), &counted, broken);
        }
        workers(project, broken);
        queues(project, broken);
    }
}

fn counters(project: &StoredProject, broken: &mut Broken) {
    let (mut states, mut minutes) = (BTreeMap::new(), BTreeMap::new());
    for task in project.tasks.values() {
        let Some(detail) = &task.detail else { continue };
        for (key, by) in counters_of(&detail.record) {
            match key {
                CounterKey::State(state) => *states.entry(state).or_default() += by,
                CounterKey::Minute { minute, state } => {
                    *minutes.entry((minute, state)).or_default() += by;
                }
            }
        }
    }
    let stored = project.states.iter();
    let stored: BTreeMap<TaskState, i64> = stored
        .filter(|count| count.count > 0)
        .map(|count| (count.state, signed(count.count)))
        .collect();
    compare("states", &stored, &states, broken);
    let stored = project.minutes.iter();
    let stored: BTreeMap<_, i64> = stored
        .filter(|count| count.count > 0)
        .map(|count| ((count.minute, count.state), signed(count.count)))
        .collect();
    compare("minutes", &stored, &minutes, broken);
}

fn workers(project: &StoredProject, broken: &mut Broken) {
    let ended = |state| {
        let tasks = project.tasks.values().map(|task| &task.summary);
        count(
            tasks
                .filter(move |task| task.state == state)
                .map(|task| task.worker.clone()),
        )
    };
    let (succeeded, failed) = (ended(TaskState::Success), ended(TaskState::Failure));
    for worker in &project.workers {
        let of = |counts: &BTreeMap<String, i64>| counts.get(&worker.name).copied().unwrap_or(0);
        let stored = (signed(worker.succeeded), signed(worker.failed));
        let counted = (of(&succeeded), of(&failed));
        if stored != counted {
            let name = &worker.name;
            broken.note(format!(
                "worker {name} shows {stored:?} ended tasks, its tasks say {counted:?}"
            ));
        }
    }
}

fn queues(project: &StoredProject, broken: &mut Broken) {
    let in_state = |wanted: fn(TaskState) -> bool| {
        let tasks = project.tasks.values().map(|task| &task.summary);
        count(
            tasks
                .filter(move |task| wanted(task.state))
                .map(|task| task.queue.clone()),
        )
    };
    let waiting = in_state(|state| matches!(state, TaskState::Received | TaskState::Retry));
    let running = in_state(|state| state == TaskState::Started);
    for queue in &project.queues {
        let of = |counts: &BTreeMap<String, i64>| counts.get(&queue.name).copied().unwrap_or(0);
        let stored = (signed(queue.waiting), signed(queue.running));
        let counted = (of(&waiting), of(&running));
        if stored != counted {
            let name = &queue.name;
            broken.note(format!(
                "queue {name} shows {stored:?} waiting and running, its tasks say {counted:?}"
            ));
        }
    }
}

fn compare<K: Ord + std::fmt::Debug>(
    what: &str,
    stored: &BTreeMap<K, i64>,
    counted: &BTreeMap<K, i64>,
    broken: &mut Broken,
) {
    let counted: BTreeMap<&K, i64> = counted
        .iter()
        .filter(|(_, count)| **count != 0)
        .map(|(key, count)| (key, *count))
        .collect();
    let stored: BTreeMap<&K, i64> = stored.iter().map(|(key, count)| (key, *count)).collect();
    if stored != counted {
        broken.note(format!("{what}: stored {stored:?}, counted {counted:?}"));
    }
}

fn count(values: impl Iterator<Item = Option<String>>) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for value in values.flatten() {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

fn of_facets(facets: &[Facet]) -> BTreeMap<String, i64> {
    let values = facets.iter();
    values
        .map(|facet| (facet.value.clone(), signed(facet.count)))
        .collect()
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
