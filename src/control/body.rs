//! The body of a request: bounded in size and time, JSON, and nothing in it that nobody knows.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer};
use tokio::time::timeout;

use super::problem::Problem;

/// Longest body, in bytes.
pub(super) const LONGEST: usize = 1 << 20;
/// How long it may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body that was read.
pub(super) struct Json<T>(pub(super) T);

/// A number of 0 to 255. It may be written as 32.0, too, which is the same number in JSON, and what some languages make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Byte(pub(super) u8);

impl<'de> Deserialize<'de> for Byte {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let whole = number.as_f64().filter(|value| value.fract() == 0.0 && (0.0..=255.0).contains(value));
        // It is one, so nothing is cut off.
        whole
            .map(|value| Self(value as u8))
            .ok_or_else(|| de::Error::custom(format!("expected 0 to 255, found {number}")))
    }
}

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
        if body.trim_ascii_start().first() != Some(&b'{') {
            // serde takes a list for the fields in their order.
            return Err(Problem::malformed("the body: expected an object"));
        }
        serde_json::from_slice(&body).map(Json).map_err(|error| Problem::malformed(format!("the body: {error}")))
    }
}

fn too_long() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("expected at most {LONGEST} bytes"))
}

fn is_length(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_a_whole_number() {
        let read = |text: &str| serde_json::from_str::<Byte>(text).ok().map(|byte| byte.0);
        assert_eq!(["0", "255", "32.0", "1e2"].map(read), [Some(0), Some(255), Some(32), Some(100)]);
        assert_eq!(["256", "-1", "0.5", "-0.1", "1e300", "null", "\"1\"", "[1]"].map(read), [None; 8]);
    }
}
