//! Changes as events of the live stream, in the shapes of REST.

use std::collections::HashSet;
use std::sync::Arc;

use axum::response::sse::Event;
use serde::Serialize;
use serde_json::json;
use z4j_core::id::{AgentId, CommandId};
use z4j_core::store::StoreError;
use z4j_core::time::Timestamp;

use super::dto::agent::Agent;
use super::dto::command::Command;
use super::dto::fleet::{Queue, Worker};
use super::dto::stats::Counters;
use super::dto::task::Task;
use super::gate::Scope;
use super::state::Web;
use crate::live::{Delta, LiveBody, LiveMessage};
use crate::ops::stats;

/// The first event of a fresh stream.
pub(super) fn ready(at: Timestamp, id: String) -> Option<Event> {
    event("ready", &json!({ "at": at })).map(|event| event.id(id))
}

/// The events of one message. Only the last one carries the number, so that a stream cut in between is sent all again.
pub(super) async fn render(app: &Web, scope: &Scope, message: LiveMessage) -> Vec<Event> {
    let mut events = match message.body {
        LiveBody::Reset(reason) => reset(reason),
        LiveBody::Deltas(deltas) => match rows(app, scope, &deltas).await {
            Ok(events) => events,
            Err(fault) => {
                tracing::warn!(error = %fault, "changes for a live stream could not be read");
                reset("store_unavailable")
            }
        },
    };
    if let Some(last) = events.pop() {
        events.push(last.id(app.shared.hub.event_id(message.id)));
    }
    events
}

fn reset(reason: &'static str) -> Vec<Event> {
    event("reset", &json!({ "reason": reason }))
        .into_iter()
        .collect()
}

/// What changed, by kind.
#[derive(Default)]
struct Changed {
    tasks: Vec<Task>,
    commands: Vec<CommandId>,
    agents: Vec<AgentId>,
    workers: HashSet<(Arc<str>, Arc<str>)>,
    queues: HashSet<(Arc<str>, Arc<str>)>,
    counters: bool,
}

impl Changed {
    fn of(deltas: &[Arc<Delta>]) -> Self {
        let mut changed = Self::default();
        for delta in deltas {
            match &**delta {
                Delta::Task(task) => changed.tasks.push(Task::from((**task).clone())),
                Delta::Command(id) => changed.commands.push(*id),
                Delta::Agent(id) => changed.agents.push(*id),
                Delta::Worker { engine, name } => {
                    changed
                        .workers
                        .insert((Arc::clone(engine), Arc::clone(name)));
                }
                Delta::Queue { engine, name } => {
                    changed
                        .queues
                        .insert((Arc::clone(engine), Arc::clone(name)));
                }
                Delta::Counters => changed.counters = true,
            }
        }
        changed.counters |= !changed.tasks.is_empty();
        changed
    }
}

async fn rows(app: &Web, scope: &Scope, deltas: &[Arc<Delta>]) -> Result<Vec<Event>, StoreError> {
    let (store, project) = (&app.shared.store, scope.project.id);
    let changed = Changed::of(deltas);
    let mut events = Vec::new();
    if !changed.tasks.is_empty() {
        events.extend(event("tasks", &json!({ "items": changed.tasks })));
    }
    for id in changed.commands {
        if let Some(row) = store.command(project, id).await? {
            events.extend(event("command", &Command::from(row)));
        }
    }
    for id in changed.agents {
        if let Some(row) = store.agent(project, id).await? {
            events.extend(event("agent", &Agent::from(row)));
        }
    }
    if !changed.workers.is_empty() {
        let rows = store.workers(project).await?.into_iter();
        let rows = rows.filter(|row| holds(&changed.workers, &row.engine, &row.name));
        events.extend(rows.filter_map(|row| event("worker", &Worker::listed(row))));
    }
    if !changed.queues.is_empty() {
        let rows = store.queues(project).await?.into_iter();
        let rows = rows.filter(|row| holds(&changed.queues, &row.engine, &row.name));
        events.extend(rows.filter_map(|row| event("queue", &Queue::from(row))));
    }
    if changed.counters {
        let states = stats::states(&app.shared, project).await?;
        events.extend(event("counters", &Counters { states }));
    }
    Ok(events)
}

fn holds(names: &HashSet<(Arc<str>, Arc<str>)>, engine: &str, name: &str) -> bool {
    names.contains(&(Arc::from(engine), Arc::from(name)))
}

/// An event with JSON data, which never holds a line break.
fn event(kind: &'static str, data: &impl Serialize) -> Option<Event> {
    let written = Event::default().event(kind).json_data(data);
    written
        .inspect_err(|fault| tracing::error!(kind, error = %fault, "an event could not be written"))
        .ok()
}
