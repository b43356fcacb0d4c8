//! I-05: two different events never share an identity; two of one kind a microsecond apart stay two.

use std::collections::{BTreeMap, BTreeSet};

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::{Facts, Standing};

pub(super) fn check(picture: &Picture, facts: &Facts, broken: &mut Broken) {
    for same in facts.by_id.values() {
        let emissions = same.iter().filter_map(|index| facts.emissions.get(*index));
        let different: BTreeSet<_> = emissions
            .map(|e| (&e.key.task_id, &e.kind, e.sent_at))
            .collect();
        if different.len() > 1 {
            broken.note(format!("{different:?} share an identity"));
        }
    }
    // As many rows as different events that the store says it took.
    let mut sent: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for emission in &facts.emissions {
        let Some(id) = emission.id else { continue };
        let is_taken = facts.committed.contains(&(emission.project, id));
        if is_taken && emission.standing != Standing::Poison {
            let of_task = sent.entry((emission.project, &emission.key));
            of_task.or_default().insert(id);
        }
    }
    for ((project, key), ids) in sent {
        let stored = picture.projects.iter().find(|p| p.id == project);
        let rows = stored.and_then(|project| project.tasks.get(key));
        let rows = rows.map_or(0, |task| task.events.len());
        if rows < ids.len() {
            let task = &key.task_id;
            broken.note(format!("{} events of {task} have {rows} rows", ids.len()));
        }
    }
}
