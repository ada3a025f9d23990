//! What everybody may know of the bulkheads.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use seawall_bulkhead::Snapshot;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Entry;
use crate::app::App;

/// Every bulkhead, as it is now.
#[derive(Debug, Serialize, ToSchema)]
struct Snapshots {
    #[schema(value_type = Vec<Object>)]
    bulkheads: Vec<Snapshot>,
}

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// What is in flight, who waits, and who was refused.
#[utoipa::path(
    get,
    path = "/bulkheads",
    tag = "operation",
    responses((status = 200, description = "A snapshot of each bulkhead", body = Snapshots))
)]
async fn list(State(app): State<Arc<App>>) -> Json<Snapshots> {
    Json(Snapshots { bulkheads: app.bulkheads.iter().map(Entry::snapshot).collect() })
}
