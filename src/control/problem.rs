//! What is wrong with a request, as problem details (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::config::{Diagnostic, Severity};
use crate::runtime::door::{Absent, Done, Unmade};

/// The media type.
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A place in a text, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    file: String,
    line: u32,
    column: u32,
    severity: &'static str,
    message: String,
}

impl From<&Diagnostic> for Fault {
    fn from(diagnostic: &Diagnostic) -> Self {
        let severity = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
        Self {
            file: diagnostic.file.clone(),
            line: diagnostic.span.line,
            column: diagnostic.span.column,
            severity,
            message: diagnostic.message.clone(),
        }
    }
}

/// What is wrong with a request.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<Fault>,
}

impl Problem {
    /// With a status, and what is wrong in a sentence.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or_default();
        Self { kind: "about:blank", title, status: status.as_u16(), detail: detail.into(), faults: Vec::new() }
    }

    /// The request is malformed.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// There is no such thing.
    pub(super) fn missing(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }
}

/// What came of a call, if what it changed is kept.
pub(super) fn kept<T>(done: Done<T>) -> Result<T, Problem> {
    match done.unsaved {
        None => Ok(done.value),
        Some(why) => {
            let detail = format!("It was done, and is not on the disk: {why}");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
        }
    }
}

impl From<Absent> for Problem {
    fn from(absent: Absent) -> Self {
        let status = match absent {
            Absent::NoBmc { .. } => StatusCode::NOT_FOUND,
            Absent::Gone => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, absent.to_string())
    }
}

impl From<Unmade> for Problem {
    fn from(unmade: Unmade) -> Self {
        let status = match unmade {
            Unmade::NoFleet => StatusCode::CONFLICT,
            Unmade::Faults(_) | Unmade::Other(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let mut problem = Self::new(status, unmade.to_string());
        if let Unmade::Faults(faults) = &unmade {
            problem.faults = faults.iter().map(Fault::from).collect();
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, PROBLEM)], body).into_response()
    }
}
