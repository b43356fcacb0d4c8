//! The transition table of commands.

use super::CommandState;

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
    use CommandAbsorbReason as Why;
    use CommandRefuseReason as No;
    use CommandState as S;
    use CommandVerdict::{Absorb, Advance, Refuse};
    match (state, input) {
        (S::Pending, CommandInput::Claimed) => Advance(S::Dispatched),
        (_, CommandInput::Claimed) => Refuse(No::Taken),

        (S::Dispatched, CommandInput::AckReceived) => Advance(S::Acknowledged),
        (S::Acknowledged, CommandInput::AckReceived) => Absorb(Why::Repeated),
        (S::Pending, CommandInput::AckReceived) => Absorb(Why::NotInFlight),

        // A pending command can only be answered after it came back from a lost link; the answer is as true as ever.
        (S::Pending | S::Dispatched | S::Acknowledged | S::Unknown, CommandInput::Succeeded) => {
            Advance(S::Completed)
        }
        (
            S::Pending | S::Dispatched | S::Acknowledged | S::Unknown,
            CommandInput::Failed {
                indeterminate: false,
            },
        ) => Advance(S::Failed),
        (
            S::Pending | S::Dispatched | S::Acknowledged,
            CommandInput::Failed {
                indeterminate: true,
            },
        ) => Advance(S::Unknown),
        (S::Completed, CommandInput::Succeeded)
        | (
            S::Failed,
            CommandInput::Failed {
                indeterminate: false,
            },
        ) => Absorb(Why::Repeated),
        (
            _,
            CommandInput::Failed {
                indeterminate: true,
            },
        ) => Absorb(Why::Settled),
        (
            _,
            CommandInput::Succeeded
            | CommandInput::Failed {
                indeterminate: false,
            },
        ) => Refuse(No::Final),

        (
            S::Pending,
            CommandInput::DeadlineReached {
                was_dispatched: false,
            },
        ) => Advance(S::TimedOut),
        (S::Pending | S::Dispatched | S::Acknowledged, CommandInput::DeadlineReached { .. }) => {
            Advance(S::Unknown)
        }

        (S::Dispatched | S::Acknowledged, CommandInput::LinkLost { can_resend: true }) => {
            Advance(S::Pending)
        }
        (S::Dispatched | S::Acknowledged, CommandInput::LinkLost { can_resend: false }) => {
            Advance(S::Unknown)
        }
        (S::Pending, CommandInput::LinkLost { .. }) => Absorb(Why::NotInFlight),

        (S::Pending, CommandInput::Cancelled) => Advance(S::Cancelled),
        (S::Cancelled, CommandInput::Cancelled) => Absorb(Why::Repeated),
        (S::Dispatched | S::Acknowledged, CommandInput::Cancelled) => Refuse(No::Taken),
        (_, CommandInput::Cancelled) => Refuse(No::Final),

        (
            _,
            CommandInput::AckReceived
            | CommandInput::DeadlineReached { .. }
            | CommandInput::LinkLost { .. },
        ) => Absorb(Why::Settled),
    }
}
