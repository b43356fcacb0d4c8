//! Checks a request against what is known and writes the command.

use serde_json::Value;
use uuid::Uuid;
use z4j_core::audit::{AuditDraft, ChainId};
use z4j_core::command::CommandState;
use z4j_core::id::{AgentId, AuditId, CommandId, ProjectId};
use z4j_core::identity::encode_name;
use z4j_core::store::{
    AuditWrite, CommandRow, IdempotencyKey, IssueCommand, IssueOutcome, TaskSummary,
};
use z4j_core::time::Timestamp;

use super::choice;
use super::error::IssueError;
use super::request::{Intent, IssueRequest};
use crate::ops::Requester;
use crate::shared::Shared;

/// The name space of command ids that follow from an idempotency key.
const KEYED_COMMANDS: Uuid = Uuid::from_u128(0x0b5d_7f6e_51f1_5c0a_9a43_7e1d_2f84_c6b0);

/// Writes a command for `request`, claimed for a link of this brain where it holds one that can carry it out; else it wakes
/// whoever holds one.
///
/// A request that was carried out before under the same idempotency key gives its first answer, whatever has changed since.
pub(crate) async fn issue(
    shared: &Shared,
    requester: &Requester,
    project: ProjectId,
    request: IssueRequest,
) -> Result<CommandRow, IssueError> {
    let id = command_id(shared, project, &request);
    if request.idempotency_key.is_some()
        && let Some(first) = shared.store.command(project, id).await?
    {
        return if is_same(&first, &request) {
            Ok(first)
        } else {
            Err(IssueError::KeyReused)
        };
    }
    refuse_secrets(shared, &request)?;
    // Side by side: a person waits for both.
    let (task, agents) = tokio::join!(
        known_task(shared, project, &request),
        shared.store.agents(project)
    );
    let (task, agents) = (task?, agents?);
    let agent_id = choice::choose(shared, project, &request, (&agents, task.agent_id))?;
    let wanted = (request.action(), request.task.engine.as_str());
    let link = shared
        .dispatcher
        .link_for(shared, project, agent_id, wanted);
    let mut command = draft(shared, requester, project, &request, &task, (id, agent_id));
    command.claim_for = link.as_ref().map(|link| link.id);
    let issued = shared.store.issue_command(command).await;
    if let (Err(_), Some(link)) = (&issued, &link) {
        shared.dispatcher.lose_if_over(shared, link).await;
    }
    match issued.inspect_err(|_| shared.hub.doubts().of(project))? {
        IssueOutcome::Issued(row) => {
            match link.filter(|_| row.state == CommandState::Dispatched) {
                Some(link) => shared.dispatcher.send(shared, &link, row.clone()).await,
                None => {
                    shared.dispatcher.publish(shared, row.clone());
                    shared.dispatcher.wake();
                }
            }
            Ok(row)
        }
        // Another request with the key, which this one did not see when it began.
        IssueOutcome::Repeated(row) if !is_same(&row, &request) => Err(IssueError::KeyReused),
        IssueOutcome::Repeated(row) => Ok(row),
        IssueOutcome::KeyReused => Err(IssueError::KeyReused),
    }
}

/// With an idempotency key the id follows from it, so that a repeat finds the first row.
fn command_id(shared: &Shared, project: ProjectId, request: &IssueRequest) -> CommandId {
    match &request.idempotency_key {
        Some(key) => {
            let name = encode_name(&[&project.to_string(), key]);
            CommandId::from_uuid(Uuid::new_v5(&KEYED_COMMANDS, &name))
        }
        None => CommandId::from_u128(shared.env.next_id()),
    }
}

/// Whether a stored command came from this request. The name of the task is left out: it may have become known since.
fn is_same(first: &CommandRow, request: &IssueRequest) -> bool {
    let stored: Value = serde_json::from_str(&first.payload).unwrap_or_default();
    let Value::Object(mut stored) = stored else {
        return false;
    };
    stored.remove("task_name");
    first.action == request.action().as_str()
        && stored == request.parameters(None)
        && request.agent_id.is_none_or(|agent| agent == first.agent_id)
}

fn refuse_secrets(shared: &Shared, request: &IssueRequest) -> Result<(), IssueError> {
    let typed = request.typed();
    if typed.is_null() || crate::ingest::is_free_of_secrets(&*shared.redactor, &typed) {
        Ok(())
    } else {
        Err(IssueError::SecretInArguments)
    }
}

async fn known_task(
    shared: &Shared,
    project: ProjectId,
    request: &IssueRequest,
) -> Result<TaskSummary, IssueError> {
    let task = shared.store.task(project, &request.task).await?;
    let task = task.ok_or(IssueError::TaskNotFound)?.summary;
    match request.intent {
        Intent::Cancel { .. } if task.state.is_terminal() => {
            Err(IssueError::TaskFinished(task.state))
        }
        Intent::Cancel { .. } | Intent::Retry(_) => Ok(task),
    }
}

fn draft(
    shared: &Shared,
    requester: &Requester,
    project: ProjectId,
    request: &IssueRequest,
    task: &TaskSummary,
    (id, agent_id): (CommandId, AgentId),
) -> IssueCommand {
    let now = shared.replicas.now(&shared.env);
    let payload = Value::Object(request.parameters(task.name.as_deref())).to_string();
    IssueCommand {
        id,
        project_id: project,
        agent_id,
        issued_by: requester.user,
        action: request.action().as_str().to_owned(),
        target_type: "task".to_owned(),
        target_id: request.target_id(),
        idempotency: request.idempotency_key.clone().map(|key| IdempotencyKey {
            key,
            digest: request.digest(),
        }),
        issued_at: now,
        timeout_at: now.plus(request.wait(shared.config.agents.command_timeout)),
        claim_for: None,
        audit: audit(shared, requester, project, request, (id, now), &payload),
        payload,
    }
}

fn audit(
    shared: &Shared,
    requester: &Requester,
    project: ProjectId,
    request: &IssueRequest,
    (id, now): (CommandId, Timestamp),
    payload: &str,
) -> AuditWrite {
    let action = match request.intent {
        Intent::Retry(_) => "task.retry",
        Intent::Cancel { .. } => "task.cancel",
    };
    let metadata = format!(r#"{{"command_id":"{id}","parameters":{payload}}}"#);
    AuditWrite {
        // Derived from the command's id, so that a write that is sent again appends once.
        id: AuditId::from_uuid(Uuid::new_v5(id.as_uuid(), b"issue")),
        chain: ChainId::Project(project),
        draft: AuditDraft::new(now, requester.actor(), action)
            .with_target("task", request.target_id())
            .with_origin(requester.origin.clone())
            .with_metadata(metadata),
        key: shared.keyring.audit(),
    }
}
