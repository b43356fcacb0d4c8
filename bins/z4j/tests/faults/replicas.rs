//! Two brains on one database, one of them killed every few seconds.

use std::time::{Duration, Instant};

use crate::commands::{Orders, Workers};
use crate::fleet;
use crate::world::{World, fault_time};

/// Between two kills.
const KILL_EVERY: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_brains_lose_nothing_and_repeat_no_unsafe_command_while_one_after_the_other_is_killed()
{
    let time = fault_time(Duration::from_secs(15));
    let world = World::new(2).await;
    let mut brains = vec![world.start(0), world.start(1)];
    let workers = Workers::start(&world, 2).await;
    let orders = Orders::start(&world).await;
    // As much as agents send in that time, and some more for the end.
    let tasks = 100 + usize::try_from(time.as_secs()).unwrap() * 60;
    let fleet = world.fleet(6, tasks);
    let began = Instant::now();
    let mut kills = 0;
    while began.elapsed() < time {
        tokio::time::sleep(KILL_EVERY).await;
        let victim = kills % 2;
        brains.remove(victim).kill();
        brains.insert(victim, world.start(victim));
        kills += 1;
    }
    let ended_early = fleet.is_done();
    let mut expected = fleet.finish().await;
    let issued = orders.finish().await;
    expected.push(issued.task.clone());
    let said = issued.settled(&world).await;
    let carried_out = workers.finish().await;
    for (id, times) in &carried_out {
        assert_eq!(*times, 1, "the unsafe command {id} was sent {times} times");
    }
    println!(
        "{kills} kills, {} events, {} commands: {said:?}, {} sent; the fleet {}",
        expected.iter().map(|task| task.events.len()).sum::<usize>(),
        issued.count(),
        carried_out.len(),
        if ended_early {
            "was done before"
        } else {
            "worked to the end"
        },
    );
    for brain in brains {
        brain.kill();
    }
    fleet::check(&world.database.store().await, &expected).await;
}
