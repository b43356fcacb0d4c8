//! Leases: who may do what alone.

use rusqlite::{Connection, OptionalExtension, params};
use z4j_core::id::ReplicaId;
use z4j_core::store::{LeaseGrant, LeaseOutcome, LeaseRequest};

use crate::fault::Fault;
use crate::{replicas, row};

/// A lease is free when it has lapsed, and when nobody is there who could give it up.
pub(crate) fn take(db: &Connection, request: &LeaseRequest) -> Result<LeaseOutcome, Fault> {
    if !replicas::is_known(db, request.holder)? {
        return Err(Fault::Fenced);
    }
    let mut select =
        db.prepare_cached("SELECT holder, fence, until FROM leases WHERE name = ?1")?;
    let held = select
        .query_row([&request.name], |row| {
            Ok((
                row::id(row, "holder", ReplicaId::from_slice)?,
                row::count(row, "fence")?,
                row::time(row, "until")?,
            ))
        })
        .optional()?;
    let fence = match held {
        None => 1,
        Some((holder, fence, _)) if holder == request.holder => fence,
        Some((holder, fence, until))
            if until <= request.now || !replicas::is_known(db, holder)? =>
        {
            fence.saturating_add(1)
        }
        Some((_, _, until)) => return Ok(LeaseOutcome::Taken { until }),
    };
    let mut store = db.prepare_cached(
        "INSERT INTO leases (name, holder, fence, until) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = excluded.fence, until = excluded.until",
    )?;
    store.execute(params![
        request.name,
        request.holder.as_bytes().as_slice(),
        row::signed(fence),
        request.now.plus(request.ttl).as_micros()
    ])?;
    Ok(LeaseOutcome::Held(LeaseGrant {
        name: request.name.clone(),
        holder: request.holder,
        fence,
    }))
}

/// Refuses whoever does not hold the lease any more. Its end is not looked at: as long as nobody else took it, it is theirs.
pub(crate) fn check(db: &Connection, grant: &LeaseGrant) -> Result<(), Fault> {
    let mut find =
        db.prepare_cached("SELECT 1 FROM leases WHERE name = ?1 AND holder = ?2 AND fence = ?3")?;
    let is_held = find.exists(params![
        grant.name,
        grant.holder.as_bytes().as_slice(),
        row::signed(grant.fence)
    ])?;
    if is_held { Ok(()) } else { Err(Fault::Fenced) }
}

/// Frees what a brain holds, and lets nothing count any more that it sends under it.
pub(crate) fn release(db: &Connection, holder: ReplicaId) -> Result<Vec<String>, Fault> {
    let mut update =
        db.prepare_cached("UPDATE leases SET fence = fence + 1 WHERE holder = ?1 RETURNING name")?;
    let names = update.query_map([holder.as_bytes().as_slice()], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}
