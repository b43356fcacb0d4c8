//! The audit chains.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use z4j_core::audit::{AuditDraft, AuditEntry, ChainHead, ChainId, seal};
use z4j_core::id::{AuditId, ProjectId};
use z4j_core::store::{AuditStore, AuditWrite, Page, PageRequest, StoreError};

use crate::fault::Fault;
use crate::store::SqliteStore;
use crate::{cursor, row};

const COLUMNS: &str = "chain, seq, id, version, key_id, prev_mac, mac, at, actor, origin, action, target_type, \
                       target_id, outcome, metadata";

#[async_trait]
impl AuditStore for SqliteStore {
    async fn append_audit(&self, entries: Vec<AuditWrite>) -> Result<(), StoreError> {
        self.write("append audit", move |tx| {
            entries.iter().try_for_each(|entry| append(tx.db, entry))
        })
        .await
    }

    async fn audit_page(
        &self,
        chain: ChainId,
        action: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<AuditEntry>, StoreError> {
        let action = action.unwrap_or_default().to_owned();
        self.read("audit page", move |db| read_page(db, chain, &action, &page))
            .await
    }

    async fn audit_range(
        &self,
        chain: ChainId,
        after_seq: u64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.read("audit range", move |db| {
            let sql = format!("SELECT {COLUMNS} FROM audit_entries WHERE chain = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
            let mut select = db.prepare_cached(&sql)?;
            let rows = select.query_map(params![chain_bytes(&chain), row::signed(after_seq), limit], read_entry)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn audit_heads(&self) -> Result<Vec<(ChainId, ChainHead)>, StoreError> {
        self.read("audit heads", |db| {
            let mut select =
                db.prepare_cached("SELECT chain, seq, mac FROM audit_heads ORDER BY chain")?;
            let rows = select.query_map([], |row| Ok((chain_of(row)?, read_head(row)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// Seals and writes an entry in the transaction of its effect; an id that is there already changes nothing.
pub(crate) fn append(db: &Connection, write: &AuditWrite) -> Result<(), Fault> {
    let mut find = db.prepare_cached("SELECT 1 FROM audit_entries WHERE id = ?1")?;
    if find.exists([write.id.as_bytes().as_slice()])? {
        return Ok(());
    }
    let chain = chain_bytes(&write.chain);
    let mut select = db.prepare_cached("SELECT seq, mac FROM audit_heads WHERE chain = ?1")?;
    let head = select.query_row([chain], read_head).optional()?;
    let entry = seal(
        &write.key,
        write.chain,
        head.as_ref(),
        write.id,
        write.draft.clone(),
    );
    insert(db, chain, &entry)?;
    let mut raise = db.prepare_cached(
        "INSERT INTO audit_heads (chain, seq, mac) VALUES (?1, ?2, ?3)
         ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, mac = excluded.mac",
    )?;
    raise.execute(params![chain, row::signed(entry.seq), entry.mac.as_slice()])?;
    Ok(())
}

fn insert(db: &Connection, chain: &[u8], entry: &AuditEntry) -> Result<(), Fault> {
    let draft = &entry.draft;
    let sql = format!(
        "INSERT INTO audit_entries ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
    );
    db.prepare_cached(&sql)?.execute(params![
        chain,
        row::signed(entry.seq),
        entry.id.as_bytes().as_slice(),
        entry.version,
        entry.key_id,
        entry.prev_mac.as_slice(),
        entry.mac.as_slice(),
        draft.at.as_micros(),
        row::json_text(&draft.actor)?,
        draft.origin,
        draft.action,
        draft.target_type,
        draft.target_id,
        draft.outcome.as_str(),
        draft.metadata,
    ])?;
    Ok(())
}

fn read_page(
    db: &Connection,
    chain: ChainId,
    action: &str,
    page: &PageRequest,
) -> Result<Page<AuditEntry>, Fault> {
    let tag = cursor::query_tag(&("audit", chain.to_string(), action))?;
    let before: i64 = cursor::open(&tag, page.after.as_ref())?.unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_entries
         WHERE chain = ?1 AND seq < ?2 AND substr(action, 1, length(?3)) = ?3 ORDER BY seq DESC LIMIT ?4"
    );
    let mut select = db.prepare_cached(&sql)?;
    let limit = i64::from(page.limit) + 1;
    let rows = select.query_map(
        params![chain_bytes(&chain), before, action, limit],
        read_entry,
    )?;
    let mut items = rows.collect::<Result<Vec<_>, _>>()?;
    let has_more = items.len() > page.limit as usize;
    items.truncate(page.limit as usize);
    let next = match items.last() {
        Some(last) if has_more => Some(cursor::seal(&tag, last.seq)?),
        _ => None,
    };
    Ok(Page { items, next })
}

/// The instance's chain has the empty name, a project's its id.
fn chain_bytes(chain: &ChainId) -> &[u8] {
    match chain {
        ChainId::Instance => &[],
        ChainId::Project(id) => id.as_bytes().as_slice(),
    }
}

fn chain_of(row: &Row<'_>) -> rusqlite::Result<ChainId> {
    match row.get_ref("chain")?.as_blob()? {
        [] => Ok(ChainId::Instance),
        _ => row::id(row, "chain", ProjectId::from_slice).map(ChainId::Project),
    }
}

fn read_head(row: &Row<'_>) -> rusqlite::Result<ChainHead> {
    Ok(ChainHead {
        seq: row::count(row, "seq")?,
        mac: row::bytes32(row, "mac")?,
    })
}

fn read_entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        version: row.get("version")?,
        chain: chain_of(row)?,
        seq: row::count(row, "seq")?,
        id: row::id(row, "id", AuditId::from_slice)?,
        key_id: row.get("key_id")?,
        prev_mac: row::bytes32(row, "prev_mac")?,
        mac: row::bytes32(row, "mac")?,
        draft: AuditDraft {
            at: row::time(row, "at")?,
            actor: row::json(row, "actor")?,
            origin: row.get("origin")?,
            action: row.get("action")?,
            target_type: row.get("target_type")?,
            target_id: row.get("target_id")?,
            outcome: row::parse(row, "outcome")?,
            metadata: row.get("metadata")?,
        },
    })
}
