//! Requests that change something run to their end, whether or not somebody still waits for the answer.
//!
//! A person who closes the page drops the request. What it had already written would stand, and what must follow would not
//! be done: a command that was claimed for a link would never be sent to it, and dashboards would not be told.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::error::ApiError;

/// Requests that change something at once; more wait for their turn, and are dropped when nobody waits for them any more. Far more
/// than a database serves at once.
const WRITES_MAX: u32 = 256;
/// How long one waits for its turn.
const TURN_WAIT: Duration = Duration::from_secs(5);

/// Those that are under way.
#[derive(Clone, Debug)]
pub(crate) struct Writes {
    permits: Arc<Semaphore>,
}

impl Writes {
    pub(crate) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(WRITES_MAX as usize)),
        }
    }

    /// Runs `work` to its end, also if this is dropped meanwhile.
    pub(crate) async fn run(
        &self,
        work: impl Future<Output = Response> + Send + 'static,
    ) -> Response {
        let turn = Arc::clone(&self.permits).acquire_owned();
        let Ok(permit) = timeout(TURN_WAIT, turn).await else {
            let message = "Too much is being changed at this moment.";
            return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
                .with_retry_after(TURN_WAIT)
                .into_response();
        };
        let working = tokio::spawn(async move {
            let _permit = permit;
            work.await
        });
        match working
            .await
            .map_err(tokio::task::JoinError::try_into_panic)
        {
            Ok(response) => response,
            Err(Ok(panic)) => resume_unwind(panic),
            Err(Err(_)) => ApiError::internal("the runtime ended").into_response(),
        }
    }

    /// Waits until all are done.
    pub(crate) async fn done(&self) {
        let _all = self.permits.acquire_many(WRITES_MAX).await;
    }
}
