//! What everybody may know of the limits.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::load::Loaded;
use super::registry::Figures;
use crate::app::App;

/// Every limit, as it is now.
#[derive(Debug, Serialize, ToSchema)]
struct Limits {
    /// What adaptive limits go by.
    load: Loaded,
    rate_limits: Vec<Limit>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Limit {
    /// Whose requests count together: each `caller`'s, `address`'s, `user`'s or `tenant`'s, or all of the `service`.
    per: &'static str,
    /// Its name, the quota that holds, what remains of one for all, and what it has counted.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    figures: Figures,
}

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Quotas and figures of the rate limits.
#[utoipa::path(
    get,
    path = "/rate-limits",
    tag = "operation",
    responses((status = 200, description = "A snapshot of each limit, and the load", body = Limits))
)]
async fn list(State(app): State<Arc<App>>) -> Json<Limits> {
    let limits = app.rate_limits.iter().map(|entry| Limit { per: entry.per(), figures: entry.figures() });
    Json(Limits { load: app.load.now(), rate_limits: limits.collect() })
}
