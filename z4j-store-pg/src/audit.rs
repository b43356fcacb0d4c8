//! The audit chains.

use std::borrow::Cow;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres};
use uuid::Uuid;
use z4j_core::audit::{AuditDraft, AuditEntry, ChainHead, ChainId, seal};
use z4j_core::id::{AuditId, ProjectId};
use z4j_core::store::{AuditStore, AuditWrite, Page, PageRequest, StoreError};

use crate::db::Db;
use crate::fault::Fault;
use crate::store::PgStore;
use crate::{cursor, row, text};

const COLUMNS: &str = "project_id, seq, id, version, key_id, prev_mac, mac, at, actor, origin, action, target_type, \
                       target_id, outcome, metadata";

#[async_trait]
impl AuditStore for PgStore {
    async fn append_audit(&self, mut entries: Vec<AuditWrite>) -> Result<(), StoreError> {
        // Heads are locked in one order, so that two writers of several chains do not wait for each other.
        entries.sort_by_key(|entry| chain_id(&entry.chain));
        self.write("append audit", &entries, |db, entries| {
            Box::pin(async move {
                for entry in entries {
                    append(db, entry).await?;
                }
                Ok(())
            })
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
        self.read(
            "audit page",
            &(chain, action, page),
            |db, (chain, action, page)| Box::pin(read_page(db, chain, action, page)),
        )
        .await
    }

    async fn audit_range(
        &self,
        chain: ChainId,
        after_seq: u64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(
            "audit range",
            &(chain, after_seq, limit),
            |db, (chain, after, limit)| Box::pin(read_range(db, chain, *after, *limit)),
        )
        .await
    }

    async fn audit_heads(&self) -> Result<Vec<(ChainId, ChainHead)>, StoreError> {
        self.read("audit heads", &(), |db, ()| Box::pin(read_heads(db)))
            .await
    }
}

/// Seals and writes an entry in the transaction of its effect; an id that is there already changes nothing.
pub(crate) async fn append(db: &mut Db<'_>, write: &AuditWrite) -> Result<(), Fault> {
    let head = lock_head(db, write).await?;
    if head.has_entry {
        return Ok(());
    }
    let entry = head.seal(write);
    let sql = format!("WITH {} SELECT", written(1));
    let chain = chain_id(&write.chain);
    bind(db.sql(AssertSqlSafe(sql)), chain, &entry)?
        .execute(db.conn())
        .await?;
    Ok(())
}

/// The head of a chain, which nobody else can move until the transaction ends.
pub(crate) struct Locked {
    /// `None` for a chain without entries.
    head: Option<ChainHead>,
    /// The entry that shall be written is there already.
    pub(crate) has_entry: bool,
}

impl Locked {
    pub(crate) fn seal(&self, write: &AuditWrite) -> AuditEntry {
        let draft = write.draft.clone();
        seal(&write.key, write.chain, self.head.as_ref(), write.id, draft)
    }

    /// Reads `seq`, `mac` and `has_entry`.
    pub(crate) fn read(row: &PgRow) -> Result<Self, Fault> {
        let is_empty = row::count(row, "seq")? == 0;
        Ok(Self {
            head: (!is_empty).then(|| read_head(row)).transpose()?,
            has_entry: row::get(row, "has_entry")?,
        })
    }
}

/// Takes the chain and the entry's id as `$1` and `$2`. Whoever waited for the lock may be told of the chain as it was
/// before: an entry that was written meanwhile fails on its key then, and the transaction runs again.
pub(crate) const LOCK: &str = "SELECT seq, mac, \
    EXISTS (SELECT FROM audit_entries WHERE project_id = $1 AND id = $2) AS has_entry \
    FROM audit_heads WHERE project_id = $1 FOR UPDATE";

/// How a chain ends at this moment; `None` for one without entries.
pub(crate) async fn look(db: &mut Db<'_>, chain: &ChainId) -> Result<Option<ChainHead>, Fault> {
    let found = db
        .sql("SELECT seq, mac FROM audit_heads WHERE project_id = $1 AND seq > 0")
        .bind(chain_id(chain))
        .fetch_optional(db.conn())
        .await?;
    found.as_ref().map(read_head).transpose()
}

/// The entry that follows `head`.
pub(crate) fn seal_after(head: &ChainHead, write: &AuditWrite) -> AuditEntry {
    let draft = write.draft.clone();
    seal(&write.key, write.chain, Some(head), write.id, draft)
}

pub(crate) async fn lock_head(db: &mut Db<'_>, write: &AuditWrite) -> Result<Locked, Fault> {
    let (chain, id) = (chain_id(&write.chain), *write.id.as_uuid());
    let lock = db.sql(LOCK).bind(chain).bind(id);
    let mut locked = lock.fetch_optional(db.conn()).await?;
    if locked.is_none() {
        db.sql("INSERT INTO audit_heads (project_id, seq, mac) VALUES ($1, 0, '') ON CONFLICT DO NOTHING")
            .bind(chain)
            .execute(db.conn())
            .await?;
        let lock = db.sql(LOCK).bind(chain).bind(id);
        locked = lock.fetch_optional(db.conn()).await?;
    }
    let row = locked.ok_or(Fault::Bug("a chain's head is not where it was written"))?;
    Locked::read(&row)
}

/// Two parts of a `WITH` that write an entry and move the head to it. Their values are those of [`bind`], from `$first` on.
pub(crate) fn written(first: usize) -> String {
    let (chain, seq, mac) = (first, first + 1, first + 6);
    format!(
        "entry AS (INSERT INTO audit_entries ({COLUMNS}) VALUES ({})), \
         head AS (UPDATE audit_heads SET seq = ${seq}, mac = ${mac} WHERE project_id = ${chain})",
        marks(first)
    )
}

/// The same for a chain that is not locked: the entry is written if it is the next one, is not there yet, and `condition` holds.
/// `head` has a row exactly then.
pub(crate) fn written_if(condition: &str, first: usize) -> String {
    let (chain, seq, id, before, mac) = (first, first + 1, first + 2, first + 5, first + 6);
    format!(
        "head AS (UPDATE audit_heads SET seq = ${seq}, mac = ${mac} \
             WHERE project_id = ${chain} AND seq = ${seq} - 1 AND mac = ${before} AND {condition} \
             AND NOT EXISTS (SELECT FROM audit_entries WHERE project_id = ${chain} AND id = ${id}) RETURNING seq), \
         entry AS (INSERT INTO audit_entries ({COLUMNS}) SELECT {} FROM head)",
        marks(first)
    )
}

fn marks(first: usize) -> String {
    let marks: Vec<String> = (first..first + 15).map(|at| format!("${at}")).collect();
    marks.join(", ")
}

type Written<'q> = Query<'q, Postgres, PgArguments>;

pub(crate) fn bind<'q>(
    query: Written<'q>,
    chain: Uuid,
    entry: &AuditEntry,
) -> Result<Written<'q>, Fault> {
    let draft = &entry.draft;
    Ok(query
        .bind(chain)
        .bind(row::signed(entry.seq))
        .bind(*entry.id.as_uuid())
        .bind(i32::from(entry.version))
        .bind(text::put(&entry.key_id).into_owned())
        .bind(entry.prev_mac.to_vec())
        .bind(entry.mac.to_vec())
        .bind(draft.at.as_micros())
        .bind(text::put(&row::json_text(&draft.actor)?).into_owned())
        .bind(text::put_opt(draft.origin.as_deref()).map(Cow::into_owned))
        .bind(text::put(&draft.action).into_owned())
        .bind(text::put(&draft.target_type).into_owned())
        .bind(text::put(&draft.target_id).into_owned())
        .bind(draft.outcome.as_str())
        .bind(text::put(&draft.metadata).into_owned()))
}

async fn read_page(
    db: &mut Db<'_>,
    chain: &ChainId,
    action: &str,
    page: &PageRequest,
) -> Result<Page<AuditEntry>, Fault> {
    let tag = cursor::query_tag(&("audit", chain.to_string(), action))?;
    let before: i64 = cursor::open(&tag, page.after.as_ref())?.unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_entries
         WHERE project_id = $1 AND seq < $2 AND starts_with(action, $3) ORDER BY seq DESC LIMIT $4"
    );
    let rows = db
        .sql(AssertSqlSafe(sql))
        .bind(chain_id(chain))
        .bind(before)
        .bind(text::put(action).into_owned())
        .bind(i64::from(page.limit) + 1)
        .fetch_all(db.conn())
        .await?;
    let mut items = rows.iter().map(read_entry).collect::<Result<Vec<_>, _>>()?;
    let has_more = items.len() > page.limit as usize;
    items.truncate(page.limit as usize);
    let next = match items.last() {
        Some(last) if has_more => Some(cursor::seal(&tag, last.seq)?),
        _ => None,
    };
    Ok(Page { items, next })
}

async fn read_range(
    db: &mut Db<'_>,
    chain: &ChainId,
    after_seq: u64,
    limit: u32,
) -> Result<Vec<AuditEntry>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_entries WHERE project_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
    );
    let rows = db
        .sql(AssertSqlSafe(sql))
        .bind(chain_id(chain))
        .bind(row::signed(after_seq))
        .bind(i64::from(limit))
        .fetch_all(db.conn())
        .await?;
    rows.iter().map(read_entry).collect()
}

async fn read_heads(db: &mut Db<'_>) -> Result<Vec<(ChainId, ChainHead)>, Fault> {
    let rows = db
        .sql("SELECT project_id, seq, mac FROM audit_heads WHERE seq > 0 ORDER BY project_id")
        .fetch_all(db.conn())
        .await?;
    rows.iter()
        .map(|row| Ok((chain_of(row)?, read_head(row)?)))
        .collect()
}

/// The instance's chain has the nil id, a project's its own.
pub(crate) const fn chain_id(chain: &ChainId) -> Uuid {
    match chain {
        ChainId::Instance => Uuid::nil(),
        ChainId::Project(id) => *id.as_uuid(),
    }
}

fn chain_of(row: &PgRow) -> Result<ChainId, Fault> {
    let id: Uuid = row::get(row, "project_id")?;
    Ok(if id.is_nil() {
        ChainId::Instance
    } else {
        ChainId::Project(ProjectId::from_uuid(id))
    })
}

fn read_head(row: &PgRow) -> Result<ChainHead, Fault> {
    Ok(ChainHead {
        seq: row::count(row, "seq")?,
        mac: row::bytes32(row, "mac")?,
    })
}

fn read_entry(row: &PgRow) -> Result<AuditEntry, Fault> {
    Ok(AuditEntry {
        version: row::get::<i32>(row, "version")?
            .try_into()
            .map_err(|_| Fault::Corrupt("column version holds no version".to_owned()))?,
        chain: chain_of(row)?,
        seq: row::count(row, "seq")?,
        id: row::id(row, "id", AuditId::from_uuid)?,
        key_id: row::text(row, "key_id")?,
        prev_mac: row::bytes32(row, "prev_mac")?,
        mac: row::bytes32(row, "mac")?,
        draft: AuditDraft {
            at: row::time(row, "at")?,
            actor: row::json(row, "actor")?,
            origin: row::text_opt(row, "origin")?,
            action: row::text(row, "action")?,
            target_type: row::text(row, "target_type")?,
            target_id: row::text(row, "target_id")?,
            outcome: row::parse(row, "outcome")?,
            metadata: row::text(row, "metadata")?,
        },
    })
}
