//! I-10: every evicted event is in the brain's loss counters within two status intervals after healing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::Facts;

pub(super) fn check(picture: &Picture, facts: &Facts, broken: &mut Broken) {
    // What runtimes that are gone had declared may or may not have reached a brain.
    let (mut living, mut dead) = (BTreeMap::new(), BTreeMap::new());
    for process in facts.processes.values().filter(|p| p.is_in_memory) {
        let of = if process.is_dead {
            &mut dead
        } else {
            &mut living
        };
        *of.entry(process.agent).or_insert(0) += process.declared;
    }
    for agent in picture.projects.iter().flat_map(|project| &project.agents) {
        let text = agent.telemetry_loss.as_deref().unwrap_or("{}");
        let loss: Value = serde_json::from_str(text).unwrap_or_default();
        let shown = loss.get("event_records").and_then(Value::as_u64);
        let shown = shown.unwrap_or(0);
        let of = |counts: &BTreeMap<_, u64>| counts.get(&agent.id).copied().unwrap_or(0);
        let least = of(&picture.evicted) + of(&living);
        let most = least + of(&dead);
        if !(least..=most).contains(&shown) {
            let name = &agent.name;
            broken.note(format!(
                "agent {name} lost {least} events, at most {most}, and the brain shows {shown}"
            ));
        }
    }
    // The same from the other side: what buffers dropped is what they count.
    let evicted = facts.emissions.iter();
    let evicted = evicted.filter(|e| e.fate == crate::sim::oracle::Fate::Evicted);
    let counted: u64 = picture.evicted.values().sum();
    let evicted = evicted.count() as u64;
    if evicted != counted {
        broken.note(format!(
            "buffers dropped {evicted} events and declare {counted}"
        ));
    }
}
