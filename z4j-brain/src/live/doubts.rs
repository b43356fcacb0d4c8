//! What may have changed although nobody was told: the answer to a write was lost.
//!
//! `Err` from a store means unknown. A write that is sent again says what it finds changed, not what the first one changed;
//! without this a dashboard would miss that in silence (I-23).

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use z4j_core::id::ProjectId;

/// Projects of which it is not known whether all that changed was published. Kept until the store answers again, since
/// nobody could fetch before.
#[derive(Debug, Default)]
pub(crate) struct Doubts(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    everything: bool,
    projects: BTreeSet<ProjectId>,
}

impl Doubts {
    /// A write to rows of `project` has no answer.
    pub(crate) fn of(&self, project: ProjectId) {
        self.lock().projects.insert(project);
    }

    /// A write to rows of any project has no answer.
    pub(crate) fn of_everything(&self) {
        self.lock().everything = true;
    }

    /// All that is in doubt, which is not any more.
    pub(super) fn take(&self) -> (bool, BTreeSet<ProjectId>) {
        let Open {
            everything,
            projects,
        } = std::mem::take(&mut *self.lock());
        (everything, projects)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
