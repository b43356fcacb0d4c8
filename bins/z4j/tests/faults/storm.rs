//! Every agent comes back at once.

use std::time::Duration;

use crate::database::ready;
use crate::fleet;
use crate::world::World;

/// More than a brain on two cores answers in one breath, and few enough that minting them takes no minute.
const AGENTS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brain_that_is_killed_under_many_agents_takes_all_of_them_back() {
    let world = World::new(1).await;
    let mut brain = world.start(0);
    let fleet = world.fleet(AGENTS, 12);
    for round in 1..=3 {
        fleet.reach(round, 6).await;
        assert!(!fleet.is_done(), "there is work left");
        brain.kill();
        // Long enough that every agent has noticed, so that all of them dial at once.
        tokio::time::sleep(Duration::from_secs(2)).await;
        brain = world.start(0);
    }
    let expected = fleet.finish().await;
    ready(brain.port, 200).await;
    brain.kill();
    fleet::check(&world.database.store().await, &expected).await;
}
