//! What happens to commands after they were written.

use sqlx::AssertSqlSafe;
use z4j_core::command::{CommandInput, CommandState, is_safe_to_resend};
use z4j_core::id::{LinkId, ProjectId};
use z4j_core::store::{AdvanceCommand, AdvanceOutcome, CommandRow, RetryLink, Topic};
use z4j_core::time::Timestamp;

use crate::db::Db;
use crate::fault::Fault;
use crate::{audit, text};

use super::record;

/// The short way for what agents answer, without a transaction of its own: reads the command, then writes it in one statement
/// if nobody else has changed it meanwhile. `None` when that cannot be told so, and [`advance`] has to.
pub(super) async fn advance_alone(
    db: &mut Db<'_>,
    advance: &AdvanceCommand,
) -> Result<Option<AdvanceOutcome>, Fault> {
    let Some(before) = record::find(db, advance.id).await? else {
        return Ok(None);
    };
    let mut row = before.row.clone();
    let is_of_agent = advance.agent_id.is_none_or(|agent| agent == row.agent_id);
    if !is_of_agent
        || advance.is_past(&before.row, before.link)
        || !record::apply(&mut row, advance.input, advance.at)
    {
        return Ok(None);
    }
    row.result = advance.result.clone().or(row.result);
    row.error = advance.error.clone().or(row.error);
    let is_written = record::update_from(db, &before.row, &row).await?;
    Ok(is_written.then_some(AdvanceOutcome::Advanced(row)))
}

pub(super) async fn advance(
    db: &mut Db<'_>,
    advance: &AdvanceCommand,
) -> Result<AdvanceOutcome, Fault> {
    let Some(stored) = record::lock(db, advance.id).await? else {
        return Ok(AdvanceOutcome::NotFound);
    };
    let is_past = advance.is_past(&stored.row, stored.link);
    let mut row = stored.row;
    if advance.agent_id.is_some_and(|agent| agent != row.agent_id) {
        return Ok(AdvanceOutcome::NotFound);
    }
    if is_past || !record::apply(&mut row, advance.input, advance.at) {
        return Ok(AdvanceOutcome::Absorbed(row));
    }
    row.result = advance.result.clone().or(row.result);
    row.error = advance.error.clone().or(row.error);
    record::update(db, &row, None).await?;
    if let Some(link) = &advance.retry_link {
        link_retry(db, row.project_id, link, advance.at).await?;
    }
    if let Some(audit) = &advance.audit {
        audit::append(db, audit).await?;
    }
    Ok(AdvanceOutcome::Advanced(row))
}

/// Whoever reads either task finds the link, whichever of them is known by now.
async fn link_retry(
    db: &mut Db<'_>,
    project: ProjectId,
    link: &RetryLink,
    at: Timestamp,
) -> Result<(), Fault> {
    db.sql(
        "INSERT INTO task_links (project_id, engine, retry, original, at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(*project.as_uuid())
    .bind(text::put(&link.original.engine))
    .bind(text::put(&link.retry_task_id))
    .bind(text::put(&link.original.task_id))
    .bind(at.as_micros())
    .execute(db.conn())
    .await?;
    Ok(())
}

pub(crate) async fn lose_link(
    db: &mut Db<'_>,
    link: LinkId,
    at: Timestamp,
) -> Result<Vec<CommandRow>, Fault> {
    let sql = format!(
        "{} WHERE link_id = $1 ORDER BY issued_at, id FOR UPDATE",
        record::SELECT
    );
    let rows = db
        .sql(AssertSqlSafe(sql))
        .bind(*link.as_uuid())
        .fetch_all(db.conn())
        .await?;
    let in_flight = rows
        .iter()
        .map(record::read_row)
        .collect::<Result<_, _>>()?;
    change_each(db, in_flight, at, |row| CommandInput::LinkLost {
        can_resend: is_safe_to_resend(&row.action) && row.timeout_at > at,
    })
    .await
}

/// What somebody else changes at this moment is left to the next time.
pub(super) async fn expire(
    db: &mut Db<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<CommandRow>, Fault> {
    let sql = format!(
        "{} WHERE state IN ('pending', 'dispatched', 'acknowledged') AND timeout_at <= $1
         ORDER BY timeout_at LIMIT $2 FOR UPDATE SKIP LOCKED",
        record::SELECT
    );
    let rows = db
        .sql(AssertSqlSafe(sql))
        .bind(now.as_micros())
        .bind(i64::from(limit))
        .fetch_all(db.conn())
        .await?;
    let due = rows
        .iter()
        .map(record::read_row)
        .collect::<Result<_, _>>()?;
    change_each(db, due, now, |row| CommandInput::DeadlineReached {
        was_dispatched: row.dispatched_at.is_some(),
    })
    .await
}

async fn change_each(
    db: &mut Db<'_>,
    rows: Vec<CommandRow>,
    at: Timestamp,
    input: impl Fn(&CommandRow) -> CommandInput + Send,
) -> Result<Vec<CommandRow>, Fault> {
    let mut changed = Vec::with_capacity(rows.len());
    let mut is_pending_again = false;
    for mut row in rows {
        let input = input(&row);
        if record::apply(&mut row, input, at) {
            record::update(db, &row, None).await?;
            is_pending_again |= row.state == CommandState::Pending;
            changed.push(row);
        }
    }
    if is_pending_again {
        db.wake(Topic::Commands).await?;
    }
    Ok(changed)
}
