//! Search in arguments, which only the record holds.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use z4j_core::task::TaskRecord;

use crate::fault::Fault;

/// Gives a connection the function `arguments_contain(record, text)`: without regard to ASCII case, as `LIKE`.
pub(crate) fn install(db: &Connection) -> Result<(), Fault> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    db.create_scalar_function("arguments_contain", 2, flags, |context| {
        let record = TaskRecord::decode(context.get_raw(0).as_blob()?)
            .map_err(|error| rusqlite::Error::UserFunctionError(error.into()))?;
        let text = context.get_raw(1).as_str()?;
        let view = record.view();
        Ok(view
            .args
            .into_iter()
            .chain(view.kwargs)
            .any(|arguments| contains(arguments, text)))
    })?;
    Ok(())
}

fn contains(haystack: &str, needle: &str) -> bool {
    let needle = needle.as_bytes();
    needle.is_empty()
        || haystack
            .as_bytes()
            .windows(needle.len())
            .any(|window| window.eq_ignore_ascii_case(needle))
}

/// A `LIKE` pattern (escape character `\`) for texts that contain `text`.
pub(super) fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_case_is_ignored_and_metacharacters_are_letters() {
        assert!(contains(
            "[\"Ünder_Score\"]",
            "under_".trim_start_matches('u')
        ));
        assert!(contains("ABC", "bc"));
        assert!(!contains("abc", "abcd"));
        assert_eq!(pattern("50%_\\"), "%50\\%\\_\\\\%");
    }
}
