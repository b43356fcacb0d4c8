//! What must hold, whatever went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use z4j_core::command::CommandState;
use z4j_core::id::{EventId, ProjectId, TaskKey};
use z4j_core::store::{CommandFilter, PageRequest, Store, StoreError};
use z4j_core::task::{self, CounterKey, TaskRecord, TaskState, Verdict};
use z4j_core::time::Timestamp;

use super::Ledger;
use super::book::Emitted;

/// Rows of one page.
const PAGE_ROWS: u32 = 500;
/// A command is settled this long after its deadline at the latest (`reliability.md` I-20).
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// Compares what agents were promised with what is stored.
#[derive(Clone, Debug)]
pub struct Checks {
    store: Arc<dyn Store>,
    ledger: Ledger,
}

impl Checks {
    /// Compares `ledger` with `store`.
    #[must_use]
    pub const fn new(store: Arc<dyn Store>, ledger: Ledger) -> Self {
        Self { store, ledger }
    }

    /// Notes every violation in the ledger. `has_all` says whether everything that this agent observed must be stored;
    /// for others, whose memory was lost on the way, only what was acknowledged.
    ///
    /// # Errors
    /// The store's.
    pub async fn run(
        &self,
        now: Timestamp,
        has_all: impl Fn(&str) -> bool + Send,
    ) -> Result<(), StoreError> {
        let stored = self.stored().await?;
        self.promises(&stored, has_all);
        let records = self.records(&stored).await?;
        self.counters(&records).await?;
        self.commands(now).await
    }

    fn project(&self) -> ProjectId {
        self.ledger.project()
    }

    /// How often each event is stored, by asking for the events of every task that was ever observed.
    async fn stored(&self) -> Result<BTreeMap<EventId, u64>, StoreError> {
        let tasks: BTreeSet<TaskKey> = {
            let book = self.ledger.book();
            book.emitted
                .values()
                .map(|event| event.task.clone())
                .collect()
        };
        let mut stored = BTreeMap::new();
        for task in &tasks {
            for id in events_of(&*self.store, self.project(), task).await? {
                *stored.entry(id).or_default() += 1;
            }
        }
        Ok(stored)
    }

    fn promises(&self, stored: &BTreeMap<EventId, u64>, has_all: impl Fn(&str) -> bool) {
        let mut violations = Vec::new();
        {
            let book = self.ledger.book();
            for (id, event) in &book.emitted {
                let is_acked = book.acked.contains(id);
                let what = || format!("{} of {}", event.event.kind, event.task.task_id);
                match stored.get(id) {
                    None if is_acked => {
                        violations.push(format!("{} was acknowledged and is not stored", what()));
                    }
                    None if has_all(&event.agent) => {
                        violations.push(format!("{} is not stored", what()));
                    }
                    Some(times @ 2..) => {
                        violations.push(format!("{} is stored {times} times", what()));
                    }
                    None | Some(_) => {}
                }
            }
            for id in stored.keys().filter(|id| !book.emitted.contains_key(id)) {
                violations.push(format!("the event {id} is stored and was never observed"));
            }
        }
        self.report(violations);
    }

    /// Every record must be what the pure model makes of the stored events, in the order in which they happened.
    async fn records(
        &self,
        stored: &BTreeMap<EventId, u64>,
    ) -> Result<BTreeMap<TaskKey, TaskRecord>, StoreError> {
        let mut by_task: BTreeMap<TaskKey, Vec<Emitted>> = BTreeMap::new();
        {
            let book = self.ledger.book();
            for (_, event) in book
                .emitted
                .iter()
                .filter(|(id, _)| stored.contains_key(id))
            {
                let events = by_task.entry(event.task.clone()).or_default();
                events.push(event.clone());
            }
        }
        let mut records = BTreeMap::new();
        let mut violations = Vec::new();
        for (key, mut events) in by_task {
            events.sort_by_key(|event| event.event.at);
            let model = events.iter().fold(None, |record, event| {
                match task::apply(record.as_ref(), &event.event) {
                    Verdict::Advance(next) => Some(next),
                    Verdict::Absorb(_) | Verdict::Refuse(_) => record,
                }
            });
            let found = self.store.task(self.project(), &key).await?;
            let found = found.map(|detail| detail.record);
            if found != model {
                violations.push(format!("{} is not what its events say", key.task_id));
            }
            records.extend(found.map(|record| (key, record)));
        }
        self.report(violations);
        Ok(records)
    }

    /// Every counter must be what counting the records gives.
    async fn counters(&self, records: &BTreeMap<TaskKey, TaskRecord>) -> Result<(), StoreError> {
        let mut expected: BTreeMap<CounterKey, i64> = BTreeMap::new();
        for (key, by) in records
            .values()
            .flat_map(|record| task::counter_delta(None, record))
        {
            *expected.entry(key).or_default() += by;
        }
        let mut found: BTreeMap<CounterKey, i64> = BTreeMap::new();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        for count in self.store.state_counts(self.project()).await? {
            found.insert(CounterKey::State(count.state), number(count.count));
        }
        let all_time = (Timestamp::EPOCH, Timestamp::LATEST);
        let minutes = self
            .store
            .minute_counts(self.project(), all_time.0, all_time.1)
            .await?;
        for count in minutes {
            let key = CounterKey::Minute {
                minute: count.minute,
                state: count.state,
            };
            found.insert(key, number(count.count));
        }
        for counters in [&mut expected, &mut found] {
            counters.retain(|_, count| *count != 0);
        }
        if expected != found {
            let states = |counters: &BTreeMap<CounterKey, i64>| -> Vec<(TaskState, i64)> {
                let of = |(key, count): (&CounterKey, &i64)| match key {
                    CounterKey::State(state) => Some((*state, *count)),
                    CounterKey::Minute { .. } => None,
                };
                counters.iter().filter_map(of).collect()
            };
            self.ledger.violated(format!(
                "counters are not their recomputation: {:?} instead of {:?}",
                states(&found),
                states(&expected)
            ));
        }
        Ok(())
    }

    /// Every command must be settled soon after its deadline, and be carried out at most once when that matters.
    async fn commands(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut violations = Vec::new();
        let mut page = PageRequest::first(PAGE_ROWS);
        loop {
            let filter = CommandFilter::default();
            let rows = self.store.commands(self.project(), &filter, page).await?;
            for row in rows.items {
                let is_due = row.timeout_at.plus(SETTLED_WITHIN) <= now;
                if is_due && !row.state.is_terminal() {
                    violations.push(format!(
                        "the command {} is {} still",
                        row.id,
                        row.state.as_str()
                    ));
                }
                let id = row.id.to_string();
                let book = self.ledger.book();
                let times = book.executed.get(&id).copied().unwrap_or(0);
                if row.state == CommandState::Completed && times == 0 {
                    violations.push(format!("the command {id} is completed, but was never done"));
                }
                if row.state == CommandState::TimedOut && book.received.contains_key(&id) {
                    violations.push(format!("the command {id} was sent, but is timed out"));
                }
            }
            let Some(next) = rows.next else { break };
            page = PageRequest::first(PAGE_ROWS).after(Some(next));
        }
        self.report(violations);
        Ok(())
    }

    fn report(&self, violations: Vec<String>) {
        for violation in violations {
            self.ledger.violated(violation);
        }
    }
}

async fn events_of(
    store: &dyn Store,
    project: ProjectId,
    task: &TaskKey,
) -> Result<Vec<EventId>, StoreError> {
    let mut ids = Vec::new();
    let mut page = PageRequest::first(PAGE_ROWS);
    loop {
        let rows = store.task_events(project, task, page).await?;
        ids.extend(rows.items.into_iter().map(|row| row.id));
        let Some(next) = rows.next else {
            return Ok(ids);
        };
        page = PageRequest::first(PAGE_ROWS).after(Some(next));
    }
}

/// Whether the store holds an event that an agent observed; true for one that it never observed, and when nobody can say.
pub(super) async fn is_stored(store: &dyn Store, ledger: &Ledger, event: EventId) -> bool {
    let task = {
        let book = ledger.book();
        book.emitted.get(&event).map(|event| event.task.clone())
    };
    let Some(task) = task else {
        return true;
    };
    let found = events_of(store, ledger.project(), &task).await;
    found.map_or(true, |ids| ids.contains(&event))
}
