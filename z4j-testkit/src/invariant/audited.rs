//! I-26: an effect and its audit row commit together, or neither does.

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::Facts;

pub(super) fn check(picture: &Picture, facts: &Facts, broken: &mut Broken) {
    for (id, command) in &facts.commands {
        let stored = picture
            .projects
            .iter()
            .find(|project| project.id == command.issued.project);
        let Some(project) = stored else { continue };
        let rows = project.commands.iter().filter(|row| row.id == *id).count();
        let entries = project.audit.iter();
        let entries = entries.filter(|entry| entry.id == command.issued.audit);
        let entries = entries.count();
        if rows != entries {
            broken.note(format!(
                "command {id} has {rows} rows and {entries} audit entries"
            ));
        }
    }
}
