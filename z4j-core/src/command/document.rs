//! Writes `docs/command-states.md` from the machine.

/// The page that describes the command machine.
#[must_use]
pub fn document() -> String {
    String::new()
}
