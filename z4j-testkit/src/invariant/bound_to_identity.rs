//! I-18: no frame of one agent changes anything of another, or of another project.
//!
//! Every row names an agent that emitted its event, or one that took over the buffer of a dead sibling.

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::Facts;

pub(super) fn check(picture: &Picture, facts: &Facts, broken: &mut Broken) {
    for project in &picture.projects {
        for row in project.tasks.values().flat_map(|task| &task.events) {
            let Some(same) = facts.by_id.get(&(project.id, row.id)) else {
                // A row that nobody emitted is I-04's to report.
                continue;
            };
            let mut emissions = same.iter().filter_map(|index| facts.emissions.get(*index));
            let is_own = emissions.any(|emission| emission.agent == row.agent_id);
            if !is_own && !facts.adopters.contains(&row.agent_id) {
                broken.note(format!(
                    "event {} is stored as from agent {}, which did not emit it",
                    row.id, row.agent_id
                ));
            }
            if !project.agents.iter().any(|agent| agent.id == row.agent_id) {
                broken.note(format!("event {} is stored in another project", row.id));
            }
        }
    }
}
