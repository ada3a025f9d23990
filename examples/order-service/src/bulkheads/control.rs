//! The levers on the bulkheads, for whoever runs the service.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json as JsonBody};
use seawall_bulkhead::Config;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Bulkheads, Entry};
use crate::app::App;
use crate::audit;
use crate::http::{self, Json, Peer, Problem};

pub(crate) fn control_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(config, configure))
}

/// Show how a bulkhead is configured.
#[utoipa::path(
    get,
    path = "/admin/bulkheads/{name}",
    tag = "drills",
    params(("name" = String, Path, description = "The bulkhead's name", example = "payment")),
    responses(
        (status = 200, description = "Its configuration", body = Object),
        (status = 400, description = "Not a name", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such bulkhead", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn config(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<JsonBody<Config>, Problem> {
    Ok(JsonBody(named_in_path(&app.bulkheads, path)?.config()))
}

/// Configure a bulkhead, while it works.
///
/// The body is the whole new configuration, as in the file: what it does not name has the library's default. More room lets in
/// those who wait; less is taken as calls end. Nobody who waits is put out, unless it wants more than the new limit.
#[utoipa::path(
    put,
    path = "/admin/bulkheads/{name}",
    tag = "drills",
    params(("name" = String, Path, description = "The bulkhead's name", example = "payment")),
    request_body(content = Object, example = json!({"limit": 10, "queue": 100, "max_wait": "250ms"})),
    responses(
        (status = 200, description = "Its configuration after the change", body = Object),
        (status = 400, description = "Not JSON, or not a name", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such bulkhead", body = Problem, content_type = "application/problem+json"),
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
    let entry = named_in_path(&app.bulkheads, path)?;
    let change = entry.reconfigure(config).map_err(|error| Problem::invalid_config(&error))?;
    let what = format!("bulkhead {}: configuration", entry.name());
    audit::note(peer, &what, audit::json(&change.before), audit::json(&change.after));
    Ok(JsonBody(change.after))
}

/// The bulkhead that the path's one parameter names.
fn named_in_path(bulkheads: &Bulkheads, path: Result<Path<String>, PathRejection>) -> Result<&Entry, Problem> {
    http::named_in_path(path, "bulkhead", || bulkheads.iter().map(Entry::name).collect(), |name| bulkheads.find(name))
}
