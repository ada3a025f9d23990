//! The route to the statistics.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::StatisticsStore;
use super::store::Statistics;
use crate::app::App;
use crate::bulkheads::{self, Purpose, Waits};
use crate::http::Problem;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(statistics))
}

/// Count orders and money, by state and by day.
///
/// Much work for the database, so few of these are under way at a time, and each caller may ask for few.
#[utoipa::path(
    get,
    path = "/statistics",
    tag = "orders",
    responses(
        (status = 200, description = "The figures", body = Statistics),
        (status = 503, description = "Cannot be counted now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn statistics(State(app): State<Arc<App>>, Waits(deadline): Waits) -> Result<Json<Statistics>, Problem> {
    let claim = Purpose::Extra.claim(deadline);
    // A place among the few is held while the database is waited for, never the other way round.
    let counted = app.bulkheads.heavy.run(claim, app.statistics.read(claim, StatisticsStore::count)).await;
    Ok(Json(counted.map_err(|rejection| bulkheads::full(&rejection))??))
}
