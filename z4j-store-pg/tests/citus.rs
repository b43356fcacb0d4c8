//! Holds the schema to what Citus asks of tables that are spread over machines, by reading the catalogue.
//!
//! There is no Citus here: this says that nothing known stands in the way, not that it works. `docs/scaling.md` has the
//! same two lists as statements.

#![allow(clippy::expect_used, reason = "a test says what is wrong by panicking")]

use sqlx::{PgConnection, Row};
use z4j_testkit::postgres::Database;

/// Spread by `project_id`.
const DISTRIBUTED: [&str; 14] = [
    "audit_entries",
    "audit_heads",
    "commands",
    "counters",
    "events",
    "quarantine",
    "queues",
    "stream_gaps",
    "streams",
    "task_links",
    "task_texts",
    "task_texts_new",
    "tasks",
    "workers",
];

/// Small, and whole on each machine.
const REFERENCE: [&str; 11] = [
    "agent_losses",
    "agents",
    "leases",
    "links",
    "memberships",
    "probe",
    "projects",
    "replicas",
    "sessions",
    "setup_token",
    "users",
];

/// The tool's own, on the coordinator.
const LOCAL: [&str; 1] = ["z4j_migrations"];

/// Tables that are no partitions.
const TABLES: &str = "SELECT relname::text FROM pg_class \
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1";

/// Unique indexes and their tables, with whether their key holds `project_id`.
const UNIQUE: &str = "SELECT t.relname::text AS table_name, i.relname::text AS index_name, \
        EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = 'project_id' \
            AND a.attnum = ANY((x.indkey::int2[])[0:x.indnkeyatts - 1])) AS has_project \
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid \
    WHERE t.relnamespace = current_schema()::regnamespace AND NOT t.relispartition AND (x.indisunique OR x.indisexclusion)";

/// Foreign keys: from, to, and whether `project_id` refers to `project_id`.
const FOREIGN: &str = "SELECT c.conname::text AS name, s.relname::text AS source, t.relname::text AS target, \
        EXISTS (SELECT FROM unnest(c.conkey, c.confkey) AS pair (here, there) \
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = pair.here AND a.attname = 'project_id' \
            JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = pair.there AND b.attname = 'project_id') AS by_project \
    FROM pg_constraint c JOIN pg_class s ON s.oid = c.conrelid JOIN pg_class t ON t.oid = c.confrelid \
    WHERE c.contype = 'f' AND s.relnamespace = current_schema()::regnamespace AND NOT s.relispartition";

/// Exclusion constraints, triggers of our own, identity columns that are no bigint, and missing distribution columns.
const OTHERS: [(&str, &str); 4] = [
    (
        "has an exclusion constraint",
        "SELECT t.relname::text FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid \
         WHERE c.contype = 'x' AND t.relnamespace = current_schema()::regnamespace AND t.relname = ANY($1)",
    ),
    (
        "has a trigger, which Citus refuses on distributed tables",
        "SELECT t.relname::text FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid \
         WHERE NOT g.tgisinternal AND t.relnamespace = current_schema()::regnamespace AND t.relname = ANY($1)",
    ),
    (
        "has an identity or a sequence that is no bigint",
        "SELECT t.relname::text FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid \
         LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum \
         WHERE (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval%') AND a.atttypid <> 'bigint'::regtype \
             AND t.relnamespace = current_schema()::regnamespace AND t.relname = ANY($1)",
    ),
    (
        "has no project_id of type uuid that is never null",
        "SELECT name FROM unnest($1::text[]) AS name WHERE NOT EXISTS (SELECT FROM pg_attribute a \
         WHERE a.attrelid = to_regclass(name) AND a.attname = 'project_id' AND a.atttypid = 'uuid'::regtype AND a.attnotnull)",
    ),
];

/// Distributed tables with a trigger that is dropped before they are distributed: the chain of MACs proves what it guards.
const TRIGGERS_TO_DROP: [&str; 1] = ["audit_entries"];

fn is_distributed(table: &str) -> bool {
    DISTRIBUTED.contains(&table)
}

/// What breaks a rule, in words.
async fn faults(conn: &mut PgConnection) -> Vec<String> {
    let mut faults = Vec::new();
    for row in rows(conn, TABLES).await {
        let table: String = row.get(0);
        let lists = [&DISTRIBUTED[..], &REFERENCE[..], &LOCAL[..]];
        let homes = lists.iter().filter(|list| list.contains(&table.as_str()));
        if homes.count() != 1 {
            faults.push(format!("{table} must be in exactly one of the lists"));
        }
    }
    for row in rows(conn, UNIQUE).await {
        let (table, index): (String, String) = (row.get("table_name"), row.get("index_name"));
        if is_distributed(&table) && !row.get::<bool, _>("has_project") {
            faults.push(format!("{index} of {table} is unique without project_id"));
        }
    }
    for row in rows(conn, FOREIGN).await {
        let (name, source, target): (String, String, String) =
            (row.get("name"), row.get("source"), row.get("target"));
        let is_within = is_distributed(&target) && row.get::<bool, _>("by_project");
        let is_fine = if is_distributed(&source) {
            is_within || REFERENCE.contains(&target.as_str())
        } else {
            !is_distributed(&target)
        };
        if !is_fine {
            faults.push(format!("{name}: {source} may not refer to {target} so"));
        }
    }
    faults.extend(other_faults(conn).await);
    faults
}

async fn other_faults(conn: &mut PgConnection) -> Vec<String> {
    let tables: Vec<String> = DISTRIBUTED
        .iter()
        .map(|table| (*table).to_owned())
        .collect();
    let mut faults = Vec::new();
    for (what, sql) in OTHERS {
        let found = sqlx::query(sql)
            .bind(&tables)
            .fetch_all(&mut *conn)
            .await
            .expect("reading the catalogue");
        for row in found {
            let table: String = row.get(0);
            if !(what.contains("trigger") && TRIGGERS_TO_DROP.contains(&table.as_str())) {
                faults.push(format!("{table} {what}"));
            }
        }
    }
    faults
}

async fn rows(conn: &mut PgConnection, sql: &'static str) -> Vec<sqlx::postgres::PgRow> {
    sqlx::query(sql)
        .fetch_all(conn)
        .await
        .expect("reading the catalogue")
}

#[tokio::test]
async fn the_schema_keeps_the_rules_for_distributed_tables() {
    let database = Database::fresh().await;
    let faults = faults(&mut database.connect().await).await;
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test]
async fn each_planted_fault_is_found() {
    let planted = [
        ("CREATE UNIQUE INDEX bad ON tasks (task_id)", "bad of tasks"),
        (
            "CREATE UNIQUE INDEX bad ON commands (id) INCLUDE (project_id)",
            "bad of commands",
        ),
        ("CREATE TABLE stray (id uuid PRIMARY KEY)", "stray must be"),
        (
            "ALTER TABLE workers ADD CONSTRAINT bad CHECK (true), ADD EXCLUDE USING btree (project_id WITH =)",
            "workers has an exclusion",
        ),
        (
            "ALTER TABLE links ADD COLUMN p uuid, ADD COLUMN c uuid, ADD CONSTRAINT bad FOREIGN KEY (p, c) REFERENCES commands (project_id, id)",
            "bad: links",
        ),
        (
            "ALTER TABLE task_links ADD COLUMN p uuid, ADD COLUMN c uuid, ADD CONSTRAINT bad FOREIGN KEY (p, c) REFERENCES commands (project_id, id)",
            "bad: task_links",
        ),
        (
            "ALTER TABLE queues ADD COLUMN n integer GENERATED ALWAYS AS IDENTITY",
            "queues has an identity",
        ),
        (
            "CREATE TRIGGER bad BEFORE UPDATE ON tasks FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_are_permanent()",
            "tasks has a trigger",
        ),
    ];
    let database = Database::fresh().await;
    let mut conn = database.connect().await;
    for (statement, fault) in planted {
        let run = async |conn: &mut PgConnection, sql: &'static str| {
            sqlx::raw_sql(sql).execute(conn).await.expect(sql);
        };
        run(&mut conn, "BEGIN").await;
        run(&mut conn, statement).await;
        let found = faults(&mut conn).await;
        run(&mut conn, "ROLLBACK").await;
        assert!(
            found.iter().any(|found| found.contains(fault)),
            "{statement}: {found:?}"
        );
    }
}
