//! Whether the program is well, for whoever starts and stops it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tokio::time::timeout;

use super::Control;
use super::problem::Problem;

/// How long the loop may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// It lives.
#[derive(Debug, Serialize)]
pub(super) struct Alive {
    status: &'static str,
}

/// It is ready, and serves so many.
#[derive(Debug, Serialize)]
pub(super) struct Ready {
    status: &'static str,
    bmcs: usize,
    /// Where a browser finds the page, if there is a TCP port.
    page: Option<Arc<str>>,
}

/// `GET /healthz`: the loop answers.
pub(super) async fn alive(State(control): State<Control>) -> Result<Json<Alive>, Problem> {
    match timeout(PATIENCE, control.door.turn(|_| ())).await {
        Ok(Ok(())) => Ok(Json(Alive { status: "ok" })),
        Ok(Err(_)) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The program ends")),
        Err(_) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The loop does not answer within a second")),
    }
}

/// `GET /readyz`: everything is open.
pub(super) async fn ready(State(control): State<Control>) -> Result<Json<Ready>, Problem> {
    match control.door.turn(|turn| (turn.is_ready(), turn.count())).await {
        Ok((true, bmcs)) => Ok(Json(Ready { status: "ready", bmcs, page: control.page })),
        _ => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Not everything is open")),
    }
}
