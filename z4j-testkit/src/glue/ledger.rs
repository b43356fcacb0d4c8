//! What agents observed, sent, were promised and carried out.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use z4j_core::command::is_safe_to_resend;
use z4j_core::engine::EngineEvent;
use z4j_core::env::Env;
use z4j_core::id::{AgentId, EventId, ProjectId, TaskKey};
use z4j_core::identity::{EventOrigin, event_id};
use z4j_core::task::TaskEvent;

use super::book::{Book, Emitted};
use super::{ENGINE, Trace};

/// How often something happened, so that a sweep can tell that it happened at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Links that were opened.
    pub links: u64,
    /// Dials that came to nothing.
    pub failed_dials: u64,
    /// Links that ended.
    pub ends: u64,
    /// Frames that agents sent, copies included.
    pub sent: u64,
    /// Frames that agents received.
    pub received: u64,
    /// Batches that were sent again with the same id.
    pub resent_batches: u64,
    /// Signed frames that were sent again byte for byte.
    pub replays: u64,
    /// Batches that were acknowledged.
    pub acked_batches: u64,
    /// Commands that agents received, repeats included.
    pub commands: u64,
}

/// A frame on its way, as far as the ledger reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToBrain,
    ToAgent,
}

/// One link of an agent.
#[derive(Clone, Debug)]
pub(super) struct LinkId {
    pub(super) agent: Arc<str>,
    pub(super) number: u64,
}

/// What agents observed, sent, were promised and carried out. Clones are one ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    env: Env,
    project: ProjectId,
    book: Arc<Mutex<Book>>,
}

impl Ledger {
    /// An empty ledger for the agents of `project`.
    #[must_use]
    pub fn new(env: Env, project: ProjectId) -> Self {
        Self {
            env,
            project,
            book: Arc::default(),
        }
    }

    /// The project whose agents these are.
    #[must_use]
    pub const fn project(&self) -> ProjectId {
        self.project
    }

    /// An engine observed this.
    pub fn emitted(&self, agent: &str, agent_id: AgentId, event: &EngineEvent) {
        let occurred_at = event.occurred_at.to_string();
        let id = event_id(&EventOrigin {
            project: self.project,
            engine: ENGINE,
            task_id: &event.task_id,
            kind: event.kind.as_str(),
            occurred_at: &occurred_at,
            agent_event_id: "",
            frame_id: "",
            index: 0,
        });
        let data = serde_json::to_string(&event.data).unwrap_or_default();
        let Ok(data) = RawValue::from_string(data) else {
            return self.violated(format!("the data of {} is no JSON", event.task_id));
        };
        let task_event =
            TaskEvent::from_data(event.kind.clone(), event.occurred_at, Some(agent_id), &data);
        let emitted = Emitted {
            agent: agent.to_owned(),
            task: TaskKey::new(ENGINE, &*event.task_id),
            event: task_event,
        };
        self.book().emitted.insert(id, emitted);
    }

    /// An engine carries a command out. Repeats of one id count once.
    pub fn executed(&self, command: &str) {
        *self.book().executed.entry(command.to_owned()).or_default() += 1;
    }

    /// Something that must hold did not.
    pub fn violated(&self, what: String) {
        self.note(&format!("VIOLATION {what}"));
        self.book().violations.push(what);
    }

    /// Adds a line to the trace.
    pub fn note(&self, what: &str) {
        let at = self.env.elapsed().as_millis();
        self.book().trace.note(format!("{at} {what}"));
    }

    /// Events that were observed.
    #[must_use]
    pub fn events(&self) -> usize {
        self.book().emitted.len()
    }

    /// Every batch that was sent: its id, the tasks that it is about, and its events.
    #[must_use]
    pub fn batches(&self) -> Vec<(String, BTreeSet<TaskKey>, BTreeSet<EventId>)> {
        let book = self.book();
        let whole = |((_, id), events): (&(Arc<str>, String), &Vec<EventId>)| {
            let emitted = events.iter().filter_map(|event| book.emitted.get(event));
            let tasks = emitted.map(|event| event.task.clone()).collect();
            (id.clone(), tasks, events.iter().copied().collect())
        };
        book.batches.iter().map(whole).collect()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.env.elapsed()
    }

    /// How often things happened.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.book().tally
    }

    /// What happened.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.book().trace.clone()
    }

    /// What did not hold while the run went on.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.book().violations.clone()
    }

    /// The numbers of an agent's links that have not ended.
    #[must_use]
    pub fn open_links(&self, agent: &str) -> BTreeSet<u64> {
        self.book().open.get(agent).cloned().unwrap_or_default()
    }

    /// Events of `agent` that are not acknowledged.
    #[must_use]
    pub fn unacked(&self, agent: &str) -> usize {
        let book = self.book();
        let own = book
            .emitted
            .iter()
            .filter(|(_, event)| event.agent == agent);
        own.filter(|(id, _)| !book.acked.contains(id)).count()
    }

    pub(super) fn opened(&self, agent: &Arc<str>) -> LinkId {
        let number = {
            let mut book = self.book();
            book.tally.links += 1;
            let number = book.tally.links;
            book.open
                .entry(Arc::clone(agent))
                .or_default()
                .insert(number);
            number
        };
        self.note(&format!("{agent} opens link {number}"));
        LinkId {
            agent: Arc::clone(agent),
            number,
        }
    }

    pub(super) fn failed_dial(&self, agent: &str, why: &str) {
        self.book().tally.failed_dials += 1;
        self.note(&format!("{agent} cannot dial: {why}"));
    }

    pub(super) fn ended(&self, link: &LinkId, why: &str) {
        let was_open = {
            let mut book = self.book();
            let open = book.open.entry(Arc::clone(&link.agent)).or_default();
            let was_open = open.remove(&link.number);
            book.tally.ends += u64::from(was_open);
            was_open
        };
        if was_open {
            self.note(&format!("{} loses link {}: {why}", link.agent, link.number));
        }
    }

    pub(super) fn replayed(&self, link: &LinkId) {
        self.book().tally.replays += 1;
        self.note(&format!("{} replays on link {}", link.agent, link.number));
    }

    /// A whole frame goes over a link; answers the events that it acknowledges.
    pub(super) fn passed(&self, link: &LinkId, way: Way, frame: &[u8]) -> Vec<EventId> {
        let Ok(frame) = serde_json::from_slice::<Value>(frame) else {
            self.violated(format!(
                "{} got or sent a frame that is no JSON",
                link.agent
            ));
            return Vec::new();
        };
        let text = |member: &str| {
            frame
                .get(member)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (kind, id, seq) = (text("type"), text("id"), frame.get("seq"));
        let arrow = if way == Way::ToBrain { ">" } else { "<" };
        let number = link.number;
        let shown = seq.map(Value::to_string).unwrap_or_default();
        self.note(&format!(
            "{}#{number} {arrow} {kind} {id} {shown}",
            link.agent
        ));
        self.check_seq(link, way, seq.and_then(Value::as_u64));
        let payload = frame.get("payload").unwrap_or(&Value::Null);
        match way {
            Way::ToBrain => self.sent(link, kind, id, payload),
            Way::ToAgent => return self.received(link, kind, id, payload),
        }
        Vec::new()
    }

    fn check_seq(&self, link: &LinkId, way: Way, seq: Option<u64>) {
        let Some(seq) = seq else {
            return;
        };
        let place = (Arc::clone(&link.agent), link.number, way == Way::ToBrain);
        let before = self.book().seqs.insert(place, seq);
        if before.is_some_and(|before| before >= seq) {
            self.violated(format!("seq {seq} of {} does not grow", link.agent));
        }
    }

    fn sent(&self, link: &LinkId, kind: &str, id: &str, payload: &Value) {
        let mut book = self.book();
        book.tally.sent += 1;
        if kind == "hello" {
            let stream = payload.pointer("/stream/id").and_then(Value::as_str);
            book.resumes
                .extend(stream.map(|stream| (link.number, stream.to_owned())));
        }
        if kind != "event_batch" {
            return;
        }
        let events = payload.get("events").and_then(Value::as_array);
        let events = events.into_iter().flatten();
        let ids: Vec<EventId> = events.map(|event| self.identity(event)).collect();
        let first = payload.pointer("/stream/first").and_then(Value::as_u64);
        let is_taken = first.is_some_and(|first| book.place(link, first, &ids));
        let place = (Arc::clone(&link.agent), id.to_owned());
        let before = book.batches.insert(place, ids);
        book.tally.resent_batches += u64::from(before.is_some());
        drop(book);
        if is_taken {
            let agent = &link.agent;
            self.violated(format!(
                "{agent} gives a position of its stream to another event"
            ));
        }
    }

    fn received(&self, link: &LinkId, kind: &str, id: &str, payload: &Value) -> Vec<EventId> {
        self.book().tally.received += 1;
        match kind {
            "hello_ack" => {
                let position = payload.pointer("/stream/position").and_then(Value::as_u64);
                self.book().resumed(link, position.unwrap_or(0))
            }
            "event_batch_ack" => self.batch_acked(link, payload),
            "command" => {
                self.command_received(id, payload);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn batch_acked(&self, link: &LinkId, payload: &Value) -> Vec<EventId> {
        let id = payload.get("acked_id").and_then(Value::as_str);
        let place = (Arc::clone(&link.agent), id.unwrap_or_default().to_owned());
        let mut book = self.book();
        let Some(events) = book.batches.get(&place).cloned() else {
            drop(book);
            self.violated(format!("{} got an ack for what it never sent", link.agent));
            return Vec::new();
        };
        book.tally.acked_batches += 1;
        book.acked.extend(events.iter().copied());
        events
    }

    fn command_received(&self, id: &str, payload: &Value) {
        let action = payload.get("action").and_then(Value::as_str);
        let action = action.unwrap_or_default();
        let mut book = self.book();
        book.tally.commands += 1;
        let times = book.received.entry(id.to_owned()).or_default();
        *times += 1;
        let is_twice = *times > 1 && !is_safe_to_resend(action);
        drop(book);
        if is_twice {
            self.violated(format!("the unsafe command {id} was written twice"));
        }
    }

    fn identity(&self, event: &Value) -> EventId {
        let text = |member: &str| {
            event
                .get(member)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        event_id(&EventOrigin {
            project: self.project,
            engine: text("engine"),
            task_id: text("task_id"),
            kind: text("kind"),
            occurred_at: text("occurred_at"),
            agent_event_id: text("id"),
            frame_id: "",
            index: 0,
        })
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
