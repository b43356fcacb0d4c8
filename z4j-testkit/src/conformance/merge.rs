//! Records and the numbers that follow from them, whatever order events come in.

use std::collections::BTreeMap;

use z4j_core::store::{Facet, Store, TaskFilter, TaskSort};
use z4j_core::task::{CounterKey, TaskRecord, TaskState, counters_of};
use z4j_core::time::Timestamp;

use super::scene::{Scene, Seeded, Sent, at_ms, at_s, key};

const TASKS: usize = 6;

/// Many events of few tasks: attempts, clashes within a microsecond, facts that contradict each other.
fn history(scene: &Scene<'_>, random: &mut Seeded) -> Vec<Sent> {
    let kinds = [
        "task.sent",
        "task.received",
        "task.started",
        "task.retried",
        "task.succeeded",
        "task.failed",
        "task.revoked",
        "custom.progress",
    ];
    let mut events = Vec::new();
    for _ in 0..60 {
        let kind = random.pick(&kinds);
        let task = format!("t{}", random.below(TASKS));
        let at = at_ms(i64::try_from(random.below(40)).expect("small") * 7_000);
        let number = random.below(3);
        let mut event = scene.event(kind, &task, at);
        if number > 0 {
            event = event
                .name(&format!("app.n{number}"))
                .queue(&format!("q{number}"));
        }
        if random.below(2) == 0 {
            event = event.worker(&format!("w{}", random.below(2)));
        }
        events.push(event);
    }
    // Of events with one identity the first counts, so an order must not choose between two of different contents.
    events.sort_by_key(|event| event.0.id);
    events.dedup_by_key(|event| event.0.id);
    events
}

/// Sends events in batches of random sizes, some of them twice.
async fn send_shuffled(scene: &Scene<'_>, mut events: Vec<Sent>, random: &mut Seeded) {
    random.shuffle(&mut events);
    while !events.is_empty() {
        let size = (1 + random.below(9)).min(events.len());
        let batch: Vec<_> = events.drain(..size).collect();
        if random.below(3) == 0 {
            let _ = scene.ingest(batch.clone()).await;
        }
        let _ = scene.ingest(batch).await;
    }
}

pub(super) async fn any_order_and_batching_ends_in_the_same_record(store: &dyn Store) {
    let scene = Scene::set(store).await;
    for seed in 1..6 {
        let mut random = Seeded(seed);
        let events = history(&scene, &mut random);
        let prefix = format!("s{seed}-");
        let mut expected: BTreeMap<String, TaskRecord> = BTreeMap::new();
        let mut renamed = Vec::new();
        for mut event in events {
            let task_id = format!("{prefix}{}", event.0.task_id);
            event.0.task_id = task_id.clone().into();
            event.0.id = super::scene::identity(&[&event.0.id.to_string(), &prefix]);
            let task = event.0.task.as_ref().expect("about a task");
            match expected.get_mut(&task_id) {
                Some(record) => {
                    record.absorb(task);
                }
                None => {
                    expected.insert(task_id, TaskRecord::from_event(task).expect("a record"));
                }
            }
            renamed.push(event);
        }
        send_shuffled(&scene, renamed, &mut random).await;
        for (task_id, record) in expected {
            let stored = store
                .task(scene.project, &key(&task_id))
                .await
                .expect("reading")
                .expect("the task");
            assert_eq!(stored.record, record, "seed {seed}, task {task_id}");
        }
    }
}

async fn filled(store: &dyn Store, seed: u64) -> (Scene<'_>, Vec<TaskRecord>) {
    let scene = Scene::set(store).await;
    let mut random = Seeded(seed);
    let events = history(&scene, &mut random);
    send_shuffled(&scene, events, &mut random).await;
    let mut records = Vec::new();
    for task in scene
        .list(&TaskFilter::default(), TaskSort::UpdatedDesc, 50)
        .await
    {
        let detail = store
            .task(scene.project, &task.key)
            .await
            .expect("reading")
            .expect("a listed task");
        records.push(detail.record);
    }
    assert!(records.len() > 3, "the history must be worth counting");
    (scene, records)
}

fn recount(records: &[TaskRecord]) -> BTreeMap<CounterKey, i64> {
    let mut sums = BTreeMap::new();
    for (counter, by) in records.iter().flat_map(counters_of) {
        *sums.entry(counter).or_default() += by;
    }
    sums
}

pub(super) async fn state_counters_equal_a_recount(store: &dyn Store) {
    let (scene, records) = filled(store, 11).await;
    let stored = store.state_counts(scene.project).await.expect("counts");
    let found: BTreeMap<_, _> = stored
        .iter()
        .map(|count| (CounterKey::State(count.state), count.count))
        .collect();
    let mut expected = recount(&records);
    expected.retain(|counter, _| matches!(counter, CounterKey::State(_)));
    assert_eq!(
        found,
        expected
            .into_iter()
            .map(|(counter, by)| (counter, by.unsigned_abs()))
            .collect()
    );
}

pub(super) async fn minute_counters_equal_a_recount(store: &dyn Store) {
    let (scene, records) = filled(store, 12).await;
    let stored = store
        .minute_counts(scene.project, Timestamp::EPOCH, Timestamp::LATEST)
        .await
        .expect("counts");
    assert!(stored.is_sorted_by_key(|count| (count.minute, count.state)));
    let found: BTreeMap<_, _> = stored
        .iter()
        .map(|count| {
            (
                CounterKey::Minute {
                    minute: count.minute,
                    state: count.state,
                },
                count.count,
            )
        })
        .collect();
    let mut expected = recount(&records);
    expected.retain(|counter, by| matches!(counter, CounterKey::Minute { .. }) && *by != 0);
    assert_eq!(
        found,
        expected
            .into_iter()
            .map(|(counter, by)| (counter, by.unsigned_abs()))
            .collect()
    );
}

fn tally<'t>(values: impl IntoIterator<Item = Option<&'t str>>) -> Vec<Facet> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for value in values.into_iter().flatten() {
        *sums.entry(value).or_default() += 1;
    }
    let mut facets: Vec<_> = sums
        .into_iter()
        .map(|(value, count)| Facet {
            value: value.to_owned(),
            count,
        })
        .collect();
    facets.sort_by(|left, right| {
        right
            .count
            .cmp(&left.count)
            .then_with(|| left.value.cmp(&right.value))
    });
    facets
}

pub(super) async fn facets_equal_a_recount(store: &dyn Store) {
    let (scene, records) = filled(store, 13).await;
    let facets = store.facets(scene.project, 100).await.expect("facets");
    assert_eq!(facets.names, tally(records.iter().map(TaskRecord::name)));
    assert_eq!(facets.queues, tally(records.iter().map(TaskRecord::queue)));
    assert_eq!(
        facets.workers,
        tally(records.iter().map(TaskRecord::worker))
    );
    assert_eq!(
        facets.engines,
        tally(records.iter().map(|_| Some("celery")))
    );
}

pub(super) async fn worker_and_queue_counts_equal_a_recount(store: &dyn Store) {
    let (scene, records) = filled(store, 14).await;
    let count = |matches: &dyn Fn(&TaskRecord) -> bool| {
        u64::try_from(records.iter().filter(|record| matches(record)).count()).expect("small")
    };
    for worker in store.workers(scene.project).await.expect("workers") {
        let ended = |state| {
            count(&|record| record.worker() == Some(&worker.name) && record.state() == state)
        };
        assert_eq!(
            (worker.succeeded, worker.failed),
            (ended(TaskState::Success), ended(TaskState::Failure))
        );
    }
    let queues = store.queues(scene.project).await.expect("queues");
    assert!(!queues.is_empty());
    for queue in queues {
        let standing = |states: &[TaskState]| {
            count(&|record| record.queue() == Some(&queue.name) && states.contains(&record.state()))
        };
        assert_eq!(
            queue.waiting,
            standing(&[TaskState::Received, TaskState::Retry]),
            "{}",
            queue.name
        );
        assert_eq!(
            queue.running,
            standing(&[TaskState::Started]),
            "{}",
            queue.name
        );
        assert!(queue.last_seen_at <= at_s(400));
    }
}
