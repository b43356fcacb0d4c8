//! What a brain says of itself while the database is down, and after (I-31).

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use tower::ServiceExt as _;
use z4j_brain::Brain;

/// Whether `/health/ready` answers 200.
pub(crate) async fn is_ready(brain: &Brain) -> bool {
    let request = Request::get("/health/ready").header(header::HOST, "localhost");
    let Ok(request) = request.body(Body::empty()) else {
        return false;
    };
    match brain.router().oneshot(request).await {
        Ok(answer) => answer.status() == StatusCode::OK,
        Err(never) => match never {},
    }
}
