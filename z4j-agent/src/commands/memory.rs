//! Which commands were carried out lately, so that one that comes twice has one effect.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde_json::{Map, Value};

/// How long a command that was carried out is remembered (wire §6.1).
pub(crate) const REMEMBERED_FOR: Duration = Duration::from_secs(300);
/// How many are remembered; the oldest goes first (wire §6.1).
pub(crate) const REMEMBERED_MAX: usize = 10_000;
/// Results up to this size are kept to be given again, in bytes: 10,000 of them stay below 10 MiB.
pub(crate) const RESULT_BYTES_MAX: usize = 1024;

/// Keys of successful commands, each for a limited time.
#[derive(Debug, Default)]
pub(crate) struct CommandMemory {
    results: HashMap<String, Remembered>,
    by_age: VecDeque<(Duration, String)>,
}

#[derive(Debug)]
struct Remembered {
    result: Option<Box<str>>,
}

impl CommandMemory {
    /// Remembers that the command with this key was carried out, and its result if that is small.
    pub(crate) fn remember(&mut self, key: String, result: &Map<String, Value>, now: Duration) {
        self.forget_old(now);
        let text = serde_json::to_string(result)
            .ok()
            .filter(|text| text.len() <= RESULT_BYTES_MAX);
        let result = text.map(String::into_boxed_str);
        if self
            .results
            .insert(key.clone(), Remembered { result })
            .is_none()
        {
            self.by_age.push_back((now, key));
        }
        while self.by_age.len() > REMEMBERED_MAX {
            self.forget_oldest();
        }
    }

    /// What to answer to a command that was carried out before; `None` when it is not remembered.
    pub(crate) fn recall(&mut self, key: &str, now: Duration) -> Option<Map<String, Value>> {
        self.forget_old(now);
        let remembered = self.results.get(key)?;
        let first = remembered
            .result
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok());
        Some(first.unwrap_or_else(|| deduplicated(key)))
    }

    fn forget_old(&mut self, now: Duration) {
        while self
            .by_age
            .front()
            .is_some_and(|(at, _)| now >= *at + REMEMBERED_FOR)
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.by_age.pop_front() {
            self.results.remove(&key);
        }
    }
}

/// The answer of the wire protocol to a repeated command whose first result is not at hand (wire §6.1).
fn deduplicated(key: &str) -> Map<String, Value> {
    let mut result = Map::new();
    result.insert("deduplicated".to_owned(), Value::Bool(true));
    result.insert("dedup_key".to_owned(), Value::String(key.to_owned()));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result_of(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_repeated_command_gets_its_first_result_until_it_is_forgotten() {
        let mut memory = CommandMemory::default();
        let result = result_of(r#"{"new_task_id":"t-2"}"#);
        memory.remember("cmd:1".to_owned(), &result, Duration::ZERO);
        let shortly_before = REMEMBERED_FOR - Duration::from_millis(1);
        assert_eq!(memory.recall("cmd:1", shortly_before), Some(result));
        assert_eq!(memory.recall("cmd:1", REMEMBERED_FOR), None);
    }

    #[test]
    fn a_large_result_is_answered_with_the_fact_that_it_was_done() {
        let mut memory = CommandMemory::default();
        let large = result_of(&format!(r#"{{"text":"{}"}}"#, "x".repeat(RESULT_BYTES_MAX)));
        memory.remember("cmd:1".to_owned(), &large, Duration::ZERO);
        let answer = memory.recall("cmd:1", Duration::ZERO).unwrap();
        assert_eq!(answer.get("deduplicated"), Some(&Value::Bool(true)));
        assert_eq!(
            answer.get("dedup_key"),
            Some(&Value::String("cmd:1".to_owned()))
        );
    }

    #[test]
    fn the_oldest_command_is_forgotten_first_when_there_are_too_many() {
        let mut memory = CommandMemory::default();
        for number in 0..=REMEMBERED_MAX {
            memory.remember(format!("cmd:{number}"), &Map::new(), Duration::ZERO);
        }
        assert_eq!(memory.recall("cmd:0", Duration::ZERO), None);
        assert!(memory.recall("cmd:1", Duration::ZERO).is_some());
    }
}
