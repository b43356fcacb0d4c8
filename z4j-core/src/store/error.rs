//! Faults of a store.

use std::error::Error;
use std::fmt;

/// What a caller can do about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The database cannot be reached, or is busy beyond the time-out. Try again.
    Unavailable,
    /// The disk or the quota is full. Try again when there is room.
    Full,
    /// The database takes no writes.
    ReadOnly,
    /// The schema is newer than this binary.
    SchemaTooNew,
    /// The schema is older than this binary, or missing.
    SchemaTooOld,
    /// A stored value cannot be read back; others can.
    Corrupt,
    /// The database itself is damaged, or is no database. Nothing it answers can be relied on.
    Damaged,
    /// The caller lost the right to write this: its lease has another holder, or it counts as dead. Nothing was written.
    Fenced,
    /// A stream would go on beyond positions that are missing. Nothing was written.
    StreamHole,
    /// A cursor or filter that this store did not make or cannot run.
    InvalidQuery,
    /// Anything else: a bug in the store or its caller.
    Internal,
}

impl StoreErrorKind {
    /// The stable word for logs, metrics and health answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::SchemaTooNew => "schema_too_new",
            Self::SchemaTooOld => "schema_too_old",
            Self::Corrupt => "corrupt",
            Self::Damaged => "damaged",
            Self::Fenced => "fenced",
            Self::StreamHole => "stream_hole",
            Self::InvalidQuery => "invalid_query",
            Self::Internal => "internal",
        }
    }
}

/// A fault of a store. On a write it means *unknown*: the write may have happened.
pub struct StoreError {
    kind: StoreErrorKind,
    context: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// A fault while doing `context`, such as `"ingest"`.
    #[must_use]
    pub const fn new(kind: StoreErrorKind, context: &'static str) -> Self {
        Self {
            kind,
            context,
            source: None,
        }
    }

    /// Keeps what caused the fault.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// What the store was doing.
    #[must_use]
    pub const fn context(&self) -> &'static str {
        self.context
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "store fault during {}: {}",
            self.context,
            self.kind.as_str()
        )
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError")
            .field("kind", &self.kind)
            .field("context", &self.context)
            .field("source", &self.source)
            .finish()
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn Error + 'static))
    }
}
