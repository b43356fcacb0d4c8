//! The `worker_details` of a heartbeat: what an engine says of each of its workers (protocol §8.1).

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};
use z4j_core::id::LinkId;
use z4j_core::store::WorkerSighting;
use z4j_core::time::Timestamp;

use super::redact::{redact_json, redact_text, redact_worker};
use crate::link::LinkHandle;
use crate::shared::Shared;

/// Workers taken from one description.
const WORKERS_MAX: usize = 1024;
/// Names of registered tasks that are kept per worker.
const REGISTERED_MAX: usize = 200;
/// Queues that are kept per worker.
const QUEUES_MAX: usize = 200;
/// Settings that are kept, and no others: none of them can hold a credential.
const SETTINGS: [&str; 17] = [
    "accept_content",
    "broker_heartbeat",
    "broker_pool_limit",
    "enable_utc",
    "result_serializer",
    "task_acks_late",
    "task_default_queue",
    "task_reject_on_worker_lost",
    "task_serializer",
    "task_soft_time_limit",
    "task_time_limit",
    "timezone",
    "worker_concurrency",
    "worker_max_memory_per_child",
    "worker_max_tasks_per_child",
    "worker_pool",
    "worker_prefetch_multiplier",
];

/// The workers that a description names; what cannot be read is left out.
pub(super) fn read(
    shared: &Shared,
    link: &LinkHandle,
    engine: &str,
    json: &str,
) -> Vec<WorkerSighting> {
    let mut nodes: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    // Anything else says why there is no description.
    nodes.retain(|_, node| node.is_object());
    let own_link = own_link(link, &nodes);
    let worker = |(name, node): (&String, &Value)| WorkerSighting {
        project_id: link.project_id(),
        engine: engine.to_owned(),
        name: redact_worker(&*shared.redactor, name),
        agent_id: link.agent_id(),
        own_link: own_link.filter(|_| link.pid == pid(node)),
        at: Timestamp::EPOCH,
        stopping: false,
        pid: pid(node),
        concurrency: number(node.pointer("/stats/pool/max-concurrency")),
        active: node
            .get("active")
            .and_then(Value::as_array)
            .map(|active| count(active.len())),
        queues: queues(shared, node),
        details: Some(details(shared, node)),
    };
    nodes.iter().take(WORKERS_MAX).map(worker).collect()
}

/// Tells one description of a worker from another. Uptime and use of resources are part of it, so a worker that lives
/// gives a new one each time it is asked.
pub(super) fn fingerprint(worker: &WorkerSighting) -> u64 {
    let mut hasher = DefaultHasher::new();
    (
        &worker.details,
        worker.active,
        worker.concurrency,
        &worker.queues,
        worker.pid,
    )
        .hash(&mut hasher);
    hasher.finish()
}

/// A worker is the link's own process when both say the same process id and no other worker does: every container has a
/// process 1.
fn own_link(link: &LinkHandle, nodes: &Map<String, Value>) -> Option<LinkId> {
    let own = nodes
        .values()
        .filter(|node| link.pid.is_some() && pid(node) == link.pid);
    (own.count() == 1).then_some(link.id)
}

fn pid(node: &Value) -> Option<u32> {
    number(node.pointer("/stats/pid"))
}

fn number(value: Option<&Value>) -> Option<u32> {
    u32::try_from(value?.as_u64()?).ok()
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn queues(shared: &Shared, node: &Value) -> Option<Vec<String>> {
    let queues = node.get("active_queues")?.as_array()?;
    let names = queues
        .iter()
        .filter_map(|queue| queue.get("name")?.as_str());
    Some(
        names
            .take(QUEUES_MAX)
            .map(|name| redact_text(&*shared.redactor, name))
            .collect(),
    )
}

fn details(shared: &Shared, node: &Value) -> String {
    let at = |pointer: &str| node.pointer(pointer).cloned().unwrap_or_default();
    let settings: Map<String, Value> = SETTINGS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), node.get("conf")?.get(name)?.clone())))
        .collect();
    let registered = node.get("registered").and_then(Value::as_array);
    let registered: Vec<_> = registered
        .into_iter()
        .flatten()
        .filter(|name| name.is_string())
        .collect();
    let details = json!({
        "pool": at("/stats/pool/implementation"),
        "prefetch_count": at("/stats/prefetch_count"),
        "uptime_seconds": at("/stats/uptime"),
        "max_rss_kib": at("/stats/rusage/maxrss"),
        "user_cpu_seconds": at("/stats/rusage/utime"),
        "settings": settings,
        "registered_count": registered.len(),
        "registered": registered.into_iter().take(REGISTERED_MAX).collect::<Vec<_>>(),
    });
    redact_json(&*shared.redactor, details)
}
