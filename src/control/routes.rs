//! Every path of the control door, and who answers there.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};

use super::problem::Problem;
use super::{
    Control, bmcs, console, document, events, guard, health, inventory, log, metrics, page, power, sensors, statements,
    users,
};

/// All of them.
pub(super) fn router(control: Control) -> Router {
    let guarded = Router::new()
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::scrape))
        .route("/v1/bmcs", get(bmcs::list))
        .route("/v1/bmcs/{name}", get(bmcs::show).put(bmcs::put).delete(bmcs::delete))
        .route("/v1/bmcs/{name}/console", get(console::follow))
        .route("/v1/bmcs/{name}/statements", post(statements::run))
        .route("/v1/bmcs/{name}/power", get(power::show).post(power::control))
        .route("/v1/bmcs/{name}/boot", put(power::boot))
        .route("/v1/bmcs/{name}/sensors", get(sensors::list))
        .route("/v1/bmcs/{name}/sensors/{mc}/{lun}/{number}", get(sensors::show).put(sensors::set))
        .route("/v1/bmcs/{name}/sel", get(log::list).post(log::add).delete(log::clear))
        .route("/v1/bmcs/{name}/sdr", get(inventory::records))
        .route("/v1/bmcs/{name}/fru", get(inventory::devices))
        .route("/v1/bmcs/{name}/users", get(users::list))
        .route("/v1/bmcs/{name}/users/{id}", put(users::change))
        .route("/v1/events", get(events::follow))
        .layer(from_fn_with_state(control.clone(), guard::with_token));
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/openapi.json", get(document::show))
        .merge(page::router())
        .merge(guarded)
        .fallback(missing)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn(page::with_headers))
        .layer(from_fn_with_state(control.clone(), guard::without_foreign_pages))
        .with_state(control)
}

async fn missing(request: Request) -> Response {
    Problem::missing(format!("There is nothing at {}; /openapi.json says what there is", request.uri().path()))
        .into_response()
}

async fn not_allowed(request: Request) -> Response {
    let detail = format!("{} is not for {}; /openapi.json says what is", request.uri().path(), request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).into_response()
}
