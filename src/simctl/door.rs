//! The client's side of the control door: requests with their responses, and bodies that go on.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use super::connection::{self, Requests};
use super::event_stream::EventStream;
use super::failure::Failure;
use super::model::{List, Problem, read};
use super::place::{self, Place};

/// Largest response, in bytes: far more than that of a hundred thousand BMCs.
const LARGEST: usize = 256 << 20;
/// BMCs asked for at once.
const PAGE: usize = 10_000;
/// What may stand in a path or query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as it stands in a path or query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// The path of a BMC, and of what belongs to it: `rest` begins with a slash or is empty.
pub(super) fn bmc_path(name: &str, rest: &str) -> String {
    format!("/v1/bmcs/{}{rest}", encoded(name))
}

/// The door, and the connections to it that are free.
pub(super) struct Door {
    place: Place,
    token: Option<HeaderValue>,
    limit: Duration,
    free: RefCell<Vec<Requests>>,
}

impl Door {
    /// The door at a place. No response may take longer than `limit`.
    pub(super) fn new(place: Place, token: Option<HeaderValue>, limit: Duration) -> Self {
        Self { place, token, limit, free: RefCell::default() }
    }

    /// Where it is.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// What a path says.
    ///
    /// # Errors
    /// Nobody is there, it takes too long, or the server refuses.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.ask(Method::GET, path, None).await?.1)
    }

    /// Does something; a response without a body is null.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), Failure> {
        let whole = async {
            let response = self.send(self.request(method, path, body)?).await?;
            let status = response.status();
            let bytes = whole_body(response.into_body()).await?;
            if bytes.is_empty() {
                return Ok((status, Value::Null));
            }
            let value = serde_json::from_slice(&bytes);
            Ok((status, value.map_err(|error| Failure::Local(format!("The response is no JSON: {error}")))?))
        };
        self.in_time(whole).await
    }

    /// What a path says as OpenMetrics text.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) async fn metrics(&self, path: &str) -> Result<Bytes, Failure> {
        let mut request = self.request(Method::GET, path, None)?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/openmetrics-text; version=1.0.0"));
        self.in_time(async { whole_body(self.send(request).await?.into_body()).await }).await
    }

    /// Events of a path, from behind `last` on, if it is there.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) async fn events(&self, path: &str, last: Option<&str>) -> Result<EventStream, Failure> {
        let mut request = self.request(Method::GET, path, None)?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(last) = last.and_then(|last| HeaderValue::from_str(last).ok()) {
            request.headers_mut().insert("last-event-id", last);
        }
        let response = self.in_time(self.send(request)).await?;
        Ok(EventStream::new(response.into_body()))
    }

    /// All BMCs that a pattern and more of a query choose, sorted by name.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) async fn list(&self, pattern: Option<&str>, more: &str) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut query = pattern.map(|pattern| format!("&name={}", encoded(pattern))).unwrap_or_default();
        query.push_str(more);
        let mut path = format!("/v1/bmcs?limit={PAGE}{query}");
        loop {
            let List { bmcs, next, .. } = read(&self.get(&path).await?)?;
            // A server that gives nothing and wants to go on would be asked forever.
            let goes_on = !bmcs.is_empty();
            all.extend(bmcs);
            match next.filter(|_| goes_on) {
                Some(after) => path = format!("/v1/bmcs?limit={PAGE}{query}&after={}", encoded(&after)),
                None => return Ok(all),
            }
        }
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::time::timeout(self.limit, work).await.unwrap_or_else(|_| {
            Err(Failure::TimedOut(format!(
                "No response within {} s; --request-timeout says how long",
                self.limit.as_secs_f64()
            )))
        })
    }

    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Request<Full<Bytes>>, Failure> {
        let (host, prefix) = match &self.place {
            Place::Socket(_) => ("localhost", ""),
            Place::Http(base) => (base.authority.as_str(), base.prefix.as_str()),
        };
        let mut request = Request::builder().method(method).uri(format!("{prefix}{path}")).header(HOST, host);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        request.body(Full::new(body)).map_err(|error| Failure::Usage(format!("This cannot be asked for: {error}")))
    }

    /// Sends a request on a free connection or a new one, and has the head of its response. The connection is free again
    /// when the body has come, which the next one to use it waits for.
    async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        loop {
            let free = self.free.borrow_mut().pop();
            let is_new = free.is_none();
            let mut requests = match free {
                Some(requests) => requests,
                None => connection::open(&self.place).await?,
            };
            match requests.ready().await {
                Err(error) if is_new => return Err(connection::broken(&error)),
                // It was closed while it was free.
                Err(_) => continue,
                Ok(()) => {}
            }
            match requests.try_send_request(request).await {
                Ok(response) if response.status().is_success() => {
                    // What goes on has no end to wait for: its connection is no other's.
                    if response.body().size_hint().exact().is_some() {
                        self.free.borrow_mut().push(requests);
                    }
                    return Ok(response);
                }
                Ok(response) => return Err(refusal(response).await),
                // What has not left was not executed.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(connection::broken(error.error())),
                },
            }
        }
    }
}

async fn whole_body(body: Incoming) -> Result<Bytes, Failure> {
    match Limited::new(body, LARGEST).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) => Err(Failure::Unreachable(format!("The response did not come whole: {error}"))),
    }
}

/// Why the server refuses.
async fn refusal(response: Response<Incoming>) -> Failure {
    let status = response.status();
    let body = match whole_body(response.into_body()).await {
        Ok(body) => body,
        Err(failure) => return failure,
    };
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut problem = Problem::deserialize(&value).unwrap_or_default();
    problem.status = status.as_u16();
    if problem.title.is_empty() {
        problem.title = status.to_string();
    }
    if status == StatusCode::UNAUTHORIZED {
        problem.detail =
            format!("{}: --token-file FILE or {} names the file with the token", problem, place::TOKEN_FILE);
        problem.faults.clear();
    }
    Failure::Problem(problem)
}

/// The header with the token of a file: its first line.
///
/// # Errors
/// The file cannot be read, or holds no token.
pub(super) fn token(
    file: Option<&Path>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<HeaderValue>, Failure> {
    let named = variable(place::TOKEN_FILE).filter(|value| !value.is_empty());
    let Some(path) = file.or(named.as_deref().map(Path::new)) else { return Ok(None) };
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::NotAllowed(format!("Unable to read the token in {}: {error}", path.display())))?;
    let token = text.lines().next().unwrap_or_default().trim();
    let header = HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| !token.is_empty());
    let mut header =
        header.ok_or_else(|| Failure::NotAllowed(format!("{} has no token in its first line", path.display())))?;
    header.set_sensitive(true);
    Ok(Some(header))
}
