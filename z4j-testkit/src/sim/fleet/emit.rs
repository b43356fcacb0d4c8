//! Events on their way into an agent.

use serde_json::{Map, Value, json};
use uuid::Uuid;
use z4j_core::engine::EngineEvent;
use z4j_core::env::Clock as _;
use z4j_core::id::TaskKey;
use z4j_core::identity::{EventOrigin, event_id, sent_time};
use z4j_core::task::EventKind;
use z4j_core::time::Timestamp;

use super::engine::ENGINE;
use super::{Body, Fleet, Slot, SlotNo};
use crate::sim::Chance;
use crate::sim::clock::BEGINNING;
use crate::sim::network::ProcessNo;
use crate::sim::oracle::{Emission, Fate, Standing};
use crate::sim::stock::DiskEntry;

/// What happened.
#[derive(Clone, Debug)]
pub(crate) struct EventSpec {
    pub(crate) kind: &'static str,
    pub(crate) task_id: String,
    /// By the clock of the process.
    pub(crate) at: Timestamp,
    /// In place of `at`, as text; only stock agents can say what is no time.
    pub(crate) spelled: Option<String>,
    pub(crate) data: Map<String, Value>,
    pub(crate) standing: Standing,
}

/// An entry of a batch.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// An event.
    Event(Box<EventSpec>),
    /// Something that can never be stored.
    Poison(Value),
}

impl Fleet {
    /// What a slot's clock says; `None` while its process is dead.
    pub(crate) fn now(&self, slot: SlotNo) -> Option<Timestamp> {
        let state = self.lock();
        state.running.get(&slot)?;
        Some(state.slots.get(&slot)?.clock.now())
    }

    /// The agent of a slot observes something. A dead process observes nothing.
    pub(crate) fn emit(&self, slot: SlotNo, entries: Vec<Entry>, chance: &mut Chance) {
        let state = self.lock();
        let Some((process, slot)) = state.running.get(&slot).zip(state.slots.get(&slot)) else {
            return;
        };
        match &process.body {
            Body::Rust { tap, .. } => {
                for entry in entries {
                    if let Entry::Event(spec) = entry {
                        let occurred_at = spec.at.to_string();
                        // Without a random id of the agent's: a task event with a time is not named by it.
                        let origin = EventOrigin {
                            project: slot.project,
                            engine: ENGINE,
                            task_id: &spec.task_id,
                            kind: spec.kind,
                            occurred_at: &occurred_at,
                            agent_event_id: "",
                            frame_id: "",
                            index: 0,
                        };
                        self.note(process.no, slot, &spec, &origin);
                        tap.record(EngineEvent {
                            kind: EventKind::parse(spec.kind),
                            task_id: spec.task_id,
                            occurred_at: spec.at,
                            data: spec.data,
                        });
                    }
                }
            }
            Body::Stock(_) => self.emit_stock((process.no, slot), entries, chance),
        }
    }

    /// The agent of a slot observes three events of one task, to die with them.
    pub(crate) fn last_words(&self, slot: SlotNo, number: u32) {
        let Some(now) = self.now(slot) else { return };
        let mut chance = Chance::new(self.seed, &format!("last words {number}"));
        for (step, kind) in ["task.received", "task.started", "task.succeeded"]
            .into_iter()
            .enumerate()
        {
            let spec = EventSpec {
                kind,
                task_id: format!("orphan-{number}"),
                at: now.plus(std::time::Duration::from_micros(step as u64)),
                spelled: None,
                data: Map::from_iter([("queue".to_owned(), Value::from("default"))]),
                standing: Standing::Own,
            };
            self.emit(slot, vec![Entry::Event(Box::new(spec))], &mut chance);
        }
    }

    fn emit_stock(
        &self,
        (process, slot): (ProcessNo, &Slot),
        entries: Vec<Entry>,
        chance: &mut Chance,
    ) {
        let mut bytes = [0; 16];
        chance.fill(&mut bytes);
        let frame_id = format!("ev_{:032x}", u128::from_le_bytes(bytes));
        let mut values = Vec::new();
        let mut numbers = Vec::new();
        for (index, entry) in (0_u32..).zip(entries) {
            let place = Place {
                frame_id: &frame_id,
                index,
            };
            match entry {
                Entry::Event(spec) => {
                    chance.fill(&mut bytes);
                    let id = Uuid::from_bytes(bytes).to_string();
                    let occurred_at = spec.spelled.clone().unwrap_or_else(|| spec.at.to_string());
                    let origin = EventOrigin {
                        project: slot.project,
                        engine: ENGINE,
                        task_id: &spec.task_id,
                        kind: spec.kind,
                        occurred_at: &occurred_at,
                        agent_event_id: &id,
                        frame_id: place.frame_id,
                        index: place.index,
                    };
                    numbers.push(self.note(process, slot, &spec, &origin));
                    values.push(json!({
                        "id": id, "kind": spec.kind, "engine": ENGINE, "task_id": spec.task_id,
                        "occurred_at": occurred_at, "data": spec.data,
                    }));
                }
                Entry::Poison(value) => {
                    numbers.push(self.note_poison(process, slot, &place));
                    values.push(value);
                }
            }
        }
        let entry = DiskEntry {
            frame_id,
            payload: json!({ "events": values }).to_string(),
            records: numbers.len() as u64,
            events: numbers,
        };
        let declares = self.bug != Some(super::AgentBug::EvictionNotDeclared);
        let evicted = slot.disk.push(entry, declares);
        self.oracle.evicted(&evicted);
    }

    fn note(
        &self,
        process: ProcessNo,
        slot: &Slot,
        spec: &EventSpec,
        origin: &EventOrigin<'_>,
    ) -> usize {
        self.oracle.emitted(Emission {
            process,
            agent: slot.agent,
            project: slot.project,
            key: TaskKey::new(ENGINE, spec.task_id.as_str()),
            kind: spec.kind.to_owned(),
            occurred_at: origin.occurred_at.to_owned(),
            sent_at: sent_time(origin.occurred_at),
            data: Value::Object(spec.data.clone()),
            id: Some(event_id(origin)),
            standing: spec.standing,
            fate: Fate::Kept,
            at: BEGINNING.plus(self.oracle.record().elapsed()),
        })
    }

    fn note_poison(&self, process: ProcessNo, slot: &Slot, place: &Place<'_>) -> usize {
        let origin = EventOrigin {
            project: slot.project,
            engine: "",
            task_id: "",
            kind: "",
            occurred_at: "",
            agent_event_id: "",
            frame_id: place.frame_id,
            index: place.index,
        };
        self.oracle.emitted(Emission {
            process,
            agent: slot.agent,
            project: slot.project,
            key: TaskKey::new("", ""),
            kind: "poison".to_owned(),
            occurred_at: String::new(),
            sent_at: None,
            data: Value::Null,
            id: Some(event_id(&origin)),
            standing: Standing::Poison,
            fate: Fate::Kept,
            at: BEGINNING.plus(self.oracle.record().elapsed()),
        })
    }
}

struct Place<'f> {
    frame_id: &'f str,
    index: u32,
}
