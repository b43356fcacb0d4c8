//! Members of dictionaries that are printed inside text: Python's `repr`, JSON in a string, JSON in a string of JSON.

use super::FieldValue;
use crate::limits::KEY_CHARS_MAX;

const QUOTES: [char; 2] = ['"', '\''];

/// Every `'key': value` of a text, with what can be told of the value. Linear: each part between two quotes, and each
/// run of spaces before a colon, is looked at once.
pub(super) fn printed_members(text: &str) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
    text.match_indices(':').filter_map(|(colon, _)| {
        let (before, after) = text.split_at(colon);
        let key = key_before(before)?;
        let value = value_after(after.strip_prefix(':')?)?;
        Some((key, value))
    })
}

/// The quoted text that `before` ends in. Longer text is prose.
fn key_before(before: &str) -> Option<&str> {
    let quoted = before.trim_end().strip_suffix(QUOTES)?;
    let opening = quoted.rfind(QUOTES)?;
    let key = quoted.get(opening + 1..)?.trim_end_matches('\\');
    let fits = key.len() <= KEY_CHARS_MAX || key.chars().count() <= KEY_CHARS_MAX;
    (fits && !key.is_empty()).then_some(key)
}

/// Longer values are text, whatever they start with.
const BARE_BYTES_MAX: usize = 64;

/// `None` when there is no value, or an empty one.
fn value_after(after: &str) -> Option<FieldValue<'_>> {
    let ends = |char: char| matches!(char, ',' | '}' | ']' | ')');
    let start = after.trim_start();
    let opened = start.trim_start_matches(['\\', '"', '\'']);
    let first = opened.trim_start().chars().next()?;
    if ends(first) {
        return None;
    }
    if opened.len() < start.len() {
        return Some(FieldValue::Text(opened));
    }
    let head = start.get(..start.floor_char_boundary(BARE_BYTES_MAX))?;
    let end = head.find(|char: char| char.is_whitespace() || ends(char));
    let bare = head.get(..end.unwrap_or(head.len()))?;
    Some(match bare {
        "None" | "null" => FieldValue::Null,
        "True" | "true" => FieldValue::Bool(true),
        "False" | "false" => FieldValue::Bool(false),
        _ if first == '[' => FieldValue::Array,
        _ if first == '{' => FieldValue::Object,
        number if number.parse::<f64>().is_ok() => FieldValue::Number(number),
        other => FieldValue::Text(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Vec<(&str, FieldValue<'_>)> {
        printed_members(text).collect()
    }

    #[test]
    fn members_of_any_spelling_are_seen() {
        assert_eq!(
            members("{'a': 5, \"b\" : None, 'c':[1], 'd': {'e': True}}"),
            [
                ("a", FieldValue::Number("5")),
                ("b", FieldValue::Null),
                ("c", FieldValue::Array),
                ("d", FieldValue::Object),
                ("e", FieldValue::Bool(true)),
            ]
        );
        assert_eq!(
            members(r#"{\"a\": \"x\"}"#),
            [("a", FieldValue::Text(r#"x\"}"#))]
        );
        assert_eq!(members("{'a': b'x'}"), [("a", FieldValue::Text("b'x'"))]);
    }

    #[test]
    fn a_key_without_a_value_or_without_quotes_is_no_member() {
        for text in [
            "'a':",
            "'a': ''",
            "{'a': , 'b': }",
            "a: 5",
            "a': 5",
            "http://host",
            "'': 1",
        ] {
            assert_eq!(members(text), [], "{text}");
        }
        let prose = format!("'{}': 1", "a".repeat(KEY_CHARS_MAX + 1));
        assert_eq!(members(&prose), []);
    }
}
