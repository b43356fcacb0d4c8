//! What people search in: appended here, indexed later by a pass of its own.

use std::borrow::Cow;

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::fold::Fold;
use super::lane::{Lane, Statement};
use crate::fault::Fault;
use crate::tasks::search_words;
use crate::text;

pub(super) const APPEND: Statement = Statement {
    sql: "INSERT INTO task_texts_new (project_id, at, engine, task_id, words)
          SELECT project_id, at, engine, task_id, words
          FROM unnest($1, $2, $3, $4, $5) AS grown (project_id, at, engine, task_id, words)",
    types: &[
        Type::UUID_ARRAY,
        Type::INT8_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
    ],
};

/// The searched words of tasks whose words or day are new.
#[derive(Default)]
pub(super) struct Texts<'f> {
    projects: Vec<Uuid>,
    ats: Vec<i64>,
    engines: Vec<Cow<'f, str>>,
    task_ids: Vec<Cow<'f, str>>,
    words: Vec<String>,
}

impl<'f> Texts<'f> {
    pub(super) fn new(fold: &'f Fold<'_>) -> Self {
        let mut grown = Self::default();
        for slot in fold.slots.iter().filter(|slot| slot.is_changed()) {
            let Some(after) = slot.after() else { continue };
            if let Some(words) = search_words(&slot.key(), slot.before(), after) {
                grown.projects.push(*slot.project.as_uuid());
                grown.ats.push(after.state_at().as_micros());
                grown.engines.push(text::put(slot.engine));
                grown.task_ids.push(text::put(slot.task_id));
                grown.words.push(words);
            }
        }
        grown
    }

    pub(super) async fn append(&self, lane: &Lane) -> Result<(), Fault> {
        if self.words.is_empty() {
            return Ok(());
        }
        lane.query(
            &APPEND,
            &[
                &self.projects,
                &self.ats,
                &self.engines,
                &self.task_ids,
                &self.words,
            ],
        )
        .await?;
        Ok(())
    }
}
