//! `GET /metrics`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::Problem;
use crate::orders::OrderStore;

/// How long a scrape waits for the database.
const PATIENCE: Duration = Duration::from_millis(800);

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Figures for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text"))
)]
async fn metrics(State(app): State<Arc<App>>) -> Result<([(HeaderName, &'static str); 1], String), Problem> {
    match app.orders.look(PATIENCE, OrderStore::count_pending).await {
        Ok(orders) => app.metrics.orders.set_pending(orders),
        // A scrape tells what it can, most of all while something is broken.
        Err(error) => tracing::warn!(%error, "pending payments cannot be counted"),
    }
    let database = app.database.unguarded();
    app.metrics.sql.set_connections(database.engine(), database.connections());
    let text = app.metrics.to_text().map_err(|error| {
        tracing::error!(%error, "the metrics cannot be written");
        Problem::internal()
    })?;
    Ok(([(header::CONTENT_TYPE, seawall_telemetry::CONTENT_TYPE)], text))
}
