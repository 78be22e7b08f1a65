//! `GET /v1/bmcs/NAME/console`: what the port of serial over LAN says, live, as Server-Sent Events. Looking on changes nothing
//! for clients.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Control;
use super::events::{alive, permit};
use super::problem::Problem;
use super::query::{Path, Query, number};
use crate::ipmi::McAddress;
use crate::sim::{NoSolPort, SolOutput, SolPortView};

impl From<NoSolPort> for Problem {
    fn from(none: NoSolPort) -> Self {
        Self::new(StatusCode::NOT_FOUND, none.to_string())
    }
}

/// What is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default, deserialize_with = "number::optional")]
    mc: Option<u8>,
    /// What it said last comes first.
    #[serde(default)]
    history: bool,
}

/// Looks on from now on.
pub(super) async fn follow(
    State(control): State<Control>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let permit = permit(&control.limits)?;
    let (port, output) = control.door.look_on(&name, wanted.mc.map(McAddress)).await??;
    let SolPortView { history, trouble } = port;
    let history = (wanted.history && !history.is_empty()).then(|| said(&history));
    let trouble = trouble.map(|trouble| event("trouble", &json!({ "detail": trouble })));
    let first = stream::iter(history.into_iter().chain(trouble));
    let events = first.chain(live(output, permit)).map(Ok::<_, Infallible>);
    Ok(Sse::new(events).keep_alive(alive()).into_response())
}

fn live(output: mpsc::Receiver<SolOutput>, permit: OwnedSemaphorePermit) -> impl Stream<Item = Event> {
    let next = async |(mut output, permit): (mpsc::Receiver<SolOutput>, _)| {
        let SolOutput { bytes, lost, .. } = output.recv().await?;
        let lost = (lost > 0).then(|| event("lost", &json!({ "lost": lost })));
        Some((stream::iter(lost.into_iter().chain([said(&bytes)])), (output, permit)))
    };
    stream::unfold((output, permit), next).flatten()
}

fn said(bytes: &[u8]) -> Event {
    event("output", &json!({ "data": BASE64_STANDARD.encode(bytes) }))
}

fn event(kind: &str, data: &serde_json::Value) -> Event {
    Event::default().event(kind).data(data.to_string())
}
