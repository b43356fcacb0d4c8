//! Writing commands and handing them out.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;
use z4j_core::command::{CommandInput, CommandState};
use z4j_core::id::{AgentId, LinkId, UserId};
use z4j_core::store::{ClaimCommands, CommandRow, IssueCommand, IssueOutcome, Topic};

use crate::audit;
use crate::fault::Fault;
use crate::writer::Tx;

use super::record::{self, Stored};

pub(super) fn issue(tx: &mut Tx<'_>, command: &IssueCommand) -> Result<IssueOutcome, Fault> {
    if let Some(known) = record::find(tx.db, command.id)? {
        return Ok(IssueOutcome::Repeated(known.row));
    }
    let project = tx.known_project(command.project_id)?;
    if let Some(known) = of_same_key(tx.db, project, command)? {
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
    insert(tx.db, project, command)?;
    audit::append(tx.db, &command.audit)?;
    let stored = record::find(tx.db, command.id)?;
    let mut row = stored
        .ok_or(Fault::Bug("a command is not where it was written"))?
        .row;
    if let Some(link) = command.claim_for
        && is_open(tx.db, link, command.agent_id)?
        && record::apply(&mut row, CommandInput::Claimed, command.issued_at)
    {
        record::update(tx.db, &row, Some(link.as_bytes()))?;
    } else {
        tx.wake(Topic::Commands);
    }
    Ok(IssueOutcome::Issued(row))
}

fn of_same_key(
    db: &Connection,
    project: i64,
    command: &IssueCommand,
) -> Result<Option<Stored>, Fault> {
    let Some(key) = &command.idempotency else {
        return Ok(None);
    };
    let found = record::select(
        db,
        "WHERE project = ?1 AND idempotency_key = ?2",
        &[&project, &key.key],
    )?;
    Ok(found.into_iter().next())
}

fn insert(db: &Connection, project: i64, command: &IssueCommand) -> Result<(), Fault> {
    let mut insert = db.prepare_cached(
        "INSERT INTO commands (id, project, agent_id, issued_by, issued_by_name, action, target_type, target_id, engine,
             payload, idempotency_key, idempotency_digest, state, issued_at, timeout_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    insert.execute(params![
        command.id.as_bytes().as_slice(),
        project,
        command.agent_id.as_bytes().as_slice(),
        command
            .issued_by
            .as_ref()
            .map(|id| id.as_bytes().as_slice()),
        command
            .issued_by
            .map(|id| name_of(db, id))
            .transpose()?
            .flatten(),
        command.action,
        command.target_type,
        command.target_id,
        engine_of(&command.payload),
        command.payload,
        command.idempotency.as_ref().map(|key| key.key.as_str()),
        command
            .idempotency
            .as_ref()
            .map(|key| key.digest.as_slice()),
        CommandState::Pending.as_str(),
        command.issued_at.as_micros(),
        command.timeout_at.as_micros(),
    ])?;
    Ok(())
}

fn name_of(db: &Connection, user: UserId) -> Result<Option<String>, Fault> {
    let mut select = db.prepare_cached("SELECT display_name FROM users WHERE id = ?1")?;
    Ok(select
        .query_row([user.as_bytes().as_slice()], |row| row.get(0))
        .optional()?)
}

/// The engine that a payload names; what is no such object names none.
fn engine_of(payload: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Names {
        engine: Option<String>,
    }
    serde_json::from_str::<Names>(payload).ok()?.engine
}

/// Whether the link is open in the store: whoever claims for another may count as dead.
fn is_open(db: &Connection, link: LinkId, agent: AgentId) -> Result<bool, Fault> {
    let mut find = db.prepare_cached("SELECT 1 FROM links WHERE id = ?1 AND agent_id = ?2")?;
    Ok(find.exists([link.as_bytes().as_slice(), agent.as_bytes().as_slice()])?)
}

pub(super) fn claim(tx: &mut Tx<'_>, claim: &ClaimCommands) -> Result<Vec<CommandRow>, Fault> {
    if !is_open(tx.db, claim.link_id, claim.agent_id)? {
        return Ok(Vec::new());
    }
    let pending = record::select(
        tx.db,
        "WHERE agent_id = ?1 AND state = 'pending' AND timeout_at > ?2 ORDER BY issued_at, commands.id",
        &[
            &claim.agent_id.as_bytes().as_slice(),
            &claim.now.as_micros(),
        ],
    )?;
    let mut claimed = Vec::new();
    let served = pending.into_iter().filter(|command| {
        let is_served = command
            .engine
            .as_ref()
            .is_none_or(|engine| claim.engines.contains(engine));
        let is_wanted = claim
            .only
            .as_ref()
            .is_none_or(|only| only.contains(&command.row.id));
        is_served && is_wanted
    });
    for Stored { mut row, .. } in served.take(claim.limit as usize) {
        if record::apply(&mut row, CommandInput::Claimed, claim.now) {
            record::update(tx.db, &row, Some(claim.link_id.as_bytes()))?;
            claimed.push(row);
        }
    }
    Ok(claimed)
}
