//! Golden vectors of event identity. `data/identity.json` was made by an independent writer (Python's uuid5).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::use_self,
    reason = "a test program: a failure is a panic"
)]

use std::collections::BTreeSet;

use serde::Deserialize;
use z4j_core::id::ProjectId;
use z4j_core::identity::{EventOrigin, encode_name, event_id};

#[derive(Deserialize)]
struct Vector {
    name: String,
    project: ProjectId,
    engine: String,
    task_id: String,
    kind: String,
    occurred_at: String,
    agent_event_id: String,
    frame_id: String,
    index: u32,
    name_text: String,
    id: String,
}

impl Vector {
    fn origin(&self) -> EventOrigin<'_> {
        EventOrigin {
            project: self.project,
            engine: &self.engine,
            task_id: &self.task_id,
            kind: &self.kind,
            occurred_at: &self.occurred_at,
            agent_event_id: &self.agent_event_id,
            frame_id: &self.frame_id,
            index: self.index,
        }
    }
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("data/identity.json")).unwrap()
}

#[test]
fn every_vector_has_its_id() {
    for vector in vectors() {
        assert_eq!(
            event_id(&vector.origin()).to_string(),
            vector.id,
            "{}",
            vector.name
        );
    }
}

#[test]
fn equal_names_and_only_they_give_equal_ids() {
    let vectors = vectors();
    let names: BTreeSet<&str> = vectors
        .iter()
        .map(|vector| vector.name_text.as_str())
        .collect();
    let ids: BTreeSet<&str> = vectors.iter().map(|vector| vector.id.as_str()).collect();
    assert_eq!(names.len(), ids.len());
    assert!(names.len() < vectors.len());
}

#[test]
fn another_project_never_has_the_same_id() {
    for vector in vectors() {
        let elsewhere = EventOrigin {
            project: ProjectId::from_u128(9),
            ..vector.origin()
        };
        assert_ne!(event_id(&elsewhere), event_id(&vector.origin()));
    }
}

#[test]
fn names_of_different_parts_differ_even_if_their_text_joins_to_the_same() {
    let lists: [&[&str]; 5] = [
        &["ab", "c"],
        &["a", "bc"],
        &["abc"],
        &["", "abc"],
        &["2:ab", "c"],
    ];
    let encoded: BTreeSet<Vec<u8>> = lists.iter().map(|parts| encode_name(parts)).collect();
    assert_eq!(encoded.len(), lists.len());
}
