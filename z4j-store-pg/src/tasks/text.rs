//! What people search in, as it is kept beside the tasks.
//!
//! One line for each task: a mark of its project, task id, name, arguments, all in small ASCII letters, between separators.
//! The mark is a word of its own, so that an index of words' parts can tell projects apart.

use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::task::TaskRecord;

use crate::text;

const SEPARATOR: char = '\u{1}';
/// Letters and digits in a row that an index of trigrams can look up.
const RUN_MIN: usize = 3;

/// The line to append for a task that went from `before` to `after`; `None` when it is the line that is there already.
pub(crate) fn search_text(
    project: ProjectId,
    key: &TaskKey,
    before: Option<&TaskRecord>,
    after: &TaskRecord,
) -> Option<String> {
    let facts = facts(after);
    if before.is_some_and(|before| self::facts(before) == facts) {
        return None;
    }
    let mut line = mark(project);
    for part in [Some(key.task_id.as_str())].into_iter().chain(facts) {
        line.push(SEPARATOR);
        line.push_str(&text::put(part.unwrap_or_default()));
    }
    line.make_ascii_lowercase();
    Some(line)
}

/// A `LIKE` pattern for the lines of `project` that hold `wanted`. It may match more than [`mentions`] does, never less.
pub(super) fn pattern(project: ProjectId, wanted: &str) -> String {
    let mut pattern = mark(project);
    pattern.push(SEPARATOR);
    pattern.push('%');
    for character in text::put(wanted).chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character.to_ascii_lowercase());
    }
    pattern.push('%');
    pattern
}

/// Whether trigrams say anything about `wanted`. Only ASCII counts: what else is a letter depends on the database.
pub(super) fn has_trigrams(wanted: &str) -> bool {
    wanted
        .as_bytes()
        .split(|byte| !byte.is_ascii_alphanumeric())
        .any(|run| run.len() >= RUN_MIN)
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

/// A word of four letters and digits for a project. Two projects may share one: it only narrows.
fn mark(project: ProjectId) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let folded = project
        .as_uuid()
        .as_bytes()
        .iter()
        .fold(0_u32, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u32::from(*byte))
        });
    let mut mark = String::from("z");
    for place in [1, 36, 36 * 36] {
        let digit = DIGITS.get((folded / place % 36) as usize);
        mark.push(char::from(*digit.unwrap_or(&b'0')));
    }
    mark
}

/// What [`super::search`] reads a record for, before it is decoded: most rows of a walk are ruled out by their bytes.
pub(super) fn may_mention(task_id: &str, record: &[u8], wanted: &str) -> bool {
    contains(record, wanted.as_bytes()) || contains(task_id.as_bytes(), wanted.as_bytes())
}
