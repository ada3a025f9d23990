//! What everybody may know of the circuit breakers.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use seawall_circuit_breaker::Snapshot;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::registry::{Breakers, Entry};
use crate::app::App;
use crate::http::{self, Problem};

/// Every breaker, as it is now.
#[derive(Debug, Serialize, ToSchema)]
struct Snapshots {
    #[schema(value_type = Vec<Object>)]
    circuit_breakers: Vec<Snapshot>,
}

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// States and counts of the circuit breakers.
#[utoipa::path(
    get,
    path = "/circuit-breakers",
    tag = "operation",
    responses((status = 200, description = "A snapshot of each breaker", body = Snapshots))
)]
async fn list(State(app): State<Arc<App>>) -> Json<Snapshots> {
    Json(Snapshots { circuit_breakers: app.breakers.iter().map(|entry| entry.breaker().snapshot()).collect() })
}

/// State and counts of one circuit breaker.
#[utoipa::path(
    get,
    path = "/circuit-breakers/{name}",
    tag = "operation",
    params(("name" = String, Path, description = "The breaker's name", example = "payment")),
    responses(
        (status = 200, description = "Its snapshot", body = Object),
        (status = 400, description = "Not a name", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such breaker", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn show(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Snapshot>, Problem> {
    Ok(Json(named_in_path(&app.breakers, path)?.breaker().snapshot()))
}

/// The breaker that the path's one parameter names.
pub(super) fn named_in_path(breakers: &Breakers, path: Result<Path<String>, PathRejection>) -> Result<&Entry, Problem> {
    http::named_in_path(path, "circuit breaker", || breakers.names().collect(), |name| breakers.find(name))
}
