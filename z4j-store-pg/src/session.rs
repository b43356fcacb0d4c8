//! What holds in a session or, behind PgBouncer, in each transaction.

use std::time::Duration;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use z4j_core::limits;
use z4j_core::store::StoreErrorKind;

use crate::config::PgConfig;
use crate::fault::Fault;

/// Longest name of a schema, in bytes: PostgreSQL cuts longer ones.
const SCHEMA_BYTES_MAX: usize = 63;

/// A commit that the server would acknowledge before it is on disk is waited for all the same; stronger settings stay.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";
/// The same for as long as a connection lasts, whatever the server's configuration becomes meanwhile.
const DURABLE_SESSION: &str = "SELECT set_config('synchronous_commit', \
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)";
/// For connections whose statements are looked up by key: planning one again each time takes longer than running it. Those
/// whose plan hangs on their values say so in their transaction. Batches are planned as the server sees fit: a plan that was
/// made for a batch into empty tables is ten times too slow soon after.
pub(crate) const PLAN_ONCE: (&str, &str) = ("plan_cache_mode", "force_generic_plan");

/// How transactions begin, and what a connection says when it starts.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Begins a transaction that writes; its commit is durable whatever the server's default is, on a connection that was
    /// told [`Self::after_connect`].
    pub(crate) begin_write: SqlStr,
    /// Begins a transaction that reads one snapshot.
    pub(crate) begin_read: SqlStr,
    /// Settings for the start of a connection; none behind PgBouncer, which refuses them.
    pub(crate) startup: Vec<(&'static str, String)>,
    /// What a connection is told once; none behind PgBouncer, where the next transaction may run on another one.
    pub(crate) after_connect: Option<&'static str>,
    /// Whether a statement outside a transaction, or one prepared by name, may meet another server connection.
    pub(crate) is_pooled: bool,
}

impl Session {
    pub(crate) fn new(config: &PgConfig) -> Result<Self, Fault> {
        let schema = config.schema.as_deref().map(checked).transpose()?;
        let is_pooled = config.behind_pgbouncer;
        let (read_limit, write_limit) =
            (millis(limits::READ_TIME_MAX), millis(config.write_time_max));
        let mut startup = Vec::new();
        let mut each = String::new();
        if is_pooled {
            each.push_str("SET LOCAL jit = off; ");
            if let Some(schema) = schema {
                each.push_str(&format!("SET LOCAL search_path = {schema}; "));
            }
        } else {
            startup.push(("statement_timeout", read_limit.to_string()));
            // Compiling a plan takes longer than any of our queries.
            startup.push(("jit", "off".to_owned()));
            startup.push((
                "idle_in_transaction_session_timeout",
                (2 * write_limit).to_string(),
            ));
            if let Some(schema) = schema {
                startup.push(("search_path", schema.to_owned()));
            }
        }
        // Asked of each connection once where that lasts: it costs a transaction as much as a lookup by key does.
        let durable = if is_pooled {
            format!("; {DURABLE}")
        } else {
            String::new()
        };
        let begin_write = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; {each}SET LOCAL statement_timeout = {write_limit}{durable}"
        );
        let begin_read = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {each}SET LOCAL statement_timeout = {read_limit}"
        );
        Ok(Self {
            begin_write: AssertSqlSafe(begin_write).into_sql_str(),
            begin_read: AssertSqlSafe(begin_read).into_sql_str(),
            startup,
            after_connect: (!is_pooled).then_some(DURABLE_SESSION),
            is_pooled,
        })
    }
}

impl Session {
    /// A connection that keeps every default of its role, for notifications.
    pub(crate) fn plain() -> Self {
        Self {
            begin_write: "BEGIN".into_sql_str(),
            begin_read: "BEGIN".into_sql_str(),
            startup: Vec::new(),
            after_connect: None,
            is_pooled: false,
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, 1_000_000_000)
}

/// The name goes into SQL text as it is, so it must need no quotes.
fn checked(schema: &str) -> Result<&str, Fault> {
    let mut bytes = schema.bytes();
    let is_plain = bytes
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && schema.len() <= SCHEMA_BYTES_MAX
        && !schema.starts_with("pg_");
    if is_plain {
        Ok(schema)
    } else {
        let sentence = format!(
            "the schema name {schema:?} cannot be used: take small letters, digits and underscores, at most {SCHEMA_BYTES_MAX}"
        );
        Err(Fault::refused(StoreErrorKind::InvalidQuery, sentence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_name_that_needs_quotes_is_refused() {
        for name in [
            "",
            "Z4j",
            "a-b",
            "a; DROP TABLE users",
            "1a",
            "pg_x",
            &"a".repeat(64),
        ] {
            assert!(checked(name).is_err(), "{name}");
        }
        assert_eq!(checked("z4j_2").unwrap(), "z4j_2");
    }
}
