//! What an agent says of itself: heartbeats and status frames.

use std::collections::{BTreeMap, HashMap};

use z4j_core::limits;
use z4j_core::store::{AgentReport, DeclaredLoss, IngestEvent, QueueSighting};
use z4j_core::time::Timestamp;
use z4j_core::wire::{AgentStatus, Heartbeat, TelemetryLoss};

use super::loss;
use super::redact::redact_text;
use super::sighting::Sightings;
use super::worker_details;
use crate::link::LinkHandle;
use crate::shared::Shared;

/// Longest value of the health map that is kept, in bytes; the long ones are read into workers and queues instead.
const HEALTH_VALUE_BYTES_MAX: usize = 1024;

/// What is known of one link's agent process beyond its frames.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    sightings: Sightings,
    /// When each description of a worker was first heard, so that a cached one does not make a worker look alive.
    described_at: HashMap<(String, String), (u64, Timestamp)>,
    statuses: StatusRate,
}

/// When something was said, by the agent's clock within ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// Not after the time of receipt.
    pub(crate) at: Timestamp,
}

#[derive(Debug, Default)]
struct StatusRate {
    minute: Timestamp,
    count: u32,
}

impl Vitals {
    /// Takes a heartbeat in.
    pub(crate) fn heartbeat(
        &mut self,
        shared: &Shared,
        link: &LinkHandle,
        heartbeat: &Heartbeat,
        heard: Heard,
    ) {
        self.sightings.note_health(&heartbeat.adapter_health);
        for (key, value) in heartbeat
            .adapter_health
            .iter()
            .take(limits::HEALTH_KEYS_MAX)
        {
            match key.rsplit_once('.') {
                Some((engine, "worker_details")) => {
                    self.workers(shared, link, (engine, value), heard)
                }
                Some((engine, "queue_depths")) => queues(shared, link, (engine, value), heard),
                _ => {}
            }
        }
        let report = AgentReport {
            buffer_entries: Some(heartbeat.buffer_size),
            health: Some(health(shared, &heartbeat.adapter_health)),
            losses: declared(heartbeat.telemetry_loss.as_ref()),
            ..empty_report(link, heard.at)
        };
        shared.reports.heard(
            shared,
            link.project_id(),
            report,
            heartbeat.telemetry_loss.as_ref(),
        );
    }

    /// Takes a status frame in; of many in a minute only the first few (protocol §4.6).
    pub(crate) fn status(
        &mut self,
        shared: &Shared,
        link: &LinkHandle,
        status: &AgentStatus,
        heard: Heard,
    ) {
        if !self.statuses.admits(heard.at) {
            return;
        }
        let report = AgentReport {
            buffer_entries: Some(status.buffer_depth),
            losses: declared(status.telemetry_loss.as_ref()),
            ..empty_report(link, heard.at)
        };
        shared.reports.heard(
            shared,
            link.project_id(),
            report,
            status.telemetry_loss.as_ref(),
        );
    }

    /// Reports what an event names.
    pub(crate) fn event(
        &mut self,
        shared: &Shared,
        link: &LinkHandle,
        event: &IngestEvent,
        now: Timestamp,
    ) {
        self.sightings.note_event(shared, link, event, now);
    }

    fn workers(
        &mut self,
        shared: &Shared,
        link: &LinkHandle,
        (engine, json): (&str, &str),
        heard: Heard,
    ) {
        let workers = worker_details::read(shared, link, engine, json);
        self.sightings
            .note_described(shared, link, engine, &workers);
        for mut worker in workers {
            let print = worker_details::fingerprint(&worker);
            let key = (engine.to_owned(), worker.name.clone());
            worker.at = self.first_heard(key, print, heard.at);
            if worker.own_link.is_some() {
                shared.links.owners.claim(link, engine, &worker.name);
            }
            let is_fresh = worker.at == heard.at;
            shared.reports.worker(worker, is_fresh);
        }
    }

    fn first_heard(&mut self, key: (String, String), print: u64, at: Timestamp) -> Timestamp {
        if self.described_at.len() >= limits::HEALTH_QUEUES_MAX
            && !self.described_at.contains_key(&key)
        {
            self.described_at.clear();
        }
        let known = self.described_at.entry(key).or_insert((print, at));
        if known.0 != print {
            *known = (print, at);
        }
        known.1
    }
}

impl StatusRate {
    fn admits(&mut self, at: Timestamp) -> bool {
        let minute = at.floor_minute();
        if minute != self.minute {
            *self = Self { minute, count: 0 };
        }
        self.count += 1;
        self.count <= limits::STATUS_PER_MINUTE_MAX
    }
}

fn empty_report(link: &LinkHandle, at: Timestamp) -> AgentReport {
    AgentReport {
        link_id: link.id,
        agent_id: link.agent_id(),
        at,
        buffer_entries: None,
        health: None,
        losses: Vec::new(),
    }
}

fn declared(loss: Option<&TelemetryLoss>) -> Vec<DeclaredLoss> {
    loss.map(loss::by_source).unwrap_or_default()
}

/// The health map as the agent's page shows it: no long values, nothing secret.
fn health(shared: &Shared, sent: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let short = sent
        .iter()
        .filter(|(_, value)| value.len() <= HEALTH_VALUE_BYTES_MAX);
    let shown = short
        .filter(|(key, _)| !key.ends_with(".worker_details") && !key.ends_with(".queue_depths"));
    shown
        .take(limits::HEALTH_KEYS_MAX)
        .map(|(key, value)| {
            let redact = |text: &str| redact_text(&*shared.redactor, text);
            (redact(key), redact(value))
        })
        .collect()
}

fn queues(shared: &Shared, link: &LinkHandle, (engine, json): (&str, &str), heard: Heard) {
    let Ok(depths) = serde_json::from_str::<BTreeMap<String, Option<serde_json::Number>>>(json)
    else {
        return;
    };
    for (name, depth) in depths.into_iter().take(limits::HEALTH_QUEUES_MAX) {
        shared.reports.queue(QueueSighting {
            project_id: link.project_id(),
            engine: engine.to_owned(),
            name: redact_text(&*shared.redactor, &name),
            depth: depth.and_then(|depth| depth.as_u64()),
            at: heard.at,
        });
    }
}
