//! What everybody may know of the load.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use seawall_bulkhead::load::Snapshot;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::history::Change;
use crate::app::App;

/// The load, and what is switched off because of it.
#[derive(Debug, Serialize, ToSchema)]
struct Degraded {
    /// Level, load, signals and features.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    now: Snapshot,
    /// What was switched, the latest first.
    history: Vec<Change>,
}

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// How loaded the service is, and what it leaves undone.
#[utoipa::path(
    get,
    path = "/degradation",
    tag = "operation",
    responses((status = 200, description = "Level, load, signals, features, and the latest changes", body = Degraded))
)]
async fn show(State(app): State<Arc<App>>) -> Json<Degraded> {
    let degradation = &app.degradation;
    degradation.gauge().update();
    Json(Degraded { now: degradation.gauge().snapshot(), history: degradation.history.latest() })
}
