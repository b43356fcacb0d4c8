//! The database goes away in every way that it can, and comes back.

use std::time::Duration;

use crate::brain::{PASSWORD, exchange, post, status};
use crate::fleet;
use crate::world::World;

/// Ends every connection of the brain's, as an operator or a fail-over does.
async fn terminate_backends(world: &World) -> usize {
    let mut conn = world.database.connect().await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
    let ended = sqlx::query(sql)
        .bind(world.database.name())
        .fetch_all(&mut conn)
        .await;
    ended.unwrap().len()
}

/// Waits until `/health/ready` answers this.
pub(crate) async fn ready(port: u16, wanted: u16) {
    let answered = async {
        while status(port, "/health/ready", "") != Some(wanted) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answered = tokio::time::timeout(Duration::from_secs(60), answered).await;
    answered.unwrap_or_else(|_| panic!("/health/ready never answered {wanted}"));
}

/// What `/health/ready` answers, as text.
pub(crate) fn readiness(port: u16) -> String {
    let request = format!(
        "GET /health/ready HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n"
    );
    exchange(port, &request).unwrap()
}

/// Waits until the brain is not ready for this reason, which may not be the first that it finds.
async fn unready_because(port: u16, reason: &str) {
    let mut said = String::new();
    let found = async {
        loop {
            said = readiness(port);
            if said.starts_with("HTTP/1.1 503") && said.contains(reason) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), found).await;
    found.unwrap_or_else(|_| panic!("never said {reason:?}; at last: {said}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_the_database_restarts_crashes_and_drops_its_connections() {
    let mut world = World::new(1).await;
    let brain = world.start(0);
    let fleet = world.fleet(4, 300);
    for round in 1..=6 {
        fleet.reach(round, 8).await;
        match round % 3 {
            0 => world.cluster.restart().await,
            1 => {
                // After a restart the brain has none for a moment.
                let ended = async { while terminate_backends(&world).await == 0 {} };
                let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
                ended.expect("the brain has connections");
            }
            _ => {
                world.cluster.crash();
                world.cluster.start().await;
            }
        }
    }
    let expected = fleet.finish().await;
    ready(brain.port, 200).await;
    brain.kill();
    fleet::check(&world.database.store().await, &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_gone_is_said_so_and_work_resumes_by_itself() {
    let mut world = World::new(1).await;
    let brain = world.start(0);
    let fleet = world.fleet(2, 200);
    fleet.reach(1, 4).await;
    world.cluster.stop();
    unready_because(brain.port, "The database cannot be reached").await;
    let acked = fleet.acked();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        fleet.acked(),
        acked,
        "nothing may be acknowledged that is not stored"
    );
    let credentials = format!(r#"{{"email":"admin@example.org","password":"{PASSWORD}"}}"#);
    let (code, body) = post(brain.port, "/api/v1/auth/login", &credentials).unwrap();
    assert_eq!(code, 503, "{body}");
    world.cluster.start().await;
    let expected = fleet.finish().await;
    ready(brain.port, 200).await;
    brain.kill();
    fleet::check(&world.database.store().await, &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_holds_acks_back_and_links_stay() {
    let world = World::new(1).await;
    let brain = world.start(0);
    let fleet = world.fleet(4, 300);
    fleet.reach(1, 4).await;
    world.cluster.pause();
    let before = fleet.acked();
    tokio::time::sleep(Duration::from_secs(3)).await;
    // What was committed before the pause may still be acknowledged; then nothing.
    let held = fleet.acked();
    assert!(
        held - before <= 2_000,
        "{} acks during a pause",
        held - before
    );
    assert_eq!(status(brain.port, "/health", ""), Some(200));
    unready_because(brain.port, "The database cannot be reached").await;
    world.cluster.resume();
    let expected = fleet.finish().await;
    ready(brain.port, 200).await;
    brain.kill();
    fleet::check(&world.database.store().await, &expected).await;
}

/// Whether the brain's sessions may write, from their next connection on; the ones that they have end.
async fn allow_writes(world: &World, are_allowed: bool) {
    let mut conn = world.database.connect().await;
    let alter = format!(
        "ALTER DATABASE {} SET default_transaction_read_only = {}",
        world.database.name(),
        if are_allowed { "off" } else { "on" }
    );
    // One after the other: the first would not count for a second that comes with it.
    for sql in ["SET default_transaction_read_only = off", &alter] {
        let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
        sql.execute(&mut conn).await.unwrap();
    }
    terminate_backends(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_no_writes_holds_acks_back_and_work_resumes_by_itself() {
    let world = World::new(1).await;
    let brain = world.start(0);
    let fleet = world.fleet(4, 300);
    fleet.reach(1, 4).await;
    allow_writes(&world, false).await;
    unready_because(brain.port, "The database takes no writes").await;
    let acked = fleet.stand_still().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        fleet.acked(),
        acked,
        "what is not stored is not acknowledged"
    );
    allow_writes(&world, true).await;
    let expected = fleet.finish().await;
    ready(brain.port, 200).await;
    brain.kill();
    fleet::check(&world.database.store().await, &expected).await;
}
