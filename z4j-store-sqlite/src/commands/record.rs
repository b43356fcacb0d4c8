//! A command as it is stored.

use rusqlite::{Connection, OptionalExtension, Row, ToSql};
use z4j_core::command::{self, CommandInput, CommandState, CommandVerdict};
use z4j_core::id::{AgentId, CommandId, LinkId, ProjectId, UserId};
use z4j_core::store::CommandRow;
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::row;

/// What [`read`] needs; `commands` joined with its project.
pub(super) const SELECT: &str = "SELECT commands.id AS id, projects.id AS project_id, agent_id, issued_by, \
    issued_by_name, action, target_type, target_id, engine, payload, idempotency_digest, state, result, error, \
    issued_at, dispatched_at, acknowledged_at, completed_at, timeout_at, link_id \
    FROM commands JOIN projects ON projects.key = commands.project";

/// A row with what only the store needs of it.
pub(super) struct Stored {
    pub(super) row: CommandRow,
    /// The engine that its payload names.
    pub(super) engine: Option<String>,
    pub(super) digest: Option<Vec<u8>>,
    /// Who has it, while it is in flight.
    pub(super) link: Option<LinkId>,
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        row: CommandRow {
            id: row::id(row, "id", CommandId::from_slice)?,
            project_id: row::id(row, "project_id", ProjectId::from_slice)?,
            agent_id: row::id(row, "agent_id", AgentId::from_slice)?,
            issued_by: row::id_opt(row, "issued_by", UserId::from_slice)?,
            issued_by_name: row.get("issued_by_name")?,
            action: row.get("action")?,
            target_type: row.get("target_type")?,
            target_id: row.get("target_id")?,
            payload: row.get("payload")?,
            state: row::parse(row, "state")?,
            result: row.get("result")?,
            error: row.get("error")?,
            issued_at: row::time(row, "issued_at")?,
            dispatched_at: row::time_opt(row, "dispatched_at")?,
            acknowledged_at: row::time_opt(row, "acknowledged_at")?,
            completed_at: row::time_opt(row, "completed_at")?,
            timeout_at: row::time(row, "timeout_at")?,
        },
        engine: row.get("engine")?,
        digest: row.get("idempotency_digest")?,
        link: row::id_opt(row, "link_id", LinkId::from_slice)?,
    })
}

pub(super) fn find(db: &Connection, id: CommandId) -> Result<Option<Stored>, Fault> {
    let mut select = db.prepare_cached(&format!("{SELECT} WHERE commands.id = ?1"))?;
    Ok(select
        .query_row([id.as_bytes().as_slice()], read)
        .optional()?)
}

pub(super) fn select(
    db: &Connection,
    condition: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<Stored>, Fault> {
    let mut select = db.prepare_cached(&format!("{SELECT} {condition}"))?;
    let rows = select.query_map(values, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Feeds an input to the machine and moves the row's times with its state; false when nothing changes.
pub(super) fn apply(row: &mut CommandRow, input: CommandInput, at: Timestamp) -> bool {
    let CommandVerdict::Advance(state) = command::apply(row.state, input) else {
        return false;
    };
    row.state = state;
    match state {
        CommandState::Pending => {}
        CommandState::Dispatched => row.dispatched_at = Some(at),
        CommandState::Acknowledged => row.acknowledged_at = Some(at),
        CommandState::Completed
        | CommandState::Failed
        | CommandState::TimedOut
        | CommandState::Cancelled
        | CommandState::Unknown => row.completed_at = Some(at),
    }
    true
}

/// Writes what [`apply`] can change. The link is kept while the command is in flight.
pub(super) fn update(db: &Connection, row: &CommandRow, link: Option<&[u8]>) -> Result<(), Fault> {
    let mut update = db.prepare_cached(
        "UPDATE commands SET state = ?2, result = ?3, error = ?4, dispatched_at = ?5, acknowledged_at = ?6,
             completed_at = ?7, link_id = iif(?8, coalesce(?9, link_id), NULL) WHERE id = ?1",
    )?;
    update.execute(rusqlite::params![
        row.id.as_bytes().as_slice(),
        row.state.as_str(),
        row.result,
        row.error,
        row.dispatched_at.map(Timestamp::as_micros),
        row.acknowledged_at.map(Timestamp::as_micros),
        row.completed_at.map(Timestamp::as_micros),
        row.state.is_in_flight(),
        link,
    ])?;
    Ok(())
}
