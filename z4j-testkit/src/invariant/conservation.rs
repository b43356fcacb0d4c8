//! I-02: for each process, what it emitted is stored, or still buffered, or declared as lost.
//!
//! After healing nothing is buffered. What died with the memory of a process cannot be declared by it; the simulator knows
//! it. Everything else that is missing must be covered by what was declared.

use std::collections::BTreeMap;

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::{Facts, Fate, Standing};

pub(super) fn check(_: &Picture, facts: &Facts, broken: &mut Broken) {
    let mut missing: BTreeMap<_, (u64, String)> = BTreeMap::new();
    for emission in &facts.emissions {
        let Some(id) = emission.id else { continue };
        let place = (emission.project, id);
        let is_there = facts.committed.contains(&place) || facts.quarantined.contains(&place);
        let is_excused = matches!(emission.fate, Fate::LostWithMemory | Fate::Evicted);
        let is_left = emission.standing == Standing::SecondHand;
        if !is_there && !is_excused && !is_left {
            let of_process = missing.entry(emission.process).or_default();
            of_process.0 += 1;
            of_process.1 = format!("{} of {}", emission.kind, emission.key.task_id);
        }
    }
    for (no, (count, last)) in missing {
        let process = facts.processes.get(&no);
        let declared = process.map_or(0, |process| process.declared);
        if count > declared {
            broken.note(format!(
                "process {} emitted {count} events that are nowhere, such as {last}, and declared {declared} as lost",
                no.0
            ));
        }
    }
}
