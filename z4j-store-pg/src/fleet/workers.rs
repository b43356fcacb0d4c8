//! Workers: online while they are seen or their process is connected.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgRow;
use uuid::Uuid;
use z4j_core::id::{AgentId, LinkId, ProjectId, ReplicaId};
use z4j_core::store::{DisownedWorker, WorkerOwner, WorkerRow, WorkerSighting, WorkerState};
use z4j_core::time::Timestamp;

use crate::db::Db;
use crate::fault::Fault;
use crate::{row, text};

use super::rounds::rounds;

/// Workers with their sums, which ingest keeps under the names of engine and worker (`ingest/counters.rs`).
const SELECT: &str = "SELECT workers.project_id, workers.engine, workers.name, online, last_seen_at, agent_id, pid, \
    concurrency, active, queues, details, \
    coalesce((SELECT sum(count) FROM counters WHERE counters.project_id = workers.project_id \
        AND kind = 'worker_succeeded' \
        AND counters.name = workers.engine || E'\\uFDD02' || workers.name), 0)::bigint AS succeeded, \
    coalesce((SELECT sum(count) FROM counters WHERE counters.project_id = workers.project_id \
        AND kind = 'worker_failed' \
        AND counters.name = workers.engine || E'\\uFDD02' || workers.name), 0)::bigint AS failed \
    FROM workers";

pub(super) async fn all(db: &mut Db<'_>, project: ProjectId) -> Result<Vec<WorkerRow>, Fault> {
    let sql =
        format!("{SELECT} WHERE workers.project_id = $1 ORDER BY workers.name, workers.engine");
    let rows = db
        .sql(AssertSqlSafe(sql))
        .bind(*project.as_uuid())
        .fetch_all(db.conn())
        .await?;
    rows.iter().map(read).collect()
}

/// The workers that rows with `project_id`, `name` and `engine` name.
pub(super) async fn named(db: &mut Db<'_>, keys: &[PgRow]) -> Result<Vec<WorkerRow>, Fault> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut columns: (Vec<Uuid>, Vec<String>, Vec<String>) = Default::default();
    for key in keys {
        columns.0.push(row::get(key, "project_id")?);
        columns.1.push(row::get(key, "name")?);
        columns.2.push(row::get(key, "engine")?);
    }
    let sql = format!(
        "{SELECT} JOIN unnest($1::uuid[], $2::text[], $3::text[]) AS wanted (project_id, name, engine)
             ON workers.project_id = wanted.project_id AND workers.name = wanted.name AND workers.engine = wanted.engine
         ORDER BY workers.project_id, workers.name, workers.engine"
    );
    let rows = db
        .sql(AssertSqlSafe(sql))
        .bind(columns.0)
        .bind(columns.1)
        .bind(columns.2)
        .fetch_all(db.conn())
        .await?;
    rows.iter().map(read).collect()
}

/// The workers whose own link is open.
pub(super) async fn owners(db: &mut Db<'_>, project: ProjectId) -> Result<Vec<WorkerOwner>, Fault> {
    let rows = db
        .sql(
            "SELECT workers.engine AS engine, workers.name AS name, links.id AS id, links.replica_id AS replica_id,
                 links.started_at AS started_at
             FROM workers JOIN links ON links.id = workers.own_link WHERE workers.project_id = $1",
        )
        .bind(*project.as_uuid())
        .fetch_all(db.conn())
        .await?;
    rows.iter()
        .map(|row| {
            Ok(WorkerOwner {
                engine: row::text(row, "engine")?,
                name: row::text(row, "name")?,
                link_id: row::id(row, "id", LinkId::from_uuid)?,
                replica: row::id(row, "replica_id", ReplicaId::from_uuid)?,
                started_at: row::time_opt(row, "started_at")?,
            })
        })
        .collect()
}

fn read(row: &PgRow) -> Result<WorkerRow, Fault> {
    Ok(WorkerRow {
        project_id: row::id(row, "project_id", ProjectId::from_uuid)?,
        engine: row::text(row, "engine")?,
        name: row::text(row, "name")?,
        state: if row::get(row, "online")? {
            WorkerState::Online
        } else {
            WorkerState::Offline
        },
        last_seen_at: row::time(row, "last_seen_at")?,
        agent_id: row::id(row, "agent_id", AgentId::from_uuid)?,
        pid: row::small_opt(row, "pid")?,
        concurrency: row::small_opt(row, "concurrency")?,
        active: row::small_opt(row, "active")?,
        queues: row::json(row, "queues")?,
        details: row::text_opt(row, "details")?,
        succeeded: row::count(row, "succeeded")?,
        failed: row::count(row, "failed")?,
    })
}

/// Marks offline whoever is silent and whose own process, if it is known, is not connected.
pub(super) async fn sweep(
    db: &mut Db<'_>,
    silent_since: Timestamp,
) -> Result<Vec<WorkerRow>, Fault> {
    let gone = db
        .sql(
            "UPDATE workers SET online = false WHERE online AND last_seen_at < $1
               AND (own_link IS NULL OR NOT EXISTS (SELECT 1 FROM links WHERE links.id = own_link))
             RETURNING project_id, name, engine",
        )
        .bind(silent_since.as_micros())
        .fetch_all(db.conn())
        .await?;
    named(db, &gone).await
}

/// From here on a worker is there only as long as somebody sees it.
pub(super) async fn disown(db: &mut Db<'_>, workers: &[DisownedWorker]) -> Result<(), Fault> {
    if workers.is_empty() {
        return Ok(());
    }
    let mut columns: (Vec<Uuid>, Vec<String>, Vec<String>, Vec<Uuid>) = Default::default();
    for worker in workers {
        columns.0.push(*worker.project_id.as_uuid());
        columns.1.push(text::put(&worker.name).into_owned());
        columns.2.push(text::put(&worker.engine).into_owned());
        columns.3.push(*worker.link_id.as_uuid());
    }
    db.sql(
        "UPDATE workers SET own_link = NULL
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) AS named (project_id, name, engine, link)
         WHERE workers.project_id = named.project_id AND workers.name = named.name AND workers.engine = named.engine
           AND workers.own_link = named.link",
    )
    .bind(columns.0)
    .bind(columns.1)
    .bind(columns.2)
    .bind(columns.3)
    .execute(db.conn())
    .await?;
    Ok(())
}

/// Takes sightings by agents that are not revoked. Whether a worker is there follows the latest sighting, what it is like the
/// latest description: an event that names a busy worker says nothing of its pool, and must not make the heartbeat that does
/// look outdated.
pub(super) async fn see_all(db: &mut Db<'_>, sightings: &[WorkerSighting]) -> Result<(), Fault> {
    for round in rounds(sightings, |seen| {
        (seen.project_id, &seen.name, &seen.engine)
    }) {
        see(db, &round).await?;
        let described: Vec<_> = round
            .into_iter()
            .filter(|seen| seen.is_description())
            .collect();
        if !described.is_empty() {
            describe(db, &described).await?;
            claim(db, &described).await?;
        }
    }
    Ok(())
}

#[derive(Default)]
struct Names {
    project_ids: Vec<Uuid>,
    names: Vec<String>,
    engines: Vec<String>,
    agent_ids: Vec<Uuid>,
    times: Vec<i64>,
}

impl Names {
    fn of(sightings: &[&WorkerSighting]) -> Self {
        let mut all = Self::default();
        for seen in sightings {
            all.project_ids.push(*seen.project_id.as_uuid());
            all.names.push(text::put(&seen.name).into_owned());
            all.engines.push(text::put(&seen.engine).into_owned());
            all.agent_ids.push(*seen.agent_id.as_uuid());
            all.times.push(seen.at.as_micros());
        }
        all
    }
}

async fn see(db: &mut Db<'_>, sightings: &[&WorkerSighting]) -> Result<(), Fault> {
    let names = Names::of(sightings);
    let online: Vec<bool> = sightings.iter().map(|seen| !seen.stopping).collect();
    db.sql(
        "INSERT INTO workers (project_id, engine, name, online, last_seen_at, agent_id)
         SELECT projects.id, seen.engine, seen.name, seen.online, seen.at, agents.id
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::boolean[])
                  AS seen (project_id, name, engine, agent_id, at, online)
             JOIN projects ON projects.id = seen.project_id
             JOIN agents ON agents.id = seen.agent_id AND agents.revoked_at IS NULL
         ORDER BY projects.id, seen.name, seen.engine
         ON CONFLICT (project_id, name, engine)
         DO UPDATE SET online = excluded.online, last_seen_at = excluded.last_seen_at, agent_id = excluded.agent_id
         WHERE workers.last_seen_at <= excluded.last_seen_at",
    )
    .bind(names.project_ids)
    .bind(names.names)
    .bind(names.engines)
    .bind(names.agent_ids)
    .bind(names.times)
    .bind(online)
    .execute(db.conn())
    .await?;
    Ok(())
}

#[derive(Default)]
struct Descriptions {
    own_links: Vec<Option<Uuid>>,
    pids: Vec<Option<i64>>,
    concurrencies: Vec<Option<i64>>,
    actives: Vec<Option<i64>>,
    queues: Vec<Option<String>>,
    details: Vec<Option<String>>,
}

impl Descriptions {
    fn of(sightings: &[&WorkerSighting]) -> Result<Self, Fault> {
        let mut all = Self::default();
        for seen in sightings {
            let queues = seen.queues.as_ref().map(row::json_text).transpose()?;
            all.own_links
                .push(seen.own_link.map(|link| *link.as_uuid()));
            all.pids.push(seen.pid.map(i64::from));
            all.concurrencies.push(seen.concurrency.map(i64::from));
            all.actives.push(seen.active.map(i64::from));
            all.queues
                .push(queues.map(|json| text::put(&json).into_owned()));
            let details = text::put_opt(seen.details.as_deref());
            all.details.push(details.map(std::borrow::Cow::into_owned));
        }
        Ok(all)
    }
}

/// Whose process a worker is does not grow old with a description: it counts as long as no other open link claims the worker.
async fn claim(db: &mut Db<'_>, sightings: &[&WorkerSighting]) -> Result<(), Fault> {
    let claims: Vec<_> = sightings
        .iter()
        .copied()
        .filter(|seen| seen.own_link.is_some())
        .collect();
    if claims.is_empty() {
        return Ok(());
    }
    let names = Names::of(&claims);
    let links: Vec<_> = claims
        .iter()
        .filter_map(|seen| seen.own_link.map(|link| *link.as_uuid()))
        .collect();
    db.sql(
        "UPDATE workers SET own_link = seen.own_link
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::uuid[])
                  AS seen (project_id, name, engine, agent_id, at, own_link)
             JOIN agents ON agents.id = seen.agent_id AND agents.revoked_at IS NULL
             JOIN links ON links.id = seen.own_link
         WHERE workers.project_id = seen.project_id AND workers.name = seen.name AND workers.engine = seen.engine
           AND workers.described_at > seen.at
           AND (workers.own_link IS NULL
                OR NOT EXISTS (SELECT FROM links AS held WHERE held.id = workers.own_link))",
    )
    .bind(names.project_ids)
    .bind(names.names)
    .bind(names.engines)
    .bind(names.agent_ids)
    .bind(names.times)
    .bind(links)
    .execute(db.conn())
    .await?;
    Ok(())
}

async fn describe(db: &mut Db<'_>, sightings: &[&WorkerSighting]) -> Result<(), Fault> {
    let names = Names::of(sightings);
    let what = Descriptions::of(sightings)?;
    db.sql(
        "UPDATE workers SET own_link = coalesce(seen.own_link, workers.own_link), pid = coalesce(seen.pid, workers.pid),
             concurrency = coalesce(seen.concurrency, workers.concurrency), active = coalesce(seen.active, workers.active),
             queues = coalesce(seen.queues, workers.queues), details = coalesce(seen.details, workers.details),
             described_at = seen.at
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::uuid[], $7::bigint[], $8::bigint[],
                     $9::bigint[], $10::text[], $11::text[])
                  AS seen (project_id, name, engine, agent_id, at, own_link, pid, concurrency, active, queues, details)
             JOIN agents ON agents.id = seen.agent_id AND agents.revoked_at IS NULL
         WHERE workers.project_id = seen.project_id AND workers.name = seen.name AND workers.engine = seen.engine
           AND coalesce(workers.described_at, seen.at) <= seen.at",
    )
    .bind(names.project_ids)
    .bind(names.names)
    .bind(names.engines)
    .bind(names.agent_ids)
    .bind(names.times)
    .bind(what.own_links)
    .bind(what.pids)
    .bind(what.concurrencies)
    .bind(what.actives)
    .bind(what.queues)
    .bind(what.details)
    .execute(db.conn())
    .await?;
    Ok(())
}
