//! What a store remembers between the commands that it writes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;
use z4j_core::audit::{ChainHead, ChainId};

use crate::audit;

/// Chains whose end is remembered. More, and all are forgotten: each costs one look then.
const HEADS_MAX: usize = 1_000;

/// How the chains ended when this store last wrote a command to them. Others write to them too, so this is what to try first and
/// never what is so.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    heads: Mutex<HashMap<Uuid, ChainHead>>,
    issuing: AtomicUsize,
}

/// A command that is being written, until this is dropped.
pub(super) struct Turn<'a> {
    /// No other one is. Each chain takes one at a time: of several that try without a lock all but one would have tried in vain.
    pub(super) is_alone: bool,
    issuing: &'a AtomicUsize,
}

impl Heads {
    pub(super) fn enter(&self) -> Turn<'_> {
        Turn {
            is_alone: self.issuing.fetch_add(1, Ordering::Relaxed) == 0,
            issuing: &self.issuing,
        }
    }

    pub(super) fn of(&self, chain: &ChainId) -> Option<ChainHead> {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.get(&audit::chain_id(chain)).copied()
    }

    pub(super) fn remember(&self, chain: &ChainId, head: ChainHead) {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.len() >= HEADS_MAX {
            heads.clear();
        }
        heads.insert(audit::chain_id(chain), head);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.issuing.fetch_sub(1, Ordering::Relaxed);
    }
}
