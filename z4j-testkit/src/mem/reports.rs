//! Heartbeats, sightings and refusals.

use z4j_core::id::AgentId;
use z4j_core::limits::LOSS_RUNTIMES_MAX;
use z4j_core::store::{
    AgentReport, DeclaredLoss, RefusalRow, ReportBatch, latest_loss, total_loss,
};
use z4j_core::time::Timestamp;

use super::db::{Agent, Db};
use super::workers;

/// The buffer and runtime under which the loss of runtimes is kept that are no longer told apart.
const OLDER_RUNTIMES: (&str, &str) = ("", "");

pub(super) fn record(db: &mut Db, batch: ReportBatch) {
    for report in batch.reports {
        heartbeat(db, report);
    }
    for worker in batch.disowned {
        workers::disown(db, worker);
    }
    for sighting in batch.workers {
        workers::see(db, sighting);
    }
    for sighting in batch.queues {
        workers::see_queue(db, sighting);
    }
    for (agent, refusal, count) in batch.refusals {
        refuse(db, agent, refusal, count);
    }
}

fn heartbeat(db: &mut Db, report: AgentReport) {
    let agent = db
        .agents
        .get_mut(&report.agent_id)
        .filter(|agent| agent.row.revoked_at.is_none());
    let Some(agent) = agent else { return };
    let at = Some(report.at);
    agent.row.last_seen_at = agent.row.last_seen_at.max(at);
    if agent.reported_at <= at {
        agent.reported_at = at;
        agent.row.buffer_entries = report.buffer_entries.or(agent.row.buffer_entries);
        if let Some(health) = report.health {
            agent.row.health = health;
        }
    }
    for loss in report.losses {
        declare_loss(agent, loss, report.at);
    }
    if let Some(link) = db.links.get_mut(&report.link_id) {
        link.row.last_seen_at = link.row.last_seen_at.max(report.at);
    }
}

/// Counters are cumulative for a source, so the larger of each stands; beyond a number of sources the oldest are summed.
fn declare_loss(agent: &mut Agent, loss: DeclaredLoss, at: Timestamp) {
    let known = agent
        .losses
        .entry((loss.buffer_id, loss.runtime_id))
        .or_insert_with(|| ("{}".to_owned(), at));
    *known = (latest_loss(&known.0, &loss.counters), known.1.max(at));
    let sums = (OLDER_RUNTIMES.0.to_owned(), OLDER_RUNTIMES.1.to_owned());
    while agent.losses.len() > usize::try_from(LOSS_RUNTIMES_MAX).unwrap_or(usize::MAX) {
        let told_apart = agent.losses.iter().filter(|(runtime, _)| **runtime != sums);
        let Some(oldest) = told_apart
            .min_by_key(|(_, (_, at))| *at)
            .map(|(runtime, _)| runtime.clone())
        else {
            return;
        };
        let moved = agent
            .losses
            .remove(&oldest)
            .into_iter()
            .chain(agent.losses.remove(&sums));
        let both: Vec<(String, Timestamp)> = moved.collect();
        let sum =
            total_loss(both.iter().map(|(counters, _)| counters.as_str())).unwrap_or_default();
        agent.losses.insert(sums.clone(), (sum, at));
    }
}

fn refuse(db: &mut Db, agent: AgentId, refusal: RefusalRow, count: u64) {
    let Some(agent) = db.agents.get_mut(&agent) else {
        return;
    };
    agent.row.refused_total = agent.row.refused_total.saturating_add(count);
    if agent
        .row
        .last_refusal
        .as_ref()
        .is_none_or(|known| known.at <= refusal.at)
    {
        agent.row.last_refusal = Some(refusal);
    }
}
