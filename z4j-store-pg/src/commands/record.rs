//! A command as it is stored.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres};
use z4j_core::command::{self, CommandInput, CommandState, CommandVerdict};
use z4j_core::id::{AgentId, CommandId, LinkId, ProjectId, UserId};
use z4j_core::store::CommandRow;
use z4j_core::time::Timestamp;

use crate::db::Db;
use crate::fault::Fault;
use crate::{row, text};

/// What [`read`] needs.
pub(super) const SELECT: &str = "SELECT id, project_id, agent_id, issued_by, issued_by_name, action, target_type, \
    target_id, payload, idempotency_digest, state, result, error, issued_at, dispatched_at, acknowledged_at, \
    completed_at, timeout_at, link_id FROM commands";

/// A row with what only the store needs of it.
pub(super) struct Stored {
    pub(super) row: CommandRow,
    pub(super) digest: Option<Vec<u8>>,
    /// Who has it, while it is in flight.
    pub(super) link: Option<LinkId>,
}

pub(super) fn read(row: &PgRow) -> Result<Stored, Fault> {
    Ok(Stored {
        row: CommandRow {
            id: row::id(row, "id", CommandId::from_uuid)?,
            project_id: row::id(row, "project_id", ProjectId::from_uuid)?,
            agent_id: row::id(row, "agent_id", AgentId::from_uuid)?,
            issued_by: row::id_opt(row, "issued_by", UserId::from_uuid)?,
            issued_by_name: row::text_opt(row, "issued_by_name")?,
            action: row::text(row, "action")?,
            target_type: row::text(row, "target_type")?,
            target_id: row::text(row, "target_id")?,
            payload: row::text(row, "payload")?,
            state: row::parse(row, "state")?,
            result: row::text_opt(row, "result")?,
            error: row::text_opt(row, "error")?,
            issued_at: row::time(row, "issued_at")?,
            dispatched_at: row::time_opt(row, "dispatched_at")?,
            acknowledged_at: row::time_opt(row, "acknowledged_at")?,
            completed_at: row::time_opt(row, "completed_at")?,
            timeout_at: row::time(row, "timeout_at")?,
        },
        digest: row::get(row, "idempotency_digest")?,
        link: row::id_opt(row, "link_id", LinkId::from_uuid)?,
    })
}

pub(super) fn read_row(row: &PgRow) -> Result<CommandRow, Fault> {
    read(row).map(|stored| stored.row)
}

pub(super) async fn find(db: &mut Db<'_>, id: CommandId) -> Result<Option<Stored>, Fault> {
    let found = db
        .sql(AssertSqlSafe(format!("{SELECT} WHERE id = $1")))
        .bind(*id.as_uuid())
        .fetch_optional(db.conn())
        .await?;
    found.as_ref().map(read).transpose()
}

/// The command, which nobody else can change until the transaction ends.
pub(super) async fn lock(db: &mut Db<'_>, id: CommandId) -> Result<Option<Stored>, Fault> {
    let found = db
        .sql(AssertSqlSafe(format!("{SELECT} WHERE id = $1 FOR UPDATE")))
        .bind(*id.as_uuid())
        .fetch_optional(db.conn())
        .await?;
    found.as_ref().map(read).transpose()
}

pub(super) async fn of_project(
    db: &mut Db<'_>,
    project: ProjectId,
    id: CommandId,
) -> Result<Option<CommandRow>, Fault> {
    let sql = format!("{SELECT} WHERE project_id = $1 AND id = $2");
    let found = db
        .sql(AssertSqlSafe(sql))
        .bind(*project.as_uuid())
        .bind(*id.as_uuid())
        .fetch_optional(db.conn())
        .await?;
    found.as_ref().map(read_row).transpose()
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

const UPDATE: &str = "UPDATE commands SET state = $3, result = $4, error = $5, dispatched_at = $6, acknowledged_at = $7, \
    completed_at = $8, link_id = CASE WHEN $9 THEN coalesce($10, link_id) END WHERE project_id = $1 AND id = $2";

/// Writes what [`apply`] can change. The link is kept while the command is in flight.
pub(super) async fn update(
    db: &mut Db<'_>,
    row: &CommandRow,
    link: Option<LinkId>,
) -> Result<(), Fault> {
    let update = written(db.sql(UPDATE), row, link);
    update.execute(db.conn()).await?;
    Ok(())
}

/// [`update`], when the command still is what it was at `before`: in that state, by that dispatch. Whether it was.
pub(super) async fn update_from(
    db: &mut Db<'_>,
    before: &CommandRow,
    row: &CommandRow,
) -> Result<bool, Fault> {
    let sql = format!("{UPDATE} AND state = $11 AND dispatched_at IS NOT DISTINCT FROM $12");
    let update = written(db.sql(AssertSqlSafe(sql)), row, None)
        .bind(before.state.as_str())
        .bind(before.dispatched_at.map(Timestamp::as_micros));
    Ok(update.execute(db.conn()).await?.rows_affected() > 0)
}

fn written<'q>(
    query: Query<'q, Postgres, PgArguments>,
    row: &'q CommandRow,
    link: Option<LinkId>,
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(*row.project_id.as_uuid())
        .bind(*row.id.as_uuid())
        .bind(row.state.as_str())
        .bind(text::put_opt(row.result.as_deref()))
        .bind(text::put_opt(row.error.as_deref()))
        .bind(row.dispatched_at.map(Timestamp::as_micros))
        .bind(row.acknowledged_at.map(Timestamp::as_micros))
        .bind(row.completed_at.map(Timestamp::as_micros))
        .bind(row.state.is_in_flight())
        .bind(link.map(|link| *link.as_uuid()))
}
