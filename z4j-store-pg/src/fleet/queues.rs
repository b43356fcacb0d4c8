//! Queues, as far as agents name them.

use uuid::Uuid;
use z4j_core::id::ProjectId;
use z4j_core::store::{QueueRow, QueueSighting};

use crate::db::Db;
use crate::fault::Fault;
use crate::{row, text};

use super::rounds::rounds;

/// Queues with their sums, which ingest keeps under the names of engine and queue (`ingest/counters.rs`).
pub(super) async fn all(db: &mut Db<'_>, project: ProjectId) -> Result<Vec<QueueRow>, Fault> {
    let rows = db
        .sql(
            "SELECT queues.engine AS engine, queues.name AS name, depth, depth_at, last_seen_at,
                 coalesce((SELECT sum(count) FROM counters WHERE counters.project_id = queues.project_id
                     AND kind = 'queue_waiting'
                     AND counters.name = queues.engine || E'\\uFDD02' || queues.name), 0)::bigint
                     AS waiting,
                 coalesce((SELECT sum(count) FROM counters WHERE counters.project_id = queues.project_id
                     AND kind = 'queue_running'
                     AND counters.name = queues.engine || E'\\uFDD02' || queues.name), 0)::bigint
                     AS running
             FROM queues WHERE queues.project_id = $1 ORDER BY queues.name, queues.engine",
        )
        .bind(*project.as_uuid())
        .fetch_all(db.conn())
        .await?;
    rows.iter()
        .map(|row| {
            Ok(QueueRow {
                project_id: project,
                engine: row::text(row, "engine")?,
                name: row::text(row, "name")?,
                depth: row::count_opt(row, "depth")?,
                depth_at: row::time_opt(row, "depth_at")?,
                last_seen_at: row::time(row, "last_seen_at")?,
                waiting: row::count(row, "waiting")?,
                running: row::count(row, "running")?,
            })
        })
        .collect()
}

/// Takes sightings; an older measure than the latest is passed over.
pub(super) async fn see_all(db: &mut Db<'_>, sightings: &[QueueSighting]) -> Result<(), Fault> {
    for round in rounds(sightings, |seen| {
        (seen.project_id, &seen.name, &seen.engine)
    }) {
        see(db, &round).await?;
    }
    Ok(())
}

async fn see(db: &mut Db<'_>, sightings: &[&QueueSighting]) -> Result<(), Fault> {
    let project_ids: Vec<Uuid> = sightings
        .iter()
        .map(|seen| *seen.project_id.as_uuid())
        .collect();
    let texts = |of: fn(&QueueSighting) -> &str| -> Vec<String> {
        let texts = sightings.iter().map(|seen| text::put(of(seen)));
        texts.map(std::borrow::Cow::into_owned).collect()
    };
    let depths: Vec<Option<i64>> = sightings
        .iter()
        .map(|seen| seen.depth.map(row::signed))
        .collect();
    let times: Vec<i64> = sightings.iter().map(|seen| seen.at.as_micros()).collect();
    db.sql(
        "INSERT INTO queues (project_id, engine, name, depth, depth_at, last_seen_at)
         SELECT projects.id, seen.engine, seen.name, seen.depth, CASE WHEN seen.depth IS NOT NULL THEN seen.at END, seen.at
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
                  AS seen (project_id, name, engine, depth, at)
             JOIN projects ON projects.id = seen.project_id
         ORDER BY projects.id, seen.name, seen.engine
         ON CONFLICT (project_id, name, engine) DO UPDATE SET
             depth = CASE WHEN coalesce(queues.depth_at, excluded.depth_at) <= excluded.depth_at
                 THEN excluded.depth ELSE queues.depth END,
             depth_at = CASE WHEN coalesce(queues.depth_at, excluded.depth_at) <= excluded.depth_at
                 THEN excluded.depth_at ELSE queues.depth_at END,
             last_seen_at = greatest(queues.last_seen_at, excluded.last_seen_at)",
    )
    .bind(project_ids)
    .bind(texts(|seen| &seen.name))
    .bind(texts(|seen| &seen.engine))
    .bind(depths)
    .bind(times)
    .execute(db.conn())
    .await?;
    Ok(())
}
