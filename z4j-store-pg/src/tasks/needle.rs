//! Which parts of a text an index of trigrams is asked for.
//!
//! An index knows how often each trigram occurs, and reads all of these places: a trigram that most tasks have costs more than
//! it rules out. So those are left out that many of some tasks have, taken from all over the table.

use super::text;

/// Letters or digits in one entry of the index. At the end of a word it is two of them and the end.
const LENGTH: usize = 3;
/// A trigram that more tasks than one in this many have is not asked for, unless all are so.
const FREQUENT: u32 = 12;
/// Trigrams that are asked for.
const ASKED_MAX: usize = 6;
/// When so small a part of all tasks can be expected, no more trigrams are asked for: each costs.
const ENOUGH: f64 = 1e-5;

#[derive(Clone, Debug)]
struct Trigram {
    /// Its place in the needle, in bytes.
    at: usize,
    is_end: bool,
    seen: u32,
}

/// A text that is looked for, and how frequent its trigrams are.
#[derive(Clone, Debug)]
pub(super) struct Needle {
    text: Vec<u8>,
    trigrams: Vec<Trigram>,
    samples: u32,
}

impl Needle {
    /// Only ASCII counts: what else is a letter depends on the database.
    pub(super) fn new(wanted: &str) -> Self {
        let text = text::kept(wanted).into_bytes();
        let trigram = |(at, window): (usize, &[u8])| match window {
            [first, second, third]
                if first.is_ascii_alphanumeric()
                    && second.is_ascii_alphanumeric()
                    && third.is_ascii() =>
            {
                Some(Trigram {
                    at,
                    is_end: !third.is_ascii_alphanumeric(),
                    seen: 0,
                })
            }
            _ => None,
        };
        let trigrams = text.windows(LENGTH).enumerate().filter_map(trigram);
        Self {
            trigrams: trigrams.collect(),
            text,
            samples: 0,
        }
    }

    /// Whether it has no trigram at all.
    pub(super) const fn is_empty(&self) -> bool {
        self.trigrams.is_empty()
    }

    /// Looks at a text that was not looked for.
    pub(super) fn sample(&mut self, line: &str) {
        self.samples += 1;
        for trigram in &mut self.trigrams {
            if let Some(letters) = self.text.get(trigram.at..trigram.at + LENGTH) {
                let is_there = has(line.as_bytes(), letters, trigram.is_end);
                trigram.seen += u32::from(is_there);
            }
        }
    }

    /// Parts of the needle to ask the index for, none of them frequent; empty when it has no trigram.
    pub(super) fn parts(&self) -> Vec<String> {
        let mut rare = self.trigrams.clone();
        rare.sort_by_key(|trigram| trigram.seen);
        let (mut asked, mut expected) = (0, 1.0);
        for trigram in rare.iter().take(ASKED_MAX) {
            let is_frequent = trigram.seen * FREQUENT > self.samples;
            // The rarest one is asked for whatever it is.
            if asked > 0 && (is_frequent || expected < ENOUGH) {
                break;
            }
            asked += 1;
            // What was not seen may still be there: as if two more had it.
            expected *= (f64::from(trigram.seen) + 2.0) / (f64::from(self.samples) + 2.0);
        }
        rare.truncate(asked);
        rare.sort_by_key(|trigram| trigram.at);
        let mut parts: Vec<(usize, usize)> = Vec::new();
        for trigram in rare {
            match parts.last_mut() {
                Some((_, end)) if trigram.at + LENGTH == *end + 1 => *end += 1,
                _ => parts.push((trigram.at, trigram.at + LENGTH)),
            }
        }
        let part = |(start, end)| self.text.get(start..end).map(String::from_utf8_lossy);
        parts
            .into_iter()
            .filter_map(part)
            .map(std::borrow::Cow::into_owned)
            .collect()
    }
}

/// Whether `place` has these letters, or the first two of them at the end of a word.
fn has(place: &[u8], letters: &[u8], is_end: bool) -> bool {
    let wanted = if is_end {
        letters.get(..LENGTH - 1)
    } else {
        Some(letters)
    };
    let wanted = wanted.unwrap_or_default();
    place.windows(LENGTH).any(|window| {
        let (start, after) = window.split_at(wanted.len().min(window.len()));
        start.eq_ignore_ascii_case(wanted) && after.iter().all(|byte| !byte.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_trigrams_are_left_out_and_neighbours_are_joined() {
        let mut needle = Needle::new("User1234@x.y");
        for number in 0..100 {
            needle.sample(&format!("id user{number}@example"));
        }
        assert_eq!(needle.parts(), ["r1234@"]);
        assert_eq!(Needle::new("user12").parts(), ["user12"]);
    }

    #[test]
    fn a_text_without_a_word_has_no_parts_and_one_of_frequent_words_has_the_rarest() {
        assert!(Needle::new("a.b-c_d \u{fc}\u{fc}\u{fc}").parts().is_empty());
        let mut needle = Needle::new("user");
        needle.sample("user");
        needle.sample("use");
        assert_eq!(needle.parts(), ["ser"]);
    }
}
