//! Commands: what was asked for, sent, carried out and told.

use std::time::Duration;

use serde_json::Value;
use z4j_core::command::{Action, CommandState};
use z4j_core::id::{AgentId, AuditId, CommandId, ProjectId};
use z4j_core::store::CommandRow;

use super::{Facts, Oracle};
use crate::sim::Situation;
use crate::sim::network::{LinkNo, ProcessNo};

/// A command that a person asked for.
#[derive(Clone, Debug)]
pub(crate) struct IssuedCommand {
    pub(crate) id: CommandId,
    pub(crate) project: ProjectId,
    pub(crate) agent: AgentId,
    pub(crate) action: Action,
    pub(crate) audit: AuditId,
}

/// What is known of a command.
#[derive(Clone, Debug)]
pub(crate) struct CommandFacts {
    pub(crate) issued: IssuedCommand,
    /// The store said that it is written.
    pub(crate) is_confirmed: bool,
    /// The person gave up without an answer.
    pub(crate) is_given_up: bool,
    /// The links that it was written to.
    pub(crate) sent: Vec<LinkNo>,
    /// Who carried it out, and when.
    pub(crate) executed: Vec<(ProcessNo, Duration)>,
    pub(crate) state: Option<CommandState>,
    /// When it was first seen in a terminal state.
    pub(crate) settled_at: Option<Duration>,
}

impl Oracle {
    /// A person asks for a command.
    pub(crate) fn asked(&self, issued: IssuedCommand) {
        self.record
            .note(format_args!("ask {} {}", issued.id, issued.action.as_str()));
        let facts = CommandFacts {
            is_confirmed: false,
            is_given_up: false,
            sent: Vec::new(),
            executed: Vec::new(),
            state: None,
            settled_at: None,
            issued,
        };
        self.lock().commands.insert(facts.issued.id, facts);
    }

    /// The store answered the person: written.
    pub(crate) fn confirmed(&self, id: CommandId) {
        if let Some(command) = self.lock().commands.get_mut(&id) {
            command.is_confirmed = true;
        }
    }

    /// The person gave up: nobody knows whether the command is written.
    pub(crate) fn given_up(&self, id: CommandId) {
        if let Some(command) = self.lock().commands.get_mut(&id) {
            command.is_given_up = true;
        }
    }

    /// A brain writes a command to a link.
    pub(super) fn command_sent(&self, facts: &mut Facts, link: LinkNo, id: &str, frame: &Value) {
        let agent = facts.links.get(&link).and_then(|log| {
            let process = facts.processes.get(&log.process)?;
            Some(process.agent)
        });
        let Some(command) = id.parse().ok().and_then(|id| facts.commands.get_mut(&id)) else {
            self.record.violate(
                "bound_to_identity",
                format!("a command {id} was sent that nobody asked for"),
            );
            return;
        };
        command.sent.push(link);
        let action = command.issued.action;
        if agent != Some(command.issued.agent) {
            self.record.violate(
                "bound_to_identity",
                format!("command {id} was sent to another agent"),
            );
        }
        let named = frame.pointer("/payload/action").and_then(Value::as_str);
        if named != Some(action.as_str()) {
            self.record.violate(
                "bound_to_identity",
                format!("command {id} was sent with the action {named:?}"),
            );
        }
        if command.sent.len() > 1 {
            if action.is_safe_to_resend() {
                self.record.meet(Situation::CommandSentAgain);
            } else {
                self.record.violate(
                    "unsafe_once",
                    format!(
                        "{} {id} was sent {} times",
                        action.as_str(),
                        command.sent.len()
                    ),
                );
            }
        }
    }

    /// A process carries a command out.
    pub(crate) fn executed(&self, process: ProcessNo, id: CommandId) {
        let at = self.record.elapsed();
        self.record
            .note(format_args!("execute p{} {id}", process.0));
        let mut facts = self.lock();
        let agent = facts.processes.get(&process).map(|process| process.agent);
        let Some(command) = facts.commands.get_mut(&id) else {
            drop(facts);
            let detail = format!(
                "process {} carried {id} out, which nobody asked for",
                process.0
            );
            return self.record.violate("replay_refused", detail);
        };
        command.executed.push((process, at));
        let (count, issued) = (command.executed.len(), command.issued.clone());
        drop(facts);
        if agent != Some(issued.agent) {
            let detail = format!("command {id} was carried out by another agent");
            self.record.violate("bound_to_identity", detail);
        }
        if count > 1 && !issued.action.is_safe_to_resend() {
            let detail = format!(
                "{} {id} was carried out {count} times",
                issued.action.as_str()
            );
            self.record.violate("unsafe_once", detail);
        }
    }

    /// A row as the store has it after a write.
    pub(crate) fn command_row(&self, row: &CommandRow) {
        let at = self.record.elapsed();
        let mut facts = self.lock();
        let Some(command) = facts.commands.get_mut(&row.id) else {
            return;
        };
        let before = command.state.replace(row.state);
        if before == Some(row.state) {
            return;
        }
        self.record
            .note(format_args!("command {} {}", row.id, row.state.as_str()));
        if row.state.is_terminal() {
            command.settled_at.get_or_insert(at);
        }
        drop(facts);
        self.note_step(row, before);
    }

    fn note_step(&self, row: &CommandRow, before: Option<CommandState>) {
        let was_final =
            before.filter(|state| state.is_terminal() && *state != CommandState::Unknown);
        if let Some(was) = was_final {
            let detail = format!(
                "command {} went from {} to {}",
                row.id,
                was.as_str(),
                row.state.as_str()
            );
            self.record.violate("command_settles", detail);
        }
        match row.state {
            CommandState::Completed if before == Some(CommandState::Unknown) => {
                self.record.meet(Situation::UnknownSettled);
            }
            CommandState::Completed => self.record.meet(Situation::CommandCompleted),
            CommandState::Unknown => self.record.meet(Situation::CommandUnknown),
            CommandState::TimedOut => self.record.meet(Situation::CommandTimedOut),
            _ => {}
        }
    }
}
