//! Sealing and verifying.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::canonical::{self, VERSION};
use super::{AuditDraft, AuditEntry, AuditKey, ChainHead, ChainId};
use crate::id::AuditId;

/// What the first entry of a chain follows.
const NOTHING_BEFORE: [u8; 32] = [0; 32];

/// Gives a draft its place in a chain, after `head`.
///
/// # Contract
/// The caller must hold the chain's head locked until the entry is stored, and store both in one transaction.
#[must_use]
pub fn seal(
    key: &AuditKey,
    chain: ChainId,
    head: Option<&ChainHead>,
    id: AuditId,
    draft: AuditDraft,
) -> AuditEntry {
    let mut entry = AuditEntry {
        version: VERSION,
        chain,
        seq: head.map_or(1, |head| head.seq.saturating_add(1)),
        id,
        key_id: key.key_id().to_owned(),
        prev_mac: head.map_or(NOTHING_BEFORE, |head| head.mac),
        mac: NOTHING_BEFORE,
        draft,
    };
    entry.mac = mac_over(key, &entry).finalize().into_bytes().into();
    entry
}

fn mac_over(key: &AuditKey, entry: &AuditEntry) -> Hmac<Sha256> {
    let mut mac = keyed(key);
    mac.update(&canonical::write(entry));
    mac
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn keyed(key: &AuditKey) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.bytes()).expect("HMAC takes a key of any length")
}

/// What a walk over a chain found to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// Entries walked.
    pub length: u64,
    /// The last of them, or where the walk began when there were none.
    pub head: Option<ChainHead>,
}

/// The first entry that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit chain is broken at entry {seq} ({kind})")]
pub struct ChainFault {
    /// The number at which an entry was expected.
    pub seq: u64,
    /// What is wrong there.
    pub kind: FaultKind,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// Another number stands here: something was deleted, inserted, doubled or swapped.
    #[error("another number stands here")]
    Sequence,
    /// It follows another entry than the one before it.
    #[error("it follows another entry")]
    Link,
    /// Its contents are not those that were sealed.
    #[error("its contents are not those that were sealed")]
    Seal,
    /// It names a key that is not known.
    #[error("it names an unknown key")]
    Key,
    /// It belongs to another chain.
    #[error("it belongs to another chain")]
    Chain,
    /// It has a canonical form that this program does not know.
    #[error("it has an unknown version")]
    Version,
}

/// Walks entries in the order of their numbers, beginning after `after` (`None`: at the first).
///
/// # Errors
/// [`ChainFault`] at the first entry that does not fit.
pub fn verify<I>(
    keys: &[AuditKey],
    chain: ChainId,
    after: Option<ChainHead>,
    entries: I,
) -> Result<ChainReport, ChainFault>
where
    I: IntoIterator<Item = AuditEntry>,
{
    let mut report = ChainReport {
        length: 0,
        head: after,
    };
    for entry in entries {
        let seq = report.head.map_or(1, |head| head.seq.saturating_add(1));
        let prev_mac = report.head.map_or(NOTHING_BEFORE, |head| head.mac);
        check(keys, chain, seq, prev_mac, &entry).map_err(|kind| ChainFault { seq, kind })?;
        report.length += 1;
        report.head = Some(entry.head());
    }
    Ok(report)
}

fn check(
    keys: &[AuditKey],
    chain: ChainId,
    seq: u64,
    prev_mac: [u8; 32],
    entry: &AuditEntry,
) -> Result<(), FaultKind> {
    if entry.chain != chain {
        return Err(FaultKind::Chain);
    }
    if entry.seq != seq {
        return Err(FaultKind::Sequence);
    }
    if entry.version != VERSION {
        return Err(FaultKind::Version);
    }
    let key = keys
        .iter()
        .find(|key| key.key_id() == entry.key_id)
        .ok_or(FaultKind::Key)?;
    if mac_over(key, entry).verify_slice(&entry.mac).is_err() {
        return Err(FaultKind::Seal);
    }
    if entry.prev_mac != prev_mac {
        return Err(FaultKind::Link);
    }
    Ok(())
}
