//! What people search in, as it is kept beside the tasks.
//!
//! One line for each task: task id, name, arguments, all in small ASCII letters, between separators.

use z4j_core::id::TaskKey;
use z4j_core::task::TaskRecord;

use crate::text;

const SEPARATOR: char = '\u{1}';

/// The line to append for a task that went from `before` to `after`; `None` when it is the line that is there already.
pub(crate) fn search_text(
    key: &TaskKey,
    before: Option<&TaskRecord>,
    after: &TaskRecord,
) -> Option<String> {
    let facts = facts(after);
    if before.is_some_and(|before| self::facts(before) == facts) {
        return None;
    }
    let mut line = text::put(&key.task_id).into_owned();
    for part in facts {
        line.push(SEPARATOR);
        line.push_str(&text::put(part.unwrap_or_default()));
    }
    line.make_ascii_lowercase();
    Some(line)
}

/// What is looked for as lines have it. Lines may hold it more often than [`mentions`] says, never less.
pub(super) fn kept(wanted: &str) -> String {
    text::put(wanted).to_ascii_lowercase()
}

/// Whether task id, name or arguments hold `wanted`, without regard to ASCII case: what a search means.
pub(super) fn mentions(task_id: &str, record: &TaskRecord, wanted: &str) -> bool {
    let places = facts(record).into_iter().chain([Some(task_id)]);
    places
        .flatten()
        .any(|place| contains(place.as_bytes(), wanted.as_bytes()))
}

fn facts(record: &TaskRecord) -> [Option<&str>; 3] {
    let view = record.view();
    [view.name, view.args, view.kwargs]
}

/// Whether `haystack` holds `needle`, without regard to ASCII case.
pub(super) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else {
        return true;
    };
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    haystack.iter().enumerate().any(|(at, byte)| {
        (*byte == lower || *byte == upper)
            && haystack
                .get(at + 1..at + 1 + rest.len())
                .is_some_and(|place| place.eq_ignore_ascii_case(rest))
    })
}

/// What [`super::search`] reads a record for, before it is decoded: most rows of a walk are ruled out by their bytes.
pub(super) fn may_mention(task_id: &str, record: &[u8], wanted: &str) -> bool {
    contains(record, wanted.as_bytes()) || contains(task_id.as_bytes(), wanted.as_bytes())
}
