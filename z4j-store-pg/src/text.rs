//! Text that PostgreSQL can hold, and back.
//!
//! PostgreSQL has no NUL in text, SQLite and the wire do. Here a NUL is kept as [`MARK`] followed by `0`, and a [`MARK`]
//! itself as [`MARK`] followed by `1`, so nothing is lost and different texts stay different. [`MARK`] is a code point that
//! is set aside for a program's own use and never stands for a character, so that ordinary text is stored as it is.

use std::borrow::Cow;

const MARK: char = '\u{FDD0}';

/// The form to store, and to compare stored text with.
pub(crate) fn put(text: &str) -> Cow<'_, str> {
    if !needs_marks(text) {
        return Cow::Borrowed(text);
    }
    let mut stored = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '\0' => stored.extend([MARK, '0']),
            MARK => stored.extend([MARK, '1']),
            other => stored.push(other),
        }
    }
    Cow::Owned(stored)
}

/// [`put`] of what may be absent.
pub(crate) fn put_opt(text: Option<&str>) -> Option<Cow<'_, str>> {
    text.map(put)
}

/// What was given to [`put`].
pub(crate) fn take(stored: String) -> String {
    if !stored.contains(MARK) {
        return stored;
    }
    let mut text = String::with_capacity(stored.len());
    let mut chars = stored.chars();
    while let Some(char) = chars.next() {
        match char {
            MARK => match chars.next() {
                Some('0') => text.push('\0'),
                Some('1') => text.push(MARK),
                // Written by somebody else: kept as it is.
                other => text.extend([Some(MARK), other].into_iter().flatten()),
            },
            other => text.push(other),
        }
    }
    text
}

fn needs_marks(text: &str) -> bool {
    text.as_bytes().contains(&0) || text.contains(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_different_texts_stay_different() {
        let mark = MARK.to_string();
        let texts = [
            "".to_owned(),
            "plain ä 🦀".to_owned(),
            "a\0b".to_owned(),
            "\0\0".to_owned(),
            mark.clone(),
            format!("{mark}0"),
            format!("{mark}1\0{mark}"),
        ];
        let mut stored: Vec<String> = texts.iter().map(|text| put(text).into_owned()).collect();
        for (text, stored) in texts.iter().zip(&stored) {
            assert!(!stored.contains('\0'));
            assert_eq!(&take(stored.clone()), text);
        }
        stored.sort();
        stored.dedup();
        assert_eq!(stored.len(), texts.len());
    }

    #[test]
    fn ordinary_text_is_stored_as_it_is() {
        assert!(matches!(put("send_email ä 🦀"), Cow::Borrowed(_)));
    }
}
