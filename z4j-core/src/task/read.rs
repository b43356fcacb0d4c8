//! Reads the `data` member of an event.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::members::{Revocation, flag, json, millis, number_or_text, tags, task_id, text, time};
use super::{EventKind, TaskFacts, error_text};

/// The facts that `data` holds. Anything but an object holds none.
pub(super) fn facts(kind: &EventKind, data: &RawValue) -> TaskFacts {
    let mut reader = serde_json::Deserializer::from_str(data.get());
    let mut read: Data =
        serde::Deserializer::deserialize_map(&mut reader, DataVisitor).unwrap_or_default();
    if *kind == EventKind::TaskRevoked && read.facts.reason.is_none() {
        read.facts.reason = read.revocation.reason();
    }
    error_text::split(&mut read.facts);
    read.facts
}

#[derive(Default)]
struct Data {
    facts: TaskFacts,
    revocation: Revocation,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    TaskName,
    Queue,
    Worker,
    Priority,
    Args,
    Kwargs,
    Result,
    Exception,
    ExceptionMessage,
    Traceback,
    Reason,
    RuntimeMs,
    Eta,
    ParentTaskId,
    RootTaskId,
    Retries,
    Tags,
    Terminated,
    Signum,
    Expired,
    #[serde(other)]
    Other,
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut data = Data::default();
        while let Some(member) = map.next_key::<Member>()? {
            if matches!(member, Member::Other) {
                map.next_value::<IgnoredAny>()?;
            } else {
                data.take(&member, map.next_value()?);
            }
        }
        Ok(data)
    }
}

impl Data {
    fn take(&mut self, member: &Member, raw: &RawValue) {
        let facts = &mut self.facts;
        let raw = raw.get();
        match member {
            Member::TaskName => facts.name = text(raw).filter(|name| !name.starts_with("<unknown")),
            Member::Queue => facts.queue = text(raw),
            Member::Worker => facts.worker = text(raw),
            Member::Priority => facts.priority = number_or_text(raw),
            Member::Args => facts.args = json(raw),
            Member::Kwargs => facts.kwargs = json(raw),
            Member::Result => facts.result = json(raw),
            Member::Exception => facts.exception = text(raw),
            Member::ExceptionMessage => facts.exception_message = text(raw),
            Member::Traceback => facts.traceback = text(raw),
            Member::Reason => facts.reason = text(raw),
            Member::RuntimeMs => facts.runtime_ms = millis(raw),
            Member::Eta => facts.eta = time(raw),
            Member::ParentTaskId => facts.parent_task_id = task_id(raw),
            Member::RootTaskId => facts.root_task_id = task_id(raw),
            Member::Retries => facts.retries = raw.parse().ok(),
            Member::Tags => facts.tags = tags(raw),
            Member::Terminated => self.revocation.is_terminated = flag(raw),
            Member::Signum => self.revocation.signal = number_or_text(raw),
            Member::Expired => self.revocation.is_expired = flag(raw),
            Member::Other => {}
        }
    }
}
