//! `/v1/bmcs`: which BMCs there are and how they are; BMCs that come and go at run time.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Deserialize;

use super::Control;
use super::body;
use super::pattern::Pattern;
use super::problem::Problem;
use super::query::{NoQuery, Path, Query, number};
use super::views::bmc::{Bmc, Summary};
use crate::runtime::door::{Absent, Door, Entry, Put, Recipe, Turn, Unmade};

/// How many BMCs are listed if nothing is said.
const USUAL: usize = 10_000;
/// How many at most.
const MOST: usize = 100_000;
/// About how many bytes of a list are made at a time: the next ones when these have been taken.
const PIECE: usize = 64 << 10;

/// Which BMCs are to be listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    name: Option<Pattern>,
    power: Option<PowerWanted>,
    #[serde(default, deserialize_with = "number::plain")]
    limit: Option<usize>,
    after: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PowerWanted {
    On,
    Off,
}

/// `GET /v1/bmcs`. What is sent is made while it is read, a piece at a time.
pub(super) async fn list(State(control): State<Control>, Query(listing): Query<Listing>) -> Result<Response, Problem> {
    let limit = listing.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::malformed(format!("limit: expected 1 to {MOST}, found {limit}")));
    }
    let list = List::new(control.door, listing, limit);
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(list.pieces())).into_response())
}

#[derive(Clone, Debug, Default)]
struct Filter {
    name: Pattern,
    power: Option<PowerWanted>,
}

impl Filter {
    /// Whether a BMC is among those that are wanted.
    fn matches(&self, entry: &Entry<'_>) -> bool {
        let has_power = |wanted| (wanted == PowerWanted::On) == entry.system().power();
        self.name.matches(entry.name()) && self.power.is_none_or(has_power)
    }
}

/// A list on its way.
struct List {
    door: Door,
    filter: Filter,
    /// Those up to this name are counted and not listed.
    after: Option<String>,
    /// The last that was looked at.
    looked: Option<Arc<str>>,
    left: usize,
    total: usize,
    /// The last that was listed.
    listed: Option<String>,
    /// There are more than were asked for.
    more: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Begun,
    Done,
}

/// What is found in a turn.
struct Found {
    listed: Vec<Summary>,
    total: usize,
    more: bool,
    looked: Option<Arc<str>>,
}

impl List {
    fn new(door: Door, listing: Listing, left: usize) -> Self {
        let Listing { name, power, after, .. } = listing;
        let filter = Filter { name: name.unwrap_or_default(), power };
        Self { door, filter, after, looked: None, left, total: 0, listed: None, more: false, stage: Stage::New }
    }

    fn pieces(self) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
        stream::try_unfold(
            self,
            |mut list| async move { Ok(list.piece().await?.map(|piece| (Bytes::from(piece), list))) },
        )
    }

    async fn piece(&mut self) -> Result<Option<Vec<u8>>, std::io::Error> {
        let mut text = match self.stage {
            Stage::New => b"{\"bmcs\":[".to_vec(),
            Stage::Begun => Vec::new(),
            Stage::Done => return Ok(None),
        };
        self.stage = Stage::Begun;
        while text.len() < PIECE && self.stage != Stage::Done {
            // A list that breaks off is no list: the connection ends before its end.
            let found = self.turn().await.map_err(std::io::Error::other)?;
            self.write(found, &mut text)?;
        }
        Ok(Some(text))
    }

    async fn turn(&self) -> Result<Found, Absent> {
        let (filter, after, looked, left) = (self.filter.clone(), self.after.clone(), self.looked.clone(), self.left);
        let look = move |turn: &mut Turn<'_>| {
            let mut found = Found { listed: Vec::new(), total: 0, more: false, looked: None };
            found.looked = turn.each(looked.as_deref(), |entry| {
                if !filter.matches(entry) {
                    return;
                }
                found.total += 1;
                if after.as_deref().is_some_and(|after| **entry.name() <= *after) {
                    return;
                }
                found.more |= found.listed.len() == left;
                if found.listed.len() < left {
                    found.listed.push(Summary::of(entry));
                }
            });
            found
        };
        self.door.turn(look).await
    }

    fn write(&mut self, found: Found, text: &mut Vec<u8>) -> Result<(), std::io::Error> {
        for summary in &found.listed {
            if self.listed.is_some() {
                text.push(b',');
            }
            serde_json::to_writer(&mut *text, summary)?;
            self.listed = Some(summary.name.to_string());
        }
        self.left -= found.listed.len();
        self.total += found.total;
        self.more |= found.more;
        self.looked = found.looked;
        if self.looked.is_none() {
            let next = self.listed.take().filter(|_| self.more);
            write!(text, "],\"total\":{},\"next\":", self.total)?;
            serde_json::to_writer(&mut *text, &next)?;
            text.push(b'}');
            self.stage = Stage::Done;
        }
        Ok(())
    }
}

/// `GET /v1/bmcs/NAME`.
pub(super) async fn show(
    State(control): State<Control>,
    Path(name): Path<String>,
    _: NoQuery,
) -> Result<Json<Bmc>, Problem> {
    Ok(Json(control.door.look(&name, Bmc::of).await?))
}

/// What a BMC is to be made of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    variables: BTreeMap<String, String>,
    lan_conf: Option<String>,
    emu: Option<String>,
}

/// `PUT /v1/bmcs/NAME`: a new BMC, or another in the place of one.
pub(super) async fn put(
    State(control): State<Control>,
    Path(name): Path<String>,
    _: NoQuery,
    body::Json(wanted): body::Json<Wanted>,
) -> Result<Response, Problem> {
    let Wanted { variables, lan_conf, emu } = wanted;
    let recipe = Recipe { variables: variables.into_iter().collect(), lan_conf, commands: emu };
    let (status, what) = match control.door.put(&name, recipe).await?? {
        Put::Created => (StatusCode::CREATED, "made"),
        Put::Replaced => (StatusCode::OK, "made in the place of one of its name"),
    };
    log::info!("The control door: BMC \"{name}\" was {what}");
    Ok((status, Json(control.door.look(&name, Bmc::of).await?)).into_response())
}

/// `DELETE /v1/bmcs/NAME`.
pub(super) async fn delete(
    State(control): State<Control>,
    Path(name): Path<String>,
    _: NoQuery,
) -> Result<StatusCode, Problem> {
    if control.door.turn(|turn| turn.creator().is_none()).await? {
        return Err(Unmade::NoFleet.into());
    }
    control.door.remove(&name).await?;
    log::info!("The control door: BMC \"{name}\" was removed");
    Ok(StatusCode::NO_CONTENT)
}
