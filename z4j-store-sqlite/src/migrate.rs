//! Brings a database to the schema that this program knows.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use crate::fault::Fault;

/// Says in the file's header that a database is ours.
const APPLICATION_ID: i32 = 0x7a34_6a31;

struct Migration {
    version: u32,
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
        name: "replicas",
        sql: include_str!("../migrations/0002_replicas.sql"),
    },
    Migration {
        version: 3,
        name: "streams",
        sql: include_str!("../migrations/0003_streams.sql"),
    },
    Migration {
        version: 4,
        name: "equal runs by change",
        sql: include_str!("../migrations/0004_equal_runs_by_change.sql"),
    },
];

/// Applies what is missing in one transaction; refuses what is newer, changed, or not ours.
pub(crate) fn run(db: &mut Connection) -> Result<(), Fault> {
    let txn = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    check_is_ours(&txn)?;
    txn.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL
         ) STRICT",
    )?;
    let known = MIGRATIONS.last().map_or(0, |last| last.version);
    let found: u32 = txn.query_row(
        "SELECT coalesce(max(version), 0) FROM schema_migrations",
        [],
        |row| row.get(0),
    )?;
    if found > known {
        return Err(Fault::SchemaTooNew { found, known });
    }
    for migration in MIGRATIONS {
        apply(&txn, migration)?;
    }
    if found < known {
        txn.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    txn.commit()?;
    Ok(())
}

fn check_is_ours(db: &Connection) -> Result<(), Fault> {
    let id: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id != APPLICATION_ID && (id != 0 || tables > 0) {
        return Err(Fault::Foreign("the file is a database, but not one of z4j"));
    }
    Ok(())
}

fn apply(db: &Connection, migration: &Migration) -> Result<(), Fault> {
    let checksum = Sha256::digest(migration.sql.as_bytes());
    let stored: Option<Vec<u8>> = db
        .query_row(
            "SELECT checksum FROM schema_migrations WHERE version = ?1",
            [migration.version],
            |row| row.get(0),
        )
        .optional()?;
    match stored {
        Some(stored) if stored == checksum.as_slice() => Ok(()),
        Some(_) => Err(Fault::Foreign(
            "a migration was applied in another form than this program has",
        )),
        None => {
            db.execute_batch(migration.sql)?;
            db.execute(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES (?1, ?2, ?3)",
                params![migration.version, migration.name, checksum.as_slice()],
            )?;
            tracing::info!(
                version = migration.version,
                name = migration.name,
                "applied a database migration"
            );
            Ok(())
        }
    }
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
    fn applied_twice_nothing_changes() {
        let mut db = Connection::open_in_memory().unwrap();
        run(&mut db).unwrap();
        let schema = |db: &Connection| -> String {
            db.query_row(
                "SELECT group_concat(sql, ';') FROM sqlite_schema",
                [],
                |row| row.get(0),
            )
            .unwrap()
        };
        let before = schema(&db);
        run(&mut db).unwrap();
        assert_eq!(before, schema(&db));
    }

    #[test]
    fn a_changed_migration_is_refused() {
        let mut db = Connection::open_in_memory().unwrap();
        run(&mut db).unwrap();
        db.execute("UPDATE schema_migrations SET checksum = x'00'", [])
            .unwrap();
        assert!(matches!(run(&mut db), Err(Fault::Foreign(_))));
    }
}
