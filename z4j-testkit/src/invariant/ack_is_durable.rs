//! I-01: the events of an acknowledged frame are in the store, or in its quarantine, after any crash of anything.

use std::collections::BTreeSet;

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::{Facts, Fate, Standing};

pub(super) fn check(picture: &Picture, facts: &Facts, broken: &mut Broken) {
    let stored: BTreeSet<_> = picture
        .projects
        .iter()
        .flat_map(|project| {
            let tasks = project.tasks.values();
            tasks.flat_map(|task| task.events.iter().map(|row| (project.id, row.id)))
        })
        .collect();
    let acknowledged = facts
        .emissions
        .iter()
        .filter(|emission| emission.fate == Fate::Acknowledged);
    for emission in acknowledged.filter(|emission| emission.standing == Standing::Own) {
        let Some(id) = emission.id else { continue };
        let place = (emission.project, id);
        if !stored.contains(&place) && !facts.quarantined.contains(&place) {
            broken.note(format!(
                "{} of task {} at {} was acknowledged and is not stored",
                emission.kind, emission.key.task_id, emission.occurred_at
            ));
        }
    }
}
