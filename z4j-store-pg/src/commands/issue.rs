//! Writing commands, and handing them out.

use serde::Deserialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use z4j_core::command::{CommandInput, CommandState};
use z4j_core::id::UserId;
use z4j_core::store::{ClaimCommands, CommandRow, IssueCommand, IssueOutcome, Topic};

use crate::db::Db;
use crate::fault::Fault;
use crate::{audit, identity, row, text};

use super::record::{self, Stored};

pub(crate) async fn issue(db: &mut Db<'_>, command: &IssueCommand) -> Result<IssueOutcome, Fault> {
    if let Some(known) = record::find(db, command.id).await? {
        return Ok(IssueOutcome::Repeated(known.row));
    }
    identity::require(db, command.project_id).await?;
    if let Some(known) = of_same_key(db, command).await? {
        let is_same = command
            .idempotency
            .as_ref()
            .map(|key| key.digest.as_slice())
            == known.digest.as_deref();
        return Ok(if is_same {
            IssueOutcome::Repeated(known.row)
        } else {
            IssueOutcome::KeyReused
        });
    }
    insert(db, command).await?;
    audit::append(db, &command.audit).await?;
    db.wake(Topic::Commands).await?;
    let stored = record::find(db, command.id)
        .await?
        .ok_or(Fault::Bug("a command is not where it was written"))?;
    Ok(IssueOutcome::Issued(stored.row))
}

async fn of_same_key(db: &mut Db<'_>, command: &IssueCommand) -> Result<Option<Stored>, Fault> {
    let Some(key) = &command.idempotency else {
        return Ok(None);
    };
    let sql = format!(
        "{} WHERE project_id = $1 AND idempotency_key = $2",
        record::SELECT
    );
    let found = db
        .sql(AssertSqlSafe(sql))
        .bind(*command.project_id.as_uuid())
        .bind(text::put(&key.key).into_owned())
        .fetch_optional(db.conn())
        .await?;
    found.as_ref().map(record::read).transpose()
}

async fn insert(db: &mut Db<'_>, command: &IssueCommand) -> Result<(), Fault> {
    let issued_by_name = match command.issued_by {
        Some(user) => name_of(db, user).await?,
        None => None,
    };
    let inserted = db
        .sql(
            "INSERT INTO commands (id, project_id, agent_id, issued_by, issued_by_name, action, target_type, target_id,
                 engine, payload, idempotency_key, idempotency_digest, state, issued_at, timeout_at)
             SELECT $1, $2, agents.id, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 FROM agents WHERE id = $3",
        )
        .bind(*command.id.as_uuid())
        .bind(*command.project_id.as_uuid())
        .bind(*command.agent_id.as_uuid())
        .bind(command.issued_by.map(|user| *user.as_uuid()))
        .bind(text::put_opt(issued_by_name.as_deref()))
        .bind(text::put(&command.action))
        .bind(text::put(&command.target_type))
        .bind(text::put(&command.target_id))
        .bind(text::put_opt(engine_of(&command.payload).as_deref()))
        .bind(text::put(&command.payload))
        .bind(text::put_opt(
            command.idempotency.as_ref().map(|key| key.key.as_str()),
        ))
        .bind(
            command
                .idempotency
                .as_ref()
                .map(|key| key.digest.as_slice()),
        )
        .bind(CommandState::Pending.as_str())
        .bind(command.issued_at.as_micros())
        .bind(command.timeout_at.as_micros())
        .execute(db.conn())
        .await?;
    if inserted.rows_affected() == 0 {
        return Err(Fault::Bug("there is no such agent"));
    }
    Ok(())
}

async fn name_of(db: &mut Db<'_>, user: UserId) -> Result<Option<String>, Fault> {
    let found = db
        .sql("SELECT display_name FROM users WHERE id = $1")
        .bind(*user.as_uuid())
        .fetch_optional(db.conn())
        .await?;
    found.map(|row| row::text(&row, "display_name")).transpose()
}

/// The engine that a payload names; what is no such object names none.
fn engine_of(payload: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Names {
        engine: Option<String>,
    }
    serde_json::from_str::<Names>(payload).ok()?.engine
}

/// Whether the link is open in the store: whoever claims for another may count as dead. It stays open until the transaction
/// ends, so that whoever closes it finds what was claimed.
async fn holds_link(db: &mut Db<'_>, claim: &ClaimCommands) -> Result<bool, Fault> {
    let found = db
        .sql("SELECT 1 FROM links WHERE id = $1 AND agent_id = $2 FOR KEY SHARE")
        .bind(*claim.link_id.as_uuid())
        .bind(*claim.agent_id.as_uuid())
        .fetch_optional(db.conn())
        .await?;
    Ok(found.is_some())
}

/// What another caller is about to claim or change is passed over: it is not pending any more when that one is done, or it
/// is found the next time.
pub(super) async fn claim(
    db: &mut Db<'_>,
    claim: &ClaimCommands,
) -> Result<Vec<CommandRow>, Fault> {
    if !holds_link(db, claim).await? {
        return Ok(Vec::new());
    }
    let sql = format!(
        "{} WHERE agent_id = $1 AND state = 'pending' AND timeout_at > $2 AND (engine IS NULL OR engine = ANY ($3))
             AND ($4::uuid[] IS NULL OR id = ANY ($4))
         ORDER BY issued_at, id LIMIT $5 FOR UPDATE SKIP LOCKED",
        record::SELECT
    );
    let engines: Vec<String> = claim
        .engines
        .iter()
        .map(|engine| text::put(engine).into_owned())
        .collect();
    let only: Option<Vec<Uuid>> = claim
        .only
        .as_ref()
        .map(|only| only.iter().map(|id| *id.as_uuid()).collect());
    let pending = db
        .sql(AssertSqlSafe(sql))
        .bind(*claim.agent_id.as_uuid())
        .bind(claim.now.as_micros())
        .bind(engines)
        .bind(only)
        .bind(i64::from(claim.limit))
        .fetch_all(db.conn())
        .await?;
    let mut claimed = Vec::with_capacity(pending.len());
    for row in &pending {
        let mut row = record::read_row(row)?;
        if record::apply(&mut row, CommandInput::Claimed, claim.now) {
            record::update(db, &row, Some(claim.link_id)).await?;
            claimed.push(row);
        }
    }
    Ok(claimed)
}
