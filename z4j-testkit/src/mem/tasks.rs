//! Reading tasks and their numbers.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::limits::PAGE_ROWS_MAX;
use z4j_core::store::{
    Facet, Facets, MinuteCount, Page, PageRequest, StateCount, StoreError, TaskDetail, TaskFilter,
    TaskNode, TaskPlace, TaskQueries, TaskSort, TaskSummary, TaskTree,
};
use z4j_core::task::{CounterKey, TaskRecord};
use z4j_core::time::Timestamp;

use super::db::{Db, Task};
use super::{MemStore, cursor};

#[async_trait]
impl TaskQueries for MemStore {
    async fn task(
        &self,
        project: ProjectId,
        task: &TaskKey,
    ) -> Result<Option<TaskDetail>, StoreError> {
        Ok(self.read(|db| {
            let found = db.tasks.get(&(project, task.clone()))?;
            Some(TaskDetail {
                summary: db.summary(project, task, found),
                record: found.record.clone(),
            })
        }))
    }

    async fn tasks_by_keys(
        &self,
        project: ProjectId,
        keys: &[TaskKey],
    ) -> Result<Vec<TaskSummary>, StoreError> {
        let bound = usize::try_from(PAGE_ROWS_MAX).unwrap_or(usize::MAX);
        Ok(self.read(|db| {
            let wanted: BTreeSet<&TaskKey> = keys.iter().take(bound).collect();
            let found = wanted.into_iter().filter_map(|key| {
                let task = db.tasks.get(&(project, key.clone()))?;
                Some(db.summary(project, key, task))
            });
            found.collect()
        }))
    }

    async fn tasks(
        &self,
        project: ProjectId,
        filter: &TaskFilter,
        sort: TaskSort,
        page: PageRequest,
    ) -> Result<Page<TaskSummary>, StoreError> {
        let query = format!("tasks {project} {filter:?} {sort:?}");
        self.read(|db| {
            let wanted = db
                .tasks_of(project)
                .filter(|(key, task)| matches(filter, key, &task.record));
            let mut rows: Vec<TaskSummary> = wanted
                .map(|(key, task)| db.summary(project, key, task))
                .collect();
            rows.sort_by(|left, right| sort.compare(&sort.place(left), &sort.place(right)));
            let is_after = |row: &TaskSummary, after: &TaskPlace| {
                sort.compare(&sort.place(row), after).is_gt()
            };
            cursor::cut(rows, &query, &page, |row| sort.place(row), is_after)
        })
    }

    async fn task_tree(
        &self,
        project: ProjectId,
        task: &TaskKey,
        limit: u32,
    ) -> Result<Option<TaskTree>, StoreError> {
        Ok(self.read(|db| tree(db, project, task, limit)))
    }

    async fn facets(&self, project: ProjectId, limit: u32) -> Result<Facets, StoreError> {
        Ok(self.read(|db| Facets {
            names: facet(db, project, limit, |_, record| record.name()),
            queues: facet(db, project, limit, |_, record| record.queue()),
            workers: facet(db, project, limit, |_, record| record.worker()),
            engines: facet(db, project, limit, |key, _| Some(&key.engine)),
        }))
    }

    async fn state_counts(&self, project: ProjectId) -> Result<Vec<StateCount>, StoreError> {
        Ok(self.read(|db| {
            let counters = db
                .counters
                .iter()
                .filter(|((owner, _), count)| *owner == project && **count > 0);
            let states = counters.filter_map(|((_, key), count)| match key {
                CounterKey::State(state) => Some(StateCount {
                    state: *state,
                    count: count.unsigned_abs(),
                }),
                CounterKey::Minute { .. } => None,
            });
            states.collect()
        }))
    }

    async fn minute_counts(
        &self,
        project: ProjectId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<MinuteCount>, StoreError> {
        let first = since.floor_minute();
        Ok(self.read(|db| {
            let counters = db
                .counters
                .iter()
                .filter(|((owner, _), count)| *owner == project && **count > 0);
            let minutes = counters.filter_map(|((_, key), count)| match key {
                CounterKey::Minute { minute, state } if (first..until).contains(minute) => {
                    Some(MinuteCount {
                        minute: *minute,
                        state: *state,
                        count: count.unsigned_abs(),
                    })
                }
                _ => None,
            });
            minutes.collect()
        }))
    }
}

fn matches(filter: &TaskFilter, key: &TaskKey, record: &TaskRecord) -> bool {
    let is = |wanted: &Option<String>, value: Option<&str>| {
        wanted.is_none() || wanted.as_deref() == value
    };
    let state_at = record.state_at();
    (filter.states.is_empty() || filter.states.contains(&record.state()))
        && is(&filter.name, record.name())
        && is(&filter.queue, record.queue())
        && is(&filter.worker, record.worker())
        && is(&filter.engine, Some(&key.engine))
        && filter.since.is_none_or(|since| state_at >= since)
        && filter.until.is_none_or(|until| state_at < until)
        && filter
            .search
            .as_ref()
            .is_none_or(|text| mentions(key, record, text))
}

fn mentions(key: &TaskKey, record: &TaskRecord, text: &str) -> bool {
    let view = record.view();
    let places = [
        Some(key.task_id.as_str()),
        view.name,
        view.args,
        view.kwargs,
    ];
    let text = text.to_ascii_lowercase();
    places
        .into_iter()
        .flatten()
        .any(|place| place.to_ascii_lowercase().contains(&text))
}

fn tree(db: &Db, project: ProjectId, key: &TaskKey, limit: u32) -> Option<TaskTree> {
    let root_of = |key: &TaskKey, task: &Task| {
        task.record
            .view()
            .root_task_id
            .unwrap_or(&key.task_id)
            .to_owned()
    };
    let root = root_of(key, db.tasks.get(&(project, key.clone()))?);
    let family = db.tasks_of(project).filter(|(other, task)| {
        other.engine == key.engine && (other.task_id == root || root_of(other, task) == root)
    });
    let mut members: Vec<(&TaskKey, &Task)> = family.collect();
    members.sort_by_key(|(key, task)| (task.record.view().first_seen, *key));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Some(TaskTree {
        root,
        truncated: members.len() > limit,
        nodes: members
            .into_iter()
            .take(limit)
            .map(|(key, task)| node(key, task))
            .collect(),
    })
}

fn node(key: &TaskKey, task: &Task) -> TaskNode {
    let view = task.record.view();
    TaskNode {
        key: key.clone(),
        name: view.name.map(str::to_owned),
        state: view.state,
        parent_task_id: view.parent_task_id.map(str::to_owned),
        started_at: view.started_at,
        finished_at: view.finished_at,
        runtime_ms: view.runtime_ms,
    }
}

/// The most frequent values first; equally frequent ones by name.
fn facet(
    db: &Db,
    project: ProjectId,
    limit: u32,
    value_of: for<'a> fn(&'a TaskKey, &'a TaskRecord) -> Option<&'a str>,
) -> Vec<Facet> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (key, task) in db.tasks_of(project) {
        if let Some(value) = value_of(key, &task.record) {
            *counts.entry(value).or_default() += 1;
        }
    }
    let mut facets: Vec<Facet> = counts
        .into_iter()
        .map(|(value, count)| Facet {
            value: value.to_owned(),
            count,
        })
        .collect();
    facets.sort_by_key(|facet| std::cmp::Reverse(facet.count));
    facets.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    facets
}
