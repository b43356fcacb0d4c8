//! The audit chains.

use async_trait::async_trait;
use z4j_core::audit::{AuditEntry, ChainHead, ChainId, seal};
use z4j_core::store::{AuditStore, AuditWrite, Page, PageRequest, StoreError};

use super::db::Db;
use super::{MemStore, cursor};

#[async_trait]
impl AuditStore for MemStore {
    async fn append_audit(&self, entries: Vec<AuditWrite>) -> Result<(), StoreError> {
        self.write("append_audit", |db| {
            entries.into_iter().for_each(|entry| append(db, entry))
        })
        .await
    }

    async fn audit_page(
        &self,
        chain: ChainId,
        action: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<AuditEntry>, StoreError> {
        let action = action.unwrap_or_default();
        let query = format!("audit {chain} {action:?}");
        self.read(|db| {
            let latest_first = db.audit.get(&chain).into_iter().flatten().rev();
            let wanted = latest_first
                .filter(|entry| entry.draft.action.starts_with(action))
                .cloned();
            cursor::cut(
                wanted,
                &query,
                &page,
                |entry| entry.seq,
                |entry, seq| entry.seq < *seq,
            )
        })
    }

    async fn audit_range(
        &self,
        chain: ChainId,
        after_seq: u64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.read(|db| {
            let entries = db.audit.get(&chain).into_iter().flatten();
            entries
                .filter(|entry| entry.seq > after_seq)
                .take(limit)
                .cloned()
                .collect()
        }))
    }

    async fn audit_heads(&self) -> Result<Vec<(ChainId, ChainHead)>, StoreError> {
        Ok(self.read(|db| {
            let chains = db.audit.iter();
            chains
                .filter_map(|(chain, entries)| Some((*chain, entries.last()?.head())))
                .collect()
        }))
    }
}

/// Seals an entry and appends it to its chain, within the transaction of its effect. An id appends once.
pub(super) fn append(db: &mut Db, write: AuditWrite) {
    if !db.audit_ids.insert(write.id) {
        return;
    }
    let chain = db.audit.entry(write.chain).or_default();
    let head = chain.last().map(AuditEntry::head);
    chain.push(seal(
        &write.key,
        write.chain,
        head.as_ref(),
        write.id,
        write.draft,
    ));
}
