//! `GET /circuit-breakers`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use seawall_circuit_breaker::Snapshot;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Every breaker, as it is now.
#[derive(Debug, Serialize, ToSchema)]
struct Breakers {
    #[schema(value_type = Vec<Object>)]
    circuit_breakers: Vec<Snapshot>,
}

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(circuit_breakers))
}

/// States and counts of the circuit breakers.
#[utoipa::path(
    get,
    path = "/circuit-breakers",
    tag = "operation",
    responses((status = 200, description = "A snapshot of each breaker", body = Breakers))
)]
async fn circuit_breakers(State(app): State<Arc<App>>) -> Json<Breakers> {
    Json(Breakers { circuit_breakers: vec![app.payments.breaker().snapshot()] })
}
