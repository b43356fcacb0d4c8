//! The brains on this database.

use z4j_core::id::ReplicaId;
use z4j_core::store::{
    BeatOutcome, CloseLink, Estate, ForgetOutcome, ForgetReplica, ReplicaBeat, ReplicaRow, Topic,
};

use crate::commands::advance;
use crate::db::Db;
use crate::fault::Fault;
use crate::fleet::links;
use crate::{leases, row};

pub(crate) async fn beat(db: &mut Db<'_>, beat: &ReplicaBeat) -> Result<BeatOutcome, Fault> {
    let id = *beat.replica.as_uuid();
    if beat.is_first {
        db.sql(
            "INSERT INTO replicas (id, beat, announced, started_at, clock) VALUES ($1, 0, 0, $2, $2) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id)
        .bind(beat.now.as_micros())
        .execute(db.conn())
        .await?;
    }
    let counted = db
        .sql("UPDATE replicas SET beat = beat + 1, announced = greatest(announced, $2), clock = $3 WHERE id = $1")
        .bind(id)
        .bind(row::signed(beat.announced))
        .bind(beat.now.as_micros())
        .execute(db.conn())
        .await?;
    if counted.rows_affected() == 0 {
        return Ok(BeatOutcome::Buried);
    }
    all(db).await.map(BeatOutcome::Alive)
}

async fn all(db: &mut Db<'_>) -> Result<Vec<ReplicaRow>, Fault> {
    let rows = db
        .sql("SELECT id, beat, announced, started_at, clock FROM replicas ORDER BY id")
        .fetch_all(db.conn())
        .await?;
    rows.iter()
        .map(|row| {
            Ok(ReplicaRow {
                replica: row::id(row, "id", ReplicaId::from_uuid)?,
                beat: row::count(row, "beat")?,
                announced: row::count(row, "announced")?,
                started_at: row::time(row, "started_at")?,
                clock: row::time(row, "clock")?,
                // Any number of processes may use the database: only watching tells which of them live.
                is_gone: false,
            })
        })
        .collect()
}

pub(crate) async fn is_known(db: &mut Db<'_>, replica: ReplicaId) -> Result<bool, Fault> {
    let found = db
        .sql("SELECT 1 FROM replicas WHERE id = $1")
        .bind(*replica.as_uuid())
        .fetch_optional(db.conn())
        .await?;
    Ok(found.is_some())
}

/// Whether the brain is known; if so, nobody can bury it until the transaction ends. Its beats go on meanwhile.
pub(crate) async fn hold(db: &mut Db<'_>, replica: ReplicaId) -> Result<bool, Fault> {
    let found = db
        .sql("SELECT 1 FROM replicas WHERE id = $1 FOR KEY SHARE")
        .bind(*replica.as_uuid())
        .fetch_optional(db.conn())
        .await?;
    Ok(found.is_some())
}

pub(crate) async fn forget(db: &mut Db<'_>, dead: &ForgetReplica) -> Result<ForgetOutcome, Fault> {
    let id = *dead.replica.as_uuid();
    // Waits for whatever holds the brain, such as a link of it that opens just now, and keeps more from beginning.
    let found = db
        .sql("SELECT beat FROM replicas WHERE id = $1 FOR UPDATE")
        .bind(id)
        .fetch_optional(db.conn())
        .await?;
    let Some(found) = found else {
        return Ok(ForgetOutcome::Unknown);
    };
    if row::count(&found, "beat")? != dead.beat {
        return Ok(ForgetOutcome::Lives);
    }
    let held = links::of_replica(db, dead.replica).await?;
    let close = |link_id| CloseLink {
        link_id,
        at: dead.at,
    };
    let closes: Vec<CloseLink> = held.iter().copied().map(close).collect();
    let workers = links::close(db, &closes).await?;
    let mut commands = Vec::new();
    for link in held {
        commands.extend(advance::lose_link(db, link, dead.at).await?);
    }
    db.sql("DELETE FROM replicas WHERE id = $1")
        .bind(id)
        .execute(db.conn())
        .await?;
    let leases = leases::release(db, dead.replica).await?;
    db.wake(Topic::Commands).await?;
    Ok(ForgetOutcome::Forgotten(Estate {
        links: u64::try_from(closes.len()).unwrap_or(u64::MAX),
        workers,
        commands,
        leases,
    }))
}
