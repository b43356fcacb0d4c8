//! The bytes that a seal is over.

use super::{Actor, AuditEntry, ChainId};

/// The version that [`write`] produces. A change of anything below needs a new number and keeps the old writer.
pub(super) const VERSION: u8 = 1;

/// Opens every canonical form, so that the key never seals two kinds of thing that could be confused.
const DOMAIN: &[u8] = b"z4j audit entry";

/// Writes all of an entry but its seal: each field in a fixed order as its length (8 bytes, big-endian) and its bytes, so
/// that nothing can move from one field to another. An absent field differs from an empty one by its marker byte.
pub(super) fn write(entry: &AuditEntry) -> Vec<u8> {
    let draft = &entry.draft;
    let mut out = Writer(Vec::with_capacity(512));
    out.field(DOMAIN);
    out.field(&[entry.version]);
    match entry.chain {
        ChainId::Instance => out.field(b"instance"),
        ChainId::Project(id) => out.field(id.as_bytes()),
    }
    out.field(&entry.seq.to_be_bytes());
    out.field(entry.id.as_bytes());
    out.field(entry.key_id.as_bytes());
    out.field(&entry.prev_mac);
    out.field(&draft.at.as_micros().to_be_bytes());
    out.field(draft.actor.kind().as_bytes());
    match &draft.actor {
        Actor::User { id, name } => {
            out.field(id.as_bytes());
            out.field(name.as_bytes());
        }
        Actor::Agent { id, name } => {
            out.field(id.as_bytes());
            out.field(name.as_bytes());
        }
        Actor::System => {}
    }
    out.optional(draft.origin.as_deref());
    out.field(draft.action.as_bytes());
    out.field(draft.target_type.as_bytes());
    out.field(draft.target_id.as_bytes());
    out.field(draft.outcome.as_str().as_bytes());
    out.field(draft.metadata.as_bytes());
    out.0
}

struct Writer(Vec<u8>);

impl Writer {
    fn field(&mut self, bytes: &[u8]) {
        self.0
            .extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn optional(&mut self, text: Option<&str>) {
        self.field(&[u8::from(text.is_some())]);
        if let Some(text) = text {
            self.field(text.as_bytes());
        }
    }
}
