//! Streams of which frames are still on their way to the store.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use z4j_core::store::StreamKey;

/// Counts the frames of each stream that were read and are neither stored nor given up.
///
/// What the store says of a stream's position is the truth only while there are none: an agent that is told less declares events
/// lost which are stored a moment later.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamsUnderWay {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    frames: Mutex<HashMap<StreamKey, usize>>,
    ended: Notify,
}

/// A frame of a stream, until it is stored or given up.
#[derive(Debug)]
pub(crate) struct UnderWay {
    key: StreamKey,
    inner: Arc<Inner>,
}

impl StreamsUnderWay {
    /// A frame of the stream begins its way.
    pub(crate) fn begin(&self, key: StreamKey) -> UnderWay {
        *self.inner.lock().entry(key).or_default() += 1;
        UnderWay {
            key,
            inner: Arc::clone(&self.inner),
        }
    }

    /// Waits until no frame of the stream is under way.
    pub(crate) async fn settled(&self, key: StreamKey) {
        loop {
            let mut ended = pin!(self.inner.ended.notified());
            // Before looking, so that no end is missed.
            ended.as_mut().enable();
            if !self.inner.lock().contains_key(&key) {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut frames = self.inner.lock();
        let Entry::Occupied(mut count) = frames.entry(self.key) else {
            return;
        };
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
            drop(frames);
            self.inner.ended.notify_waiters();
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HashMap<StreamKey, usize>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
