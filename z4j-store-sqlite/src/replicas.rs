//! The brains on this database: those of this process, and rows that earlier ones left.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use rusqlite::{Connection, OptionalExtension, params};
use z4j_core::id::ReplicaId;
use z4j_core::store::{
    BeatOutcome, CloseLink, Estate, ForgetOutcome, ForgetReplica, ReplicaBeat, ReplicaRow, Topic,
};

use crate::commands::advance;
use crate::fault::Fault;
use crate::fleet::links;
use crate::writer::Tx;
use crate::{leases, row};

/// The brains whose rows were there before the first one of this process came: one process at a time serves a database, so
/// theirs has ended.
pub(crate) type Earlier = OnceLock<BTreeSet<ReplicaId>>;

pub(crate) fn beat(
    db: &Connection,
    beat: &ReplicaBeat,
    earlier: &Earlier,
) -> Result<BeatOutcome, Fault> {
    let id = beat.replica.as_bytes().as_slice();
    if beat.is_first {
        let rows = all(db, None)?;
        // The writer is one thread, so nobody can register between the look and the note.
        let _noted_before = earlier.set(rows.iter().map(|row| row.replica).collect());
        db.prepare_cached(
            "INSERT INTO replicas (id, beat, announced, started_at, clock) VALUES (?1, 0, 0, ?2, ?2) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![id, beat.now.as_micros()])?;
    }
    let mut update = db.prepare_cached(
        "UPDATE replicas SET beat = beat + 1, announced = max(announced, ?2), clock = ?3 WHERE id = ?1",
    )?;
    if update.execute(params![
        id,
        row::signed(beat.announced),
        beat.now.as_micros()
    ])? == 0
    {
        return Ok(BeatOutcome::Buried);
    }
    Ok(BeatOutcome::Alive(all(db, earlier.get())?))
}

fn all(db: &Connection, earlier: Option<&BTreeSet<ReplicaId>>) -> Result<Vec<ReplicaRow>, Fault> {
    let mut select = db.prepare_cached("SELECT * FROM replicas ORDER BY id")?;
    let rows = select.query_map([], |row| {
        let replica = row::id(row, "id", ReplicaId::from_slice)?;
        Ok(ReplicaRow {
            replica,
            beat: row::count(row, "beat")?,
            announced: row::count(row, "announced")?,
            started_at: row::time(row, "started_at")?,
            clock: row::time(row, "clock")?,
            is_gone: earlier.is_some_and(|earlier| earlier.contains(&replica)),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn is_known(db: &Connection, replica: ReplicaId) -> Result<bool, Fault> {
    let mut find = db.prepare_cached("SELECT 1 FROM replicas WHERE id = ?1")?;
    Ok(find.exists([replica.as_bytes().as_slice()])?)
}

pub(crate) fn forget(tx: &mut Tx<'_>, dead: &ForgetReplica) -> Result<ForgetOutcome, Fault> {
    let id = dead.replica.as_bytes().as_slice();
    let mut find = tx
        .db
        .prepare_cached("SELECT beat FROM replicas WHERE id = ?1")?;
    let beat = find
        .query_row([id], |row| row::count(row, "beat"))
        .optional()?;
    match beat {
        None => return Ok(ForgetOutcome::Unknown),
        Some(beat) if beat != dead.beat => return Ok(ForgetOutcome::Lives),
        Some(_) => {}
    }
    let held = links::of_replica(tx.db, dead.replica)?;
    let close = |link_id| CloseLink {
        link_id,
        at: dead.at,
    };
    let closes: Vec<CloseLink> = held.iter().copied().map(close).collect();
    let workers = links::close(tx.db, &closes)?;
    let mut commands = Vec::new();
    for link in held {
        commands.extend(advance::lose_link(tx, link, dead.at)?);
    }
    tx.db
        .prepare_cached("DELETE FROM replicas WHERE id = ?1")?
        .execute([id])?;
    tx.wake(Topic::Commands);
    Ok(ForgetOutcome::Forgotten(Estate {
        links: u64::try_from(closes.len()).unwrap_or(u64::MAX),
        workers,
        commands,
        leases: leases::release(tx.db, dead.replica)?,
    }))
}
