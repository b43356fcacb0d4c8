//! z4j's writes as a part of somebody else's transaction.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what is wrong by panicking"
)]

mod team;

use sqlx::Connection;
use team::{Team, audit, run};
use z4j_core::audit::ChainId;
use z4j_core::store::{AuditStore, CommandStore, IssueOutcome};
use z4j_store_pg::PgStore;
use z4j_testkit::postgres::Database;

#[tokio::test]
async fn a_command_and_its_cause_are_committed_together_or_not_at_all() {
    for is_kept in [true, false] {
        let database = Database::fresh().await;
        let store = database.store().await;
        let team = Team::on(&store).await;
        let mut conn = database.connect().await;
        run(&mut conn, "CREATE TABLE orders (id bigint)").await;
        let command = team.command();
        let mut transaction = conn.begin().await.unwrap();
        run(&mut transaction, "INSERT INTO orders VALUES (1)").await;
        let mut joined = store.join(&mut transaction);
        let issued = joined.issue_command(&command).await.unwrap();
        assert!(matches!(issued, IssueOutcome::Issued(_)));
        let again = joined.issue_command(&command).await.unwrap();
        assert!(matches!(again, IssueOutcome::Repeated(_)));
        joined
            .append_audit(&[audit(ChainId::Instance)])
            .await
            .unwrap();
        assert!(
            store
                .command(team.project, command.id)
                .await
                .unwrap()
                .is_none()
        );
        if is_kept {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        let found = store.command(team.project, command.id).await.unwrap();
        assert_eq!(found.is_some(), is_kept);
        let entries = store.audit_range(ChainId::Instance, 0, 10).await.unwrap();
        assert_eq!(entries.len(), if is_kept { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_caller_with_tables_of_the_same_names_keeps_them() {
    let database = Database::empty().await;
    let mut conn = database.connect().await;
    run(&mut conn, "CREATE TABLE commands (id bigint)").await;
    let config = database.config().with_schema("brain");
    PgStore::migrate(&config).await.unwrap();
    let store = PgStore::open(config).await.unwrap();
    let team = Team::on(&store).await;
    let command = team.command();
    let mut transaction = conn.begin().await.unwrap();
    let issued = store.join(&mut transaction).issue_command(&command).await;
    assert!(matches!(issued.unwrap(), IssueOutcome::Issued(_)));
    run(&mut transaction, "INSERT INTO commands VALUES (1)").await;
    transaction.commit().await.unwrap();
    assert!(
        store
            .command(team.project, command.id)
            .await
            .unwrap()
            .is_some()
    );
}
