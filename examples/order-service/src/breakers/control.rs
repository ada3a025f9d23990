//! The levers on the circuit breakers, for whoever runs the service.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json as JsonBody};
use seawall_circuit_breaker::{Config, NotOpen, Snapshot};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::by_hand::Override;
use super::routes::named_in_path;
use crate::app::App;
use crate::audit;
use crate::http::{Json, Peer, Problem, Violation};

pub(crate) fn control_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(hold)).routes(routes!(config, configure))
}

/// Put a circuit breaker into a state.
#[utoipa::path(
    put,
    path = "/admin/circuit-breakers/{name}",
    tag = "drills",
    params(("name" = String, Path, description = "The breaker's name", example = "payment")),
    request_body(content = Override, example = json!({"state": "open", "for": "30s"})),
    responses(
        (status = 200, description = "Its snapshot after the change", body = Object),
        (status = 400, description = "Not JSON, or not a name", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such breaker", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body took too long", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Half-open was asked for, and the circuit is not open", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "More than 1 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not application/json", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields at fault", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn hold(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<String>, PathRejection>,
    Json(wanted): Json<Override>,
) -> Result<JsonBody<Snapshot>, Problem> {
    let entry = named_in_path(&app.breakers, path)?;
    wanted.check()?;
    let change = entry.change(|breaker| wanted.apply(breaker)).map_err(not_open)?;
    let what = format!("circuit breaker {}: state", entry.role().name);
    audit::note(peer, &what, change.before.state, change.after.state);
    Ok(JsonBody(change.after))
}

/// Show how a circuit breaker is configured.
#[utoipa::path(
    get,
    path = "/admin/circuit-breakers/{name}/config",
    tag = "drills",
    params(("name" = String, Path, description = "The breaker's name", example = "payment")),
    responses(
        (status = 200, description = "Its configuration", body = Object),
        (status = 400, description = "Not a name", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such breaker", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn config(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<JsonBody<Config>, Problem> {
    Ok(JsonBody(named_in_path(&app.breakers, path)?.config()))
}

/// Configure a circuit breaker, while it works.
///
/// The body is the whole new configuration, as in the file: what it does not name has the library's default. State and
/// counts are kept, and judged by the new rules at once.
#[utoipa::path(
    put,
    path = "/admin/circuit-breakers/{name}/config",
    tag = "drills",
    params(("name" = String, Path, description = "The breaker's name", example = "payment")),
    request_body(content = Object, example = json!({"consecutive_failures": 5, "open": {"for": "60s"}})),
    responses(
        (status = 200, description = "Its configuration after the change", body = Object),
        (status = 400, description = "Not JSON, or not a name", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such breaker", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body took too long", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 1 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not application/json", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields at fault", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn configure(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<String>, PathRejection>,
    Json(config): Json<Config>,
) -> Result<JsonBody<Config>, Problem> {
    let entry = named_in_path(&app.breakers, path)?;
    let change = entry.reconfigure(config).map_err(|error| Problem::invalid_config(&error))?;
    let what = format!("circuit breaker {}: configuration", entry.role().name);
    audit::note(peer, &what, audit::json(&change.before), audit::json(&change.after));
    Ok(JsonBody(change.after))
}

fn not_open(error: NotOpen) -> Problem {
    let detail = format!("is possible for an open circuit only; this one is {}", error.state());
    let fault = Violation::new("state", detail).value("half_open");
    Problem::new(StatusCode::CONFLICT, "not-open", "The circuit is not open", error.to_string()).violations(vec![fault])
}
