//! What every engine adapter must do. The part under test is an [`EngineRig`]: the engine, and the means to give it work.

mod commands;
mod observe;
mod rig;
mod snapshot;
mod watch;

pub use rig::{EngineRig, RigJob};

suite! {$;
    engine_conformance of dyn EngineRig, in engine;
    /// The descriptor names the engine as the wire can carry it, and always the same.
    snapshot::descriptor_is_stable_and_legal;
    /// A task that succeeds is seen as received, started and succeeded, in that order.
    observe::success_is_seen_from_receipt_to_end;
    /// A task that fails is seen to fail, with what went wrong.
    observe::failure_is_seen_with_its_error;
    /// Each task is seen under the id that the engine gave it, once for each step.
    observe::tasks_are_told_apart;
    /// An engine works on while nobody reads its events, and says how many of them were dropped.
    observe::unread_events_slow_nothing_and_loss_is_declared;
    /// What waits is counted by queue, and what works is named.
    snapshot::waiting_tasks_are_counted;
    /// A queue that is drained is not reported as full.
    snapshot::drained_queue_is_empty;
    /// An action that the engine does not know is answered as unsupported.
    commands::unknown_action_is_unsupported;
    /// What the descriptor declares is carried out.
    commands::declared_actions_are_supported;
    /// A command about a task that does not exist fails and has no effect.
    commands::unknown_task_is_a_failure;
    /// Parameters of the wrong kind fail and have no effect.
    commands::malformed_parameters_are_a_failure;
    /// A retry runs the task again under a new id, which the answer names.
    commands::retry_runs_again_under_the_answered_id;
    /// A retry that comes twice with one id makes one task.
    commands::repeated_retry_has_one_effect;
    /// A cancelled task that waits never runs, and is seen as revoked.
    commands::cancelled_task_never_runs;
    /// A purge empties its queue and no other, and says how many it dropped.
    commands::purge_empties_one_queue;
}
