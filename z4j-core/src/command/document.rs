//! Writes `docs/command-states.md` from the machine.

use super::{Action, CommandInput, CommandState, CommandVerdict, apply};

const INTRODUCTION: &str = "\
# Command states

Written by `z4j_core::command::document()`; do not edit.

A command is written first, then claimed for one link and sent. Every command ends; when nobody can say how, it ends as
`unknown`, and a late answer may still settle it. Every other end is final. A dot means that the input changes nothing (it
was known, or does not matter any more); `refused` means that it cannot be true or came too late.

";

const NOTES: &str = "
- **deadline, never sent / was sent**: a command that was never handed to a link ends as `timed_out`: it did not happen. One
  that was handed out may have happened, and ends as `unknown`.
- **link lost, may go again / may not**: actions that do no more when they come twice go back to `pending` while their
  deadline is ahead; any other is sent to a link at most once in its life.
- An answer to a `pending` command is one to a command that came back from a lost link.

Actions that may go again: ";

/// The inputs in the order of the page's columns.
const INPUTS: [(&str, CommandInput); 10] = [
    ("claimed", CommandInput::Claimed),
    ("ack", CommandInput::AckReceived),
    ("success", CommandInput::Succeeded),
    (
        "failure",
        CommandInput::Failed {
            indeterminate: false,
        },
    ),
    (
        "failure, indeterminate",
        CommandInput::Failed {
            indeterminate: true,
        },
    ),
    (
        "deadline, never sent",
        CommandInput::DeadlineReached {
            was_dispatched: false,
        },
    ),
    (
        "deadline, was sent",
        CommandInput::DeadlineReached {
            was_dispatched: true,
        },
    ),
    (
        "link lost, may go again",
        CommandInput::LinkLost { can_resend: true },
    ),
    (
        "link lost, may not",
        CommandInput::LinkLost { can_resend: false },
    ),
    ("cancelled", CommandInput::Cancelled),
];

/// The page that describes the command machine.
#[must_use]
pub fn document() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("| |");
    for (name, _) in INPUTS {
        page.push_str(&format!(" {name} |"));
    }
    page.push_str("\n|---|");
    page.push_str(&"---|".repeat(INPUTS.len()));
    page.push('\n');
    for state in CommandState::ALL {
        page.push_str(&format!("| **{state}** |"));
        for (_, input) in INPUTS {
            page.push_str(&format!(" {} |", cell(state, input)));
        }
        page.push('\n');
    }
    page.push_str(NOTES);
    page.push_str(&resendable().join(", "));
    page.push_str(".\n");
    page
}

const fn cell(state: CommandState, input: CommandInput) -> &'static str {
    match apply(state, input) {
        CommandVerdict::Advance(next) => next.as_str(),
        CommandVerdict::Absorb(_) => "·",
        CommandVerdict::Refuse(_) => "refused",
    }
}

fn resendable() -> Vec<String> {
    let safe = Action::ALL
        .iter()
        .filter(|action| action.is_safe_to_resend());
    safe.map(|action| format!("`{action}`")).collect()
}
