//! Connected processes.

use uuid::Uuid;
use z4j_core::id::{LinkId, ReplicaId};
use z4j_core::store::{CloseLink, OpenLink, WorkerRow};
use z4j_core::time::Timestamp;

use crate::db::Db;
use crate::fault::Fault;
use crate::{replicas, row, text};

use super::workers;

pub(super) async fn open(db: &mut Db<'_>, open: &OpenLink) -> Result<(), Fault> {
    if !replicas::hold(db, open.replica).await? {
        return Err(Fault::Fenced);
    }
    let profile = &open.profile;
    let (engines, capabilities) = (
        row::json_text(&profile.engines)?,
        row::json_text(&profile.capabilities)?,
    );
    db.sql(
        "INSERT INTO links (id, agent_id, replica_id, worker_id, worker_role, pid, connected_at, last_seen_at, started_at,
             engines, capabilities)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING",
    )
    .bind(*open.link_id.as_uuid())
    .bind(*open.agent_id.as_uuid())
    .bind(*open.replica.as_uuid())
    .bind(text::put_opt(open.worker_id.as_deref()))
    .bind(text::put_opt(open.worker_role.as_deref()))
    .bind(open.pid.map(i64::from))
    .bind(open.at.as_micros())
    .bind(open.started_at.map(Timestamp::as_micros))
    .bind(text::put(&engines))
    .bind(text::put(&capabilities))
    .execute(db.conn())
    .await?;
    db.sql(
        "UPDATE agents SET framework = $3, agent_version = $4, protocol_version = $5, host = $6, engines = $7,
             schedulers = $8, capabilities = $9, last_connected_at = greatest(last_connected_at, $2),
             last_seen_at = greatest(last_seen_at, $2)
         WHERE id = $1",
    )
    .bind(*open.agent_id.as_uuid())
    .bind(open.at.as_micros())
    .bind(text::put_opt(profile.framework.as_deref()))
    .bind(text::put_opt(profile.agent_version.as_deref()))
    .bind(text::put_opt(profile.protocol_version.as_deref()))
    .bind(text::put_opt(profile.host.as_deref()))
    .bind(text::put(&engines))
    .bind(text::put(&row::json_text(&profile.schedulers)?).into_owned())
    .bind(text::put(&capabilities))
    .execute(db.conn())
    .await?;
    Ok(())
}

/// The workers that were online and whose own process was behind one of the links go with it.
pub(crate) async fn close(db: &mut Db<'_>, closes: &[CloseLink]) -> Result<Vec<WorkerRow>, Fault> {
    let (mut ids, mut times): (Vec<Uuid>, Vec<i64>) = (Vec::new(), Vec::new());
    for close in closes {
        ids.push(*close.link_id.as_uuid());
        times.push(close.at.as_micros());
    }
    // A link that somebody else holds, such as a claim for it, is waited for: what it claimed is then seen as in flight.
    db.sql("DELETE FROM links WHERE id = ANY ($1)")
        .bind(&ids)
        .execute(db.conn())
        .await?;
    let gone = db
        .sql(
            "UPDATE workers SET online = false, last_seen_at = greatest(workers.last_seen_at, closed.at)
             FROM unnest($1::uuid[], $2::bigint[]) AS closed (id, at)
             WHERE workers.own_link = closed.id AND workers.online
             RETURNING workers.project_id, workers.name, workers.engine",
        )
        .bind(&ids)
        .bind(times)
        .fetch_all(db.conn())
        .await?;
    workers::named(db, &gone).await
}

/// The open links of a brain.
pub(crate) async fn of_replica(db: &mut Db<'_>, replica: ReplicaId) -> Result<Vec<LinkId>, Fault> {
    let rows = db
        .sql("SELECT id FROM links WHERE replica_id = $1 ORDER BY id")
        .bind(*replica.as_uuid())
        .fetch_all(db.conn())
        .await?;
    rows.iter()
        .map(|row| row::id(row, "id", LinkId::from_uuid))
        .collect()
}
