//! The stored form of a record.

use super::TaskRecord;
use super::record::Shift;
use crate::time::Timestamp;

/// The first byte of every stored record.
const VERSION: u8 = 1;

/// A stored record that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer program.
    #[error("stored task record has version {0}, which this program does not know")]
    Version(u8),
    /// Not a record.
    #[error("stored task record is damaged")]
    Damaged,
}

impl TaskRecord {
    /// The stored form: one version byte, then everything, payload texts included.
    ///
    /// Stores keep it beside the columns they list and filter by; the columns are a copy for queries, this is the truth.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let relative = self.moved(minus);
        let bytes = vec![VERSION];
        // Nothing in a record can fail to serialise: sequences know their length and the target is memory.
        postcard::to_extend(&relative, bytes).unwrap_or_default()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`DecodeError`] when a newer program wrote it or it is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes.split_first() {
            Some((&VERSION, body)) => {
                let relative: Self =
                    postcard::from_bytes(body).map_err(|_| DecodeError::Damaged)?;
                Ok(relative.moved(plus))
            }
            Some((&version, _)) => Err(DecodeError::Version(version)),
            None => Err(DecodeError::Damaged),
        }
    }

    /// The record with every time but the first moved by the first: small numbers take half the bytes.
    fn moved(&self, shift: Shift) -> Self {
        let mut moved = self.clone();
        let base = self.first_seen;
        for at in moved
            .latest
            .slots()
            .into_iter()
            .flatten()
            .chain(moved.attempts.times())
        {
            *at = shift(*at, base);
        }
        moved.lasting.shift(shift, base);
        moved.outcome.shift(shift, base);
        moved
    }
}

const fn minus(at: Timestamp, base: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros().wrapping_sub(base.as_micros()))
}

const fn plus(at: Timestamp, base: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros().wrapping_add(base.as_micros()))
}
