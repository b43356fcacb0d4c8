//! What a start refuses, in which words, and what it leaves behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what is wrong by panicking"
)]

use std::error::Error;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor, Row};
use z4j_core::store::{Coordination, IdentityStore, StoreErrorKind};
use z4j_core::time::Timestamp;
use z4j_store_pg::{PgConfig, PgStore, PgUrl};
use z4j_testkit::postgres::{Cluster, Database};

/// Why a start is refused: the kind, and the sentence for the operator.
async fn refusal(config: PgConfig) -> (StoreErrorKind, String) {
    let error = PgStore::open(config).await.expect_err("a refusal");
    let sentence = error.source().expect("a reason").to_string();
    (error.kind(), sentence)
}

async fn run(database: &Database, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    database.connect().await.execute(sql).await.unwrap();
}

fn with_url(url: &str) -> PgConfig {
    PgConfig::new(PgUrl::parse(url).unwrap()).allowing_weak_durability(true)
}

#[tokio::test]
async fn a_second_start_changes_nothing() {
    let database = Database::fresh().await;
    for _ in 0..2 {
        let store = database.store().await;
        assert!(!store.has_users().await.unwrap());
        store.close().await;
    }
    let again = PgStore::migrate(&database.config()).await.unwrap();
    assert!(again.applied.is_empty());
}

#[tokio::test]
async fn a_closed_store_refuses_everything() {
    let database = Database::fresh().await;
    let store = database.store().await;
    store.close().await;
    let fault = store.has_users().await.expect_err("closed");
    assert_eq!(fault.kind(), StoreErrorKind::Unavailable);
    let fault = store
        .probe(Timestamp::from_micros(1))
        .await
        .expect_err("closed");
    assert_eq!(fault.kind(), StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn any_number_of_migrations_at_once_make_the_schema_once() {
    let database = Database::empty().await;
    let config = database.config();
    let all = futures_util::future::join_all((0..4).map(|_| PgStore::migrate(&config))).await;
    let applied: usize = all
        .into_iter()
        .map(|migrated| migrated.unwrap().applied.len())
        .sum();
    let version = PgStore::migrate(&config).await.unwrap().version;
    assert_eq!(applied, usize::try_from(version).unwrap());
    database.store().await;
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_named_without_the_password() {
    let (kind, sentence) = refusal(with_url("postgres://brain:hunter@127.0.0.1:1/z4j")).await;
    assert_eq!(kind, StoreErrorKind::Unavailable);
    assert!(
        sentence.contains("127.0.0.1:1") && sentence.contains("host and port"),
        "{sentence}"
    );
    assert!(!sentence.contains("hunter"), "{sentence}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_refused() {
    let database = Database::fresh().await;
    let url = database.url().replace(database.name(), "z4j_not_there");
    let (kind, sentence) = refusal(with_url(&url)).await;
    assert_eq!(kind, StoreErrorKind::Unavailable);
    assert!(sentence.contains("create the database"), "{sentence}");
}

#[tokio::test]
async fn an_empty_database_is_too_old_and_told_to_migrate() {
    let database = Database::empty().await;
    let (kind, sentence) = refusal(database.config()).await;
    assert_eq!(kind, StoreErrorKind::SchemaTooOld);
    assert!(sentence.contains("z4j migrate"), "{sentence}");
}

#[tokio::test]
async fn a_newer_or_a_changed_schema_is_refused() {
    let database = Database::fresh().await;
    run(
        &database,
        "INSERT INTO z4j_migrations (version, name, checksum) VALUES (999, 'x', '')",
    )
    .await;
    let (kind, sentence) = refusal(database.config()).await;
    assert_eq!(kind, StoreErrorKind::SchemaTooNew);
    assert!(sentence.contains("999"), "{sentence}");
    let fault = PgStore::migrate(&database.config())
        .await
        .expect_err("newer");
    assert_eq!(fault.kind(), StoreErrorKind::SchemaTooNew);
    run(
        &database,
        "DELETE FROM z4j_migrations WHERE version = 999; UPDATE z4j_migrations SET checksum = ''",
    )
    .await;
    let (kind, _) = refusal(database.config()).await;
    assert_eq!(kind, StoreErrorKind::Damaged);
}

#[tokio::test]
async fn a_schema_of_another_program_is_refused_and_left_alone() {
    for sql in [
        "CREATE TABLE users (id serial)",
        "CREATE TABLE z4j_migrations (id serial)",
    ] {
        let database = Database::empty().await;
        run(&database, sql).await;
        let (kind, sentence) = refusal(database.config()).await;
        assert_eq!(kind, StoreErrorKind::Damaged, "{sentence}");
        assert!(sentence.contains("of its own"), "{sentence}");
        let fault = PgStore::migrate(&database.config()).await.expect_err(sql);
        assert_eq!(fault.kind(), StoreErrorKind::Damaged);
        let tables: i64 =
            sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
                .fetch_one(&mut database.connect().await)
                .await
                .unwrap();
        assert_eq!(tables, 1);
    }
}

#[tokio::test]
async fn a_schema_of_its_own_stands_beside_another_programs_tables() {
    let database = Database::empty().await;
    run(&database, "CREATE TABLE users (id serial)").await;
    let config = database.config().with_schema("z4j");
    PgStore::migrate(&config).await.unwrap();
    let store = PgStore::open(config).await.unwrap();
    assert!(!store.has_users().await.unwrap());
    let (kind, sentence) = refusal(database.config().with_schema("Z4J; --")).await;
    assert_eq!(kind, StoreErrorKind::InvalidQuery, "{sentence}");
}

#[tokio::test]
async fn a_read_only_database_is_refused() {
    let database = Database::fresh().await;
    let name = database.name();
    run(
        &database,
        &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
    )
    .await;
    let (kind, sentence) = refusal(database.config()).await;
    assert_eq!(kind, StoreErrorKind::ReadOnly);
    assert!(
        sentence.contains("default_transaction_read_only"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_database_that_becomes_read_only_says_so_and_recovers() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let name = database.name();
    run(
        &database,
        &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
    )
    .await;
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    run(&database, others).await;
    let mut kinds = Vec::new();
    for at in 0..3 {
        if let Err(fault) = store.probe(Timestamp::from_micros(at)).await {
            kinds.push(fault.kind());
        }
    }
    assert_eq!(kinds.last(), Some(&StoreErrorKind::ReadOnly), "{kinds:?}");
    let mut admin = database.connect().await;
    admin
        .execute("SET default_transaction_read_only = off")
        .await
        .unwrap();
    let sql = format!("ALTER DATABASE {name} RESET default_transaction_read_only");
    admin.execute(AssertSqlSafe(sql)).await.unwrap();
    admin.execute(others).await.unwrap();
    let mut healed = false;
    for at in 0..6 {
        healed |= store.probe(Timestamp::from_micros(at)).await.is_ok();
    }
    assert!(healed, "work resumes by itself");
}

#[tokio::test]
async fn another_encoding_is_refused() {
    let database = Database::empty().await;
    let name = format!("{}_latin", database.name());
    let mut admin = database.connect().await;
    let create = format!(
        "CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    );
    admin.execute(AssertSqlSafe(create)).await.unwrap();
    let (kind, sentence) = refusal(with_url(&database.url().replace(database.name(), &name))).await;
    admin
        .execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
        .await
        .unwrap();
    assert_eq!(kind, StoreErrorKind::InvalidQuery);
    assert!(
        sentence.contains("LATIN1") && sentence.contains("UTF8"),
        "{sentence}"
    );
}

/// Without the right to tidy the index that they go to.
async fn words_move(mut moved: impl AsyncFnMut() -> i64) {
    let all = async {
        while moved().await == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), all).await;
    waited.expect("words are moved to where searches find them by index");
}

#[tokio::test]
async fn a_role_without_rights_is_told_which() {
    let database = Database::fresh().await;
    let role = format!("{}_role", database.name());
    run(
        &database,
        &format!("CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; REVOKE UPDATE, DELETE ON audit_entries FROM {role}"),
    )
    .await;
    let url = database.url().replace("z4j@", &format!("{role}@"));
    let store = PgStore::open(with_url(&url)).await.expect("enough rights");
    run(
        &database,
        "INSERT INTO projects (id, slug, name, created_at) VALUES ('00000000-0000-0000-0000-000000000001', 'p', 'p', 0); \
         INSERT INTO task_texts_new (project_id, at, engine, task_id, words) \
         SELECT id, 0, 'celery', 't', 'words' FROM projects",
    )
    .await;
    let mut conn = database.connect().await;
    let moved = async move || {
        let row = sqlx::query("SELECT count(*) FROM task_texts");
        row.fetch_one(&mut conn).await.unwrap().get::<i64, _>(0)
    };
    words_move(moved).await;
    store.close().await;
    run(&database, &format!("REVOKE INSERT ON commands FROM {role}")).await;
    let (kind, sentence) = refusal(with_url(&url)).await;
    run(
        &database,
        &format!("DROP OWNED BY {role}; DROP ROLE {role}"),
    )
    .await;
    assert_eq!(kind, StoreErrorKind::ReadOnly);
    assert!(sentence.contains("INSERT on commands"), "{sentence}");
}

#[tokio::test]
async fn a_server_that_may_lose_commits_needs_the_flag_and_is_warned_of() {
    for setting in ["fsync", "full_page_writes"] {
        let cluster = Cluster::with_settings(&[&format!("{setting}=off")]).await;
        let database = cluster_database(&cluster).await;
        let config = |is_allowed| {
            let url = PgUrl::parse(&database).unwrap();
            PgConfig::new(url).allowing_weak_durability(is_allowed)
        };
        let refused = PgStore::migrate(&config(false)).await.expect_err(setting);
        assert!(refused.source().unwrap().to_string().contains(setting));
        PgStore::migrate(&config(true)).await.unwrap();
        let (kind, sentence) = refusal(config(false)).await;
        assert_eq!(kind, StoreErrorKind::Unavailable);
        assert!(sentence.contains(setting), "{sentence}");
        let store = PgStore::open(config(true)).await.unwrap();
        let health = store.probe(Timestamp::from_micros(1)).await.unwrap();
        assert!(
            health
                .warnings
                .iter()
                .any(|warning| warning.contains(setting)),
            "{health:?}"
        );
    }
}

async fn cluster_database(cluster: &Cluster) -> String {
    let url = PgUrl::parse(&cluster.url()).unwrap();
    assert_eq!(url.database(), "postgres");
    cluster.url()
}
