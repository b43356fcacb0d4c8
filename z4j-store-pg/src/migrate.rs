//! Brings a database to the schema that this program knows.

use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};
use z4j_core::store::StoreErrorKind;

use crate::checks;
use crate::config::PgConfig;
use crate::fault::Fault;
use crate::open;
use crate::row;
use crate::session::Session;

/// Names the lock that makes concurrent migrations wait for each other.
const LOCK: i64 = 0x7a34_6a6d_6967;

struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "init",
        sql: include_str!("../migrations/0001_init.sql"),
    },
    Migration {
        version: 2,
        name: "state before receipt and runtime",
        sql: include_str!("../migrations/0002_state_before_receipt_and_runtime.sql"),
    },
    Migration {
        version: 3,
        name: "words by day and unended",
        sql: include_str!("../migrations/0003_words_by_day_and_unended.sql"),
    },
    Migration {
        version: 4,
        name: "runs and late ends",
        sql: include_str!("../migrations/0004_runs_and_late_ends.sql"),
    },
    Migration {
        version: 5,
        name: "grams of beginnings and runs",
        sql: include_str!("../migrations/0005_grams_of_beginnings_and_runs.sql"),
    },
    Migration {
        version: 6,
        name: "lists by two and three names",
        sql: include_str!("../migrations/0006_lists_by_two_and_three_names.sql"),
    },
    Migration {
        version: 7,
        name: "smaller random indexes",
        sql: include_str!("../migrations/0007_smaller_random_indexes.sql"),
    },
    Migration {
        version: 8,
        name: "equal runs by change",
        sql: include_str!("../migrations/0008_equal_runs_by_change.sql"),
    },
];

/// What a migration did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migrated {
    /// The versions that were applied now, in order; empty when the schema was up to date.
    pub applied: Vec<u32>,
    /// The version that the schema has now.
    pub version: u32,
}

/// Applies what is missing in one transaction; refuses what is newer, changed, or not ours.
pub(crate) async fn run(config: &PgConfig) -> Result<Migrated, Fault> {
    let session = Session::new(config)?;
    // Not through PgBouncer when there is a way around it, but it works there too: all is one transaction.
    let url = config.direct_url();
    let mut conn = open::connect(&url, &session).await?;
    if open::answered(&url, is_up_to_date(&mut conn, config, &session)).await? {
        open::answered(&url, async { Ok(conn.close().await?) }).await?;
        return Ok(Migrated {
            applied: Vec::new(),
            version: known(),
        });
    }
    let mut txn = conn.begin_with(session.begin_write.clone()).await?;
    lock(&mut txn).await?;
    let applied = make(&mut txn, config).await?;
    txn.commit().await?;
    conn.close().await?;
    Ok(Migrated {
        applied,
        version: known(),
    })
}

/// Whether the server is fit and nothing is missing. What follows is not limited in time, for large tables take theirs.
async fn is_up_to_date(
    conn: &mut PgConnection,
    config: &PgConfig,
    session: &Session,
) -> Result<bool, Fault> {
    let mut txn = conn.begin_with(session.begin_write.clone()).await?;
    checks::server(&mut txn, config).await?;
    let state = state(&mut txn).await?;
    txn.rollback().await?;
    Ok(matches!(state, State::Ours(applied) if applied.len() == MIGRATIONS.len()))
}

/// Waits for whoever else migrates, for as long as that takes: a large table is not done in a moment.
async fn lock(txn: &mut PgConnection) -> Result<(), Fault> {
    sqlx::raw_sql("SET LOCAL statement_timeout = 0")
        .execute(&mut *txn)
        .await?;
    let row = sqlx::query("SELECT pg_try_advisory_xact_lock($1) AS is_free")
        .persistent(false)
        .bind(LOCK)
        .fetch_one(&mut *txn)
        .await?;
    if row::get::<bool>(&row, "is_free")? {
        return Ok(());
    }
    tracing::info!("somebody else migrates this database now; waiting until that is done");
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .persistent(false)
        .bind(LOCK)
        .execute(&mut *txn)
        .await?;
    Ok(())
}

/// Makes the schema and applies what is missing; answers the versions.
async fn make(txn: &mut PgConnection, config: &PgConfig) -> Result<Vec<u32>, Fault> {
    if let Some(schema) = &config.schema {
        // The session checked that the name needs no quotes.
        let sql = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut *txn)
            .await?;
    }
    apply_missing(txn).await
}

/// Whether there is nothing of ours yet.
pub(crate) async fn is_new(config: &PgConfig) -> Result<bool, Fault> {
    let session = Session::new(config)?;
    let url = config.direct_url();
    let mut conn = open::connect(&url, &session).await?;
    let asking = async {
        let mut txn = conn.begin_with(session.begin_write.clone()).await?;
        let state = state(&mut txn).await?;
        txn.rollback().await?;
        conn.close().await?;
        Ok(matches!(state, State::Empty))
    };
    open::answered(&url, asking).await
}

fn known() -> u32 {
    MIGRATIONS
        .last()
        .map_or(0, |last| last.version.unsigned_abs())
}

async fn apply_missing(conn: &mut PgConnection) -> Result<Vec<u32>, Fault> {
    let stored = match state(conn).await? {
        State::Empty => {
            sqlx::raw_sql(
                "CREATE TABLE z4j_migrations (version integer PRIMARY KEY, name text NOT NULL, checksum bytea NOT NULL)",
            )
            .execute(&mut *conn)
            .await?;
            Vec::new()
        }
        State::Ours(stored) => stored,
    };
    let mut applied = Vec::new();
    for migration in MIGRATIONS {
        if stored
            .iter()
            .any(|(version, _)| *version == migration.version)
        {
            continue;
        }
        sqlx::raw_sql(migration.sql).execute(&mut *conn).await?;
        sqlx::query("INSERT INTO z4j_migrations (version, name, checksum) VALUES ($1, $2, $3)")
            .persistent(false)
            .bind(migration.version)
            .bind(migration.name)
            .bind(checksum(migration))
            .execute(&mut *conn)
            .await?;
        tracing::info!(
            version = migration.version,
            name = migration.name,
            "applied a database migration"
        );
        applied.push(migration.version.unsigned_abs());
    }
    Ok(applied)
}

fn checksum(migration: &Migration) -> Vec<u8> {
    Sha256::digest(migration.sql.as_bytes()).to_vec()
}

/// One name for all migrations together.
pub(crate) fn digest() -> String {
    let mut all = Sha256::new();
    for migration in MIGRATIONS {
        all.update(checksum(migration));
    }
    let digest = all.finalize();
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}

/// Fails unless the schema is exactly the one that this program knows.
pub(crate) async fn check(conn: &mut PgConnection) -> Result<(), Fault> {
    let too_old = |found: u32| {
        let sentence = format!(
            "the database has schema version {found} and this program needs {}: run `z4j migrate` first",
            known()
        );
        Fault::refused(StoreErrorKind::SchemaTooOld, sentence)
    };
    match state(conn).await? {
        State::Empty => Err(too_old(0)),
        State::Ours(stored) => match stored.last() {
            Some((last, _)) if last.unsigned_abs() >= known() => Ok(()),
            last => Err(too_old(last.map_or(0, |(last, _)| last.unsigned_abs()))),
        },
    }
}

enum State {
    /// Nothing of ours, and nothing in the way.
    Empty,
    /// Our migrations by version, none newer than we know.
    Ours(Vec<(i32, Vec<u8>)>),
}

async fn state(conn: &mut PgConnection) -> Result<State, Fault> {
    let foreign = |sentence: &str| Fault::refused(StoreErrorKind::Damaged, sentence);
    let row = sqlx::query(
        "SELECT to_regclass('z4j_migrations') IS NOT NULL AS is_there,
             (SELECT count(*) FROM information_schema.columns
              WHERE table_schema = current_schema() AND table_name = 'z4j_migrations'
                AND column_name IN ('version', 'name', 'checksum')) AS columns,
             EXISTS (SELECT 1 FROM unnest($1::text[]) AS own (name) WHERE to_regclass(own.name) IS NOT NULL) AS is_taken",
    )
    .persistent(false)
    .bind(tables())
    .fetch_one(&mut *conn)
    .await?;
    if !row::get::<bool>(&row, "is_there")? {
        return if row::get::<bool>(&row, "is_taken")? {
            Err(foreign(
                "the schema holds tables of another program with names that z4j needs: give z4j a database or a schema of its own",
            ))
        } else {
            Ok(State::Empty)
        };
    }
    if row::get::<i64>(&row, "columns")? != 3 {
        return Err(foreign(
            "the table z4j_migrations is not one of z4j: give z4j a database or a schema of its own",
        ));
    }
    stored(conn).await.map(State::Ours)
}

async fn stored(conn: &mut PgConnection) -> Result<Vec<(i32, Vec<u8>)>, Fault> {
    let rows = sqlx::query("SELECT version, checksum FROM z4j_migrations ORDER BY version")
        .persistent(false)
        .fetch_all(conn)
        .await?;
    let mut stored = Vec::with_capacity(rows.len());
    for row in &rows {
        let (version, sum): (i32, Vec<u8>) =
            (row::get(row, "version")?, row::get(row, "checksum")?);
        let Some(migration) = MIGRATIONS.iter().find(|known| known.version == version) else {
            let sentence = format!(
                "the database has schema version {version} and this program knows {}: take the newer program",
                known()
            );
            return Err(Fault::refused(StoreErrorKind::SchemaTooNew, sentence));
        };
        if checksum(migration) != sum {
            let sentence = format!(
                "schema version {version} was applied in another form than this program has: take the program that applied it"
            );
            return Err(Fault::refused(StoreErrorKind::Damaged, sentence));
        }
        stored.push((version, sum));
    }
    Ok(stored)
}

/// The names of our tables, as the migrations create them.
pub(crate) fn tables() -> Vec<&'static str> {
    let lines = MIGRATIONS
        .iter()
        .flat_map(|migration| migration.sql.lines());
    lines
        .filter_map(|line| line.strip_prefix("CREATE TABLE "))
        .filter_map(|rest| rest.split_whitespace().next())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_from_one_without_gaps() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(migration.version).unwrap(), index + 1);
        }
    }

    #[test]
    fn the_tables_are_read_out_of_the_migrations() {
        let tables = tables();
        for name in ["projects", "events", "commands", "audit_entries", "leases"] {
            assert!(tables.contains(&name), "{name}");
        }
    }
}
