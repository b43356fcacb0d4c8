//! Whether a process can carry out a command.

use std::collections::BTreeMap;

use z4j_core::command::Action;

/// What a process must say of an engine before a retry is sent to it (protocol §6.1).
const RETRY_BY_REFERENCE: &str = "retry_by_reference_v1";

/// Why a process cannot carry out a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Inability {
    /// It does not serve the engine.
    OtherEngine,
    /// Its adapter for the engine does not have the action.
    NoSuchAction,
    /// It would need the arguments from the brain, which never sends stored ones.
    NoRetryByReference,
}

/// What a process says that it can do. Shared between the links of an agent, which mostly say the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    /// The engines that it serves.
    pub(super) engines: Vec<String>,
    /// The capability tokens of each adapter.
    pub(super) capabilities: BTreeMap<String, Vec<String>>,
}

/// Whether a process that says this of itself can carry out `action` on `engine`.
pub(crate) fn ability(
    engines: &[String],
    capabilities: &BTreeMap<String, Vec<String>>,
    action: Action,
    engine: &str,
) -> Result<(), Inability> {
    if !engines.iter().any(|have| have == engine) {
        return Err(Inability::OtherEngine);
    }
    let has = |token: &str| {
        let tokens = capabilities.get(engine);
        tokens.is_some_and(|tokens| tokens.iter().any(|have| have == token))
    };
    if action.needs_retry_by_reference() && !has(RETRY_BY_REFERENCE) {
        return Err(Inability::NoRetryByReference);
    }
    if needs_no_token(action) || has(token_of(action)) {
        Ok(())
    } else {
        Err(Inability::NoSuchAction)
    }
}

/// Actions that agents take without naming them among their capabilities (protocol §6.2).
const fn needs_no_token(action: Action) -> bool {
    matches!(
        action,
        Action::SubmitTask | Action::ReconcileTask | Action::RestartWorker
    )
}

/// The capability that allows an action; the same word but for the dead-letter list.
const fn token_of(action: Action) -> &'static str {
    match action {
        Action::DlqList => "list_dead_letters",
        other => other.as_str(),
    }
}

/// The least that keeps any of these processes from carrying out `action`; `None` when there are none.
pub(crate) fn ability_of_rows<'a>(
    rows: impl Iterator<Item = (&'a [String], &'a BTreeMap<String, Vec<String>>)>,
    action: Action,
    engine: &str,
) -> Option<Result<(), Inability>> {
    rows.map(|(engines, capabilities)| ability(engines, capabilities, action, engine))
        .reduce(|best, next| match (best, next) {
            (Ok(()), _) | (_, Ok(())) => Ok(()),
            (Err(a), Err(b)) => Err(a.max(b)),
        })
}
