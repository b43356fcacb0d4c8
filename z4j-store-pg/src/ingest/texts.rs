//! What people search in: appended here, indexed later by a pass of its own.

use std::borrow::Cow;

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::fold::Fold;
use super::lane::{Lane, Statement};
use crate::fault::Fault;
use crate::tasks::search_text;
use crate::text;

pub(super) const APPEND: Statement = Statement {
    sql: "INSERT INTO task_texts_new (project_id, engine, task_id, text)
          SELECT project_id, engine, task_id, text
          FROM unnest($1, $2, $3, $4) AS grown (project_id, engine, task_id, text)",
    types: &[
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
    ],
};

/// The searched texts that are new or changed.
#[derive(Default)]
pub(super) struct Texts<'f> {
    projects: Vec<Uuid>,
    engines: Vec<Cow<'f, str>>,
    task_ids: Vec<Cow<'f, str>>,
    texts: Vec<String>,
}

impl<'f> Texts<'f> {
    pub(super) fn new(fold: &'f Fold<'_>) -> Self {
        let mut grown = Self::default();
        for slot in fold.slots.iter().filter(|slot| slot.is_changed()) {
            let Some(after) = slot.after() else { continue };
            if let Some(searched) = search_text(&slot.key(), slot.before(), after) {
                grown.projects.push(*slot.project.as_uuid());
                grown.engines.push(text::put(slot.engine));
                grown.task_ids.push(text::put(slot.task_id));
                grown.texts.push(searched);
            }
        }
        grown
    }

    pub(super) async fn append(&self, lane: &Lane) -> Result<(), Fault> {
        if self.texts.is_empty() {
            return Ok(());
        }
        lane.query(
            &APPEND,
            &[&self.projects, &self.engines, &self.task_ids, &self.texts],
        )
        .await?;
        Ok(())
    }
}
