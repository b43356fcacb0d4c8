//! Two brains on one database, one of them killed every few seconds.

use std::time::{Duration, Instant};

use crate::commands::{Orders, Workers};
use crate::fleet::{self, Expected};
use crate::world::{Fleet, World, fault_time};

/// Between two kills.
const KILL_EVERY: Duration = Duration::from_secs(3);
/// Agents that send at the same time.
const AGENTS: usize = 6;
/// Tasks of each of them.
const TASKS: usize = 1_000;

/// Fleets of which one is at work at any time: when it has sent all it had, the next one follows.
struct Relay {
    fleets: Vec<Fleet>,
}

impl Relay {
    fn start(world: &World) -> Self {
        Self {
            fleets: vec![world.fleet(AGENTS, TASKS)],
        }
    }

    fn acked(&self) -> usize {
        self.fleets.iter().map(Fleet::acked).sum()
    }

    fn go_on(&mut self, world: &World) {
        if self.fleets.last().is_some_and(Fleet::is_done) {
            let first = self.fleets.len() * AGENTS;
            self.fleets
                .push(world.fleet_of(first..first + AGENTS, TASKS));
        }
    }

    async fn finish(self) -> Vec<Expected> {
        let mut expected = Vec::new();
        for fleet in self.fleets {
            expected.extend(fleet.finish().await);
        }
        expected
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_brains_lose_nothing_and_repeat_no_unsafe_command_while_one_after_the_other_is_killed()
{
    let time = fault_time(Duration::from_secs(15));
    let world = World::new(2).await;
    let mut brains = vec![world.start(0), world.start(1)];
    let workers = Workers::start(&world, 2).await;
    let orders = Orders::start(&world).await;
    let mut relay = Relay::start(&world);
    let began = Instant::now();
    let (mut kills, mut kills_under_load) = (0, 0);
    while began.elapsed() < time {
        let before = relay.acked();
        tokio::time::sleep(KILL_EVERY).await;
        let victim = kills % 2;
        brains.remove(victim).kill();
        kills_under_load += usize::from(relay.acked() > before);
        brains.insert(victim, world.start(victim));
        kills += 1;
        relay.go_on(&world);
    }
    let mut expected = relay.finish().await;
    let issued = orders.finish().await;
    expected.push(issued.task.clone());
    let said = issued.settled(&world).await;
    let carried_out = workers.finish().await;
    for (id, times) in &carried_out {
        assert_eq!(*times, 1, "the unsafe command {id} was sent {times} times");
    }
    println!(
        "{kills} kills, {kills_under_load} of them with events acknowledged since the last one; {} events, {} commands: {said:?}, {} sent",
        expected.iter().map(|task| task.events.len()).sum::<usize>(),
        issued.count(),
        carried_out.len(),
    );
    for brain in brains {
        brain.kill();
    }
    fleet::check(&world.database.store().await, &expected).await;
}
