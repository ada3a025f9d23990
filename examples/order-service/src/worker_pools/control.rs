//! The levers on the pools, for whoever runs the service.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json as JsonBody};
use seawall_worker_pool::Config;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Entry, WorkerPools, dead_letters};
use crate::app::App;
use crate::audit;
use crate::http::{self, Json, Peer, Problem};

pub(crate) fn control_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(config, configure)).merge(dead_letters::routes())
}

/// Show how a worker pool is configured.
#[utoipa::path(
    get,
    path = "/admin/worker-pools/{name}",
    tag = "drills",
    params(("name" = String, Path, description = "The pool's name", example = "standard")),
    responses(
        (status = 200, description = "Its configuration", body = Object),
        (status = 400, description = "Not a name", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such pool", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn config(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<JsonBody<Config>, Problem> {
    Ok(JsonBody(named_in_path(&app.worker_pools, path)?.config()))
}

/// Configure a worker pool, while it works.
///
/// The body is the whole new configuration, as in the file: what it does not name has the library's default. Missing workers are
/// started at once; those that are too many leave when they have nothing to do. Jobs that wait stay, even in a shorter queue.
#[utoipa::path(
    put,
    path = "/admin/worker-pools/{name}",
    tag = "drills",
    params(("name" = String, Path, description = "The pool's name", example = "standard")),
    request_body(content = Object, example = json!({"workers": {"min": 5, "max": 40}, "queue": 2000, "keep_alive": "10s"})),
    responses(
        (status = 200, description = "Its configuration after the change", body = Object),
        (status = 400, description = "Not JSON, or not a name", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such pool", body = Problem, content_type = "application/problem+json"),
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
    let entry = named_in_path(&app.worker_pools, path)?;
    let change = entry.reconfigure(config).map_err(|error| Problem::invalid_config(&error))?;
    let what = format!("worker pool {}: configuration", entry.name());
    audit::note(peer, &what, audit::json(&change.before), audit::json(&change.after));
    Ok(JsonBody(change.after))
}

/// The pool that the path's one parameter names.
pub(super) fn named_in_path(pools: &WorkerPools, path: Result<Path<String>, PathRejection>) -> Result<&Entry, Problem> {
    http::named_in_path(path, "worker pool", || pools.iter().map(Entry::name).collect(), |name| pools.find(name))
}
