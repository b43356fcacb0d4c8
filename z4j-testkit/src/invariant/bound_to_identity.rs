//! I-18: no frame of one agent changes anything of another, or of another project.

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::Facts;

pub(super) fn check(picture: &Picture, facts: &Facts, broken: &mut Broken) {
    for project in &picture.projects {
        for row in project.tasks.values().flat_map(|task| &task.events) {
            let same = facts.by_id.get(&(project.id, row.id));
            let mut emissions = same
                .into_iter()
                .flatten()
                .filter_map(|index| facts.emissions.get(*index))
                .peekable();
            let is_known = emissions.peek().is_some();
            // A sibling sends the buffer of a dead process as itself, but only within its project.
            let siblings = project.agents.iter().any(|agent| agent.id == row.agent_id);
            if is_known && !siblings {
                broken.note(format!(
                    "event {} is stored as from agent {} of another project",
                    row.id, row.agent_id
                ));
            }
        }
    }
}
