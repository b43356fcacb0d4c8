//! Heartbeats, sightings and refusals of many agents.

use uuid::Uuid;
use z4j_core::id::AgentId;
use z4j_core::store::{AgentReport, RefusalRow, ReportBatch};

use crate::db::Db;
use crate::fault::Fault;
use crate::{row, text};

use super::rounds::rounds;
use super::{losses, queues, workers};

pub(super) async fn record(db: &mut Db<'_>, batch: &ReportBatch) -> Result<(), Fault> {
    lock_agents(db, batch).await?;
    for round in rounds(&batch.reports, |report| report.agent_id) {
        heartbeats(db, &round).await?;
    }
    for report in &batch.reports {
        for loss in &report.losses {
            losses::declare(db, report, loss).await?;
        }
    }
    workers::disown(db, &batch.disowned).await?;
    workers::see_all(db, &batch.workers).await?;
    queues::see_all(db, &batch.queues).await?;
    for (agent, refusal, count) in &batch.refusals {
        refuse(db, *agent, refusal, *count).await?;
    }
    Ok(())
}

/// In one order, so that brains that report the same agents do not wait for each other in a circle.
async fn lock_agents(db: &mut Db<'_>, batch: &ReportBatch) -> Result<(), Fault> {
    let reported = batch
        .reports
        .iter()
        .map(|report| *report.agent_id.as_uuid());
    let refused = batch.refusals.iter().map(|(agent, ..)| *agent.as_uuid());
    let agents: Vec<Uuid> = reported.chain(refused).collect();
    if agents.is_empty() {
        return Ok(());
    }
    db.sql("SELECT 1 FROM agents WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE")
        .bind(agents)
        .execute(db.conn())
        .await?;
    Ok(())
}

/// Reports of different agents.
async fn heartbeats(db: &mut Db<'_>, reports: &[&AgentReport]) -> Result<(), Fault> {
    let agents: Vec<Uuid> = reports
        .iter()
        .map(|report| *report.agent_id.as_uuid())
        .collect();
    let links: Vec<Uuid> = reports
        .iter()
        .map(|report| *report.link_id.as_uuid())
        .collect();
    let times: Vec<i64> = reports.iter().map(|report| report.at.as_micros()).collect();
    let mut buffers = Vec::with_capacity(reports.len());
    let mut healths = Vec::with_capacity(reports.len());
    for report in reports {
        buffers.push(report.buffer_entries.map(row::signed));
        let health = report.health.as_ref().map(row::json_text).transpose()?;
        healths.push(health.map(|json| text::put(&json).into_owned()));
    }
    db.sql(
        "UPDATE links SET last_seen_at = greatest(links.last_seen_at, heard.at)
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS heard (link, agent, at)
             JOIN agents ON agents.id = heard.agent AND agents.revoked_at IS NULL
         WHERE links.id = heard.link AND links.agent_id = heard.agent",
    )
    .bind(links)
    .bind(&agents)
    .bind(&times)
    .execute(db.conn())
    .await?;
    db.sql(
        "UPDATE agents SET last_seen_at = greatest(agents.last_seen_at, heard.at),
             reported_at = greatest(agents.reported_at, heard.at),
             buffer_entries = CASE WHEN coalesce(agents.reported_at, heard.at) <= heard.at
                 THEN coalesce(heard.buffer, agents.buffer_entries) ELSE agents.buffer_entries END,
             health = CASE WHEN coalesce(agents.reported_at, heard.at) <= heard.at
                 THEN coalesce(heard.health, agents.health) ELSE agents.health END
         FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[]) AS heard (agent, at, buffer, health)
         WHERE agents.id = heard.agent AND agents.revoked_at IS NULL",
    )
    .bind(agents)
    .bind(times)
    .bind(buffers)
    .bind(healths)
    .execute(db.conn())
    .await?;
    Ok(())
}

async fn refuse(
    db: &mut Db<'_>,
    agent: AgentId,
    refusal: &RefusalRow,
    count: u64,
) -> Result<(), Fault> {
    let agent = *agent.as_uuid();
    db.sql("UPDATE agents SET refused_total = refused_total + $2 WHERE id = $1")
        .bind(agent)
        .bind(row::signed(count))
        .execute(db.conn())
        .await?;
    db.sql(
        "UPDATE agents SET refused_at = $2, refused_code = $3, refused_message = $4, refused_skew_ms = $5
         WHERE id = $1 AND coalesce(refused_at, $2) <= $2",
    )
    .bind(agent)
    .bind(refusal.at.as_micros())
    .bind(text::put(&refusal.code))
    .bind(text::put(&refusal.message))
    .bind(refusal.skew_ms)
    .execute(db.conn())
    .await?;
    Ok(())
}
