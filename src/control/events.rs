//! `GET /v1/events`: what happens, as Server-Sent Events.
//!
//! Each reader has a place in the history, so that one who is slow holds nobody up: he loses the oldest events, and is told how
//! many.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::Control;
use super::pattern::Pattern;
use super::problem::Problem;
use super::query::Query;
use super::server::Limits;
use super::views::event::{KINDS, View, kind};
use crate::runtime::door::history::{Happened, Reader};

/// How many events are taken at a time.
const TAKEN: usize = 128;
/// How often a reader is shown that the connection is alive.
const ALIVE: Duration = Duration::from_secs(15);

/// Which events are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    bmc: Pattern,
    kind: Option<String>,
    /// Whether what happens from now on is wanted; else what is kept, and then the end.
    follow: Option<bool>,
}

/// Follows what happens from now on, or from the event that was seen last.
pub(super) async fn follow(
    State(control): State<Control>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let kinds = wanted.kind.as_deref().map(kinds).transpose()?;
    let permit = permit(&control.limits)?;
    let last = headers.get("last-event-id").map(|id| id.to_str().ok().and_then(|id| id.trim().parse().ok()));
    let history = control.door.history();
    let follow = wanted.follow.unwrap_or(true);
    let reader = match last {
        None if follow => history.reader(),
        None => history.reader_after(0),
        Some(Some(id)) => history.reader_after(id),
        Some(None) => return Err(Problem::malformed("Last-Event-ID: expected the number of an event")),
    };
    let end = (!follow).then(|| history.next());
    let taken = Vec::new().into_iter();
    let follower = Follower { reader, bmc: wanted.bmc, kinds, end, taken, _permit: permit };
    Ok(Sse::new(follower.events()).keep_alive(alive()).into_response())
}

/// What a reader is sent while nothing happens.
pub(super) fn alive() -> sse::KeepAlive {
    sse::KeepAlive::new().interval(ALIVE).text("alive")
}

/// The right to follow something.
///
/// # Errors
/// Too many do.
pub(super) fn permit(limits: &Limits) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&limits.followers).try_acquire_owned().map_err(|_| {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many follow events or consoles now; try again later")
    })
}

fn kinds(text: &str) -> Result<HashSet<&'static str>, Problem> {
    let known = |word: &str| KINDS.into_iter().find(|kind| *kind == word.trim());
    text.split(',')
        .map(|word| {
            let unknown = || Problem::malformed(format!("kind: '{word}' is none of {}", KINDS.join(", ")));
            known(word).ok_or_else(unknown)
        })
        .collect()
}

struct Follower {
    reader: Reader,
    bmc: Pattern,
    kinds: Option<HashSet<&'static str>>,
    /// The number of the first event that is not wanted any more.
    end: Option<u64>,
    /// Taken from the history, and not sent.
    taken: std::vec::IntoIter<Arc<Happened>>,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    fn events(self) -> impl Stream<Item = Result<sse::Event, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let event = follower.next().await?;
            Some((Ok(event), follower))
        })
    }

    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            while let Some(happened) = self.taken.next() {
                if self.end.is_some_and(|end| happened.id >= end) {
                    return None;
                }
                if self.wants(&happened) {
                    let (id, data) = (happened.id.to_string(), View::of(&happened).text());
                    return Some(sse::Event::default().id(id).event(kind(&happened.what)).data(data));
                }
            }
            if self.end.is_some_and(|end| self.reader.next() >= end) {
                return None;
            }
            let mut taken = Vec::new();
            self.reader.wait().await;
            let lost = self.reader.take(TAKEN, &mut taken);
            self.taken = taken.into_iter();
            if lost > 0 {
                return Some(sse::Event::default().event("lost").data(format!("{{\"lost\":{lost}}}")));
            }
        }
    }

    fn wants(&self, happened: &Happened) -> bool {
        self.bmc.matches(&happened.bmc) && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(kind(&happened.what)))
    }
}
