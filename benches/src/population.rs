//! Many finished tasks as a busy shop leaves them: names, queues and workers used unevenly, one in twenty failed,
//! arguments of which no two are alike. A task is a function of its number, so a load can be taken up where it stopped.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use z4j_core::store::IngestEvent;
use z4j_core::time::Timestamp;

use crate::events::BenchEvent;
use crate::store_alone::{Tenant, row};

/// Task names.
pub(crate) const NAMES: u64 = 20;
/// Queues.
pub(crate) const QUEUES: u64 = 8;
/// Workers.
pub(crate) const WORKERS: u64 = 40;
const WORDS: u64 = 2_000;

const AREAS: [&str; 5] = ["orders", "mail", "billing", "search", "stock"];
const VERBS: [&str; 4] = ["confirm", "sync", "notify", "expire"];
const SYLLABLES: [&str; 20] = [
    "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va",
    "we", "xi", "yo", "zu",
];

/// The tasks of a load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Population {
    /// Makes ids that no other load has.
    pub(crate) seed: u64,
    /// When the first task ran.
    pub(crate) start: Timestamp,
    /// From one task to the next, in microseconds.
    pub(crate) step_us: u64,
    /// One: its outcome, with everything known of it. Two: its receipt and its outcome. Three: its start too.
    pub(crate) events_per_task: u8,
}

impl Population {
    /// The rows of a range of tasks, as a brain hands them to its store.
    pub(crate) fn rows(
        &self,
        tenant: Tenant,
        engine: &Arc<str>,
        tasks: Range<u64>,
    ) -> anyhow::Result<Vec<IngestEvent>> {
        let events = tasks.flat_map(|task| self.events(task));
        events.map(|event| row(tenant, engine, &event)).collect()
    }

    /// The events of one task, in order.
    pub(crate) fn events(&self, task: u64) -> Vec<BenchEvent> {
        let draw = |what: u64| mix(self.seed ^ what.wrapping_mul(0xd6e8_feb8_6659_fd93), task);
        let name = name(uneven(draw(1), NAMES));
        let queue = format!("queue-{}", uneven(draw(2), QUEUES));
        let worker = format!("celery@web-{:02}", uneven(draw(3), WORKERS));
        let runtime_ms = 5 + draw(4) % 400 * (1 + draw(5) % 20);
        let place = format!(r#""task_name":"{name}","queue":"{queue}","worker":"{worker}""#);
        let arguments = arguments(task, draw(6));
        let failed = draw(7).is_multiple_of(20);
        let outcome = if failed {
            format!(
                r#""exception":"OutOfStock","exception_message":"nothing left of item {task}","traceback":"Traceback (most recent call last):\n  File \"shop/orders.py\", line 118, in confirm\nshop.stock.OutOfStock: nothing left of item {task}""#
            )
        } else {
            format!(r#""result":"{{'order': {task}, 'state': 'done'}}","runtime_ms":{runtime_ms}"#)
        };
        let kind = if failed {
            "task.failed"
        } else {
            "task.succeeded"
        };
        let jitter = draw(8) % (self.step_us * 20).max(1);
        let received = self.start.as_micros() + micros(task * self.step_us + jitter);
        let finished = received + micros(20_000 + runtime_ms * 1_000);
        let event = |kind, at: i64, data: String| BenchEvent {
            id: uuid::Uuid::nil(),
            kind,
            task_id: uuid::Uuid::from_u64_pair(draw(9), draw(10)).to_string(),
            at: Timestamp::from_micros(at),
            data: format!("{{{data}}}"),
        };
        match self.events_per_task {
            1 => vec![event(
                kind,
                finished,
                format!("{place},{arguments},{outcome}"),
            )],
            count => {
                let first = format!("{place},{arguments},\"tags\":[\"shop\"]");
                let mut events = vec![event("task.received", received, first)];
                if count > 2 {
                    events.push(event("task.started", received + 20_000, place.clone()));
                }
                events.push(event(kind, finished, format!("{place},{outcome}")));
                events
            }
        }
    }
}

/// A task name.
pub(crate) fn name(index: u64) -> String {
    let area = AREAS[usize::try_from(index % 5).unwrap_or(0)];
    let verb = VERBS[usize::try_from(index / 5 % 4).unwrap_or(0)];
    format!("shop.{area}.{verb}")
}

/// One of two thousand words; a task's arguments hold three.
pub(crate) fn word(index: u64) -> String {
    let mut word = String::new();
    let mut rest = index % WORDS;
    for _ in 0..3 {
        word.push_str(SYLLABLES[usize::try_from(rest % 20).unwrap_or(0)]);
        rest /= 20;
    }
    word
}

/// The text that only the arguments of this task hold.
pub(crate) fn order(task: u64) -> String {
    format!("order-{task:09}")
}

fn arguments(task: u64, draw: u64) -> String {
    let mut out = String::with_capacity(220);
    let words = [draw, draw >> 16, draw >> 32].map(word);
    let _ = write!(
        out,
        r#""args":[{task},"{}"],"kwargs":{{"customer":"customer-{}","note":"{} {} {}","items":[{{"sku":"A-{}","count":{}}}],"source":"checkout"}}"#,
        order(task),
        draw % 250_000,
        words[0],
        words[1],
        words[2],
        draw % 90_000,
        1 + draw % 9
    );
    out
}

/// The smaller of two draws: low numbers are used more often, the first about twice the average.
fn uneven(draw: u64, below: u64) -> u64 {
    (draw % below).min((draw >> 32) % below)
}

fn micros(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Spreads `(a, b)` over all 64 bits: the finaliser of SplitMix64.
fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_add(b.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn population(events_per_task: u8) -> Population {
        Population {
            seed: 5,
            start: Timestamp::from_micros(1_700_000_000_000_000),
            step_us: 8_000,
            events_per_task,
        }
    }

    #[test]
    fn tasks_are_distinct_and_one_in_twenty_failed() {
        let population = population(1);
        let events: Vec<_> = (0..20_000)
            .flat_map(|task| population.events(task))
            .collect();
        let ids: HashSet<_> = events.iter().map(|event| &event.task_id).collect();
        assert_eq!(ids.len(), 20_000);
        let failed = events.iter().filter(|event| event.kind == "task.failed");
        assert!((800..1_200).contains(&failed.count()));
        let names: HashSet<_> = (0..NAMES).map(name).collect();
        let words: HashSet<_> = (0..WORDS).map(word).collect();
        assert_eq!((names.len(), words.len()), (20, 2_000));
    }

    #[test]
    fn same_number_gives_the_same_task_whatever_was_made_before() {
        let population = population(3);
        let events = population.events(77);
        let again = population.events(77);
        assert_eq!(events.len(), 3);
        assert!(
            events
                .iter()
                .zip(&again)
                .all(|(a, b)| a.data == b.data && a.at == b.at)
        );
        assert!(events.iter().all(|event| event.data.len() < 800));
        let data: serde_json::Value = serde_json::from_str(&events[0].data).unwrap();
        assert_eq!(data["args"][1], order(77));
    }
}
