//! What people search in, as it is kept beside the tasks.
//!
//! A line of words for each task: those of task id, name and arguments, in small ASCII letters, between single spaces. A
//! search asks for parts of words, compares the line, and then reads the records of what was found.

use z4j_core::id::TaskKey;
use z4j_core::task::TaskRecord;

use crate::day::day_of;
use crate::text;

/// The line to append for a task that went from `before` to `after`; `None` when there is one of the same words and day.
pub(crate) fn search_words(
    key: &TaskKey,
    before: Option<&TaskRecord>,
    after: &TaskRecord,
) -> Option<String> {
    let facts = facts(after);
    let is_there = |before: &TaskRecord| {
        self::facts(before) == facts && day_of(before.state_at()) == day_of(after.state_at())
    };
    if before.is_some_and(is_there) {
        return None;
    }
    Some(words(&key.task_id, after))
}

/// The words of a task.
pub(super) fn words(task_id: &str, record: &TaskRecord) -> String {
    let mut line = String::new();
    for place in std::iter::once(task_id).chain(facts(record).into_iter().flatten()) {
        // A space where one place ends and the next begins, like any other that separates words.
        if !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
        push_words(&mut line, place);
    }
    line
}

/// What is looked for, as lines have it.
pub(super) fn spaced(wanted: &str) -> String {
    let mut line = String::new();
    push_words(&mut line, wanted);
    line
}

/// In small letters; what separates words becomes one space. Only ASCII is known to: what else is a letter depends on the
/// language.
fn push_words(line: &mut String, text: &str) {
    line.reserve(text.len() + 1);
    for char in text::put(text).chars() {
        if !char.is_ascii() || char.is_ascii_alphanumeric() {
            line.push(char.to_ascii_lowercase());
        } else if !line.ends_with(' ') {
            line.push(' ');
        }
    }
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
