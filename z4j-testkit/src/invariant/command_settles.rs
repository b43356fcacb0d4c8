//! I-20: every command is terminal by its deadline and ten seconds, and stays as it ended (`unknown` may be settled).

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::Facts;

pub(super) fn check(picture: &Picture, facts: &Facts, broken: &mut Broken) {
    for row in picture
        .projects
        .iter()
        .flat_map(|project| &project.commands)
    {
        if !row.state.is_terminal() {
            broken.note(format!("command {} is {} at the end", row.id, row.state));
        }
        let seen = facts
            .commands
            .get(&row.id)
            .and_then(|command| command.state);
        if seen != Some(row.state) {
            broken.note(format!(
                "command {} is stored as {} and was last seen as {seen:?}",
                row.id, row.state
            ));
        }
    }
}
