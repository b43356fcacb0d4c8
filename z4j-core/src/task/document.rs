//! Writes `docs/task-states.md` from the table and from what the machine does.

use std::fmt::Write as _;

use super::table::RULES;
use super::{EventKind, TaskEvent, TaskRecord, TaskState};
use crate::time::Timestamp;

/// Kinds that move a task, in the order of the page's columns.
const KINDS: [EventKind; 8] = [
    EventKind::TaskSent,
    EventKind::TaskReceived,
    EventKind::TaskStarted,
    EventKind::TaskRetried,
    EventKind::TaskSucceeded,
    EventKind::TaskFailed,
    EventKind::TaskRevoked,
    EventKind::TaskRejected,
];

const INTRODUCTION: &str = "\
# Task states

Written by `z4j_core::task::document()`; do not edit.

A task's state follows from the *latest time of each kind of event* and from nothing else: not from the order in which
events arrive, not from how often they arrive, not from how they are batched. The first row that applies gives the state.

| # | Known about the task | State |
|---|---|---|
";

const NOTES: &str = "
Times are those of the events' sources. No event makes a task `lost`: the brain decides that when everything that knew about
a running task went silent.

## Facts

- A fact is never replaced by an absent or placeholder value. Of several reports the latest one counts; arguments as an
  array or object count more than a text that stands for them.
- Error, traceback, reason, result and runtime belong to the attempt that reported them. A later start ends their time: they
  are not shown for the new attempt.
- Start, received and waiting times are those of the current attempt. Some engines hand out the next attempt before they
  report that the last one is retried; that receipt counts for the next attempt.
- Runtime is what the engine measured, else the time from start to end of the same attempt, for failures too.
- Retries are counted as ends of attempts that another start follows, and announced retries; or as the engine's own count if
  that is higher. Ends with no start between them are one end, reported more than once. The latest 256 times of receipts,
  starts and ends are kept, so the count of an engine that reports no count of its own stops growing there.

## What one more event does

Rows: the state before. Columns: an event stamped **later** than all that is known.

";

/// The page that describes the task machine.
#[must_use]
pub fn document() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (index, rule) in RULES.iter().enumerate() {
        push(
            &mut page,
            format_args!("| {} | {} | {} |\n", index + 1, rule.when, rule.gives),
        );
    }
    page.push_str(NOTES);
    page.push_str(&moves(Timestamp::from_micros(2)));
    page.push_str("\nThe same for an event stamped **earlier** than all that is known (it comes late, or again):\n\n");
    page.push_str(&moves(Timestamp::from_micros(0)));
    page
}

fn moves(at: Timestamp) -> String {
    let mut table = String::from("| |");
    for kind in &KINDS {
        push(
            &mut table,
            format_args!(" {} |", kind.as_str().trim_start_matches("task.")),
        );
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(KINDS.len()));
    table.push('\n');
    for before in KINDS {
        let first = TaskEvent::new(before, Timestamp::from_micros(1));
        let Some(record) = TaskRecord::from_event(&first) else {
            continue;
        };
        push(&mut table, format_args!("| **{}** |", record.state()));
        for kind in &KINDS {
            push(
                &mut table,
                format_args!(" {} |", state_after(&record, kind, at)),
            );
        }
        table.push('\n');
    }
    table
}

fn state_after(record: &TaskRecord, kind: &EventKind, at: Timestamp) -> TaskState {
    let mut after = record.clone();
    after.absorb(&TaskEvent::new(kind.clone(), at));
    after.state()
}

#[expect(clippy::expect_used, reason = "writing to a String cannot fail")]
fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text)
        .expect("writing to a String cannot fail");
}
