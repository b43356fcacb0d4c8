//! A few of something for each key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts what each key holds, up to a limit.
#[derive(Debug)]
pub(crate) struct Slots<K> {
    max: usize,
    held: Mutex<HashMap<K, usize>>,
}

/// One of what a key may hold. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Slot<K: Eq + Hash> {
    slots: Arc<Slots<K>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Slots<K> {
    /// At most `max` for each key.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            held: Mutex::new(HashMap::new()),
        }
    }

    /// Takes one; `None` when the key holds as many as it may.
    pub(crate) fn take(self: &Arc<Self>, key: K) -> Option<Slot<K>> {
        let mut held = lock(&self.held);
        let count = held.entry(key.clone()).or_insert(0);
        if *count >= self.max {
            return None;
        }
        *count += 1;
        drop(held);
        Some(Slot {
            slots: Arc::clone(self),
            key,
        })
    }
}

impl<K: Eq + Hash> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut held = lock(&self.slots.held);
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_holds_all_gets_one_again_when_it_gives_one_back() {
        let slots = Arc::new(Slots::new(2));
        let first = slots.take(1).unwrap();
        let _second = slots.take(1).unwrap();
        assert!(slots.take(1).is_none());
        assert!(slots.take(2).is_some());
        drop(first);
        assert!(slots.take(1).is_some());
        assert_eq!(lock(&slots.held).len(), 1);
    }
}
