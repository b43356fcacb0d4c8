//! The identity of an event: a pure function of what the agent sent (`reliability.md` D4).
//!
//! Whoever sends an event, whenever and however often, it gets the same id. It is computed from the sent values,
//! before anything is clamped, defaulted, cut or redacted.
//!
//! ```
//! use z4j_core::id::ProjectId;
//! use z4j_core::identity::{EventOrigin, event_id};
//!
//! let sent = EventOrigin {
//!     project: ProjectId::from_u128(1),
//!     engine: "celery",
//!     task_id: "t1",
//!     kind: "task.received",
//!     occurred_at: "2026-04-24T12:00:00.000001+00:00",
//!     agent_event_id: "3b241101-e2bb-4255-8caf-4136c566a962",
//!     frame_id: "ev_1",
//!     index: 0,
//! };
//! let copy_of_another_agent = EventOrigin {
//!     occurred_at: "2026-04-24T14:00:00.000001+02:00",
//!     agent_event_id: "00000000-0000-4000-8000-000000000001",
//!     frame_id: "ev_2",
//!     ..sent
//! };
//! assert_eq!(event_id(&sent), event_id(&copy_of_another_agent));
//! let one_microsecond_later = EventOrigin { occurred_at: "2026-04-24T12:00:00.000002Z", ..sent };
//! assert_ne!(event_id(&sent), event_id(&one_microsecond_later));
//! ```

use uuid::{Uuid, uuid};

use crate::id::{EventId, ProjectId};
use crate::time::Timestamp;

/// The name space of our event ids. Ours, so that an id of another brain never equals one of ours by design.
pub const EVENT_NAMESPACE: Uuid = uuid!("6f0c7a0e-5a5e-5d0b-9d64-0d5f1c2b7a41");

/// What was sent of an event, as far as it names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventOrigin<'a> {
    /// The project of the session; never of the payload.
    pub project: ProjectId,
    /// The engine, as sent.
    pub engine: &'a str,
    /// The engine's task id, as sent; empty for other events.
    pub task_id: &'a str,
    /// The kind, as sent.
    pub kind: &'a str,
    /// When it happened, as sent.
    pub occurred_at: &'a str,
    /// The agent's id of the event, as sent.
    pub agent_event_id: &'a str,
    /// The id of the frame that brought it; stable across resends.
    pub frame_id: &'a str,
    /// Its position in that frame, from 0.
    pub index: u32,
}

/// The identity of the event.
///
/// # Contract
/// Task events: project, engine, task id, kind and time to the microsecond. Other events, and task events without a
/// readable time: project and the agent's event id. Neither: project, frame id and index. Never anything random.
#[must_use]
pub fn event_id(origin: &EventOrigin<'_>) -> EventId {
    let micros = sent_time(origin.occurred_at).map(|at| at.as_micros().to_string());
    if let (Some(micros), false) = (&micros, origin.task_id.is_empty()) {
        let parts = [origin.engine, origin.task_id, origin.kind, micros];
        return name_id(origin.project, "task", &parts);
    }
    if let Some(id) = usable_event_id(origin.agent_event_id) {
        return name_id(origin.project, "event", &[&id.as_hyphenated().to_string()]);
    }
    let index = origin.index.to_string();
    name_id(origin.project, "frame", &[origin.frame_id, &index])
}

/// The time of an event as sent, to the microsecond; a time without a zone is UTC.
#[must_use]
pub fn sent_time(occurred_at: &str) -> Option<Timestamp> {
    Timestamp::parse(occurred_at, true).ok()
}

/// The time under which a row is filed: the sent time within fixed bounds, so that a resend always gets the same one.
#[must_use]
pub fn filing_time(sent: Timestamp) -> Timestamp {
    sent.clamp(Timestamp::EPOCH, Timestamp::LATEST)
}

/// Some agents send 32 hex digits without hyphens; both forms name the same event. The nil UUID names none.
fn usable_event_id(text: &str) -> Option<Uuid> {
    let plain = matches!(text.len(), 32 | 36);
    Uuid::try_parse(text)
        .ok()
        .filter(|id| plain && !id.is_nil())
}

/// UUIDv5 over parts that cannot run into each other.
fn name_id(project: ProjectId, scheme: &str, parts: &[&str]) -> EventId {
    let project = project.to_string();
    let mut all = vec![scheme, project.as_str()];
    all.extend_from_slice(parts);
    EventId::from_uuid(Uuid::new_v5(&EVENT_NAMESPACE, &encode_name(&all)))
}

/// Joins parts so that no two lists give the same bytes: the length of each in bytes, a colon, the part.
#[must_use]
pub fn encode_name(parts: &[&str]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        out.extend_from_slice(part.len().to_string().as_bytes());
        out.push(b':');
        out.extend_from_slice(part.as_bytes());
    }
    out
}
