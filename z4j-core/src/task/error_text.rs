//! Takes an error apart that came as one text.

use super::{TaskFacts, Text};

/// Some engines put the whole traceback into `exception`. Its last line names the class and the message.
pub(super) fn split(facts: &mut TaskFacts) {
    let Some(whole) = facts
        .exception
        .as_ref()
        .filter(|text| text.trim_end().contains('\n'))
        .cloned()
    else {
        return;
    };
    let last = whole
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let (class, message) = match last.split_once(": ") {
        Some((class, message)) => (class.trim(), Some(message.trim())),
        None => (last.trim(), None),
    };
    if !is_class_path(class) {
        facts.traceback.get_or_insert_with(|| Text::clone(&whole));
        facts.exception = None;
        facts
            .exception_message
            .get_or_insert_with(|| last.trim().into());
        return;
    }
    facts.exception = Some(class.rsplit('.').next().unwrap_or(class).into());
    if let Some(message) = message.filter(|message| !message.is_empty()) {
        facts
            .exception_message
            .get_or_insert_with(|| message.into());
    }
    facts.traceback.get_or_insert_with(|| Text::clone(&whole));
}

fn is_class_path(text: &str) -> bool {
    let starts_well = text.starts_with(|first: char| first.is_alphabetic() || first == '_');
    starts_well
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
}
