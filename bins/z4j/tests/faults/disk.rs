//! The disk under the database is full, and later is not.

use std::os::unix::fs::{MetadataExt, chown};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use z4j_store_sqlite::SqliteStore;
use z4j_testkit::postgres::Cluster;
use z4j_testkit::small_disk::SmallDisk;

use crate::brain::{Brain, free_port, z4j};
use crate::database::{readiness, ready};
use crate::fleet;
use crate::world::{Fleet, World, mint, with_admin};

/// Reads that find the brain not ready, one after the other.
const LOOKS: u32 = 15;

/// A brain that can store nothing says so as long as that lasts, and acknowledges nothing.
async fn stands_still(port: u16, fleet: &Fleet, reason: &str) {
    ready(port, 503).await;
    let acked = fleet.stand_still().await;
    for _ in 0..LOOKS {
        let said = readiness(port);
        assert!(
            said.starts_with("HTTP/1.1 503") && said.contains(reason),
            "{said}"
        );
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(
        fleet.acked(),
        acked,
        "what is not stored is not acknowledged"
    );
}

/// Moves the world's database to a disk of its own; the server's log of writes stays where it is.
async fn move_to(disk: &SmallDisk, world: &World) {
    let owner = world.cluster.folder().join("data").metadata().unwrap();
    let place = disk.path().join("tablespace");
    std::fs::create_dir(&place).unwrap();
    chown(&place, Some(owner.uid()), Some(owner.gid())).unwrap();
    let mut conn = PgConnection::connect(&world.cluster.url()).await.unwrap();
    for sql in [
        format!("CREATE TABLESPACE small LOCATION '{}'", place.display()),
        format!(
            "ALTER DATABASE {} SET TABLESPACE small",
            world.database.name()
        ),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut conn)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_tables_holds_acks_back_and_work_resumes_by_itself() {
    let disk = SmallDisk::mount(96);
    let world = World::new(1).await;
    move_to(&disk, &world).await;
    let brain = world.start(0);
    let fleet = world.fleet(4, 300);
    fleet.reach(1, 8).await;
    disk.fill();
    stands_still(brain.port, &fleet, "The disk of the database is full").await;
    disk.free();
    let expected = fleet.finish().await;
    ready(brain.port, 200).await;
    brain.kill();
    fleet::check(&world.database.store().await, &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_died_of_a_full_disk_is_found_again_once_it_is_started() {
    let disk = SmallDisk::mount(192);
    let settings = [
        "min_wal_size=32MB",
        "max_wal_size=32MB",
        "restart_after_crash=off",
    ];
    let cluster = Cluster::below(disk.path(), &settings).await;
    let mut world = World::on(cluster, 1).await;
    let brain = world.start(0);
    let fleet = world.fleet(4, 300);
    fleet.reach(1, 8).await;
    disk.fill();
    fill_log(&world).await;
    stands_still(brain.port, &fleet, "The database cannot be reached").await;
    disk.free();
    // It has ended by itself; this only fetches it.
    world.cluster.crash();
    world.cluster.start().await;
    let expected = fleet.finish().await;
    ready(brain.port, 200).await;
    brain.kill();
    fleet::check(&world.database.store().await, &expected).await;
}

/// Writes nothing but the server's log until there is no room for more of it, which ends the server. What the fleet writes may
/// have ended it before.
async fn fill_log(world: &World) {
    let Ok(mut conn) = PgConnection::connect(&world.cluster.url()).await else {
        return;
    };
    let sql = "SELECT pg_logical_emit_message(false, 'z4j', repeat('x', 1000000))";
    let filled = async { while sqlx::query(sql).execute(&mut conn).await.is_ok() {} };
    let filled = tokio::time::timeout(Duration::from_secs(20), filled).await;
    filled.expect("the log fills the disk");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brain_with_its_own_file_on_a_full_disk_resumes_by_itself_too() {
    let disk = SmallDisk::mount(64);
    let data = disk.path().join("brain");
    let port = free_port();
    let brain = Brain::start_with(with_admin(z4j(&data)), port);
    let fleet = Fleet::start(0..4, 300, |name| mint(z4j(&data), &[port], name));
    fleet.reach(1, 8).await;
    disk.fill();
    stands_still(port, &fleet, "The disk of the database is full").await;
    disk.free();
    let expected = fleet.finish().await;
    ready(port, 200).await;
    brain.kill();
    // The file itself, while the disk is there.
    fleet::check(&SqliteStore::in_dir(&data).unwrap(), &expected).await;
}
