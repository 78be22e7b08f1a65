//! The body of a request: bounded in size and time, JSON, and nothing in it that nobody knows.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::Problem;

/// Longest body, in bytes.
pub(super) const LONGEST: usize = 1 << 20;
/// How long it may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body that was read.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let kind =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let detail = format!("expected a body with Content-Type: application/json, found '{kind}'");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| length > LONGEST) {
            return Err(too_long());
        }
        let body = match timeout(PATIENCE, to_bytes(request.into_body(), LONGEST)).await {
            Ok(Ok(body)) => body,
            Ok(Err(error)) if is_length(&error) => return Err(too_long()),
            Ok(Err(error)) => return Err(Problem::malformed(format!("the body ends early: {error}"))),
            Err(_) => {
                let detail = format!("the body did not come within {} s", PATIENCE.as_secs());
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
            }
        };
        serde_json::from_slice(&body).map(Json).map_err(|error| Problem::malformed(format!("the body: {error}")))
    }
}

fn too_long() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("expected at most {LONGEST} bytes"))
}

fn is_length(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}
