//! Numbers.

use axum::Json;
use axum::extract::State;

use super::dto::stats::{
    AgentCounts, Bucket, Finished, Stats, StatsQuery, Trends, TrendsQuery, WorkerCounts,
};
use super::error::ApiError;
use super::extract::Query;
use super::gate::Scope;
use super::state::App;
use crate::ops::stats::{self, Ended, Numbers};

const WINDOW_MINUTES_DEFAULT: u32 = 60;
/// A week.
const WINDOW_MINUTES_MAX: u32 = 10_080;
const BUCKETS_MAX: u32 = 1_500;

/// A project's numbers.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/stats", tag = "numbers",
    params(("slug" = String, Path), StatsQuery),
    responses((status = 200, description = "Numbers", body = Stats)))]
pub(crate) async fn stats(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<StatsQuery>,
) -> Result<Json<Stats>, ApiError> {
    let minutes = window_of(query.window_minutes)?;
    let numbers = stats::numbers(&app.shared, scope.project.id, minutes).await?;
    Ok(Json(shown(numbers, minutes)))
}

/// What ended, over time.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/trends", tag = "numbers",
    params(("slug" = String, Path), TrendsQuery),
    responses((status = 200, description = "Buckets without gaps", body = Trends)))]
pub(crate) async fn trends(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<TrendsQuery>,
) -> Result<Json<Trends>, ApiError> {
    let minutes = window_of(query.window_minutes)?;
    let bucket_minutes = query.bucket_minutes.unwrap_or(1);
    if bucket_minutes == 0 || bucket_minutes > minutes || minutes / bucket_minutes > BUCKETS_MAX {
        let message = "bucket_minutes must be from 1 to the window and make at most 1500 buckets.";
        return Err(ApiError::invalid_query(message));
    }
    let buckets = stats::trend(&app.shared, scope.project.id, minutes, bucket_minutes).await?;
    let buckets = buckets.into_iter().map(|bucket| Bucket {
        at: bucket.at,
        finished: bucket.ended.into(),
        complete: bucket.is_complete,
    });
    Ok(Json(Trends {
        bucket_minutes,
        buckets: buckets.collect(),
    }))
}

fn window_of(minutes: Option<u32>) -> Result<u32, ApiError> {
    let minutes = minutes.unwrap_or(WINDOW_MINUTES_DEFAULT);
    if minutes == 0 || minutes > WINDOW_MINUTES_MAX {
        return Err(ApiError::invalid_query(
            "window_minutes must be from 1 to 10080.",
        ));
    }
    Ok(minutes)
}

fn shown(numbers: Numbers, minutes: u32) -> Stats {
    let (online, offline, never_connected) = numbers.agents_by_state();
    let (workers_online, workers_offline) = numbers.workers_by_state();
    let lost_events = numbers.lost_events();
    let ended = numbers
        .finished
        .success
        .saturating_add(numbers.finished.failure);
    Stats {
        states: numbers.states,
        window_minutes: minutes,
        finished: numbers.finished.into(),
        previous: numbers.previous.into(),
        throughput_per_minute: float(ended) / f64::from(minutes),
        failure_rate: (ended > 0).then(|| float(numbers.finished.failure) / float(ended)),
        agents: AgentCounts {
            online,
            offline,
            never_connected,
        },
        workers: WorkerCounts {
            online: workers_online,
            offline: workers_offline,
        },
        incomplete: lost_events > 0,
        lost_events,
    }
}

/// Counts of tasks are far below what a double holds exactly.
#[expect(
    clippy::cast_precision_loss,
    reason = "a rate of more than 2^53 tasks may be off by one"
)]
fn float(count: u64) -> f64 {
    count as f64
}

impl From<Ended> for Finished {
    fn from(ended: Ended) -> Self {
        Self {
            success: ended.success,
            failure: ended.failure,
            revoked: ended.revoked,
            rejected: ended.rejected,
            retry: ended.retry,
        }
    }
}
