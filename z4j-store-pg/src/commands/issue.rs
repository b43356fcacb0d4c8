//! Writing commands, and handing them out.

use serde::Deserialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use z4j_core::command::{CommandInput, CommandState};
use z4j_core::id::LinkId;
use z4j_core::store::{ClaimCommands, CommandRow, IssueCommand, IssueOutcome, Topic};
use z4j_core::time::Timestamp;

use crate::db::Db;
use crate::fault::Fault;
use crate::{audit, row, text};

use super::record::{self, Stored};

pub(crate) async fn issue(db: &mut Db<'_>, command: &IssueCommand) -> Result<IssueOutcome, Fault> {
    let mut ground = Ground::read(db, command).await?;
    if ground.is_known
        && let Some(known) = known(db, command).await?
    {
        return Ok(known);
    }
    if !ground.has_project {
        return Err(Fault::Bug("there is no such project"));
    }
    if !ground.has_agent {
        return Err(Fault::Bug("there is no such agent"));
    }
    let head = match ground.head.take() {
        Some(head) => head,
        None => audit::lock_head(db, &command.audit).await?,
    };
    let mut row = pending(command, ground.issued_by_name);
    let link = command.claim_for.filter(|_| ground.has_link);
    if link.is_some() {
        record::apply(&mut row, CommandInput::Claimed, command.issued_at);
    }
    insert(db, command, &row, link, &head).await?;
    Ok(IssueOutcome::Issued(row))
}

/// What a command stands on, read and locked in one statement: each way to the server and back counts, because a person and
/// an agent wait.
struct Ground {
    /// The id or the idempotency key was used before.
    is_known: bool,
    has_project: bool,
    has_agent: bool,
    /// The link is open, and stays so until the transaction ends: whoever closes it finds what was claimed.
    has_link: bool,
    issued_by_name: Option<String>,
    /// `None` for a chain that nobody wrote to yet.
    head: Option<audit::Locked>,
}

impl Ground {
    async fn read(db: &mut Db<'_>, command: &IssueCommand) -> Result<Self, Fault> {
        let sql = format!(
            "WITH held AS MATERIALIZED (SELECT id FROM links WHERE id = $7 AND agent_id = $5 FOR KEY SHARE),
                 head AS MATERIALIZED ({})
             SELECT EXISTS (SELECT FROM commands WHERE id = $3)
                    OR EXISTS (SELECT FROM commands WHERE project_id = $4 AND idempotency_key = $6) AS is_known,
                 EXISTS (SELECT FROM projects WHERE id = $4) AS has_project,
                 EXISTS (SELECT FROM agents WHERE id = $5) AS has_agent,
                 EXISTS (SELECT FROM held) AS has_link,
                 (SELECT display_name FROM users WHERE id = $8) AS issued_by_name,
                 head.seq IS NOT NULL AS has_head, head.seq, head.mac, head.has_entry
             FROM (SELECT) AS one LEFT JOIN head ON true",
            audit::LOCK
        );
        let key = command.idempotency.as_ref().map(|key| text::put(&key.key));
        let found = db
            .sql(AssertSqlSafe(sql))
            .bind(audit::chain_id(&command.audit.chain))
            .bind(*command.audit.id.as_uuid())
            .bind(*command.id.as_uuid())
            .bind(*command.project_id.as_uuid())
            .bind(*command.agent_id.as_uuid())
            .bind(key)
            .bind(command.claim_for.map(|link| *link.as_uuid()))
            .bind(command.issued_by.map(|user| *user.as_uuid()))
            .fetch_one(db.conn())
            .await?;
        let has_head = row::get(&found, "has_head")?;
        Ok(Self {
            is_known: row::get(&found, "is_known")?,
            has_project: row::get(&found, "has_project")?,
            has_agent: row::get(&found, "has_agent")?,
            has_link: row::get(&found, "has_link")?,
            issued_by_name: row::text_opt(&found, "issued_by_name")?,
            head: if has_head {
                Some(audit::Locked::read(&found)?)
            } else {
                None
            },
        })
    }
}

/// What the same request was answered before.
async fn known(db: &mut Db<'_>, command: &IssueCommand) -> Result<Option<IssueOutcome>, Fault> {
    if let Some(known) = record::find(db, command.id).await? {
        return Ok(Some(IssueOutcome::Repeated(known.row)));
    }
    let (Some(key), Some(known)) = (&command.idempotency, of_same_key(db, command).await?) else {
        return Ok(None);
    };
    Ok(Some(if known.digest.as_deref() == Some(&key.digest) {
        IssueOutcome::Repeated(known.row)
    } else {
        IssueOutcome::KeyReused
    }))
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

fn pending(command: &IssueCommand, issued_by_name: Option<String>) -> CommandRow {
    CommandRow {
        id: command.id,
        project_id: command.project_id,
        agent_id: command.agent_id,
        issued_by: command.issued_by,
        issued_by_name,
        action: command.action.clone(),
        target_type: command.target_type.clone(),
        target_id: command.target_id.clone(),
        payload: command.payload.clone(),
        state: CommandState::Pending,
        result: None,
        error: None,
        issued_at: command.issued_at,
        dispatched_at: None,
        acknowledged_at: None,
        completed_at: None,
        timeout_at: command.timeout_at,
    }
}

/// The command, its audit entry and the hint to all brains, in one statement.
async fn insert(
    db: &mut Db<'_>,
    command: &IssueCommand,
    row: &CommandRow,
    link: Option<LinkId>,
    head: &audit::Locked,
) -> Result<(), Fault> {
    const COMMAND: &str = "command AS (INSERT INTO commands (id, project_id, agent_id, issued_by, issued_by_name, action,
             target_type, target_id, engine, payload, idempotency_key, idempotency_digest, state, issued_at, timeout_at,
             dispatched_at, link_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17))";
    let is_waiting = row.state == CommandState::Pending;
    let hint = if is_waiting {
        db.hint(Topic::Commands)?
    } else {
        None
    };
    let hinted = hint.map_or(String::new(), |_| " pg_notify($18, $19)".to_owned());
    let first = if hint.is_some() { 20 } else { 18 };
    let entry = if head.has_entry {
        String::new()
    } else {
        format!(", {}", audit::written(first))
    };
    let sql = format!("WITH {COMMAND}{entry} SELECT{hinted}");
    let idempotency = command.idempotency.as_ref();
    let mut query = db
        .sql(AssertSqlSafe(sql))
        .bind(*row.id.as_uuid())
        .bind(*row.project_id.as_uuid())
        .bind(*row.agent_id.as_uuid())
        .bind(row.issued_by.map(|user| *user.as_uuid()))
        .bind(text::put_opt(row.issued_by_name.as_deref()))
        .bind(text::put(&row.action))
        .bind(text::put(&row.target_type))
        .bind(text::put(&row.target_id))
        .bind(engine_of(&row.payload).map(|engine| text::put(&engine).into_owned()))
        .bind(text::put(&row.payload))
        .bind(idempotency.map(|key| text::put(&key.key)))
        .bind(idempotency.map(|key| key.digest.as_slice()))
        .bind(row.state.as_str())
        .bind(row.issued_at.as_micros())
        .bind(row.timeout_at.as_micros())
        .bind(row.dispatched_at.map(Timestamp::as_micros))
        .bind(link.map(|link| *link.as_uuid()));
    if let Some((channel, word)) = hint {
        query = query.bind(channel).bind(word);
    }
    if !head.has_entry {
        let chain = audit::chain_id(&command.audit.chain);
        query = audit::bind(query, chain, &head.seal(&command.audit))?;
    }
    query.execute(db.conn()).await?;
    Ok(())
}

/// The engine that a payload names; what is no such object names none.
fn engine_of(payload: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Names {
        engine: Option<String>,
    }
    serde_json::from_str::<Names>(payload).ok()?.engine
}

/// What another caller is about to claim or change is passed over: it is not pending any more when that one is done, or it
/// is found the next time. The link stays open until the transaction ends, so that whoever closes it finds what was claimed;
/// for one that is closed nothing is handed out, because whoever claims for it may count as dead.
pub(super) async fn claim(
    db: &mut Db<'_>,
    claim: &ClaimCommands,
) -> Result<Vec<CommandRow>, Fault> {
    let sql = format!(
        "WITH held AS MATERIALIZED (SELECT id FROM links WHERE id = $6 AND agent_id = $1 FOR KEY SHARE) {}
         WHERE (SELECT count(*) FROM held) > 0
             AND agent_id = $1 AND state = 'pending' AND timeout_at > $2 AND (engine IS NULL OR engine = ANY ($3))
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
        .bind(*claim.link_id.as_uuid())
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
