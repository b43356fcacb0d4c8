//! Workers and queues.

use z4j_core::id::{LinkId, ProjectId};
use z4j_core::store::{
    DisownedWorker, IngestEvent, QueueRow, QueueSighting, WorkerOwner, WorkerRow, WorkerSighting,
    WorkerState,
};
use z4j_core::task::{TaskFacts, TaskState};
use z4j_core::time::Timestamp;

use super::db::{Db, EngineName, Worker};

/// Takes a sighting in, unless a later one is known. What it does not say stays as it was.
pub(super) fn see(db: &mut Db, seen: WorkerSighting) {
    let is_gone = db
        .agents
        .get(&seen.agent_id)
        .is_none_or(|agent| agent.row.revoked_at.is_some());
    if is_gone || !db.projects.contains_key(&seen.project_id) {
        return;
    }
    let name = (seen.project_id, seen.name.clone(), seen.engine.clone());
    let worker = db.workers.entry(name).or_insert_with(|| Worker {
        row: unknown_worker(&seen),
        own_link: None,
        described_at: None,
    });
    let row = &mut worker.row;
    if seen.at >= row.last_seen_at {
        row.state = if seen.stopping {
            WorkerState::Offline
        } else {
            WorkerState::Online
        };
        row.last_seen_at = seen.at;
        row.agent_id = seen.agent_id;
    }
    if !seen.is_description() {
        return;
    }
    if worker.described_at > Some(seen.at) {
        let is_open = |link: &LinkId| db.links.contains_key(link);
        let is_free = worker.own_link.as_ref().is_none_or(|link| !is_open(link));
        if is_free && seen.own_link.as_ref().is_some_and(is_open) {
            worker.own_link = seen.own_link;
        }
        return;
    }
    worker.described_at = Some(seen.at);
    row.pid = seen.pid.or(row.pid);
    row.concurrency = seen.concurrency.or(row.concurrency);
    row.active = seen.active.or(row.active);
    row.details = seen.details.or(row.details.take());
    if let Some(queues) = seen.queues {
        row.queues = queues;
    }
    worker.own_link = seen.own_link.or(worker.own_link);
}

/// The worker's own process is not behind that link.
pub(super) fn disown(db: &mut Db, gone: DisownedWorker) {
    let name = (gone.project_id, gone.name, gone.engine);
    if let Some(worker) = db.workers.get_mut(&name)
        && worker.own_link == Some(gone.link_id)
    {
        worker.own_link = None;
    }
}

/// Notes the worker and the queue that an event of a task names. They were seen when it happened, not when it came: a
/// buffer that is sent an hour late does not show that its worker is there now.
pub(super) fn see_in_event(
    db: &mut Db,
    received_at: Timestamp,
    event: &IngestEvent,
    facts: &TaskFacts,
) {
    let at = event.occurred_at.min(received_at);
    if let Some(name) = event.worker.as_deref().or(facts.worker.as_deref()) {
        let place = (event.project_id, name.to_owned(), event.engine.to_string());
        if db
            .workers
            .get(&place)
            .is_none_or(|worker| worker.row.last_seen_at < at)
        {
            see_running(db, place, event, at);
        }
    }
    if let Some(name) = event.queue.as_deref().or(facts.queue.as_deref()) {
        see_queue(
            db,
            QueueSighting {
                project_id: event.project_id,
                engine: event.engine.to_string(),
                name: name.to_owned(),
                depth: None,
                at,
            },
        );
    }
}

fn see_running(
    db: &mut Db,
    (project_id, name, engine): EngineName,
    event: &IngestEvent,
    at: Timestamp,
) {
    let seen = WorkerSighting {
        project_id,
        engine,
        name,
        agent_id: event.agent_id,
        own_link: None,
        at,
        stopping: false,
        pid: None,
        concurrency: None,
        active: None,
        queues: None,
        details: None,
    };
    see(db, seen);
}

fn unknown_worker(seen: &WorkerSighting) -> WorkerRow {
    WorkerRow {
        project_id: seen.project_id,
        engine: seen.engine.clone(),
        name: seen.name.clone(),
        state: WorkerState::Offline,
        last_seen_at: seen.at,
        agent_id: seen.agent_id,
        pid: None,
        concurrency: None,
        active: None,
        queues: Vec::new(),
        details: None,
        succeeded: 0,
        failed: 0,
    }
}

pub(super) fn see_queue(db: &mut Db, seen: QueueSighting) {
    if !db.projects.contains_key(&seen.project_id) {
        return;
    }
    let name = (seen.project_id, seen.name.clone(), seen.engine.clone());
    let queue = db.queues.entry(name).or_insert_with(|| QueueRow {
        project_id: seen.project_id,
        engine: seen.engine,
        name: seen.name,
        depth: None,
        depth_at: None,
        last_seen_at: seen.at,
        waiting: 0,
        running: 0,
    });
    queue.last_seen_at = queue.last_seen_at.max(seen.at);
    if seen.depth.is_some() && queue.depth_at <= Some(seen.at) {
        queue.depth = seen.depth;
        queue.depth_at = Some(seen.at);
    }
}

pub(super) fn list(db: &Db, project: ProjectId) -> Vec<WorkerRow> {
    let of_project = db
        .workers
        .iter()
        .filter(|((owner, _, _), _)| *owner == project);
    of_project
        .map(|(name, worker)| counted(db, name, worker))
        .collect()
}

pub(super) fn owners(db: &Db, project: ProjectId) -> Vec<WorkerOwner> {
    let of_project = db
        .workers
        .iter()
        .filter(|((owner, _, _), _)| *owner == project);
    let owned = of_project.filter_map(|((_, name, engine), worker)| {
        let link_id = worker.own_link?;
        let link = db.links.get(&link_id)?;
        Some(WorkerOwner {
            engine: engine.clone(),
            name: name.clone(),
            link_id,
            replica: link.row.replica,
            started_at: link.started_at,
        })
    });
    owned.collect()
}

fn counted(db: &Db, name: &EngineName, worker: &Worker) -> WorkerRow {
    let mut row = worker.row.clone();
    for (key, task) in db.tasks_of(name.0) {
        if key.engine == name.2 && task.record.worker() == Some(&name.1) {
            row.succeeded += u64::from(task.record.state() == TaskState::Success);
            row.failed += u64::from(task.record.state() == TaskState::Failure);
        }
    }
    row
}

pub(super) fn queues(db: &Db, project: ProjectId) -> Vec<QueueRow> {
    let mut rows: Vec<QueueRow> = db
        .queues
        .values()
        .filter(|row| row.project_id == project)
        .cloned()
        .collect();
    for row in &mut rows {
        for (key, task) in db.tasks_of(project) {
            if key.engine == row.engine && task.record.queue() == Some(&row.name) {
                let state = task.record.state();
                row.waiting += u64::from(matches!(state, TaskState::Received | TaskState::Retry));
                row.running += u64::from(state == TaskState::Started);
            }
        }
    }
    rows
}

/// Silent since before `silent_since`, and without an open link of their own.
pub(super) fn sweep(db: &mut Db, silent_since: Timestamp) -> Vec<WorkerRow> {
    let open: Vec<_> = db.links.keys().copied().collect();
    set_offline(db, |worker| {
        let is_connected = worker.own_link.is_some_and(|link| open.contains(&link));
        worker.row.last_seen_at < silent_since && !is_connected
    })
}

/// The workers whose own process was behind a link that closed: they were there until then.
pub(super) fn lose(db: &mut Db, link: LinkId, at: Timestamp) -> Vec<WorkerRow> {
    for worker in db
        .workers
        .values_mut()
        .filter(|worker| worker.own_link == Some(link))
    {
        if worker.row.state == WorkerState::Online {
            worker.row.last_seen_at = worker.row.last_seen_at.max(at);
        }
    }
    set_offline(db, |worker| worker.own_link == Some(link))
}

/// Marks the online workers offline that `is_gone` picks; answers them.
fn set_offline(db: &mut Db, is_gone: impl Fn(&Worker) -> bool) -> Vec<WorkerRow> {
    let mut changed: Vec<EngineName> = Vec::new();
    for (name, worker) in &mut db.workers {
        if worker.row.state == WorkerState::Online && is_gone(worker) {
            worker.row.state = WorkerState::Offline;
            changed.push(name.clone());
        }
    }
    let found = changed
        .iter()
        .filter_map(|name| Some((name, db.workers.get(name)?)));
    found
        .map(|(name, worker)| counted(db, name, worker))
        .collect()
}
