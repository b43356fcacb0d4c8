//! What a start asks of the server, each answered with one sentence when it is not so.

use sqlx::{PgConnection, Row};
use z4j_core::store::StoreErrorKind;

use crate::config::PgConfig;
use crate::fault::Fault;
use crate::row;

/// The oldest server that is supported, and how it names its version.
const VERSION_MIN: (i32, &str) = (150_000, "15");
/// Tables of audit entries may be read and added to; nobody needs more.
const APPEND_ONLY: &str = "audit_entries";

/// What the server promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Promises {
    fsync: String,
    full_page_writes: String,
    synchronous_commit: String,
}

impl Promises {
    pub(crate) const SELECT: &str = "SELECT current_setting('fsync') AS fsync, \
        current_setting('full_page_writes') AS full_page_writes, \
        (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit') AS synchronous_commit";

    pub(crate) fn read(row: &sqlx::postgres::PgRow) -> Result<Self, Fault> {
        Ok(Self {
            fsync: row::get(row, "fsync")?,
            full_page_writes: row::get(row, "full_page_writes")?,
            synchronous_commit: row::get(row, "synchronous_commit")?,
        })
    }

    /// Settings with which the server may lose what it said was stored, each as a sentence.
    fn weaknesses(&self) -> Vec<String> {
        let mut weak = Vec::new();
        if self.fsync == "off" {
            weak.push("fsync is off: a power loss can destroy the whole database".to_owned());
        }
        if self.full_page_writes == "off" {
            weak.push(
                "full_page_writes is off: a power loss can leave half-written pages behind"
                    .to_owned(),
            );
        }
        weak
    }

    /// Weaker promises than the contract asks for, in words.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.weaknesses();
        if self.synchronous_commit == "off" {
            warnings.push(
                "synchronous_commit is off on the server: z4j's own transactions wait for the disk all the same"
                    .to_owned(),
            );
        }
        warnings
    }
}

/// The version, the promises and whether it takes writes.
pub(crate) async fn server(conn: &mut PgConnection, config: &PgConfig) -> Result<(), Fault> {
    let row = sqlx::query(
        "SELECT current_setting('server_version_num')::int4 AS number, current_setting('server_version') AS version,
             pg_is_in_recovery() AS is_standby, current_setting('default_transaction_read_only') AS read_only,
             current_setting('server_encoding') AS encoding",
    )
    .persistent(false)
    .fetch_one(&mut *conn)
    .await?;
    let url = &config.url;
    let version: String = row.try_get("version")?;
    if row.try_get::<i32, _>("number")? < VERSION_MIN.0 {
        let sentence = format!(
            "the server at {url} is PostgreSQL {version}, which is too old: z4j needs {} or newer",
            VERSION_MIN.1
        );
        return Err(Fault::refused(StoreErrorKind::Unavailable, sentence));
    }
    if row.try_get("is_standby")? {
        let sentence = format!(
            "the server at {url} is a standby and takes no writes: point the database URL at the primary"
        );
        return Err(Fault::refused(StoreErrorKind::ReadOnly, sentence));
    }
    if row.try_get::<&str, _>("read_only")? == "on" {
        let sentence = format!(
            "the database at {url} is read-only: set default_transaction_read_only to off for this server, database or role"
        );
        return Err(Fault::refused(StoreErrorKind::ReadOnly, sentence));
    }
    let encoding: String = row.try_get("encoding")?;
    if encoding != "UTF8" {
        let sentence = format!(
            "the database at {url} has the encoding {encoding}: create it with ENCODING 'UTF8'"
        );
        return Err(Fault::refused(StoreErrorKind::InvalidQuery, sentence));
    }
    durability(conn, config).await
}

async fn durability(conn: &mut PgConnection, config: &PgConfig) -> Result<(), Fault> {
    let row = sqlx::query(Promises::SELECT)
        .persistent(false)
        .fetch_one(conn)
        .await?;
    let weak = Promises::read(&row)?.weaknesses();
    let Some(first) = weak.first() else {
        return Ok(());
    };
    if config.weak_durability_allowed {
        for weakness in weak {
            tracing::warn!(weakness, "the database server may lose acknowledged events");
        }
        return Ok(());
    }
    let sentence = format!(
        "the server at {} may lose what it said was stored: {first}; turn the setting on, or allow weak durability for data that may be lost",
        config.url
    );
    Err(Fault::refused(StoreErrorKind::Unavailable, sentence))
}

/// What the role may do with each table.
pub(crate) async fn rights(conn: &mut PgConnection) -> Result<(), Fault> {
    let rows = sqlx::query(
        "SELECT relname::text AS name, wanted.right_name AS right_name, current_user::text AS role
         FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS wanted (right_name)
         WHERE relkind IN ('r', 'p') AND NOT relispartition
           AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('z4j_migrations'))
           AND relname = ANY ($2)
           AND (relname <> $1 OR wanted.right_name IN ('SELECT', 'INSERT'))
           AND (relname <> 'z4j_migrations' OR wanted.right_name = 'SELECT')
           AND NOT has_table_privilege(pg_class.oid, wanted.right_name)
         ORDER BY relname, right_name",
    )
    .persistent(false)
    .bind(APPEND_ONLY)
    .bind(crate::migrate::tables())
    .fetch_all(conn)
    .await?;
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let role: String = row::get(first, "role")?;
    let mut missing = Vec::new();
    for lacking in rows.iter().take(4) {
        let (right, table): (String, String) =
            (row::get(lacking, "right_name")?, row::get(lacking, "name")?);
        missing.push(format!("{right} on {table}"));
    }
    let more = if rows.len() > missing.len() {
        " and more"
    } else {
        ""
    };
    let sentence = format!(
        "the database role {role} lacks rights: GRANT {}{more} TO {role}",
        missing.join(", ")
    );
    Err(Fault::refused(StoreErrorKind::ReadOnly, sentence))
}
