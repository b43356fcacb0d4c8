//! Between SQLite's values and ours.

use std::str::FromStr;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use z4j_core::id::ProjectId;
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::writer::Tx;

type Read<T> = rusqlite::Result<T>;

fn unreadable(column: &str, kind: Type, what: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        0,
        kind,
        format!("column {column} holds {what}").into(),
    )
}

pub(crate) fn time(row: &Row<'_>, column: &str) -> Read<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}

pub(crate) fn time_opt(row: &Row<'_>, column: &str) -> Read<Option<Timestamp>> {
    Ok(row
        .get::<_, Option<i64>>(column)?
        .map(Timestamp::from_micros))
}

pub(crate) fn id<T>(row: &Row<'_>, column: &str, make: fn(&[u8]) -> Option<T>) -> Read<T> {
    let bytes = row.get_ref(column)?.as_blob()?;
    make(bytes).ok_or_else(|| unreadable(column, Type::Blob, "no id"))
}

pub(crate) fn id_opt<T>(
    row: &Row<'_>,
    column: &str,
    make: fn(&[u8]) -> Option<T>,
) -> Read<Option<T>> {
    match row.get_ref(column)?.as_blob_or_null()? {
        Some(bytes) => make(bytes)
            .map(Some)
            .ok_or_else(|| unreadable(column, Type::Blob, "no id")),
        None => Ok(None),
    }
}

pub(crate) fn bytes32(row: &Row<'_>, column: &str) -> Read<[u8; 32]> {
    let bytes = row.get_ref(column)?.as_blob()?;
    bytes
        .try_into()
        .map_err(|_| unreadable(column, Type::Blob, "not 32 bytes"))
}

pub(crate) fn parse<T: FromStr>(row: &Row<'_>, column: &str) -> Read<T> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse()
        .map_err(|_| unreadable(column, Type::Text, "an unknown word"))
}

pub(crate) fn json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Read<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|_| unreadable(column, Type::Text, "unexpected JSON"))
}

pub(crate) fn json_text<T: Serialize + ?Sized>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|_| Fault::Bug("a value cannot be written as JSON"))
}

/// A count; the database has no unsigned numbers, and a negative count is damage that shows as zero.
pub(crate) fn count(row: &Row<'_>, column: &str) -> Read<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

pub(crate) fn count_opt(row: &Row<'_>, column: &str) -> Read<Option<u64>> {
    Ok(row
        .get::<_, Option<i64>>(column)?
        .and_then(|count| u64::try_from(count).ok()))
}

/// For the way in: what does not fit is kept as the largest that does.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The short key of a project; `None` when there is no such project.
pub(crate) fn project_key(db: &Connection, project: ProjectId) -> Result<Option<i64>, Fault> {
    let mut find = db.prepare_cached("SELECT key FROM projects WHERE id = ?1")?;
    Ok(find
        .query_row([project.as_bytes().as_slice()], |row| row.get(0))
        .optional()?)
}

impl Tx<'_> {
    /// The short key of a project, from memory when it was asked for before. Projects are never deleted.
    pub(crate) fn project(&mut self, project: ProjectId) -> Result<Option<i64>, Fault> {
        if let Some(key) = self.memory.projects.get(&project) {
            return Ok(Some(*key));
        }
        let key = project_key(self.db, project)?;
        if let Some(key) = key {
            self.memory.projects.insert(project, key);
        }
        Ok(key)
    }

    /// The short key of a project that a caller has no reason to doubt.
    pub(crate) fn known_project(&mut self, project: ProjectId) -> Result<i64, Fault> {
        self.project(project)?
            .ok_or(Fault::Bug("there is no such project"))
    }
}
