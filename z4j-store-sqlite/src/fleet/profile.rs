//! Agents as people see them.

use rusqlite::{Connection, OptionalExtension, Row, params};
use z4j_core::id::{AgentId, LinkId, ProjectId, ReplicaId};
use z4j_core::store::{AgentProfile, AgentRow, LinkRow, RefusalRow};

use crate::fault::Fault;
use crate::row;

const SELECT: &str = "SELECT agents.*, projects.id AS project_id FROM agents JOIN projects ON projects.key = agents.project";

pub(super) fn find(
    db: &Connection,
    project: ProjectId,
    id: AgentId,
) -> Result<Option<AgentRow>, Fault> {
    let mut select = db.prepare_cached(&format!(
        "{SELECT} WHERE agents.id = ?1 AND projects.id = ?2"
    ))?;
    let found = select
        .query_row(
            params![id.as_bytes().as_slice(), project.as_bytes().as_slice()],
            read,
        )
        .optional()?;
    found.map(|agent| with_links(db, agent)).transpose()
}

pub(super) fn all(db: &Connection, project: ProjectId) -> Result<Vec<AgentRow>, Fault> {
    let mut select = db.prepare_cached(&format!(
        "{SELECT} WHERE projects.id = ?1 ORDER BY revoked_at IS NOT NULL, agents.name, agents.id"
    ))?;
    let rows = select.query_map([project.as_bytes().as_slice()], read)?;
    let agents = rows.collect::<Result<Vec<_>, _>>()?;
    agents
        .into_iter()
        .map(|agent| with_links(db, agent))
        .collect()
}

fn with_links(db: &Connection, mut agent: AgentRow) -> Result<AgentRow, Fault> {
    let mut select =
        db.prepare_cached("SELECT * FROM links WHERE agent_id = ?1 ORDER BY connected_at, id")?;
    let rows = select.query_map([agent.id.as_bytes().as_slice()], read_link)?;
    agent.links = rows.collect::<Result<_, _>>()?;
    Ok(agent)
}

fn read(row: &Row<'_>) -> rusqlite::Result<AgentRow> {
    Ok(AgentRow {
        id: row::id(row, "id", AgentId::from_slice)?,
        project_id: row::id(row, "project_id", ProjectId::from_slice)?,
        name: row.get("name")?,
        created_at: row::time(row, "created_at")?,
        revoked_at: row::time_opt(row, "revoked_at")?,
        last_connected_at: row::time_opt(row, "last_connected_at")?,
        last_seen_at: row::time_opt(row, "last_seen_at")?,
        profile: AgentProfile {
            framework: row.get("framework")?,
            agent_version: row.get("agent_version")?,
            protocol_version: row.get("protocol_version")?,
            host: row.get("host")?,
            engines: row::json(row, "engines")?,
            schedulers: row::json(row, "schedulers")?,
            capabilities: row::json(row, "capabilities")?,
        },
        links: Vec::new(),
        buffer_entries: row::count_opt(row, "buffer_entries")?,
        health: row::json(row, "health")?,
        telemetry_loss: row.get("telemetry_loss")?,
        last_refusal: read_refusal(row)?,
        refused_total: row::count(row, "refused_total")?,
    })
}

fn read_refusal(row: &Row<'_>) -> rusqlite::Result<Option<RefusalRow>> {
    let Some(at) = row::time_opt(row, "refused_at")? else {
        return Ok(None);
    };
    Ok(Some(RefusalRow {
        at,
        code: row.get("refused_code")?,
        message: row.get("refused_message")?,
        skew_ms: row.get("refused_skew_ms")?,
    }))
}

fn read_link(row: &Row<'_>) -> rusqlite::Result<LinkRow> {
    Ok(LinkRow {
        id: row::id(row, "id", LinkId::from_slice)?,
        worker_id: row.get("worker_id")?,
        worker_role: row.get("worker_role")?,
        pid: row.get("pid")?,
        connected_at: row::time(row, "connected_at")?,
        last_seen_at: row::time(row, "last_seen_at")?,
        replica: row::id(row, "replica_id", ReplicaId::from_slice)?,
        engines: row::json(row, "engines")?,
        capabilities: row::json(row, "capabilities")?,
    })
}
