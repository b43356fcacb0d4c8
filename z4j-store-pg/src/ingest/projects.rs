//! Which projects exist. They are never deleted, so what was found once stays true.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_postgres::types::Type;
use uuid::Uuid;
use z4j_core::id::ProjectId;
use z4j_core::store::IngestBatch;

use super::lane::{Lane, Statement};
use crate::fault::Fault;

pub(super) const FIND: Statement = Statement {
    sql: "SELECT id FROM projects WHERE id = ANY ($1)",
    types: &[Type::UUID_ARRAY],
};

/// The projects that are known to exist.
#[derive(Debug, Default)]
pub(super) struct Projects {
    known: Mutex<HashSet<ProjectId>>,
}

impl Projects {
    /// The projects of a batch that have to be looked up.
    pub(super) fn unknown_in(&self, batch: &IngestBatch) -> BTreeSet<ProjectId> {
        let known = self.lock();
        of(batch)
            .filter(|project| !known.contains(project))
            .collect()
    }

    /// The projects of a batch that exist.
    pub(super) fn known_of(&self, batch: &IngestBatch) -> HashSet<ProjectId> {
        let known = self.lock();
        of(batch)
            .filter(|project| known.contains(project))
            .collect()
    }

    pub(super) async fn look_up(
        &self,
        lane: &Lane,
        projects: &BTreeSet<ProjectId>,
    ) -> Result<(), Fault> {
        if projects.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = projects.iter().map(|project| *project.as_uuid()).collect();
        for row in lane.query(&FIND, &[&ids]).await? {
            self.lock().insert(ProjectId::from_uuid(row.try_get(0)?));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<ProjectId>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of(batch: &IngestBatch) -> impl Iterator<Item = ProjectId> {
    let events = batch.events.iter().map(|event| event.project_id);
    let streams = batch.streams.iter().map(|segment| segment.key.project_id);
    events.chain(streams)
}
