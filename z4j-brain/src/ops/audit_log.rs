//! Writing, reading and verifying the audit chains.

use z4j_core::audit::{self, AuditDraft, ChainFault, ChainHead, ChainId, Outcome};
use z4j_core::id::AuditId;
use z4j_core::store::{AuditWrite, StoreError};

use super::Requester;
use crate::shared::Shared;

/// Entries read at once while a chain is verified.
const VERIFY_ROWS: u32 = 1_000;

/// What a walk over a whole chain found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainState {
    /// Which chain.
    pub chain: ChainId,
    /// Entries that fit.
    pub length: u64,
    /// The last of them.
    pub head: Option<ChainHead>,
    /// The first entry that does not fit.
    pub fault: Option<ChainFault>,
}

/// An entry about something that `requester` did, for the store to seal.
pub(crate) fn entry(
    shared: &Shared,
    requester: &Requester,
    chain: ChainId,
    action: &str,
) -> AuditWrite {
    AuditWrite {
        id: AuditId::from_u128(shared.env.next_id()),
        chain,
        draft: AuditDraft::new(shared.env.now(), requester.actor(), action)
            .with_origin(requester.origin.clone()),
        key: shared.keyring.audit(),
    }
}

/// The same entry about this thing.
pub(crate) fn about(
    mut write: AuditWrite,
    target_type: &str,
    target_id: impl ToString,
) -> AuditWrite {
    write.draft = write.draft.with_target(target_type, target_id.to_string());
    write
}

/// Appends an entry about something that was refused. That it could not be written is logged: the refusal stands.
pub(crate) async fn refused(shared: &Shared, mut write: AuditWrite, reason: &str) {
    write.draft = write
        .draft
        .with_outcome(Outcome::Refused)
        .with_metadata(serde_json::json!({ "reason": reason }).to_string());
    let action = write.draft.action.clone();
    if let Err(fault) = shared.store.append_audit(vec![write]).await {
        tracing::error!(action, error = %fault, "a refusal was not written to the audit log");
    }
}

/// Walks one chain from its first entry.
///
/// # Errors
/// Any [`StoreError`].
pub(crate) async fn verify(shared: &Shared, chain: ChainId) -> Result<ChainState, StoreError> {
    let keys = [(*shared.keyring.audit()).clone()];
    let mut state = ChainState {
        chain,
        length: 0,
        head: None,
        fault: None,
    };
    loop {
        let after_seq = state.head.map_or(0, |head| head.seq);
        let rows = shared
            .store
            .audit_range(chain, after_seq, VERIFY_ROWS)
            .await?;
        let is_last = rows.len() < usize::try_from(VERIFY_ROWS).unwrap_or(usize::MAX);
        match audit::verify(&keys, chain, state.head, rows) {
            Ok(report) => {
                state.length += report.length;
                state.head = report.head;
            }
            Err(fault) => {
                state.fault = Some(fault);
                return Ok(state);
            }
        }
        if is_last {
            return with_head(shared, state).await;
        }
    }
}

/// A chain whose stored head is further than its last entry has lost its tail.
async fn with_head(shared: &Shared, mut state: ChainState) -> Result<ChainState, StoreError> {
    let heads = shared.store.audit_heads().await?;
    let stored = heads.into_iter().find(|(chain, _)| *chain == state.chain);
    let stored = stored.map(|(_, head)| head);
    let found = state.head.map_or(0, |head| head.seq);
    // Entries may have come since the walk; those are not the ones that are missing.
    if stored.is_some_and(|head| head.seq > found) {
        let next = shared.store.audit_range(state.chain, found, 1).await?;
        if next.is_empty() {
            state.fault = Some(ChainFault {
                seq: found.saturating_add(1),
                kind: audit::FaultKind::Sequence,
            });
        }
    }
    Ok(state)
}

/// How many entries a chain has.
///
/// # Errors
/// Any [`StoreError`].
pub(crate) async fn length(shared: &Shared, chain: ChainId) -> Result<u64, StoreError> {
    let heads = shared.store.audit_heads().await?;
    let head = heads.into_iter().find(|(found, _)| *found == chain);
    Ok(head.map_or(0, |(_, head)| head.seq))
}
