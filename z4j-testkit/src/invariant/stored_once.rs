//! I-03: at most one row per identity, whatever replica, connection, time or batch brought it.

use std::collections::BTreeSet;

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::Facts;

pub(super) fn check(picture: &Picture, facts: &Facts, broken: &mut Broken) {
    for project in &picture.projects {
        let mut ids = BTreeSet::new();
        for (key, task) in &project.tasks {
            let mut happened = BTreeSet::new();
            for row in &task.events {
                if !ids.insert(row.id) {
                    broken.note(format!("event {} has two rows", row.id));
                }
                let same = facts.by_id.get(&(project.id, row.id));
                let emission = same.and_then(|same| facts.emissions.get(*same.first()?));
                // Without a readable time two events may well look alike.
                if let Some(sent_at) = emission.and_then(|emission| emission.sent_at)
                    && !happened.insert((row.kind.to_string(), sent_at))
                {
                    let task = &key.task_id;
                    broken.note(format!("{} of {task} at {sent_at} has two rows", row.kind));
                }
            }
        }
    }
}
