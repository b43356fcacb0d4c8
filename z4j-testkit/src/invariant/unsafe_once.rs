//! I-19: a command that must not go twice is written to a link at most once in the life of the system.

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::Facts;

pub(super) fn check(_: &Picture, facts: &Facts, broken: &mut Broken) {
    for (id, command) in &facts.commands {
        let action = command.issued.action;
        let most = command.sent.len().max(command.executed.len());
        if !action.is_safe_to_resend() && most > 1 {
            let (sent, done) = (command.sent.len(), command.executed.len());
            let action = action.as_str();
            broken.note(format!(
                "{action} {id} was sent {sent} times and carried out {done} times"
            ));
        }
    }
}
