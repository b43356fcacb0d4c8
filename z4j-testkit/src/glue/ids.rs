//! Ids that a seed decides.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use z4j_core::env::IdGen;

use super::Chance;

/// Ids, jitter and "secrets" that a seed decides.
#[derive(Debug)]
pub struct SeededIds(Mutex<Chance>);

impl SeededIds {
    /// The ids of this sequence.
    #[must_use]
    pub const fn new(chance: Chance) -> Self {
        Self(Mutex::new(chance))
    }

    fn next(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next()
    }
}

impl IdGen for SeededIds {
    fn next_id(&self) -> u128 {
        (u128::from(self.next()) << 64) | u128::from(self.next())
    }

    fn jitter(&self, max: Duration) -> Duration {
        let micros = u64::try_from(max.as_micros()).unwrap_or(u64::MAX);
        let drawn = if micros == 0 { 0 } else { self.next() % micros };
        Duration::from_micros(drawn)
    }

    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(bytes) {
                *to = from;
            }
        }
    }
}
