//! What agents declared lost, by source: a buffer, or a runtime that it had.

use uuid::Uuid;
use z4j_core::limits::LOSS_RUNTIMES_MAX;
use z4j_core::store::{AgentReport, DeclaredLoss, latest_loss, total_loss};

use crate::db::Db;
use crate::fault::Fault;
use crate::{row, text};

/// Under which ids the losses of sources are summed up that are no longer told apart.
const SUMMED_UP: &str = "";

/// Takes a declaration of an agent whose row is locked.
pub(super) async fn declare(
    db: &mut Db<'_>,
    report: &AgentReport,
    loss: &DeclaredLoss,
) -> Result<(), Fault> {
    let agent = *report.agent_id.as_uuid();
    let source = (loss.buffer_id.as_str(), loss.runtime_id.as_str());
    let is_active = db
        .sql("SELECT 1 FROM agents WHERE id = $1 AND revoked_at IS NULL")
        .bind(agent)
        .fetch_optional(db.conn())
        .await?;
    if is_active.is_none() {
        return Ok(());
    }
    let known = find(db, agent, source).await?;
    let latest = latest_loss(known.as_deref().unwrap_or("{}"), &loss.counters);
    put(db, agent, source, &latest, report.at.as_micros()).await?;
    if known.is_none() {
        sum_up_oldest(db, agent).await?;
    }
    let rows = db
        .sql("SELECT counters FROM agent_losses WHERE agent_id = $1")
        .bind(agent)
        .fetch_all(db.conn())
        .await?;
    let all = rows
        .iter()
        .map(|row| row::text(row, "counters"))
        .collect::<Result<Vec<_>, _>>()?;
    let total = total_loss(all.iter().map(String::as_str));
    db.sql("UPDATE agents SET telemetry_loss = $2 WHERE id = $1")
        .bind(agent)
        .bind(text::put_opt(total.as_deref()))
        .execute(db.conn())
        .await?;
    Ok(())
}

async fn find(db: &mut Db<'_>, agent: Uuid, source: (&str, &str)) -> Result<Option<String>, Fault> {
    let found = db
        .sql("SELECT counters FROM agent_losses WHERE agent_id = $1 AND buffer_id = $2 AND runtime_id = $3")
        .bind(agent)
        .bind(text::put(source.0).into_owned())
        .bind(text::put(source.1).into_owned())
        .fetch_optional(db.conn())
        .await?;
    found.map(|row| row::text(&row, "counters")).transpose()
}

async fn put(
    db: &mut Db<'_>,
    agent: Uuid,
    source: (&str, &str),
    counters: &str,
    at: i64,
) -> Result<(), Fault> {
    db.sql(
        "INSERT INTO agent_losses (agent_id, buffer_id, runtime_id, counters, at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (agent_id, buffer_id, runtime_id)
         DO UPDATE SET counters = excluded.counters, at = greatest(agent_losses.at, excluded.at)",
    )
    .bind(agent)
    .bind(text::put(source.0).into_owned())
    .bind(text::put(source.1).into_owned())
    .bind(text::put(counters).into_owned())
    .bind(at)
    .execute(db.conn())
    .await?;
    Ok(())
}

/// Keeps the number of sources that are told apart within bounds: the one not heard of for longest joins the sum.
async fn sum_up_oldest(db: &mut Db<'_>, agent: Uuid) -> Result<(), Fault> {
    let oldest = db
        .sql(
            "SELECT buffer_id, runtime_id, counters FROM agent_losses WHERE agent_id = $1 AND buffer_id <> ''
             ORDER BY at DESC LIMIT 1 OFFSET $2",
        )
        .bind(agent)
        .bind(i64::from(LOSS_RUNTIMES_MAX))
        .fetch_optional(db.conn())
        .await?;
    let Some(oldest) = oldest else { return Ok(()) };
    let (buffer, runtime) = (
        row::text(&oldest, "buffer_id")?,
        row::text(&oldest, "runtime_id")?,
    );
    let counters = row::text(&oldest, "counters")?;
    let summed = find(db, agent, (SUMMED_UP, SUMMED_UP)).await?;
    let sum =
        total_loss(summed.as_deref().into_iter().chain([counters.as_str()])).unwrap_or_default();
    put(db, agent, (SUMMED_UP, SUMMED_UP), &sum, 0).await?;
    db.sql("DELETE FROM agent_losses WHERE agent_id = $1 AND buffer_id = $2 AND runtime_id = $3")
        .bind(agent)
        .bind(text::put(&buffer).into_owned())
        .bind(text::put(&runtime).into_owned())
        .execute(db.conn())
        .await?;
    Ok(())
}
