//! Leases: who may do what alone.

use z4j_core::id::ReplicaId;
use z4j_core::store::{LeaseGrant, LeaseOutcome, LeaseRequest};
use z4j_core::time::Timestamp;

use crate::db::Db;
use crate::fault::Fault;
use crate::{replicas, row, text};

/// A lease is free when it has lapsed, and when nobody is there who could give it up.
pub(crate) async fn take(db: &mut Db<'_>, request: &LeaseRequest) -> Result<LeaseOutcome, Fault> {
    if !replicas::hold(db, request.holder).await? {
        return Err(Fault::Fenced);
    }
    let name = text::put(&request.name);
    let until = request.now.plus(request.ttl);
    let held = db
        .sql("SELECT holder, fence, until FROM leases WHERE name = $1 FOR UPDATE")
        .bind(name.as_ref())
        .fetch_optional(db.conn())
        .await?;
    let Some(held) = held else {
        // Of two that are the first, one is refused as a duplicate and finds the other's row when it tries again.
        db.sql("INSERT INTO leases (name, holder, fence, until) VALUES ($1, $2, 1, $3)")
            .bind(name.as_ref())
            .bind(*request.holder.as_uuid())
            .bind(until.as_micros())
            .execute(db.conn())
            .await?;
        return Ok(granted(request, 1));
    };
    let holder = row::id(&held, "holder", ReplicaId::from_uuid)?;
    let (fence, lapses) = (row::count(&held, "fence")?, row::time(&held, "until")?);
    let fence = if holder == request.holder {
        fence
    } else if lapses <= request.now || !replicas::is_known(db, holder).await? {
        fence.saturating_add(1)
    } else {
        return Ok(LeaseOutcome::Taken { until: lapses });
    };
    hand_over(db, request, fence, until).await?;
    Ok(granted(request, fence))
}

async fn hand_over(
    db: &mut Db<'_>,
    request: &LeaseRequest,
    fence: u64,
    until: Timestamp,
) -> Result<(), Fault> {
    db.sql("UPDATE leases SET holder = $2, fence = $3, until = $4 WHERE name = $1")
        .bind(text::put(&request.name).into_owned())
        .bind(*request.holder.as_uuid())
        .bind(row::signed(fence))
        .bind(until.as_micros())
        .execute(db.conn())
        .await?;
    Ok(())
}

fn granted(request: &LeaseRequest, fence: u64) -> LeaseOutcome {
    LeaseOutcome::Held(LeaseGrant {
        name: request.name.clone(),
        holder: request.holder,
        fence,
    })
}

/// Refuses whoever does not hold the lease any more, and keeps it from changing hands until the transaction ends. Its end is
/// not looked at: as long as nobody else took it, it is theirs.
pub(crate) async fn check(db: &mut Db<'_>, grant: &LeaseGrant) -> Result<(), Fault> {
    let held = db
        .sql("SELECT 1 FROM leases WHERE name = $1 AND holder = $2 AND fence = $3 FOR SHARE")
        .bind(text::put(&grant.name).into_owned())
        .bind(*grant.holder.as_uuid())
        .bind(row::signed(grant.fence))
        .fetch_optional(db.conn())
        .await?;
    held.map(drop).ok_or(Fault::Fenced)
}

/// Frees what a brain holds, and lets nothing count any more that it sends under it.
pub(crate) async fn release(db: &mut Db<'_>, holder: ReplicaId) -> Result<Vec<String>, Fault> {
    let rows = db
        .sql("UPDATE leases SET fence = fence + 1 WHERE holder = $1 RETURNING name")
        .bind(*holder.as_uuid())
        .fetch_all(db.conn())
        .await?;
    rows.iter().map(|row| row::text(row, "name")).collect()
}
