//! Between PostgreSQL's values and ours.

use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row, Type};
use uuid::Uuid;
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::text;

type Read<T> = Result<T, Fault>;

fn unreadable(column: &str, what: &str) -> Fault {
    Fault::Corrupt(format!("column {column} holds {what}"))
}

/// A value of a type that needs no translation.
pub(crate) fn get<'r, T>(row: &'r PgRow, column: &str) -> Read<T>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    Ok(row.try_get(column)?)
}

/// Text as it was given to [`text::put`].
pub(crate) fn text(row: &PgRow, column: &str) -> Read<String> {
    Ok(text::take(row.try_get(column)?))
}

pub(crate) fn text_opt(row: &PgRow, column: &str) -> Read<Option<String>> {
    Ok(row.try_get::<Option<String>, _>(column)?.map(text::take))
}

pub(crate) fn time(row: &PgRow, column: &str) -> Read<Timestamp> {
    Ok(Timestamp::from_micros(row.try_get(column)?))
}

pub(crate) fn time_opt(row: &PgRow, column: &str) -> Read<Option<Timestamp>> {
    let micros: Option<i64> = row.try_get(column)?;
    Ok(micros.map(Timestamp::from_micros))
}

pub(crate) fn id<T>(row: &PgRow, column: &str, make: fn(Uuid) -> T) -> Read<T> {
    Ok(make(row.try_get(column)?))
}

pub(crate) fn id_opt<T>(row: &PgRow, column: &str, make: fn(Uuid) -> T) -> Read<Option<T>> {
    Ok(row.try_get::<Option<Uuid>, _>(column)?.map(make))
}

pub(crate) fn bytes32(row: &PgRow, column: &str) -> Read<[u8; 32]> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes
        .try_into()
        .map_err(|_| unreadable(column, "not 32 bytes"))
}

pub(crate) fn parse<T: FromStr>(row: &PgRow, column: &str) -> Read<T> {
    let text: &str = row.try_get(column)?;
    text.parse()
        .map_err(|_| unreadable(column, "an unknown word"))
}

pub(crate) fn json<T: DeserializeOwned>(row: &PgRow, column: &str) -> Read<T> {
    serde_json::from_str(&text(row, column)?).map_err(|_| unreadable(column, "unexpected JSON"))
}

/// JSON as it is stored. It holds no NUL: JSON spells that character out.
pub(crate) fn json_text<T: Serialize + ?Sized>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|_| Fault::Bug("a value cannot be written as JSON"))
}

/// A count; the database has no unsigned numbers, and a negative count is damage that shows as zero.
pub(crate) fn count(row: &PgRow, column: &str) -> Read<u64> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
}

pub(crate) fn count_opt(row: &PgRow, column: &str) -> Read<Option<u64>> {
    let count: Option<i64> = row.try_get(column)?;
    Ok(count.and_then(|count| u64::try_from(count).ok()))
}

/// A small count; what is out of its range is damage that shows as absent.
pub(crate) fn small_opt(row: &PgRow, column: &str) -> Read<Option<u32>> {
    let count: Option<i64> = row.try_get(column)?;
    Ok(count.and_then(|count| u32::try_from(count).ok()))
}

/// For the way in: what does not fit is kept as the largest that does.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
