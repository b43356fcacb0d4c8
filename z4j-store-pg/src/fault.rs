//! Faults inside the store, and what callers are told of them.

use z4j_core::store::cursor::CursorError;
use z4j_core::store::{StoreError, StoreErrorKind, StreamHole};

/// A fault before it has the name of the operation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The database's own, or one on the way to it.
    #[error("PostgreSQL refused")]
    Sqlx(#[from] sqlx::Error),
    /// The same on a connection of our own.
    #[error("PostgreSQL refused")]
    Wire(#[from] tokio_postgres::Error),
    /// Stored data that cannot be read back.
    #[error("stored data cannot be read back: {0}")]
    Corrupt(String),
    /// A cursor that this store did not make for this query.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The caller lost the right to the write.
    #[error("another holds the lease, or the caller counts as dead")]
    Fenced,
    /// A stream would go on beyond positions that are missing.
    #[error(transparent)]
    Hole(#[from] StreamHole),
    /// A start that is refused; one sentence that says what to do.
    #[error("{sentence}")]
    Refused {
        kind: StoreErrorKind,
        sentence: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// An operation that took too long; what it did is unknown.
    #[error("the database took too long to answer")]
    TooSlow,
    /// A bug.
    #[error("{0}")]
    Bug(&'static str),
}

impl Fault {
    pub(crate) fn refused(kind: StoreErrorKind, sentence: impl Into<String>) -> Self {
        Self::Refused {
            kind,
            sentence: sentence.into(),
        }
    }

    pub(crate) fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Sqlx(error) => kind_of_sqlx(error),
            Self::Wire(error) => error.code().map_or(StoreErrorKind::Unavailable, |state| {
                kind_of_state(state.code())
            }),
            Self::Corrupt(_) => StoreErrorKind::Corrupt,
            Self::Fenced => StoreErrorKind::Fenced,
            Self::Hole(_) => StoreErrorKind::StreamHole,
            Self::Cursor(error) => error.kind(),
            Self::Refused { kind, .. } => *kind,
            Self::Closed | Self::TooSlow => StoreErrorKind::Unavailable,
            Self::Bug(_) => StoreErrorKind::Internal,
        }
    }

    pub(crate) fn during(self, context: &'static str) -> StoreError {
        StoreError::new(self.kind(), context).with_source(self)
    }

    /// The five characters with which PostgreSQL names a fault.
    pub(crate) fn state(&self) -> Option<String> {
        match self {
            Self::Sqlx(sqlx::Error::Database(error)) => {
                error.code().map(std::borrow::Cow::into_owned)
            }
            Self::Wire(error) => error.code().map(|state| state.code().to_owned()),
            _ => None,
        }
    }

    /// Whether the transaction lost against another one and was rolled back for it, so that it may win the next time.
    pub(crate) fn is_conflict(&self) -> bool {
        // 40001: serialization failure; 40P01: deadlock.
        matches!(self.state().as_deref(), Some("40001" | "40P01"))
    }

    /// Whether somebody else wrote a row with the same key meanwhile, which the next try will see.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.state().as_deref() == Some("23505")
    }

    /// Whether the server stopped the statement, because it took too long or somebody said so, and undid it.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.state().as_deref() == Some("57014")
    }

    /// Whether a lock was not to be had in the time for it.
    pub(crate) fn is_locked_out(&self) -> bool {
        self.state().as_deref() == Some("55P03")
    }

    /// Whether it lies with what the connection remembers, so that the same statement would be refused there again: a prepared
    /// statement that the server has forgotten, or whose result has another shape now.
    pub(crate) fn is_of_the_connection(&self) -> bool {
        self.state()
            .is_some_and(|state| state == "0A000" || state.starts_with("26"))
    }

    /// Whether the row itself is at fault, so that the same row would be refused again.
    pub(crate) fn is_of_the_row(&self) -> bool {
        self.state()
            .is_some_and(|state| matches!(state.get(..2), Some("22" | "23" | "54")))
    }
}

fn kind_of_sqlx(error: &sqlx::Error) -> StoreErrorKind {
    use sqlx::Error;
    match error {
        Error::Database(error) => error
            .code()
            .map_or(StoreErrorKind::Internal, |state| kind_of_state(&state)),
        Error::Io(_)
        | Error::Tls(_)
        | Error::Protocol(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed
        | Error::BeginFailed => StoreErrorKind::Unavailable,
        Error::ColumnDecode { .. } | Error::Decode(_) => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Internal,
    }
}

/// What a caller can do about a fault with this SQLSTATE.
fn kind_of_state(state: &str) -> StoreErrorKind {
    match state {
        "53100" => StoreErrorKind::Full,
        // Read-only transaction; no right to the table.
        "25006" | "42501" => StoreErrorKind::ReadOnly,
        // Damaged data or index; a file of the database that is gone.
        "XX001" | "XX002" | "58P01" => StoreErrorKind::Damaged,
        // A table, column, function or schema that is not there.
        "42P01" | "42703" | "42883" | "42704" | "3F000" => StoreErrorKind::SchemaTooOld,
        // Cancelled, locked, or a statement whose outcome nobody knows.
        "57014" | "55P03" | "55006" | "25P03" | "3D000" => StoreErrorKind::Unavailable,
        _ => match state.get(..2) {
            // Data, constraint, too large or too deep, somebody's function: the same would be refused again.
            Some("21" | "22" | "23" | "38" | "39" | "54" | "P0") => StoreErrorKind::Internal,
            // Connection, credentials, conflict, resources, operator, system; and all that says nothing of what was to be
            // written, such as a statement that the connection has forgotten. Events that were refused for it would be lost.
            _ => StoreErrorKind::Unavailable,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlstate_says_what_a_caller_can_do() {
        let cases = [
            ("53100", StoreErrorKind::Full),
            ("25006", StoreErrorKind::ReadOnly),
            ("08006", StoreErrorKind::Unavailable),
            ("57P01", StoreErrorKind::Unavailable),
            ("53300", StoreErrorKind::Unavailable),
            ("40P01", StoreErrorKind::Unavailable),
            ("XX001", StoreErrorKind::Damaged),
            ("42P01", StoreErrorKind::SchemaTooOld),
            ("42501", StoreErrorKind::ReadOnly),
            ("23505", StoreErrorKind::Internal),
            ("22021", StoreErrorKind::Internal),
            ("54000", StoreErrorKind::Internal),
            ("26000", StoreErrorKind::Unavailable),
            ("0A000", StoreErrorKind::Unavailable),
            ("XX000", StoreErrorKind::Unavailable),
            ("", StoreErrorKind::Unavailable),
        ];
        for (state, kind) in cases {
            assert_eq!(kind_of_state(state), kind, "{state}");
        }
    }
}
