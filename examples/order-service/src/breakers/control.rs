//! The levers on the circuit breakers, for whoever runs the service.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json as JsonBody};
use seawall_circuit_breaker::{CircuitBreaker, Config, NotOpen, Snapshot};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::routes::named_in_path;
use crate::app::App;
use crate::audit;
use crate::http::{Json, Peer, Problem, Violation};

/// How long a circuit can be told to stay open.
const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24);

/// The state that a breaker is to be in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Override {
    state: Wanted,
    /// How long the circuit stays open, from 1ms to 24h, before probes decide. Only for `open`, which without it stays open
    /// as configured, and for `forced_open`, which without it ends by another change alone and with it is `open`.
    #[serde(default, rename = "for", with = "humantime_serde")]
    #[schema(value_type = Option<String>, example = "30s")]
    interval: Option<Duration>,
}

/// A state that a hand can bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    /// Calls pass and are judged; what was counted before is forgotten.
    Closed,
    /// Calls are refused; then probes decide.
    Open,
    /// The next calls are probes. Only for a circuit that is open.
    HalfOpen,
    /// Calls are refused until another change.
    ForcedOpen,
    /// Calls pass and are not counted until another change.
    Disabled,
    /// Calls pass and are counted, and what would have opened the circuit is told, until another change.
    MetricsOnly,
}

impl Override {
    fn check(&self) -> Result<(), Problem> {
        let Some(interval) = self.interval else { return Ok(()) };
        let detail = match self.state {
            Wanted::Open | Wanted::ForcedOpen if INTERVAL.contains(&interval) => return Ok(()),
            Wanted::Open | Wanted::ForcedOpen => "must be a duration from 1ms to 24h",
            _ => "must be left out: only open and forced_open have a duration",
        };
        let fault = Violation::new("for", detail).value(&humantime::format_duration(interval).to_string());
        Err(Problem::invalid_body(vec![fault]))
    }

    fn apply(&self, breaker: &CircuitBreaker) -> Result<(), NotOpen> {
        match (self.state, self.interval) {
            (Wanted::Open | Wanted::ForcedOpen, Some(interval)) => breaker.isolate(interval),
            (Wanted::Open, None) => breaker.trip(),
            (Wanted::ForcedOpen, None) => breaker.force_open(),
            (Wanted::HalfOpen, _) => breaker.half_open()?,
            (Wanted::Closed, _) => breaker.force_closed(),
            (Wanted::Disabled, _) => breaker.disable(),
            (Wanted::MetricsOnly, _) => breaker.metrics_only(),
        }
        Ok(())
    }
}

pub(crate) fn control_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(hold)).routes(routes!(config, configure))
}

/// Put a circuit breaker into a state.
#[utoipa::path(
    put,
    path = "/admin/circuit-breakers/{name}",
    tag = "drills",
    params(("name" = String, Path, description = "The breaker's name", example = "payment")),
    request_body = Override,
    responses(
        (status = 200, description = "Its snapshot after the change", body = Object),
        (status = 400, description = "Not JSON, or not a name", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such breaker", body = Problem, content_type = "application/problem+json"),
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
    let change = entry.reconfigure(config).map_err(|error| {
        let fault = Violation::new(error.field(), format!("must be {}", error.valid())).value(error.value());
        Problem::invalid_body(vec![fault])
    })?;
    let what = format!("circuit breaker {}: configuration", entry.role().name);
    audit::note(peer, &what, audit::json(&change.before), audit::json(&change.after));
    Ok(JsonBody(change.after))
}

fn not_open(error: NotOpen) -> Problem {
    let detail = format!("is possible for an open circuit only; this one is {}", error.state());
    let fault = Violation::new("state", detail).value("half_open");
    Problem::new(StatusCode::CONFLICT, "not-open", "The circuit is not open", error.to_string()).violations(vec![fault])
}
