//! Writing commands, and handing them out.

use serde::Deserialize;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres};
use uuid::Uuid;
use z4j_core::audit::ChainHead;
use z4j_core::command::{CommandInput, CommandState};
use z4j_core::id::LinkId;
use z4j_core::store::{ClaimCommands, CommandRow, IssueCommand, IssueOutcome, Topic};
use z4j_core::time::Timestamp;

use crate::db::Db;
use crate::fault::Fault;
use crate::{audit, row, text};

use super::heads::Heads;
use super::record::{self, Stored};

/// The short way for a command that a link of this brain is to have, without a transaction of its own: one statement writes it
/// if the link is open, all that it stands on is there, and the chain ends as it is remembered, or else as it was just read.
/// `None` when it was not written, and [`issue`] has to find out why.
pub(super) async fn issue_alone(
    db: &mut Db<'_>,
    (command, heads): (&IssueCommand, &Heads),
) -> Result<Option<IssueOutcome>, Fault> {
    let (Some(link), chain) = (command.claim_for, command.audit.chain) else {
        return Ok(None);
    };
    let remembered = heads.of(&chain);
    let mut written = None;
    if let Some(head) = &remembered {
        written = insert_if_held(db, command, link, head).await?;
    }
    if written.is_none() {
        let head = audit::look(db, &chain).await?;
        if let Some(head) = head.filter(|head| Some(*head) != remembered) {
            written = insert_if_held(db, command, link, &head).await?;
        }
    }
    Ok(written.map(|(row, head)| {
        heads.remember(&chain, head);
        IssueOutcome::Issued(row)
    }))
}

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

const COLUMNS: &str = "id, project_id, agent_id, issued_by, issued_by_name, action, target_type, target_id, engine, payload, \
    idempotency_key, idempotency_digest, state, issued_at, timeout_at, dispatched_at, link_id";
/// The marks of [`bind`], of which there are 17.
const MARKS: &str = "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17";

/// The command, its audit entry and the hint to all brains, in one statement.
async fn insert(
    db: &mut Db<'_>,
    command: &IssueCommand,
    row: &CommandRow,
    link: Option<LinkId>,
    head: &audit::Locked,
) -> Result<(), Fault> {
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
    let sql = format!(
        "WITH command AS (INSERT INTO commands ({COLUMNS}) VALUES ({MARKS})){entry} SELECT{hinted}"
    );
    let mut query = bind(db.sql(AssertSqlSafe(sql)), command, row, link);
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

/// What must hold so that a command may be written; the link is held while the statement runs, which is the whole transaction.
const CAN_BE_ISSUED: &str = "EXISTS (SELECT FROM held) AND EXISTS (SELECT FROM projects WHERE id = $2) \
    AND EXISTS (SELECT FROM agents WHERE id = $3) AND NOT EXISTS (SELECT FROM commands WHERE id = $1) \
    AND NOT EXISTS (SELECT FROM commands WHERE project_id = $2 AND idempotency_key = $11)";

/// The command and its audit entry in one statement, if the chain ends as `head` says and it may be issued; with the chain's new
/// end. What somebody else wrote at the same time counts as an obstacle, not as a fault.
async fn insert_if_held(
    db: &mut Db<'_>,
    command: &IssueCommand,
    link: LinkId,
    head: &ChainHead,
) -> Result<Option<(CommandRow, ChainHead)>, Fault> {
    let mut row = pending(command, None);
    record::apply(&mut row, CommandInput::Claimed, command.issued_at);
    let entry = audit::written_if(CAN_BE_ISSUED, 18);
    let values = MARKS.replace(
        "$5,",
        "coalesce($5, (SELECT display_name FROM users WHERE id = $4)),",
    );
    let sql = format!(
        "WITH held AS MATERIALIZED (SELECT id FROM links WHERE id = $17 AND agent_id = $3 FOR KEY SHARE), {entry},
             command AS (INSERT INTO commands ({COLUMNS}) SELECT {values} FROM head RETURNING issued_by_name)
         SELECT issued_by_name FROM command"
    );
    let sealed = audit::seal_after(head, &command.audit);
    let query = bind(db.sql(AssertSqlSafe(sql)), command, &row, Some(link));
    let query = audit::bind(query, audit::chain_id(&command.audit.chain), &sealed)?;
    let answer = match query.fetch_optional(db.conn()).await.map_err(Fault::from) {
        Err(fault) if fault.is_duplicate() || fault.is_conflict() => None,
        answer => answer?,
    };
    let Some(answer) = answer else {
        return Ok(None);
    };
    row.issued_by_name = row::text_opt(&answer, "issued_by_name")?;
    let head = ChainHead {
        seq: sealed.seq,
        mac: sealed.mac,
    };
    Ok(Some((row, head)))
}

fn bind<'q>(
    query: Query<'q, Postgres, PgArguments>,
    command: &'q IssueCommand,
    row: &'q CommandRow,
    link: Option<LinkId>,
) -> Query<'q, Postgres, PgArguments> {
    let idempotency = command.idempotency.as_ref();
    query
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
        .bind(link.map(|link| *link.as_uuid()))
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
