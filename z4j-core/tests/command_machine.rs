//! The command machine: each promise of `reliability.md` D13, over every state and every input.

use proptest::prelude::*;
use z4j_core::command::{
    Action, CommandAbsorbReason, CommandInput, CommandRefuseReason, CommandState, CommandVerdict,
    apply, is_safe_to_resend,
};

const INPUTS: [CommandInput; 10] = [
    CommandInput::Claimed,
    CommandInput::AckReceived,
    CommandInput::Succeeded,
    CommandInput::Failed {
        indeterminate: false,
    },
    CommandInput::Failed {
        indeterminate: true,
    },
    CommandInput::DeadlineReached {
        was_dispatched: false,
    },
    CommandInput::DeadlineReached {
        was_dispatched: true,
    },
    CommandInput::LinkLost { can_resend: true },
    CommandInput::LinkLost { can_resend: false },
    CommandInput::Cancelled,
];

fn run(inputs: &[CommandInput]) -> CommandState {
    inputs.iter().fold(CommandState::Pending, |state, input| {
        match apply(state, *input) {
            CommandVerdict::Advance(next) => next,
            CommandVerdict::Absorb(_) | CommandVerdict::Refuse(_) => state,
        }
    })
}

#[test]
fn a_command_is_claimed_acknowledged_and_completed() {
    use CommandInput::{AckReceived, Claimed, Succeeded};
    assert_eq!(run(&[Claimed]), CommandState::Dispatched);
    assert_eq!(run(&[Claimed, AckReceived]), CommandState::Acknowledged);
    assert_eq!(
        run(&[Claimed, AckReceived, Succeeded]),
        CommandState::Completed
    );
    assert_eq!(
        run(&[Claimed, Succeeded]),
        CommandState::Completed,
        "the ack may be lost"
    );
}

#[test]
fn only_a_pending_command_can_be_claimed() {
    for state in CommandState::ALL {
        let advances = apply(state, CommandInput::Claimed)
            == CommandVerdict::Advance(CommandState::Dispatched);
        assert_eq!(advances, state == CommandState::Pending, "{state}");
    }
}

#[test]
fn only_a_late_answer_leaves_a_terminal_state_and_only_unknown() {
    for state in CommandState::ALL
        .into_iter()
        .filter(|state| state.is_terminal())
    {
        for input in INPUTS {
            let advance = match apply(state, input) {
                CommandVerdict::Advance(next) => Some(next),
                CommandVerdict::Absorb(_) | CommandVerdict::Refuse(_) => None,
            };
            let expected = match (state, input) {
                (CommandState::Unknown, CommandInput::Succeeded) => Some(CommandState::Completed),
                (
                    CommandState::Unknown,
                    CommandInput::Failed {
                        indeterminate: false,
                    },
                ) => Some(CommandState::Failed),
                _ => None,
            };
            assert_eq!(advance, expected, "{state} {input:?}");
        }
    }
}

#[test]
fn what_was_sent_and_not_answered_ends_unknown_and_what_was_not_sent_ends_timed_out() {
    let never = CommandInput::DeadlineReached {
        was_dispatched: false,
    };
    let was = CommandInput::DeadlineReached {
        was_dispatched: true,
    };
    assert_eq!(run(&[never]), CommandState::TimedOut);
    assert_eq!(run(&[CommandInput::Claimed, was]), CommandState::Unknown);
    assert_eq!(
        run(&[CommandInput::Claimed, CommandInput::AckReceived, was]),
        CommandState::Unknown
    );
    let back = CommandInput::LinkLost { can_resend: true };
    assert_eq!(
        run(&[CommandInput::Claimed, back, was]),
        CommandState::Unknown
    );
    assert_eq!(
        run(&[
            CommandInput::Claimed,
            back,
            CommandInput::Claimed,
            CommandInput::Succeeded
        ]),
        CommandState::Completed
    );
}

#[test]
fn an_indeterminate_failure_is_unknown_and_a_clear_answer_settles_it() {
    let indeterminate = CommandInput::Failed {
        indeterminate: true,
    };
    assert_eq!(
        run(&[CommandInput::Claimed, indeterminate]),
        CommandState::Unknown
    );
    assert_eq!(
        run(&[
            CommandInput::Claimed,
            indeterminate,
            CommandInput::Succeeded
        ]),
        CommandState::Completed
    );
}

#[test]
fn a_cancel_is_in_time_only_before_the_claim() {
    assert_eq!(run(&[CommandInput::Cancelled]), CommandState::Cancelled);
    assert_eq!(
        run(&[CommandInput::Cancelled, CommandInput::Claimed]),
        CommandState::Cancelled
    );
    let late = apply(CommandState::Dispatched, CommandInput::Cancelled);
    assert_eq!(late, CommandVerdict::Refuse(CommandRefuseReason::Taken));
    let over = apply(CommandState::Completed, CommandInput::Cancelled);
    assert_eq!(over, CommandVerdict::Refuse(CommandRefuseReason::Final));
}

#[test]
fn a_repeated_answer_is_absorbed_and_a_contrary_one_refused() {
    let same = apply(CommandState::Completed, CommandInput::Succeeded);
    assert_eq!(same, CommandVerdict::Absorb(CommandAbsorbReason::Repeated));
    let contrary = apply(
        CommandState::Completed,
        CommandInput::Failed {
            indeterminate: false,
        },
    );
    assert_eq!(contrary, CommandVerdict::Refuse(CommandRefuseReason::Final));
}

#[test]
fn exactly_the_listed_actions_may_go_to_a_second_link() {
    let safe: Vec<_> = Action::ALL
        .iter()
        .filter(|action| action.is_safe_to_resend())
        .map(|a| a.as_str())
        .collect();
    let listed = [
        "cancel_task",
        "reconcile_task",
        "schedule.fire",
        "schedule.resync",
        "schedule.enable",
        "schedule.disable",
        "schedule.trigger_now",
        "schedule.trigger_now.via_scheduler",
    ];
    assert_eq!(safe, listed);
    assert!(is_safe_to_resend("cancel_task"));
    assert!(!is_safe_to_resend("retry_task"));
    assert!(!is_safe_to_resend("made_up"));
}

#[test]
fn actions_and_states_are_read_back_from_their_names() {
    for action in Action::ALL {
        assert_eq!(action.as_str().parse::<Action>().unwrap(), *action);
    }
    assert!("retry".parse::<Action>().is_err());
    for state in CommandState::ALL {
        assert_eq!(state.as_str().parse::<CommandState>().unwrap(), state);
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
    assert!("done".parse::<CommandState>().is_err());
}

#[test]
fn the_page_about_command_states_is_current() {
    let page = include_str!("../../docs/command-states.md");
    assert_eq!(page, z4j_core::command::document(), "run `cargo xtask gen`");
}

fn inputs() -> impl Strategy<Value = Vec<CommandInput>> {
    proptest::collection::vec(proptest::sample::select(INPUTS.to_vec()), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_unsafe_command_is_claimed_at_most_once(inputs in inputs()) {
        let mut state = CommandState::Pending;
        let mut claims = 0;
        for input in inputs.into_iter().filter(|input| *input != CommandInput::LinkLost { can_resend: true }) {
            if let CommandVerdict::Advance(next) = apply(state, input) {
                claims += u32::from(input == CommandInput::Claimed);
                state = next;
            }
        }
        prop_assert!(claims <= 1);
    }

    #[test]
    fn every_command_is_over_after_its_deadline(inputs in inputs(), was_dispatched in any::<bool>()) {
        let before = run(&inputs);
        let after = match apply(before, CommandInput::DeadlineReached { was_dispatched }) {
            CommandVerdict::Advance(next) => next,
            CommandVerdict::Absorb(_) | CommandVerdict::Refuse(_) => before,
        };
        prop_assert!(after.is_terminal());
    }

    #[test]
    fn the_same_input_again_changes_nothing(inputs in inputs()) {
        let once = run(&inputs);
        if let Some(last) = inputs.last() {
            let mut twice = inputs.clone();
            twice.push(*last);
            prop_assert_eq!(run(&twice), once);
        }
    }

    #[test]
    fn a_settled_command_stays_settled(inputs in inputs(), more in inputs()) {
        let before = run(&inputs);
        if before.is_terminal() && before != CommandState::Unknown {
            let all: Vec<_> = inputs.into_iter().chain(more).collect();
            prop_assert_eq!(run(&all), before);
        }
    }
}
