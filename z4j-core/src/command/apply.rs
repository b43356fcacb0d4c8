//! The transition table of commands.

use super::{CommandState, is_safe_to_resend};

use self::CommandAbsorbReason as Why;
use self::CommandInput as Input;
use self::CommandRefuseReason as No;
use self::CommandVerdict::{Absorb, Advance, Refuse};
use super::CommandState as State;

/// What happened to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommandInput {
    /// A link took it, to send it.
    Claimed,
    /// The agent said that it has it.
    AckReceived,
    /// The agent answered: done.
    Succeeded,
    /// The agent answered: not done.
    Failed {
        /// The engine cannot tell whether it happened.
        indeterminate: bool,
    },
    /// Its deadline passed.
    DeadlineReached {
        /// It was handed to a link at some time, so it may have happened.
        was_dispatched: bool,
    },
    /// The link that had it is gone.
    LinkLost {
        /// The action is [`super::Action::is_safe_to_resend`] and its deadline is still ahead.
        can_resend: bool,
    },
    /// Its owner withdrew it.
    Cancelled,
}

/// What an input does to a command.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandVerdict {
    /// The command is now in this state.
    Advance(CommandState),
    /// The input changes nothing and is no surprise.
    Absorb(CommandAbsorbReason),
    /// The input cannot be true of this command, or comes too late.
    Refuse(CommandRefuseReason),
}

/// Why an input changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandAbsorbReason {
    /// It was known.
    Repeated,
    /// The command is over, and this input does not question how.
    Settled,
    /// The command is not with a link.
    NotInFlight,
}

/// Why an input cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandRefuseReason {
    /// Another outcome is final.
    Final,
    /// A link has it, or had it: it can no longer be claimed or withdrawn.
    Taken,
}

/// Feeds an input to the machine.
///
/// # Contract
/// Total and pure. Every terminal state but [`CommandState::Unknown`] is final; the same input twice in a row changes
/// nothing the second time, unless the command was sent again in between.
pub const fn apply(state: CommandState, input: CommandInput) -> CommandVerdict {
    match state {
        CommandState::Pending => pending(input),
        CommandState::Dispatched | CommandState::Acknowledged => in_flight(state, input),
        CommandState::Unknown => unknown(input),
        CommandState::Completed
        | CommandState::Failed
        | CommandState::TimedOut
        | CommandState::Cancelled => settled(state, input),
    }
}

/// Whether an answer speaks for an earlier try of a command than the one that is under way: another link has it by now, to which it
/// was given because nothing was heard. What says that it was done is true all the same; an ack, or that it surely was not done, says
/// nothing of the try that runs.
#[must_use]
pub fn is_of_another_try(
    state: CommandState,
    action: &str,
    input: CommandInput,
    is_its_link: bool,
) -> bool {
    let is_of_one_try = matches!(
        input,
        Input::AckReceived
            | Input::Failed {
                indeterminate: false
            }
    );
    is_of_one_try && !is_its_link && state.is_in_flight() && is_safe_to_resend(action)
}

/// An answer can only find a pending command that came back from a lost link; it is as true as ever.
const fn pending(input: CommandInput) -> CommandVerdict {
    match input {
        Input::Claimed => Advance(State::Dispatched),
        Input::Succeeded => Advance(State::Completed),
        Input::Failed { indeterminate } => Advance(failure(indeterminate)),
        Input::DeadlineReached { was_dispatched } if was_dispatched => Advance(State::Unknown),
        Input::DeadlineReached { .. } => Advance(State::TimedOut),
        Input::Cancelled => Advance(State::Cancelled),
        Input::AckReceived | Input::LinkLost { .. } => Absorb(Why::NotInFlight),
    }
}

const fn in_flight(state: CommandState, input: CommandInput) -> CommandVerdict {
    match input {
        Input::AckReceived if matches!(state, State::Acknowledged) => Absorb(Why::Repeated),
        Input::AckReceived => Advance(State::Acknowledged),
        Input::Succeeded => Advance(State::Completed),
        Input::Failed { indeterminate } => Advance(failure(indeterminate)),
        Input::LinkLost { can_resend } if can_resend => Advance(State::Pending),
        Input::LinkLost { .. } | Input::DeadlineReached { .. } => Advance(State::Unknown),
        Input::Claimed | Input::Cancelled => Refuse(No::Taken),
    }
}

/// Only a clear answer settles what was not known.
const fn unknown(input: CommandInput) -> CommandVerdict {
    match input {
        Input::Succeeded => Advance(State::Completed),
        Input::Failed { indeterminate } if indeterminate => Absorb(Why::Settled),
        Input::Failed { .. } => Advance(State::Failed),
        Input::AckReceived | Input::DeadlineReached { .. } | Input::LinkLost { .. } => {
            Absorb(Why::Settled)
        }
        Input::Claimed => Refuse(No::Taken),
        Input::Cancelled => Refuse(No::Final),
    }
}

const fn settled(state: CommandState, input: CommandInput) -> CommandVerdict {
    match (state, input) {
        (State::Completed, Input::Succeeded) | (State::Cancelled, Input::Cancelled) => {
            Absorb(Why::Repeated)
        }
        (_, Input::Failed { indeterminate }) if indeterminate => Absorb(Why::Settled),
        (State::Failed, Input::Failed { .. }) => Absorb(Why::Repeated),
        (_, Input::AckReceived | Input::DeadlineReached { .. } | Input::LinkLost { .. }) => {
            Absorb(Why::Settled)
        }
        (_, Input::Claimed) => Refuse(No::Taken),
        (_, Input::Succeeded | Input::Failed { .. } | Input::Cancelled) => Refuse(No::Final),
    }
}

const fn failure(indeterminate: bool) -> CommandState {
    if indeterminate {
        State::Unknown
    } else {
        State::Failed
    }
}
