//! Agents as people see them.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgRow;
use z4j_core::id::{AgentId, LinkId, ProjectId, ReplicaId};
use z4j_core::store::{AgentProfile, AgentRow, LinkRow, RefusalRow};

use crate::db::Db;
use crate::fault::Fault;
use crate::row;

/// One row for each link, or one for an agent without any: commands wait for this, so it is one way to the server and back.
const SELECT: &str = "SELECT a.id, a.project_id, a.name, a.created_at, a.revoked_at, a.last_connected_at, a.last_seen_at, \
    a.framework, a.agent_version, a.protocol_version, a.host, a.engines, a.schedulers, a.capabilities, a.buffer_entries, \
    a.health, a.telemetry_loss, a.refused_at, a.refused_code, a.refused_message, a.refused_skew_ms, a.refused_total, \
    l.id AS link_id, l.replica_id AS link_replica, l.worker_id AS link_worker, l.worker_role AS link_role, l.pid AS link_pid, \
    l.connected_at AS link_connected_at, l.last_seen_at AS link_last_seen_at, l.engines AS link_engines, \
    l.capabilities AS link_capabilities \
    FROM agents a LEFT JOIN links l ON l.agent_id = a.id";

pub(super) async fn find(
    db: &mut Db<'_>,
    project: ProjectId,
    id: AgentId,
) -> Result<Option<AgentRow>, Fault> {
    let sql =
        format!("{SELECT} WHERE a.id = $1 AND a.project_id = $2 ORDER BY l.connected_at, l.id");
    let rows = db
        .sql(AssertSqlSafe(sql))
        .bind(*id.as_uuid())
        .bind(*project.as_uuid())
        .fetch_all(db.conn())
        .await?;
    Ok(with_links(&rows)?.pop())
}

pub(super) async fn all(db: &mut Db<'_>, project: ProjectId) -> Result<Vec<AgentRow>, Fault> {
    let sql = format!(
        "{SELECT} WHERE a.project_id = $1 ORDER BY a.revoked_at IS NOT NULL, a.name, a.id, l.connected_at, l.id"
    );
    let rows = db
        .sql(AssertSqlSafe(sql))
        .bind(*project.as_uuid())
        .fetch_all(db.conn())
        .await?;
    with_links(&rows)
}

/// Agents from rows in which those of one agent stand together.
fn with_links(rows: &[PgRow]) -> Result<Vec<AgentRow>, Fault> {
    let mut agents: Vec<AgentRow> = Vec::new();
    for row in rows {
        let id = row::id(row, "id", AgentId::from_uuid)?;
        if agents.last().is_none_or(|last| last.id != id) {
            agents.push(read(row)?);
        }
        let link = row::id_opt(row, "link_id", LinkId::from_uuid)?;
        if let (Some(link), Some(agent)) = (link, agents.last_mut()) {
            agent.links.push(read_link(row, link)?);
        }
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

fn read_link(row: &PgRow, id: LinkId) -> Result<LinkRow, Fault> {
    Ok(LinkRow {
        id,
        worker_id: row::text_opt(row, "link_worker")?,
        worker_role: row::text_opt(row, "link_role")?,
        pid: row::small_opt(row, "link_pid")?,
        connected_at: row::time(row, "link_connected_at")?,
        last_seen_at: row::time(row, "link_last_seen_at")?,
        replica: row::id(row, "link_replica", ReplicaId::from_uuid)?,
        engines: row::json(row, "link_engines")?,
        capabilities: row::json(row, "link_capabilities")?,
    })
}
