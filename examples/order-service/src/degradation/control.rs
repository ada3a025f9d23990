//! The lever on the load, for whoever runs the service.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json as JsonBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::audit;
use crate::http::{Json, Peer, Problem, Violation};

/// What the lever says of the load.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Lever {
    /// From 0 to 1. The highest signal decides, so the lever makes the load higher than it is, never lower; 0 is off.
    #[schema(minimum = 0, maximum = 1, example = 0.5)]
    load: f64,
}

pub(crate) fn control_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(lever, pull))
}

/// Show the lever on the load.
#[utoipa::path(
    get,
    path = "/admin/load",
    tag = "drills",
    responses((status = 200, description = "What it says", body = Lever))
)]
async fn lever(State(app): State<Arc<App>>) -> JsonBody<Lever> {
    JsonBody(Lever { load: app.degradation.lever() })
}

/// Act as if the service were loaded, until another change.
///
/// The level follows as it follows any load: smoothed, and at most one change in each dwell time.
#[utoipa::path(
    put,
    path = "/admin/load",
    tag = "drills",
    request_body(content = Lever, example = json!({"load": 0.5})),
    responses(
        (status = 200, description = "What it says from now on", body = Lever),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body took too long", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 1 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not application/json", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields at fault", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn pull(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    Json(Lever { load }): Json<Lever>,
) -> Result<JsonBody<Lever>, Problem> {
    if !(0.0..=1.0).contains(&load) {
        let fault = Violation::new("load", "must be a number from 0 to 1").value(&load.to_string());
        return Err(Problem::invalid_body(vec![fault]));
    }
    let before = app.degradation.pull(load);
    audit::note(peer, "load: lever", before, load);
    Ok(JsonBody(Lever { load }))
}
