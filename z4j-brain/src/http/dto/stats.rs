//! Numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use z4j_core::time::Timestamp;

/// The window that numbers are wanted for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StatsQuery {
    /// 1 to 10080, default 60.
    pub(crate) window_minutes: Option<u32>,
}

/// The window and the buckets that trends are wanted for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TrendsQuery {
    /// 1 to 10080, default 60.
    pub(crate) window_minutes: Option<u32>,
    /// Minutes in a bucket, default 1; at most 1500 buckets.
    pub(crate) bucket_minutes: Option<u32>,
}

/// Tasks that ended in a window, by how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Finished {
    pub(crate) success: u64,
    pub(crate) failure: u64,
    pub(crate) revoked: u64,
    pub(crate) rejected: u64,
    pub(crate) retry: u64,
}

/// Agents by state.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(crate) struct AgentCounts {
    pub(crate) online: u64,
    pub(crate) offline: u64,
    pub(crate) never_connected: u64,
}

/// Workers by state.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(crate) struct WorkerCounts {
    pub(crate) online: u64,
    pub(crate) offline: u64,
}

/// A project's numbers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Stats {
    /// Tasks in each state now.
    pub(crate) states: BTreeMap<&'static str, u64>,
    pub(crate) window_minutes: u32,
    /// What ended within the window, whose last minute is not over.
    pub(crate) finished: Finished,
    /// The same for the window before.
    pub(crate) previous: Finished,
    /// Successes and failures per minute of the window.
    pub(crate) throughput_per_minute: f64,
    /// Failures among successes and failures, 0 to 1; null when there were none.
    pub(crate) failure_rate: Option<f64>,
    pub(crate) agents: AgentCounts,
    pub(crate) workers: WorkerCounts,
    /// Agents declared that they lost events, so the numbers may be too low.
    pub(crate) incomplete: bool,
    pub(crate) lost_events: u64,
}

/// Tasks that ended within one bucket.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Bucket {
    /// The start of the bucket.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
    #[serde(flatten)]
    pub(crate) finished: Finished,
    /// False while the bucket's time is not over.
    pub(crate) complete: bool,
}

/// Tasks that ended, over time, without gaps.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Trends {
    pub(crate) bucket_minutes: u32,
    pub(crate) buckets: Vec<Bucket>,
}

/// The part of the numbers that the live stream sends.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Counters {
    /// Tasks in each state now.
    pub(crate) states: BTreeMap<&'static str, u64>,
}
