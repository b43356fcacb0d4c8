//! I-04: the same event sent again, by anybody, at any brain clock, has the same identity: that which follows from what
//! was sent.

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::Facts;

pub(super) fn check(picture: &Picture, facts: &Facts, broken: &mut Broken) {
    for project in &picture.projects {
        for (key, task) in &project.tasks {
            for row in &task.events {
                if !facts.by_id.contains_key(&(project.id, row.id)) {
                    broken.note(format!(
                        "row {} ({} of {}) is stored under an identity that nothing sent has",
                        row.id, row.kind, key.task_id
                    ));
                }
            }
        }
    }
}
