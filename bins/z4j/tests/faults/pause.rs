//! A brain is paused for longer than the others wait for it, and then goes on.

use std::time::Duration;

use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, PgConnection};
use z4j_core::task::TaskState;
use z4j_testkit::fake_agent::{FakeAgent, FakeTask};

use crate::commands::{Orders, Workers};
use crate::database::ready;
use crate::fleet::{self, Expected};
use crate::world::World;

/// The others' patience, a beat on either side of it, and the wait for a transaction that the pause holds open.
const BURIAL_WAIT: Duration = Duration::from_secs(60);
const ACK_WAIT: Duration = Duration::from_secs(20);

async fn names(conn: &mut PgConnection) -> Vec<Uuid> {
    let names = sqlx::query_scalar("SELECT id FROM replicas").fetch_all(conn);
    names.await.unwrap()
}

/// Waits until the brains that the database knows are as wanted.
async fn known(
    conn: &mut PgConnection,
    are_so: impl Fn(&[Uuid]) -> bool + Send + Sync,
) -> Vec<Uuid> {
    let found = async {
        loop {
            let names = names(conn).await;
            if are_so(&names) {
                return names;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let found = tokio::time::timeout(BURIAL_WAIT, found).await;
    found.expect("brains bury each other, and come back, within a minute")
}

/// From now on the database notes every row that is written under the name of `dead`, and every command that is claimed
/// for one of its `links`.
async fn lay_trap(conn: &mut PgConnection, dead: Uuid, links: &[Uuid]) {
    let links: Vec<String> = links.iter().map(|link| format!("'{link}'")).collect();
    let links = format!("ARRAY[{}]::uuid[]", links.join(", "));
    let mut sql = "CREATE TABLE caught (what text);
        CREATE FUNCTION note_dead() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO caught VALUES (TG_TABLE_NAME || ': ' || NEW::text); RETURN NULL; END $$;"
        .to_owned();
    for (table, is_dead) in [
        ("replicas", format!("NEW.id = '{dead}'")),
        ("links", format!("NEW.replica_id = '{dead}'")),
        ("leases", format!("NEW.holder = '{dead}'")),
        (
            "commands",
            format!("NEW.state = 'dispatched' AND NEW.link_id = ANY ({links})"),
        ),
    ] {
        sql.push_str(&format!(
            "CREATE TRIGGER note_dead AFTER INSERT OR UPDATE ON {table}
             FOR EACH ROW WHEN ({is_dead}) EXECUTE FUNCTION note_dead();"
        ));
    }
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(conn)
        .await
        .unwrap();
}

/// An agent that knows this brain only is served; answers what must be stored of its task.
async fn is_served(world: &World, conn: &mut PgConnection, replica: Uuid) -> Expected {
    let mut agent = FakeAgent::connect(world.mint("late").remove(0))
        .await
        .unwrap();
    let events = FakeTask::new("celery", "late-task", "shop.orders.confirm").fails();
    let batch = agent.send_events(&events).await.unwrap();
    agent.wait_ack(&batch, ACK_WAIT).await.unwrap();
    let sql = "SELECT count(*) FROM links WHERE replica_id = $1";
    let links: i64 = sqlx::query_scalar(sql)
        .bind(replica)
        .fetch_one(conn)
        .await
        .unwrap();
    assert!(links > 0, "its links have its fresh name");
    agent.close().await;
    Expected::of("late-task", &events, TaskState::Failure, 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brain_that_is_paused_until_it_is_buried_goes_on_under_a_fresh_name() {
    let world = World::new(2).await;
    let mut conn = world.database.connect().await;
    let paused = world.start(0);
    let dead = names(&mut conn).await[0];
    let other = world.start(1);
    let workers = Workers::start(&world, 2).await;
    let orders = Orders::start(&world).await;
    let fleet = world.fleet(4, 600);
    fleet.reach(1, 8).await;
    paused.pause();
    let sql = "SELECT id FROM links WHERE replica_id = $1";
    let links = sqlx::query_scalar(sql)
        .bind(dead)
        .fetch_all(&mut conn)
        .await;
    let links: Vec<Uuid> = links.unwrap();
    assert!(!links.is_empty(), "it had agents");
    let survivor = known(&mut conn, |names| names.len() == 1).await[0];
    assert_ne!(survivor, dead, "the living one buries");
    lay_trap(&mut conn, dead, &links).await;
    paused.resume();
    let both = known(&mut conn, |names| names.len() == 2).await;
    assert!(
        !both.contains(&dead) && both.contains(&survivor),
        "{both:?}"
    );
    let fresh = both.into_iter().find(|name| *name != survivor).unwrap();
    ready(paused.port, 200).await;
    let late = is_served(&world, &mut conn, fresh).await;
    let mut expected = fleet.finish().await;
    let issued = orders.finish().await;
    expected.extend([late, issued.task.clone()]);
    let carried_out = workers.finish().await;
    for (id, times) in &carried_out {
        assert_eq!(*times, 1, "the unsafe command {id} was sent {times} times");
    }
    assert!(!carried_out.is_empty(), "{} commands", issued.count());
    let caught = sqlx::query_scalar("SELECT what FROM caught").fetch_all(&mut conn);
    let caught: Vec<String> = caught.await.unwrap();
    assert!(caught.is_empty(), "written under a dead name: {caught:?}");
    paused.kill();
    other.kill();
    fleet::check(&world.database.store().await, &expected).await;
}
