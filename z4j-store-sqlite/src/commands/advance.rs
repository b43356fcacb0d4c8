//! What happens to commands after they were written.

use rusqlite::{Connection, params};
use z4j_core::command::{CommandInput, CommandState, is_safe_to_resend};
use z4j_core::id::{LinkId, ProjectId};
use z4j_core::store::{AdvanceCommand, AdvanceOutcome, CommandRow, RetryLink, Topic};
use z4j_core::time::Timestamp;

use crate::audit;
use crate::fault::Fault;
use crate::writer::Tx;

use super::record;

pub(super) fn advance(tx: &mut Tx<'_>, advance: &AdvanceCommand) -> Result<AdvanceOutcome, Fault> {
    let Some(stored) = record::find(tx.db, advance.id)? else {
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
    record::update(tx.db, &row, None)?;
    if let Some(link) = &advance.retry_link {
        link_retry(tx, row.project_id, link, advance.at)?;
    }
    if let Some(audit) = &advance.audit {
        audit::append(tx.db, audit)?;
    }
    Ok(AdvanceOutcome::Advanced(row))
}

/// Both tasks show the link, whichever of them is known by now.
fn link_retry(
    tx: &mut Tx<'_>,
    project: ProjectId,
    link: &RetryLink,
    at: Timestamp,
) -> Result<(), Fault> {
    let project = tx.known_project(project)?;
    let (engine, original, retry) = (
        &link.original.engine,
        &link.original.task_id,
        &link.retry_task_id,
    );
    let mut insert = tx.db.prepare_cached(
        "INSERT INTO task_links (project, engine, retry, original, at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    )?;
    if insert.execute(params![project, engine, retry, original, at.as_micros()])? == 0 {
        return Ok(());
    }
    mark(
        tx.db,
        "retried_as",
        params![project, engine, original, retry],
    )?;
    mark(tx.db, "retry_of", params![project, engine, retry, original])
}

fn mark(
    db: &Connection,
    column: &'static str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<(), Fault> {
    let sql = format!(
        "UPDATE tasks SET {column} = ?4 WHERE project = ?1 AND engine = ?2 AND task_id = ?3"
    );
    db.prepare_cached(&sql)?.execute(values)?;
    Ok(())
}

pub(crate) fn lose_link(
    tx: &mut Tx<'_>,
    link: LinkId,
    at: Timestamp,
) -> Result<Vec<CommandRow>, Fault> {
    let in_flight = record::select(
        tx.db,
        "WHERE link_id = ?1 ORDER BY issued_at, commands.id",
        &[&link.as_bytes().as_slice()],
    )?;
    change_each(
        tx,
        in_flight.into_iter().map(|stored| stored.row),
        at,
        |row| CommandInput::LinkLost {
            can_resend: is_safe_to_resend(&row.action) && row.timeout_at > at,
        },
    )
}

pub(super) fn expire(
    tx: &mut Tx<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<CommandRow>, Fault> {
    let due = record::select(
        tx.db,
        "WHERE state IN ('pending', 'dispatched', 'acknowledged') AND timeout_at <= ?1 ORDER BY timeout_at LIMIT ?2",
        &[&now.as_micros(), &limit],
    )?;
    change_each(tx, due.into_iter().map(|stored| stored.row), now, |row| {
        CommandInput::DeadlineReached {
            was_dispatched: row.dispatched_at.is_some(),
        }
    })
}

fn change_each(
    tx: &mut Tx<'_>,
    rows: impl Iterator<Item = CommandRow>,
    at: Timestamp,
    input: impl Fn(&CommandRow) -> CommandInput,
) -> Result<Vec<CommandRow>, Fault> {
    let mut changed = Vec::new();
    for mut row in rows {
        let input = input(&row);
        if record::apply(&mut row, input, at) {
            record::update(tx.db, &row, None)?;
            if row.state == CommandState::Pending {
                tx.wake(Topic::Commands);
            }
            changed.push(row);
        }
    }
    Ok(changed)
}
