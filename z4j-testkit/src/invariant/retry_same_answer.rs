//! I-22: a write that is repeated after an `Err` or a lost answer gives the first answer and has one effect.

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::Facts;

pub(super) fn check(picture: &Picture, facts: &Facts, broken: &mut Broken) {
    for (id, command) in &facts.commands {
        let stored = picture
            .projects
            .iter()
            .find(|project| project.id == command.issued.project);
        let rows = stored.into_iter().flat_map(|project| &project.commands);
        let rows = rows.filter(|row| row.id == *id).count();
        let is_as_told = if command.is_confirmed {
            rows == 1
        } else {
            rows <= 1
        };
        if !is_as_told {
            let told = command.is_confirmed;
            broken.note(format!("command {id} has {rows} rows (confirmed: {told})"));
        }
    }
}
