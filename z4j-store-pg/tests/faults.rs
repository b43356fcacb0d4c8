//! A database that goes away, freezes and comes back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what is wrong by panicking"
)]

mod team;

use std::time::Duration;

use sqlx::Row;
use team::{Team, at_s, audit_key, cut_off, run, soon, until};
use z4j_core::audit::{ChainId, verify};
use z4j_core::store::{AuditStore, CommandStore, Coordination, IssueOutcome, StoreErrorKind};
use z4j_core::time::Timestamp;
use z4j_store_pg::PgStore;
use z4j_testkit::postgres::{Cluster, Database};

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_was_lost_gives_the_first_answer_when_it_is_sent_again() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let team = Team::on(&store).await;
    let mut admin = database.connect().await;
    let cutting = tokio::spawn(async move {
        loop {
            cut_off(&mut admin, "").await;
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
    });
    let mut lost = 0;
    for number in 0..400 {
        let command = team.command();
        let outcome = soon(async {
            loop {
                match store.issue_command(command.clone()).await {
                    Ok(outcome) => return outcome,
                    Err(fault) => {
                        assert_eq!(fault.kind(), StoreErrorKind::Unavailable, "{fault:?}");
                        lost += 1;
                    }
                }
            }
        })
        .await;
        let (IssueOutcome::Issued(row) | IssueOutcome::Repeated(row)) = outcome else {
            panic!("command {number}: it has no key");
        };
        assert_eq!(row.id, command.id);
        if number >= 40 && lost > 0 {
            break;
        }
    }
    cutting.abort();
    assert!(lost > 0, "no connection was ever cut in the middle");
    let chain = ChainId::Project(team.project);
    // The pool may hold several connections that were cut, and each is found out when it is used.
    let mut entries = Vec::new();
    until(async || match store.audit_range(chain, 0, 1_000).await {
        Ok(found) => {
            entries = found;
            true
        }
        Err(_) => false,
    })
    .await;
    let mut conn = database.connect().await;
    let commands: i64 = sqlx::query("SELECT count(*) FROM commands")
        .fetch_one(&mut conn)
        .await
        .unwrap()
        .get(0);
    assert_eq!(
        i64::try_from(entries.len()).unwrap(),
        commands + 1,
        "each command has one entry, and the agent has one"
    );
    verify(&[audit_key()], chain, None, entries).expect("a sound chain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_told_in_time_and_work_resumes_with_it() {
    let cluster = Cluster::durable().await;
    let database = cluster.database().await;
    let config = database
        .config()
        .with_connections(2)
        .with_connection_wait(Duration::from_secs(1))
        .with_write_time_max(Duration::from_secs(2));
    let store = PgStore::open(config).await.unwrap();
    until(async || store.probe(at_s(0)).await.is_ok()).await;
    cluster.pause();
    for number in 0..6 {
        let began = tokio::time::Instant::now();
        let fault = store
            .probe(at_s(number))
            .await
            .expect_err("nothing answers");
        assert_eq!(fault.kind(), StoreErrorKind::Unavailable);
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "{:?}",
            began.elapsed()
        );
    }
    cluster.resume();
    until(async || store.probe(at_s(9)).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_resumes_by_itself_after_a_restart_and_after_a_crash() {
    let mut cluster = Cluster::durable().await;
    let database = cluster.database().await;
    let store = database.store().await;
    let team = Team::on(&store).await;
    for how in ["restart", "crash", "kill"] {
        let command = team.command();
        let _ = store.issue_command(command.clone()).await.unwrap();
        match how {
            "restart" => cluster.stop(),
            "crash" => cluster.crash(),
            _ => cluster.kill(),
        }
        let fault = store.probe(at_s(1)).await.expect_err("it is down");
        assert_eq!(fault.kind(), StoreErrorKind::Unavailable, "{fault:?}");
        cluster.start().await;
        until(async || store.probe(at_s(2)).await.is_ok()).await;
        let found = store.command(team.project, command.id).await.unwrap();
        assert!(found.is_some(), "{how}: an acknowledged command is lost");
    }
}

/// What one lazy commit, and then one of the store, leave after a crash.
#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_write_survives_a_crash_also_where_commits_are_lazy() {
    // Whoever waits for the disk after the lazy commit brings that there too, and autovacuum does.
    let settings = [
        "synchronous_commit=off",
        "wal_writer_delay=10s",
        "autovacuum=off",
    ];
    let mut cluster = Cluster::with_settings(&settings).await;
    let database = cluster.database().await;
    let store = database.store().await;
    let health = store.probe(Timestamp::from_micros(1)).await.unwrap();
    assert!(
        health
            .warnings
            .iter()
            .any(|warning| warning.contains("synchronous_commit")),
        "{health:?}"
    );
    // Now and then a lazy commit reaches the disk before the server is killed; that of the store always does.
    let mut was_lost = false;
    for round in 1..=5 {
        let (kept, lazy) = (round * 10, round * 10 + 1);
        until(async || store.probe(Timestamp::from_micros(kept)).await.is_ok()).await;
        let mut conn = database.connect().await;
        run(&mut conn, &format!("UPDATE probe SET at = {lazy}")).await;
        cluster.kill();
        cluster.start().await;
        let mut conn = database.connect().await;
        let at: i64 = sqlx::query("SELECT at FROM probe")
            .fetch_one(&mut conn)
            .await
            .unwrap()
            .get(0);
        assert!(at == kept || at == lazy, "{at} instead of {kept}");
        was_lost = at == kept;
        if was_lost {
            break;
        }
    }
    assert!(was_lost, "this test cannot tell what a lazy commit loses");
}

/// Longer than the server lets a read take.
const BEYOND_READS: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
async fn a_command_waits_for_its_chain_for_longer_than_a_read_may_take() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let team = Team::on(&store).await;
    let mut command = team.command();
    command.claim_for = Some(team.link(&store, 7).await);
    let mut other = database.connect().await;
    run(
        &mut other,
        "BEGIN; LOCK TABLE audit_heads IN EXCLUSIVE MODE",
    )
    .await;
    let issuing = tokio::spawn({
        let (store, command) = (store.clone(), command.clone());
        async move { store.issue_command(command).await }
    });
    tokio::time::sleep(BEYOND_READS).await;
    assert!(!issuing.is_finished(), "it waits");
    run(&mut other, "COMMIT").await;
    let issued = soon(issuing).await.unwrap().unwrap();
    assert!(matches!(issued, IssueOutcome::Issued(_)), "{issued:?}");
}
