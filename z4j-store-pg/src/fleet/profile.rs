//! Agents as people see them.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgRow;
use uuid::Uuid;
use z4j_core::id::{AgentId, LinkId, ProjectId, ReplicaId};
use z4j_core::store::{AgentProfile, AgentRow, LinkRow, RefusalRow};

use crate::db::Db;
use crate::fault::Fault;
use crate::row;

const SELECT: &str = "SELECT id, project_id, name, created_at, revoked_at, last_connected_at, last_seen_at, framework, \
    agent_version, protocol_version, host, engines, schedulers, capabilities, buffer_entries, health, telemetry_loss, \
    refused_at, refused_code, refused_message, refused_skew_ms, refused_total FROM agents";

pub(super) async fn find(
    db: &mut Db<'_>,
    project: ProjectId,
    id: AgentId,
) -> Result<Option<AgentRow>, Fault> {
    let sql = format!("{SELECT} WHERE id = $1 AND project_id = $2");
    let found = db
        .sql(AssertSqlSafe(sql))
        .bind(*id.as_uuid())
        .bind(*project.as_uuid())
        .fetch_optional(db.conn())
        .await?;
    let agents = found.iter().map(read).collect::<Result<_, _>>()?;
    Ok(with_links(db, agents).await?.pop())
}

pub(super) async fn all(db: &mut Db<'_>, project: ProjectId) -> Result<Vec<AgentRow>, Fault> {
    let sql = format!("{SELECT} WHERE project_id = $1 ORDER BY revoked_at IS NOT NULL, name, id");
    let rows = db
        .sql(AssertSqlSafe(sql))
        .bind(*project.as_uuid())
        .fetch_all(db.conn())
        .await?;
    let agents = rows.iter().map(read).collect::<Result<_, _>>()?;
    with_links(db, agents).await
}

async fn with_links(db: &mut Db<'_>, mut agents: Vec<AgentRow>) -> Result<Vec<AgentRow>, Fault> {
    let ids: Vec<Uuid> = agents.iter().map(|agent| *agent.id.as_uuid()).collect();
    let rows = db
        .sql(
            "SELECT id, agent_id, replica_id, worker_id, worker_role, pid, connected_at, last_seen_at, engines, capabilities
             FROM links WHERE agent_id = ANY ($1) ORDER BY connected_at, id",
        )
        .bind(ids)
        .fetch_all(db.conn())
        .await?;
    let mut links: HashMap<AgentId, Vec<LinkRow>> = HashMap::new();
    for row in &rows {
        let agent = row::id(row, "agent_id", AgentId::from_uuid)?;
        links.entry(agent).or_default().push(read_link(row)?);
    }
    for agent in &mut agents {
        agent.links = links.remove(&agent.id).unwrap_or_default();
    }
    Ok(agents)
}

fn read(row: &PgRow) -> Result<AgentRow, Fault> {
    Ok(AgentRow {
        id: row::id(row, "id", AgentId::from_uuid)?,
        project_id: row::id(row, "project_id", ProjectId::from_uuid)?,
        name: row::text(row, "name")?,
        created_at: row::time(row, "created_at")?,
        revoked_at: row::time_opt(row, "revoked_at")?,
        last_connected_at: row::time_opt(row, "last_connected_at")?,
        last_seen_at: row::time_opt(row, "last_seen_at")?,
        profile: AgentProfile {
            framework: row::text_opt(row, "framework")?,
            agent_version: row::text_opt(row, "agent_version")?,
            protocol_version: row::text_opt(row, "protocol_version")?,
            host: row::text_opt(row, "host")?,
            engines: row::json(row, "engines")?,
            schedulers: row::json(row, "schedulers")?,
            capabilities: row::json(row, "capabilities")?,
        },
        links: Vec::new(),
        buffer_entries: row::count_opt(row, "buffer_entries")?,
        health: row::json(row, "health")?,
        telemetry_loss: row::text_opt(row, "telemetry_loss")?,
        last_refusal: read_refusal(row)?,
        refused_total: row::count(row, "refused_total")?,
    })
}

fn read_refusal(row: &PgRow) -> Result<Option<RefusalRow>, Fault> {
    let Some(at) = row::time_opt(row, "refused_at")? else {
        return Ok(None);
    };
    Ok(Some(RefusalRow {
        at,
        code: row::text(row, "refused_code")?,
        message: row::text(row, "refused_message")?,
        skew_ms: row::get(row, "refused_skew_ms")?,
    }))
}

fn read_link(row: &PgRow) -> Result<LinkRow, Fault> {
    Ok(LinkRow {
        id: row::id(row, "id", LinkId::from_uuid)?,
        worker_id: row::text_opt(row, "worker_id")?,
        worker_role: row::text_opt(row, "worker_role")?,
        pid: row::small_opt(row, "pid")?,
        connected_at: row::time(row, "connected_at")?,
        last_seen_at: row::time(row, "last_seen_at")?,
        replica: row::id(row, "replica_id", ReplicaId::from_uuid)?,
        engines: row::json(row, "engines")?,
        capabilities: row::json(row, "capabilities")?,
    })
}
