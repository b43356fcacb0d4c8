//! One transaction that takes a batch in.
//!
//! Statements that need no answer of each other travel together: two round trips when all tasks are known, three when
//! some are new. Locks are taken in one order everywhere: streams, events, tasks, counters, workers, queues, each by key.

use std::collections::BTreeSet;

use z4j_core::store::{EventOutcome, IngestBatch, IngestReceipt};

use super::counters::{self, Deltas};
use super::events;
use super::fold::{Fold, Written};
use super::intake::Intake;
use super::lane::Lane;
use super::projects::Projects;
use super::sightings::{Remembered, Seen};
use super::texts::Texts;
use super::{quarantine, streams, tasks};
use crate::fault::Fault;

/// Why a transaction did not reach its end.
#[derive(Debug)]
pub(super) enum Halt {
    /// Others made the same tasks meanwhile, and have them locked. The next try finds them.
    Crossed,
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for Halt {
    fn from(fault: E) -> Self {
        Self::Fault(fault.into())
    }
}

/// How a transaction ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Commit,
    /// Only shows whether the database takes the events.
    Rollback,
}

/// Which events of a batch a transaction takes.
pub(super) struct Selection<'s> {
    /// Known to be refused by the database.
    pub(super) refused: &'s BTreeSet<usize>,
    /// Only these.
    pub(super) range: std::ops::Range<usize>,
}

impl Selection<'_> {
    fn wants(&self, index: usize) -> Result<(), EventOutcome> {
        if self.refused.contains(&index) {
            Err(EventOutcome::Poison("refused_by_database"))
        } else if self.range.contains(&index) {
            Ok(())
        } else {
            Err(EventOutcome::Duplicate)
        }
    }
}

/// What transactions of one store share.
pub(super) struct Shared {
    /// Begins a transaction.
    pub(super) begin: String,
    pub(super) projects: Projects,
    pub(super) remembered: Remembered,
}

/// Runs one transaction. After an error it may still be open.
pub(super) async fn run(
    lane: &Lane,
    shared: &Shared,
    batch: &IngestBatch,
    selection: &Selection<'_>,
    ending: Ending,
) -> Result<IngestReceipt, Halt> {
    let commits = ending == Ending::Commit;
    let unknown = shared.projects.unknown_in(batch);
    let mut has_begun = false;
    if !unknown.is_empty() || !batch.streams.is_empty() {
        lane.run(&shared.begin).await?;
        shared.projects.look_up(lane, &unknown).await?;
        has_begun = true;
    }
    let known = shared.projects.known_of(batch);
    if commits && !batch.streams.is_empty() {
        let segments: Vec<_> = batch
            .streams
            .iter()
            .filter(|segment| known.contains(&segment.key.project_id))
            .collect();
        streams::advance(lane, &segments, batch.received_at).await?;
    }
    let mut intake = Intake::new(batch, &known, |index| selection.wants(index));
    let mut fold = Fold::new(&intake);
    let begin = async {
        if has_begun {
            Ok(())
        } else {
            lane.run(&shared.begin).await
        }
    };
    let (_, inserted, stored, links, shard) = tokio::try_join!(
        biased;
        begin,
        events::insert(lane, &intake),
        tasks::read(lane, &tasks::LOCK, fold.slots.iter()),
        tasks::read(lane, &tasks::LINKS, fold.slots.iter()),
        counters::shard(lane),
    )?;
    intake.note_inserted(inserted.into_iter());
    tasks::note_stored(&mut fold, &stored)?;
    tasks::note_links(&mut fold, &links)?;
    fold.merge(&intake);
    if commits {
        quarantine::keep(lane, batch, &intake.outcomes).await?;
    }
    let mut rows = fold.written(batch.received_at);
    make_tasks(lane, &mut fold, &mut rows, batch).await?;
    let seen = Seen::new(&intake).without(&shared.remembered);
    finish(lane, &fold, &rows, &seen, shard, ending).await?;
    if commits {
        seen.remember(&shared.remembered);
    }
    Ok(IngestReceipt {
        outcomes: intake.outcomes,
        changes: rows.into_iter().filter_map(Written::into_change).collect(),
    })
}

/// Inserts the tasks that are new. Of two transactions that make the same task the second waits here for the first, then
/// locks the row that it finds and merges with it.
async fn make_tasks(
    lane: &Lane,
    fold: &mut Fold<'_>,
    rows: &mut [Written],
    batch: &IngestBatch,
) -> Result<(), Halt> {
    let new: Vec<&Written> = rows.iter().filter(|row| row.is_new).collect();
    let made = tasks::write(lane, &tasks::INSERT, &new).await?;
    if made.len() == new.len() {
        return Ok(());
    }
    let made: BTreeSet<_> = made.iter().map(tasks::name_of).collect::<Result<_, _>>()?;
    let mut crossed: Vec<&mut Written> = rows
        .iter_mut()
        .filter(|row| {
            let key = &row.summary.key;
            row.is_new && !made.contains(&(row.project, key.engine.clone(), key.task_id.clone()))
        })
        .collect();
    let slots = crossed.iter().filter_map(|row| fold.slots.get(row.place));
    // Waiting for these rows could close a circle: whoever has them may wait for a task that this transaction made.
    let found = tasks::read(lane, &tasks::LOCK_FREE, slots).await?;
    if tasks::note_stored(fold, &found)? < crossed.len() {
        return Err(Halt::Crossed);
    }
    for row in &mut crossed {
        fold.merge_again(row, batch.received_at);
    }
    Ok(())
}

/// Writes what is left and ends the transaction, all in one round trip.
async fn finish(
    lane: &Lane,
    fold: &Fold<'_>,
    rows: &[Written],
    seen: &Seen<'_>,
    shard: i16,
    ending: Ending,
) -> Result<(), Halt> {
    let mut deltas = Deltas::default();
    for slot in fold.slots.iter().filter(|slot| slot.is_changed()) {
        if let Some(after) = slot.after() {
            deltas.note(slot, after);
        }
    }
    let texts = Texts::new(fold);
    let known: Vec<&Written> = rows.iter().filter(|row| !row.is_new).collect();
    let end = match ending {
        Ending::Commit => "COMMIT",
        Ending::Rollback => "ROLLBACK",
    };
    tokio::try_join!(
        biased;
        tasks::write(lane, &tasks::UPDATE, &known),
        texts.append(lane),
        deltas.write(lane, shard),
        seen.write_workers(lane),
        seen.write_queues(lane),
        lane.run(end),
    )?;
    Ok(())
}
