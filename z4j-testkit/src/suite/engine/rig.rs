//! What the suite asks of whoever brings an engine.

use std::fmt::Debug;

use async_trait::async_trait;
use z4j_core::engine::Engine;

/// An engine that works, and the means to give it work.
///
/// # Contract
/// The engine is empty at first and has at least one worker, unless [`Self::stop_workers`] was called. Jobs of different
/// queues do not wait for each other.
#[async_trait]
pub trait EngineRig: Debug + Send + Sync {
    /// The engine.
    fn engine(&self) -> &dyn Engine;

    /// Submits a task to `queue` and answers the engine's id of it.
    async fn submit(&self, queue: &str, job: RigJob) -> String;

    /// No worker takes a task any more; what was submitted waits.
    async fn stop_workers(&self);
}

/// What a submitted task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RigJob {
    /// Ends well, at once.
    Succeeds,
    /// Ends with an error whose message holds `the rig's error`, at once, and is not tried again.
    Fails,
}
