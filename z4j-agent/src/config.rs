//! What an agent is told before it starts, and the checks on it.

use std::fmt;

use z4j_core::keys::SecretText;
use z4j_core::limits;

/// The most characters that an agent's name or a project's slug may have.
pub(crate) const LABEL_CHARS_MAX: usize = 64;
/// The smallest byte limit of a buffer: one event of ordinary size must fit.
const BUFFER_BYTES_MIN: usize = 1024;

/// What the brain gave out when the agent was minted: the token, the project's slug and the signing secret.
#[derive(Clone, Debug)]
pub struct Credential {
    pub(crate) token: SecretText,
    pub(crate) project_slug: String,
    pub(crate) hmac_secret: SecretText,
}

impl Credential {
    /// Takes the three values as the brain showed them.
    pub fn new(
        token: impl Into<String>,
        project_slug: impl Into<String>,
        hmac_secret: impl Into<String>,
    ) -> Self {
        Self {
            token: SecretText::new(token.into()),
            project_slug: project_slug.into(),
            hmac_secret: SecretText::new(hmac_secret.into()),
        }
    }
}

/// How much an agent keeps while the brain does not answer. When either limit is reached the oldest events go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferLimits {
    /// Events.
    pub events_max: usize,
    /// Bytes of redacted events.
    pub bytes_max: usize,
}

impl Default for BufferLimits {
    fn default() -> Self {
        Self {
            events_max: limits::BUFFER_ENTRIES_MAX,
            bytes_max: limits::BUFFER_BYTES_MAX,
        }
    }
}

/// Everything that is wrong with the settings of an agent, not only the first of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<String>,
}

impl ConfigError {
    /// One sentence for each problem. No secret is in them.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("; "))
    }
}

impl std::error::Error for ConfigError {}

/// Collects problems until all settings were looked at.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<String>);

impl Problems {
    pub(crate) fn add(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    pub(crate) fn check(&mut self, holds: bool, problem: &str) {
        if !holds {
            self.add(problem);
        }
    }

    /// # Errors
    /// [`ConfigError`] when there is a problem.
    pub(crate) fn into_result(self) -> Result<(), ConfigError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ConfigError { problems: self.0 })
        }
    }
}

pub(crate) fn check_buffer(limits: BufferLimits, problems: &mut Problems) {
    problems.check(
        limits.events_max > 0,
        "the buffer must hold at least one event",
    );
    problems.check(
        limits.bytes_max >= BUFFER_BYTES_MIN,
        "the buffer must hold at least 1024 bytes",
    );
}

pub(crate) fn check_label(what: &str, label: &str, chars_max: usize, problems: &mut Problems) {
    let chars = label.chars().count();
    if chars == 0 || chars > chars_max {
        problems.add(format!("{what} must have 1 to {chars_max} characters"));
    }
}

/// Checks the names of one kind of adapter: present, short, each used once.
pub(crate) fn check_names<'a>(
    what: &str,
    names: impl Iterator<Item = &'a str>,
    problems: &mut Problems,
) {
    let mut seen = Vec::new();
    for name in names {
        check_label(what, name, limits::ENGINE_CHARS_MAX, problems);
        if seen.contains(&name) {
            problems.add(format!("{what} {name} is given twice"));
        }
        seen.push(name);
    }
    // agent_status takes fewer names than hello; both are sent.
    if seen.len() > limits::STATUS_LIST_ENTRIES_MAX {
        problems.add(format!(
            "more than {} adapters of one kind",
            limits::STATUS_LIST_ENTRIES_MAX
        ));
    }
}
