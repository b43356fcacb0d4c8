//! Faults inside the store, and what callers are told of them.

use rusqlite::ErrorCode;
use z4j_core::store::cursor::CursorError;
use z4j_core::store::{StoreError, StoreErrorKind, StreamHole};

/// A fault before it has the name of the operation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The database engine's own.
    #[error("SQLite refused")]
    Sqlite(#[from] rusqlite::Error),
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
    /// A file operation.
    #[error("the file system refused")]
    File(#[from] std::io::Error),
    /// A schema that this program does not know.
    #[error("the database has schema version {found}, this program knows {known}")]
    SchemaTooNew { found: u32, known: u32 },
    /// A file that is a database, but not of z4j.
    #[error("{0}")]
    Foreign(&'static str),
    /// The thread that serves the operation is gone.
    #[error("the store is closed")]
    Closed,
    /// The database rolled the whole transaction back, for a fault of this kind in one of its writes.
    #[error("the database gave the whole transaction up")]
    GivenUp(StoreErrorKind),
    /// A read that took longer than [`z4j_core::limits::READ_TIME_MAX`] and was stopped.
    #[error("the read took too long and was stopped")]
    TooSlow,
    /// A bug.
    #[error("{0}")]
    Bug(&'static str),
}

impl Fault {
    pub(crate) fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Sqlite(error) => kind_of(error),
            Self::Corrupt(_) => StoreErrorKind::Corrupt,
            Self::Foreign(_) => StoreErrorKind::Damaged,
            Self::Fenced => StoreErrorKind::Fenced,
            Self::Hole(_) => StoreErrorKind::StreamHole,
            Self::Cursor(error) => error.kind(),
            Self::File(error) => kind_of_file(error),
            Self::SchemaTooNew { .. } => StoreErrorKind::SchemaTooNew,
            Self::Closed | Self::TooSlow => StoreErrorKind::Unavailable,
            Self::GivenUp(kind) => *kind,
            Self::Bug(_) => StoreErrorKind::Internal,
        }
    }

    pub(crate) fn during(self, context: &'static str) -> StoreError {
        StoreError::new(self.kind(), context).with_source(self)
    }

    /// Whether the row itself is at fault, so that the same row would be refused again.
    pub(crate) fn is_of_the_row(error: &rusqlite::Error) -> bool {
        matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
        )
    }
}

fn kind_of(error: &rusqlite::Error) -> StoreErrorKind {
    use rusqlite::Error;
    match error {
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..) => StoreErrorKind::Corrupt,
        other => match other.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreErrorKind::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreErrorKind::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreErrorKind::Damaged,
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
                | ErrorCode::FileLockingProtocolFailed,
            ) => StoreErrorKind::Unavailable,
            _ => StoreErrorKind::Internal,
        },
    }
}

fn kind_of_file(error: &std::io::Error) -> StoreErrorKind {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreErrorKind::ReadOnly,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreErrorKind::Full,
        _ => StoreErrorKind::Unavailable,
    }
}
