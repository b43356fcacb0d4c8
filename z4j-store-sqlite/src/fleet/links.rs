//! Connected processes.

use rusqlite::{Connection, params};
use z4j_core::id::{LinkId, ReplicaId};
use z4j_core::store::{CloseLink, OpenLink, WorkerRow};
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::replicas;
use crate::row;

use super::workers;

pub(super) fn open(db: &Connection, open: &OpenLink) -> Result<(), Fault> {
    if !replicas::is_known(db, open.replica)? {
        return Err(Fault::Fenced);
    }
    let mut insert = db.prepare_cached(
        "INSERT INTO links (id, agent_id, replica_id, worker_id, worker_role, pid, connected_at, last_seen_at, started_at,
             engines, capabilities)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING",
    )?;
    let profile = &open.profile;
    let (agent, at) = (open.agent_id.as_bytes().as_slice(), open.at.as_micros());
    insert.execute(params![
        open.link_id.as_bytes().as_slice(),
        agent,
        open.replica.as_bytes().as_slice(),
        open.worker_id,
        open.worker_role,
        open.pid,
        at,
        open.started_at.map(Timestamp::as_micros),
        row::json_text(&profile.engines)?,
        row::json_text(&profile.capabilities)?,
    ])?;
    let mut update = db.prepare_cached(
        "UPDATE agents SET framework = ?3, agent_version = ?4, protocol_version = ?5, host = ?6, engines = ?7,
             schedulers = ?8, capabilities = ?9, last_connected_at = max(coalesce(last_connected_at, ?2), ?2),
             last_seen_at = max(coalesce(last_seen_at, ?2), ?2)
         WHERE id = ?1",
    )?;
    update.execute(params![
        agent,
        at,
        profile.framework,
        profile.agent_version,
        profile.protocol_version,
        profile.host,
        row::json_text(&profile.engines)?,
        row::json_text(&profile.schedulers)?,
        row::json_text(&profile.capabilities)?,
    ])?;
    Ok(())
}

pub(crate) fn close(db: &Connection, closes: &[CloseLink]) -> Result<Vec<WorkerRow>, Fault> {
    let mut gone = Vec::new();
    for close in closes {
        gone.extend(close_one(db, close.link_id, close.at)?);
    }
    Ok(gone)
}

/// The workers that were online and whose own process was behind the link go with it.
fn close_one(db: &Connection, link: LinkId, at: Timestamp) -> Result<Vec<WorkerRow>, Fault> {
    let id = link.as_bytes().as_slice();
    db.prepare_cached("DELETE FROM links WHERE id = ?1")?
        .execute([id])?;
    let mut gone = workers::select(db, "WHERE own_link = ?1 AND online = 1", &[&id])?;
    db.prepare_cached("UPDATE workers SET online = 0, last_seen_at = max(last_seen_at, ?2) WHERE own_link = ?1 AND online = 1")?
        .execute(params![id, at.as_micros()])?;
    for worker in &mut gone {
        workers::mark_offline(worker);
        worker.last_seen_at = worker.last_seen_at.max(at);
    }
    Ok(gone)
}

/// The open links of a brain.
pub(crate) fn of_replica(db: &Connection, replica: ReplicaId) -> Result<Vec<LinkId>, Fault> {
    let mut select = db.prepare_cached("SELECT id FROM links WHERE replica_id = ?1")?;
    let rows = select.query_map([replica.as_bytes().as_slice()], |row| {
        row::id(row, "id", LinkId::from_slice)
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
