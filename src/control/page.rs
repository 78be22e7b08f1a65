//! The page for the eye: its files are in the program, and come from nowhere else.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Control;

/// The media type of scripts (RFC 9239).
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, media type and content of each file.
const FILES: [(&str, &str, &str); 22] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/favicon.svg", "image/svg+xml", include_str!("page/favicon.svg")),
    ("/api.js", SCRIPT, include_str!("page/api.js")),
    ("/app.js", SCRIPT, include_str!("page/app.js")),
    ("/bmc.js", SCRIPT, include_str!("page/bmc.js")),
    ("/chart.js", SCRIPT, include_str!("page/chart.js")),
    ("/console.js", SCRIPT, include_str!("page/console.js")),
    ("/dom.js", SCRIPT, include_str!("page/dom.js")),
    ("/feed.js", SCRIPT, include_str!("page/feed.js")),
    ("/fleet.js", SCRIPT, include_str!("page/fleet.js")),
    ("/grid.js", SCRIPT, include_str!("page/grid.js")),
    ("/hardware.js", SCRIPT, include_str!("page/hardware.js")),
    ("/log.js", SCRIPT, include_str!("page/log.js")),
    ("/map.js", SCRIPT, include_str!("page/map.js")),
    ("/records.js", SCRIPT, include_str!("page/records.js")),
    ("/sensors.js", SCRIPT, include_str!("page/sensors.js")),
    ("/statements.js", SCRIPT, include_str!("page/statements.js")),
    ("/store.js", SCRIPT, include_str!("page/store.js")),
    ("/stream.js", SCRIPT, include_str!("page/stream.js")),
    ("/theme.js", SCRIPT, include_str!("page/theme.js")),
    ("/words.js", SCRIPT, include_str!("page/words.js")),
];

/// What the page may load: its own files, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers of all responses.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// The files.
pub(super) fn router() -> Router<Control> {
    let file = |router: Router<Control>, (path, kind, content): (&'static str, &'static str, &'static str)| {
        router.route(path, get(move || async move { ([(header::CONTENT_TYPE, kind)], content).into_response() }))
    };
    FILES.into_iter().fold(Router::new(), file)
}

/// Adds the headers of all responses.
pub(super) async fn with_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
