//! Servers that a start meets in the wild: frozen, too old, a standby, full of connections, and ones that refuse.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what is wrong by panicking"
)]

use std::error::Error;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;
use z4j_core::store::{StoreError, StoreErrorKind};
use z4j_store_pg::{PgConfig, PgStore, PgUrl};
use z4j_testkit::postgres::{Cluster, Database};

/// "Authentication is done" and "ready for a query", as PostgreSQL's protocol 3.0 writes them.
const LOGGED_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

/// What PostgreSQL says when it ends a connection before it began.
fn refusing(code: &str, message: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap();
    [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat()
}

/// A server that says this to everybody who connects, and then nothing any more.
async fn saying(answer: Vec<u8>) -> PgConfig {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 1024]).await;
            socket.write_all(&answer).await.unwrap();
            open.push(socket);
        }
    });
    config(&format!(
        "postgres://z4j:hunter@{address}/z4j?sslmode=disable"
    ))
}

fn config(url: &str) -> PgConfig {
    PgConfig::new(PgUrl::parse(url).unwrap()).allowing_weak_durability(true)
}

/// The kind, and the sentence for the operator.
fn told(error: &StoreError) -> (StoreErrorKind, String) {
    let sentence = error.source().expect("a reason").to_string();
    assert!(!sentence.contains("hunter"), "{sentence}");
    (error.kind(), sentence)
}

async fn refusal(config: PgConfig) -> (StoreErrorKind, String) {
    told(&PgStore::open(config).await.expect_err("a refusal"))
}

async fn run(database: &Database, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    database.connect().await.execute(sql).await.unwrap();
}

#[tokio::test]
async fn a_server_that_freezes_after_the_login_holds_no_start_up() {
    // As behind PgBouncer, so that nothing is asked before a connection counts as made.
    let config = saying(LOGGED_IN.to_vec()).await.behind_pgbouncer(true);
    let began = Instant::now();
    let (opened, migrated, is_new) = tokio::join!(
        PgStore::open(config.clone()),
        PgStore::migrate(&config),
        PgStore::is_new(&config),
    );
    let errors = [opened.err(), migrated.err(), is_new.err()];
    for error in errors {
        let (kind, sentence) = told(&error.expect("nothing answered"));
        assert_eq!(kind, StoreErrorKind::Unavailable);
        assert!(sentence.contains("did not answer within"), "{sentence}");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test]
async fn what_a_server_refuses_a_login_for_comes_with_what_to_do() {
    for (code, message, advice) in [
        (
            "57P03",
            "the database system is starting up",
            "try again in a moment",
        ),
        (
            "53300",
            "sorry, too many clients already",
            "max_connections",
        ),
        (
            "28P01",
            "password authentication failed",
            "user and password",
        ),
    ] {
        let (kind, sentence) = refusal(saying(refusing(code, message)).await).await;
        assert_eq!(kind, StoreErrorKind::Unavailable, "{code}");
        assert!(
            sentence.contains(message) && sentence.contains(advice),
            "{sentence}"
        );
    }
}

#[tokio::test]
async fn a_role_without_connections_left_is_told_to_raise_their_number() {
    let cluster = Cluster::durable().await;
    let database = cluster.database().await;
    run(&database, "CREATE ROLE crowded LOGIN CONNECTION LIMIT 0").await;
    let url = database.url().replace("z4j@", "crowded@");
    let (kind, sentence) = refusal(config(&url)).await;
    assert_eq!(kind, StoreErrorKind::Unavailable);
    assert!(sentence.contains("max_connections"), "{sentence}");
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused_by_name_and_nothing_is_made_there() {
    let database = Database::empty().await;
    // There is no older server here: this one says that it is.
    run(
        &database,
        &format!(
            "CREATE FUNCTION current_setting(name text) RETURNS text LANGUAGE sql AS
             $$ SELECT CASE name WHEN 'server_version_num' THEN '140010' WHEN 'server_version' THEN '14.10'
                ELSE pg_catalog.current_setting(name) END $$;
             ALTER DATABASE {} SET search_path = public, pg_catalog",
            database.name()
        ),
    )
    .await;
    let migrated = PgStore::migrate(&database.config()).await;
    let opened = PgStore::open(database.config()).await;
    for error in [migrated.err(), opened.err()] {
        let (kind, sentence) = told(&error.expect("too old"));
        assert_eq!(kind, StoreErrorKind::Unavailable);
        assert!(
            sentence.contains("14.10") && sentence.contains("needs 15 or newer"),
            "{sentence}"
        );
    }
    let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let tables: i64 = sqlx::query_scalar(sql)
        .fetch_one(&mut database.connect().await)
        .await
        .unwrap();
    assert_eq!(tables, 0);
}

#[tokio::test]
async fn a_standby_is_refused_and_the_primary_asked_for() {
    let mut cluster = Cluster::durable().await;
    PgStore::migrate(&config(&cluster.url())).await.unwrap();
    cluster.stop();
    std::fs::write(cluster.folder().join("data/standby.signal"), "").unwrap();
    cluster.start().await;
    let (kind, sentence) = refusal(config(&cluster.url())).await;
    assert_eq!(kind, StoreErrorKind::ReadOnly);
    assert!(
        sentence.contains("standby") && sentence.contains("primary"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_start_that_has_nothing_to_migrate_waits_for_nobody_who_does() {
    let database = Database::fresh().await;
    let mut other = database.connect().await;
    let mut migrating = other.begin().await.unwrap();
    // The lock of a migration, which may take hours.
    let sql = "SELECT pg_advisory_xact_lock(134365542443367)";
    migrating.execute(sql).await.unwrap();
    let config = database.config();
    let migrated = tokio::time::timeout(Duration::from_secs(20), PgStore::migrate(&config));
    assert!(migrated.await.expect("no wait").unwrap().applied.is_empty());
}

#[tokio::test]
async fn a_migration_waits_until_another_is_over() {
    let database = Database::empty().await;
    let mut other: PgConnection = database.connect().await;
    let mut migrating = other.begin().await.unwrap();
    let sql = "SELECT pg_advisory_xact_lock(134365542443367)";
    migrating.execute(sql).await.unwrap();
    let config = database.config();
    let migrating_too = tokio::spawn(async move { PgStore::migrate(&config).await });
    let mut looking = database.connect().await;
    let waits = async {
        let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while sqlx::query_scalar::<_, i64>(sql)
            .fetch_one(&mut looking)
            .await
            .unwrap()
            == 0
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waits).await;
    waited.expect("the lock is the one that migrations take");
    migrating.rollback().await.unwrap();
    let applied = migrating_too.await.unwrap().unwrap().applied;
    assert!(!applied.is_empty());
}
