//! Which parts of a text the index of words is asked for.
//!
//! The index knows in which rows each gram occurs, four neighbouring letters or digits or the first or last three of a word,
//! and reads all of them: a gram that many tasks have costs more than it rules out. So those are left out that many of some
//! tasks have.

use std::collections::HashSet;

use super::text;

/// Bytes of a gram. The first one may be the beginning of a word, the last one its end.
const LENGTH: usize = 4;
/// A gram that more tasks than one in this many have is not asked for, unless all are so.
const FREQUENT: u32 = 12;
/// Grams that are asked for.
const ASKED_MAX: usize = 6;
/// When so small a part of all tasks can be expected, no more grams are asked for: each costs.
const ENOUGH: f64 = 1e-6;

/// The grams of words between single spaces, as `task_text_grams` of the schema makes them.
fn grams(line: &[u8]) -> impl Iterator<Item = i32> {
    line.windows(LENGTH)
        .enumerate()
        .filter_map(|(at, window)| match window {
            [_, b' ', _, _] | [_, _, b' ', _] | [b' ', _, _, b' '] => None,
            [first, second, third, fourth] => {
                let before = at.checked_sub(1).and_then(|before| line.get(before));
                let is_run = [second, third, fourth].iter().all(|byte| *byte == first);
                Some(if is_run && before == Some(first) {
                    code([*first, b' ', b' ', b' '])
                } else {
                    code([*first, *second, *third, *fourth])
                })
            }
            _ => None,
        })
}

/// The first bit is flipped, so that the number is made without overflow where it is made in SQL.
const fn code([first, second, third, fourth]: [u8; LENGTH]) -> i32 {
    i32::from_be_bytes([first ^ 0x80, second, third, fourth])
}

#[derive(Clone, Debug)]
struct Gram {
    code: i32,
    seen: u32,
}

/// What the index is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    /// Rows that have all of these.
    All(Vec<i32>),
    /// Rows that have one of these.
    Any(Vec<i32>),
}

/// A text that is looked for, and how frequent its grams are.
#[derive(Clone, Debug)]
pub(super) struct Needle {
    /// Its words, with a space where one begins or ends there.
    line: String,
    grams: Vec<Gram>,
    samples: u32,
}

impl Needle {
    /// `None` when it has no three letters or digits in a row: the index knows nothing of it.
    pub(super) fn new(wanted: &str) -> Option<Self> {
        let line = text::spaced(wanted);
        if line.split(' ').all(|run| run.len() < LENGTH - 1) {
            return None;
        }
        let mut seen = HashSet::new();
        let codes = grams(line.as_bytes()).filter(|code| seen.insert(*code));
        let grams = codes.map(|code| Gram { code, seen: 0 }).collect();
        Some(Self {
            line,
            grams,
            samples: 0,
        })
    }

    /// What the line of a task has that has the text.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    /// Looks at the words of a task, one of some from all over the project's history.
    pub(super) fn sample(&mut self, words: &str) {
        let line = format!(" {words} ");
        let there: HashSet<i32> = grams(line.as_bytes()).collect();
        self.samples += 1;
        for gram in &mut self.grams {
            gram.seen += u32::from(there.contains(&gram.code));
        }
    }

    /// The rarest grams; for a text of three letters all grams that begin so.
    pub(super) fn asked(&self) -> Asked {
        let mut runs = self.line.split(' ').map(str::as_bytes);
        let three = runs.find(|run| run.len() == LENGTH - 1);
        if let (Some([first, second, third]), true) = (three, self.grams.is_empty()) {
            let all = (0..=u8::MAX).filter(|byte| !byte.is_ascii() || byte.is_ascii_alphanumeric());
            let ends = all.chain([b' ']);
            return Asked::Any(
                ends.map(|end| code([*first, *second, *third, end]))
                    .collect(),
            );
        }
        let mut rare = self.grams.clone();
        rare.sort_by_key(|gram| gram.seen);
        let (mut codes, mut expected) = (Vec::new(), 1.0);
        for gram in rare.iter().take(ASKED_MAX) {
            let is_frequent = gram.seen * FREQUENT > self.samples;
            // The rarest one is asked for whatever it is.
            if !codes.is_empty() && (is_frequent || expected < ENOUGH) {
                break;
            }
            codes.push(gram.code);
            // What was not seen may still be there: as if two more had it.
            expected *= (f64::from(gram.seen) + 2.0) / (f64::from(self.samples) + 2.0);
        }
        Asked::All(codes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(parts: &[&str]) -> Vec<i32> {
        let bytes = parts.iter().map(|part| part.as_bytes().try_into().unwrap());
        bytes.map(code).collect()
    }

    fn asked(needle: &Needle) -> Vec<i32> {
        match needle.asked() {
            Asked::All(mut codes) => {
                codes.sort_unstable();
                codes
            }
            Asked::Any(codes) => panic!("{codes:?}"),
        }
    }

    fn sorted(mut codes: Vec<i32>) -> Vec<i32> {
        codes.sort_unstable();
        codes
    }

    #[test]
    fn frequent_grams_are_left_out() {
        let mut needle = Needle::new("User1234@x.y").unwrap();
        for number in 0..100 {
            needle.sample(&format!("user{number} example"));
        }
        let rare = codes(&["er12", "r123", "1234", "234 "]);
        assert_eq!(asked(&needle), sorted(rare));
    }

    #[test]
    fn the_end_of_what_is_looked_for_is_no_end_of_a_word() {
        let needle = Needle::new("user12").unwrap();
        assert_eq!(asked(&needle), sorted(codes(&["user", "ser1", "er12"])));
        assert_eq!(needle.line(), "user12");
    }

    #[test]
    fn words_are_whole_where_the_text_shows_their_ends() {
        let needle = Needle::new("der_id\": 4711, \"em").unwrap();
        assert_eq!(needle.line(), "der id 4711 em");
        let whole = codes(&["der ", " 471", "4711", "711 "]);
        assert_eq!(asked(&needle), sorted(whole));
    }

    #[test]
    fn one_letter_in_a_row_is_rare_from_five_of_them_on() {
        let of = |wanted| asked(&Needle::new(wanted).unwrap());
        assert_eq!(of("7777"), codes(&["7777"]));
        assert_eq!(of("77777"), sorted(codes(&["7777", "7   "])));
        assert_eq!(of("777777777777"), sorted(codes(&["7777", "7   "])));
        let mut needle = Needle::new("77777").unwrap();
        needle.sample("177777 a7777");
        assert!(needle.grams.iter().all(|gram| gram.seen == 1));
        assert_eq!(of("-44445"), sorted(codes(&[" 444", "4444", "4445"])));
    }

    #[test]
    fn three_letters_are_found_whatever_follows_and_fewer_not_at_all() {
        assert!(Needle::new("a.b-c_d 42").is_none());
        let Asked::Any(any) = Needle::new("erp").unwrap().asked() else {
            panic!("no gram is whole");
        };
        for end in ["erpa", "erp7", "erp "] {
            assert!(any.contains(&codes(&[end])[0]), "{end}");
        }
        assert_eq!(asked(&Needle::new("erp.").unwrap()), codes(&["erp "]));
        assert_eq!(asked(&Needle::new("p.erp").unwrap()), codes(&[" erp"]));
    }

    #[test]
    fn a_text_of_frequent_grams_has_the_rarest() {
        let mut needle = Needle::new("users").unwrap();
        for line in ["user", "xsers", "sers"] {
            needle.sample(line);
        }
        assert_eq!(asked(&needle), codes(&["user"]));
    }
}
