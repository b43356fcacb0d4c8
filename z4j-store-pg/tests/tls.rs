//! Connections over TLS, as each `sslmode` means it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what is wrong by panicking"
)]

use std::error::Error;
use std::path::Path;

use futures_util::StreamExt;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use z4j_core::id::ReplicaId;
use z4j_core::store::{Announcement, Coordination, EventStore, Heard, IngestBatch, StoreErrorKind};
use z4j_core::time::Timestamp;
use z4j_store_pg::{PgConfig, PgStore, PgUrl};
use z4j_testkit::postgres::{Cluster, Database};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Authority {
        pem: certificate.pem(),
        issuer: Issuer::new(params, key),
    }
}

/// A server whose certificate is for `name`.
async fn server(authority: &Authority, name: &str) -> (Cluster, Database) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap().pem();
    let files = [
        ("server.crt", certificate.as_str()),
        ("server.key", &key.serialize_pem()),
    ];
    let cluster = Cluster::with_files(&files, &["ssl=on"]).await;
    let database = cluster.database().await;
    (cluster, database)
}

fn config(database: &Database, query: &str) -> PgConfig {
    let url = database.url().replace("sslmode=disable", query);
    PgConfig::new(PgUrl::parse(&url).unwrap())
}

async fn refusal(config: PgConfig) -> String {
    let error = PgStore::open(config).await.expect_err("a refusal");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    error.source().expect("a reason").to_string()
}

/// How many sessions of a database are encrypted, and how many are not.
async fn sessions(database: &Database) -> (i64, i64) {
    sqlx::query_as(
        "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl)
         FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .fetch_one(&mut database.connect().await)
    .await
    .unwrap()
}

/// Uses every kind of connection of a store: the pool, an ingest lane, the listener.
async fn use_all(store: &PgStore) {
    let mut heard = store.announcements();
    let announcement = Announcement {
        from: ReplicaId::from_u128(1),
        number: 1,
        news: Vec::new(),
    };
    let told = Heard::Announced(announcement.clone());
    let hearing = async {
        loop {
            store.announce(announcement.clone()).await.unwrap();
            let wait = std::time::Duration::from_millis(300);
            if tokio::time::timeout(wait, heard.next()).await == Ok(Some(told.clone())) {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), hearing)
        .await
        .expect("it must be heard");
    let at = Timestamp::from_micros(1);
    let _ = store
        .ingest(IngestBatch::new(at, Vec::new()))
        .await
        .unwrap();
    store.probe(at).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_is_encrypted_and_checked_when_it_is_to_be() {
    let (trusted, other) = (authority(), authority());
    let (_cluster, database) = server(&trusted, "127.0.0.1").await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, pem).unwrap();
        file
    };
    let (root, wrong) = (
        file("root.pem", &trusted.pem),
        file("other.pem", &other.pem),
    );
    let verified = config(&database, "sslmode=verify-full");
    let store = PgStore::open(verified.clone().with_tls_root(&root))
        .await
        .unwrap();
    use_all(&store).await;
    let (encrypted, plain) = sessions(&database).await;
    assert!(
        encrypted >= 2 && plain == 0,
        "{encrypted} encrypted, {plain} not"
    );
    store.close().await;

    let by_url = format!("sslmode=verify-full&sslrootcert={}", root.display());
    PgStore::open(config(&database, &by_url))
        .await
        .unwrap()
        .close()
        .await;
    for unknown in [verified.clone().with_tls_root(&wrong), verified.clone()] {
        let sentence = refusal(unknown).await;
        assert!(sentence.contains("check sslmode"), "{sentence}");
    }
    let absent = verified.with_tls_root(Path::new("/nowhere/ca.pem"));
    let sentence = refusal(absent).await;
    assert!(sentence.contains("/nowhere/ca.pem"), "{sentence}");

    let store = PgStore::open(config(&database, "sslmode=require"))
        .await
        .unwrap();
    use_all(&store).await;
    let (encrypted, plain) = sessions(&database).await;
    assert!(
        encrypted >= 2 && plain == 0,
        "{encrypted} encrypted, {plain} not"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_host_is_refused() {
    let trusted = authority();
    let (_cluster, database) = server(&trusted, "db.elsewhere.example").await;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    std::fs::write(&root, &trusted.pem).unwrap();
    let sentence = refusal(config(&database, "sslmode=verify-full").with_tls_root(root)).await;
    assert!(sentence.contains("check sslmode"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_refused_where_it_is_required_and_taken_where_it_is_preferred() {
    let database = Database::fresh().await;
    let with = |query: &str| config(&database, query).allowing_weak_durability(true);
    let sentence = refusal(with("sslmode=require")).await;
    assert!(sentence.contains("check sslmode"), "{sentence}");
    let store = PgStore::open(with("sslmode=prefer")).await.unwrap();
    use_all(&store).await;
}
