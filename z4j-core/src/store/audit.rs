//! The audit log.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Page, PageRequest, StoreError};
use crate::audit::{AuditDraft, AuditEntry, AuditKey, ChainHead, ChainId};
use crate::id::AuditId;

/// Keeps the audit chains: append-only, one per project and one for the instance.
#[async_trait]
pub trait AuditStore: Debug + Send + Sync + 'static {
    /// Appends entries that have no other effect, such as a refused sign-in.
    ///
    /// # Contract
    /// The head is read, moved and the entry written in one transaction, through [`crate::audit::seal`]; an id that
    /// is there already changes nothing. Sequence numbers of a chain have no gap.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn append_audit(&self, entries: Vec<AuditWrite>) -> Result<(), StoreError>;

    /// A page of a chain, latest first; `action` restricts to actions that start with it.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn audit_page(
        &self,
        chain: ChainId,
        action: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<AuditEntry>, StoreError>;

    /// Entries of a chain after sequence number `after_seq` in order, at most `limit`; for verification.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn audit_range(
        &self,
        chain: ChainId,
        after_seq: u64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError>;

    /// The head of every chain.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn audit_heads(&self) -> Result<Vec<(ChainId, ChainHead)>, StoreError>;
}

/// An entry to append, and the key to seal it with.
#[derive(Clone, Debug)]
pub struct AuditWrite {
    /// The entry's id, so that a repeated write appends once.
    pub id: AuditId,
    /// Which chain.
    pub chain: ChainId,
    /// What happened.
    pub draft: AuditDraft,
    /// Seals the entry.
    pub key: Arc<AuditKey>,
}
