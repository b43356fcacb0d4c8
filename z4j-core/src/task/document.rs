//! Writes `docs/task-states.md` from the table.

use super::table::RULES;

/// The page that describes the task machine.
#[must_use]
pub fn document() -> String {
    RULES
        .iter()
        .map(|rule| format!("{} -> {}\n", rule.when, rule.gives))
        .collect()
}
