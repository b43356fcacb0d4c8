//! Lists with two and three filters at once.

use z4j_core::store::{Facet, PageRequest, TaskFilter, TaskSort};
use z4j_core::task::TaskState;
use z4j_core::time::Timestamp;

use super::{Bench, SORTS, facets};

pub(super) async fn pairs(bench: &Bench) {
    let facets = facets(bench).await;
    let none = TaskFilter::default();
    let mut name_state = Vec::new();
    let mut name_worker = Vec::new();
    let mut queue_state = Vec::new();
    let mut name_queue = Vec::new();
    let mut queue_worker = Vec::new();
    for (index, name) in facets.names.iter().enumerate() {
        let name = Some(name.value.clone());
        for state in [TaskState::Failure, TaskState::Started, TaskState::Lost] {
            name_state.push(TaskFilter {
                name: name.clone(),
                states: vec![state],
                ..none.clone()
            });
        }
        let worker = &facets.workers[index % facets.workers.len()];
        name_worker.push(TaskFilter {
            name: name.clone(),
            worker: Some(worker.value.clone()),
            ..none.clone()
        });
        let queue = facets.queues.get(index % facets.queues.len());
        name_queue.push(TaskFilter {
            name,
            queue: queue.map(|queue| queue.value.clone()),
            ..none.clone()
        });
        queue_worker.push(TaskFilter {
            queue: queue.map(|queue| queue.value.clone()),
            worker: Some(worker.value.clone()),
            ..none.clone()
        });
    }
    for queue in &facets.queues {
        for state in [TaskState::Failure, TaskState::Received] {
            queue_state.push(TaskFilter {
                queue: Some(queue.value.clone()),
                states: vec![state],
                ..none.clone()
            });
        }
    }
    for (name, sort) in SORTS {
        for (what, filters) in [
            ("name and state", &name_state),
            ("name and worker", &name_worker),
            ("queue and state", &queue_state),
            ("name and queue", &name_queue),
            ("queue and worker", &queue_worker),
        ] {
            bench
                .measure(&format!("{what}, by {name}"), sort, filters)
                .await;
        }
    }
}

/// Three filters at once; of the values of one project, matched as they come, so that some combinations are of no task.
pub(super) async fn triples(bench: &Bench) {
    let facets = facets(bench).await;
    let newest = bench
        .page(
            &TaskFilter::default(),
            TaskSort::UpdatedDesc,
            PageRequest::first(1),
        )
        .await;
    let end = newest.items.first().expect("a task").state_at.as_micros();
    let value = |of: &[Facet], index: usize| Some(of[index % of.len()].value.clone());
    let states = [
        TaskState::Failure,
        TaskState::Success,
        TaskState::Started,
        TaskState::Lost,
    ];
    let filters = |set: &dyn Fn(&mut TaskFilter, usize)| -> Vec<TaskFilter> {
        let made = (0..facets.names.len() * 2).map(|index| {
            let mut filter = TaskFilter::default();
            set(&mut filter, index);
            filter
        });
        made.collect()
    };
    let state = |filter: &mut TaskFilter, index: usize| {
        filter.states = vec![states[index % states.len()]];
    };
    let hours = |filter: &mut TaskFilter, index: usize| {
        let micros = [1, 24, 240][index % 3] * 3_600_000_000_i64;
        filter.since = Some(Timestamp::from_micros(end - micros));
    };
    let kinds = [
        (
            "name, queue and worker",
            filters(&|filter, index| {
                filter.name = value(&facets.names, index);
                filter.queue = value(&facets.queues, index / 2);
                filter.worker = value(&facets.workers, index / 3);
            }),
        ),
        (
            "name, queue and state",
            filters(&|filter, index| {
                filter.name = value(&facets.names, index);
                filter.queue = value(&facets.queues, index / 2);
                state(filter, index);
            }),
        ),
        (
            "name, worker and state",
            filters(&|filter, index| {
                filter.name = value(&facets.names, index);
                filter.worker = value(&facets.workers, index / 2);
                state(filter, index);
            }),
        ),
        (
            "queue, worker and state",
            filters(&|filter, index| {
                filter.queue = value(&facets.queues, index);
                filter.worker = value(&facets.workers, index / 2);
                state(filter, index);
            }),
        ),
        (
            "name, state and time window",
            filters(&|filter, index| {
                filter.name = value(&facets.names, index);
                state(filter, index);
                hours(filter, index);
            }),
        ),
        (
            "name, worker and time window",
            filters(&|filter, index| {
                filter.name = value(&facets.names, index);
                filter.worker = value(&facets.workers, index / 2);
                hours(filter, index);
            }),
        ),
        (
            "name, queue and time window",
            filters(&|filter, index| {
                filter.name = value(&facets.names, index);
                filter.queue = value(&facets.queues, index / 2);
                hours(filter, index);
            }),
        ),
        (
            "queue, worker and time window",
            filters(&|filter, index| {
                filter.queue = value(&facets.queues, index);
                filter.worker = value(&facets.workers, index / 2);
                hours(filter, index);
            }),
        ),
    ];
    for (name, sort) in SORTS {
        for (what, filters) in &kinds {
            bench
                .measure(&format!("{what}, by {name}"), sort, filters)
                .await;
        }
    }
}
