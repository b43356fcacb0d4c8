//! What an engine holds, as the texts of a heartbeat's `adapter_health` (wire §8.1).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use z4j_core::engine::EngineSnapshot;
use z4j_core::limits;

/// `<engine>.<key>` to text.
pub(crate) type Health = BTreeMap<String, String>;

/// Running tasks of one worker that are listed; the brain counts them.
const ACTIVE_LISTED_MAX: u32 = 1_000;
/// Workers of one engine that are listed.
const WORKERS_LISTED_MAX: usize = 256;

/// Adds what `engine` said of itself, in which process and for how long. The uptime tells one description from the next one that is otherwise the same.
pub(crate) fn add_snapshot(
    health: &mut Health,
    engine: &str,
    snapshot: &EngineSnapshot,
    (process_id, uptime): (u32, Duration),
) {
    let depths: Map<String, Value> = snapshot
        .queue_depths
        .iter()
        .take(limits::HEALTH_QUEUES_MAX)
        .map(|(queue, depth)| (queue.clone(), json!(depth)))
        .collect();
    let workers: Map<String, Value> = snapshot
        .workers
        .iter()
        .take(WORKERS_LISTED_MAX)
        .map(|worker| {
            let running = worker.active.min(ACTIVE_LISTED_MAX);
            let details = json!({
                "stats": {"pid": process_id, "uptime": uptime.as_secs(), "pool": {"max-concurrency": worker.concurrency}},
                "active": (0..running).map(|_| json!({})).collect::<Vec<_>>(),
                "active_queues": worker.queues.iter().map(|queue| json!({"name": queue})).collect::<Vec<_>>(),
            });
            (worker.name.clone(), details)
        })
        .collect();
    put(health, engine, "broker_type", "in-process".to_owned());
    put(health, engine, "broker_connected", "True".to_owned());
    put(
        health,
        engine,
        "queue_depths",
        Value::Object(depths).to_string(),
    );
    put(
        health,
        engine,
        "worker_details",
        Value::Object(workers).to_string(),
    );
}

/// Adds that `engine` did not say anything, and why.
pub(crate) fn add_error(health: &mut Health, engine: &str, reason: &str) {
    put(health, engine, "error", reason.chars().take(200).collect());
}

fn put(health: &mut Health, engine: &str, key: &str, value: String) {
    if health.len() < limits::HEALTH_KEYS_MAX {
        health.insert(format!("{engine}.{key}"), value);
    }
}

#[cfg(test)]
mod tests {
    use z4j_core::engine::WorkerSnapshot;

    use super::*;

    #[test]
    fn workers_and_depths_have_the_shape_that_celery_reports() {
        let snapshot = EngineSnapshot {
            workers: vec![WorkerSnapshot {
                name: "w1".to_owned(),
                concurrency: 4,
                active: 2,
                queues: vec!["mail".to_owned()],
            }],
            queue_depths: vec![("mail".to_owned(), 7)],
        };
        let mut health = Health::new();
        add_snapshot(
            &mut health,
            "demo",
            &snapshot,
            (4711, Duration::from_secs(7)),
        );
        assert_eq!(health["demo.queue_depths"], r#"{"mail":7}"#);
        let workers: Value = serde_json::from_str(&health["demo.worker_details"]).unwrap();
        assert_eq!(workers["w1"]["stats"]["pool"]["max-concurrency"], 4);
        assert_eq!(workers["w1"]["stats"]["uptime"], 7);
        assert_eq!(workers["w1"]["active"].as_array().unwrap().len(), 2);
        assert_eq!(workers["w1"]["active_queues"][0]["name"], "mail");
    }
}
