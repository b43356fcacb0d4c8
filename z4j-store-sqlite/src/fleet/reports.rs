//! Heartbeats, sightings and refusals of many agents.

use rusqlite::{Connection, OptionalExtension, params};
use z4j_core::id::AgentId;
use z4j_core::limits::LOSS_RUNTIMES_MAX;
use z4j_core::store::{
    AgentReport, DeclaredLoss, RefusalRow, ReportBatch, latest_loss, total_loss,
};

use crate::fault::Fault;
use crate::row;
use crate::writer::Tx;

use super::{queues, workers};

/// Under which ids the losses of sources are summed up that are no longer told apart.
const SUMMED_UP: &str = "";

pub(super) fn record(tx: &mut Tx<'_>, batch: &ReportBatch) -> Result<(), Fault> {
    for report in &batch.reports {
        if is_active(tx.db, report.agent_id)? {
            heartbeat(tx.db, report)?;
        }
    }
    for worker in &batch.disowned {
        if let Some(project) = tx.project(worker.project_id)? {
            workers::disown(tx.db, project, worker)?;
        }
    }
    for seen in &batch.workers {
        if let Some(project) = tx.project(seen.project_id)?
            && is_active(tx.db, seen.agent_id)?
        {
            workers::see(tx.db, project, seen)?;
        }
    }
    for seen in &batch.queues {
        if let Some(project) = tx.project(seen.project_id)? {
            queues::see(tx.db, project, seen)?;
        }
    }
    for (agent, refusal, count) in &batch.refusals {
        refuse(tx.db, *agent, refusal, *count)?;
    }
    Ok(())
}

fn is_active(db: &Connection, agent: AgentId) -> Result<bool, Fault> {
    let mut find =
        db.prepare_cached("SELECT 1 FROM agents WHERE id = ?1 AND revoked_at IS NULL")?;
    Ok(find.exists([agent.as_bytes().as_slice()])?)
}

fn heartbeat(db: &Connection, report: &AgentReport) -> Result<(), Fault> {
    let (agent, at) = (report.agent_id.as_bytes().as_slice(), report.at.as_micros());
    db.prepare_cached(
        "UPDATE links SET last_seen_at = max(last_seen_at, ?3) WHERE id = ?1 AND agent_id = ?2",
    )?
    .execute(params![report.link_id.as_bytes().as_slice(), agent, at])?;
    db.prepare_cached(
        "UPDATE agents SET last_seen_at = max(coalesce(last_seen_at, ?2), ?2) WHERE id = ?1",
    )?
    .execute(params![agent, at])?;
    let health = report.health.as_ref().map(row::json_text).transpose()?;
    db.prepare_cached(
        "UPDATE agents SET reported_at = ?2, buffer_entries = coalesce(?3, buffer_entries), health = coalesce(?4, health)
         WHERE id = ?1 AND coalesce(reported_at, ?2) <= ?2",
    )?
    .execute(params![agent, at, report.buffer_entries.map(row::signed), health])?;
    for loss in &report.losses {
        declare_loss(db, report, loss)?;
    }
    Ok(())
}

fn declare_loss(db: &Connection, report: &AgentReport, loss: &DeclaredLoss) -> Result<(), Fault> {
    let agent = report.agent_id.as_bytes().as_slice();
    let source = (loss.buffer_id.as_str(), loss.runtime_id.as_str());
    let mut find =
        db.prepare_cached("SELECT counters FROM agent_losses WHERE agent_id = ?1 AND buffer_id = ?2 AND runtime_id = ?3")?;
    let known: Option<String> = find
        .query_row(params![agent, source.0, source.1], |row| row.get(0))
        .optional()?;
    let latest = latest_loss(known.as_deref().unwrap_or("{}"), &loss.counters);
    put_loss(db, agent, source, &latest, report.at.as_micros())?;
    if known.is_none() {
        sum_up_oldest(db, agent)?;
    }
    let mut select = db.prepare_cached("SELECT counters FROM agent_losses WHERE agent_id = ?1")?;
    let rows = select.query_map([agent], |row| row.get::<_, String>(0))?;
    let all = rows.collect::<Result<Vec<_>, _>>()?;
    db.prepare_cached("UPDATE agents SET telemetry_loss = ?2 WHERE id = ?1")?
        .execute(params![agent, total_loss(all.iter().map(String::as_str))])?;
    Ok(())
}

fn put_loss(
    db: &Connection,
    agent: &[u8],
    source: (&str, &str),
    counters: &str,
    at: i64,
) -> Result<(), Fault> {
    let mut put = db.prepare_cached(
        "INSERT INTO agent_losses (agent_id, buffer_id, runtime_id, counters, at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (agent_id, buffer_id, runtime_id) DO UPDATE SET counters = ?4, at = max(at, ?5)",
    )?;
    put.execute(params![agent, source.0, source.1, counters, at])?;
    Ok(())
}

/// Keeps the number of sources that are told apart within bounds: the one not heard of for longest joins the sum.
fn sum_up_oldest(db: &Connection, agent: &[u8]) -> Result<(), Fault> {
    let mut beyond = db.prepare_cached(
        "SELECT buffer_id, runtime_id, counters FROM agent_losses WHERE agent_id = ?1 AND buffer_id <> ''
         ORDER BY at DESC LIMIT 1 OFFSET ?2",
    )?;
    let oldest: Option<(String, String, String)> = beyond
        .query_row(params![agent, LOSS_RUNTIMES_MAX], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((buffer, runtime, counters)) = oldest else {
        return Ok(());
    };
    let mut find =
        db.prepare_cached("SELECT counters FROM agent_losses WHERE agent_id = ?1 AND buffer_id = '' AND runtime_id = ''")?;
    let summed: Option<String> = find.query_row([agent], |row| row.get(0)).optional()?;
    let sum =
        total_loss(summed.as_deref().into_iter().chain([counters.as_str()])).unwrap_or_default();
    put_loss(db, agent, (SUMMED_UP, SUMMED_UP), &sum, 0)?;
    db.prepare_cached(
        "DELETE FROM agent_losses WHERE agent_id = ?1 AND buffer_id = ?2 AND runtime_id = ?3",
    )?
    .execute(params![agent, buffer, runtime])?;
    Ok(())
}

fn refuse(db: &Connection, agent: AgentId, refusal: &RefusalRow, count: u64) -> Result<(), Fault> {
    let agent = agent.as_bytes().as_slice();
    db.prepare_cached("UPDATE agents SET refused_total = refused_total + ?2 WHERE id = ?1")?
        .execute(params![agent, row::signed(count)])?;
    db.prepare_cached(
        "UPDATE agents SET refused_at = ?2, refused_code = ?3, refused_message = ?4, refused_skew_ms = ?5
         WHERE id = ?1 AND coalesce(refused_at, ?2) <= ?2",
    )?
    .execute(params![agent, refusal.at.as_micros(), refusal.code, refusal.message, refusal.skew_ms])?;
    Ok(())
}
