//! I-23: a live client that resumes sees every committed change, or a `reset` after which it fetches; never a silent skip.
//!
//! Some seconds after all is settled, what each dashboard shows is what the store holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use super::Broken;
use crate::sim::oracle::Facts;
use crate::sim::{DashboardPicture, Picture, ShownCommand, ShownTask, StoredProject};

/// Rows of one dashboard that are named; one would do.
const NAMED_MAX: usize = 3;

pub(super) fn check(picture: &Picture, _: &Facts, broken: &mut Broken) {
    for dashboard in &picture.dashboards {
        let stored = picture.projects.iter().find(|p| p.id == dashboard.project);
        match stored {
            Some(project) if dashboard.is_following => compare(dashboard, project, broken),
            _ => broken.note(format!(
                "the dashboard of project {} follows no brain",
                dashboard.project
            )),
        }
    }
}

fn compare(dashboard: &DashboardPicture, project: &StoredProject, broken: &mut Broken) {
    let shown = &dashboard.shown;
    let tasks = project.tasks.iter().map(|(key, task)| {
        let key = (key.engine.clone(), key.task_id.clone());
        (key, ShownTask::from(&task.summary))
    });
    rows("task", &shown.tasks, &tasks.collect(), broken);
    let commands = project.commands.iter();
    let commands = commands.map(|row| (row.id.to_string(), ShownCommand::from(row)));
    rows("command", &shown.commands, &commands.collect(), broken);
    let states = project.states.iter().filter(|state| state.count > 0);
    let states = states.map(|state| (state.state.as_str().to_owned(), state.count));
    rows("state", &shown.states, &states.collect(), broken);
}

fn rows<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    shown: &BTreeMap<K, V>,
    stored: &BTreeMap<K, V>,
    broken: &mut Broken,
) {
    let keys: BTreeSet<&K> = shown.keys().chain(stored.keys()).collect();
    let differs = keys
        .into_iter()
        .filter(|key| shown.get(*key) != stored.get(*key));
    for key in differs.take(NAMED_MAX) {
        let (is, should) = (shown.get(key), stored.get(key));
        broken.note(format!(
            "a dashboard shows {what} {key:?} as {is:?}; stored is {should:?}"
        ));
    }
}
