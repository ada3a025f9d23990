//! The front page.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::config::Profile;

/// What there is to see.
#[derive(Debug, Serialize, ToSchema)]
struct Overview {
    service: &'static str,
    version: &'static str,
    /// What the service is set up for.
    profile: Profile,
    links: Vec<Link>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Link {
    route: &'static str,
    shows: &'static str,
}

const LINKS: [(&str, &str); 20] = [
    ("POST /orders", "places an order"),
    ("GET /orders", "the orders, newest first"),
    ("GET /orders/{id}", "one order"),
    ("GET /products", "the catalogue"),
    ("GET /products/{id}", "one product"),
    ("GET /suggestions", "what else a customer may like"),
    ("POST /suggestions/feedback", "says whether a suggestion was a good one"),
    ("GET /statistics", "what was ordered, in figures"),
    ("GET /circuit-breakers", "what keeps calls from failing dependencies"),
    ("GET /circuit-breakers/{name}", "one of them"),
    ("GET /rate-limits", "how often callers may ask, and what was refused"),
    ("GET /bulkheads", "how much of each dependency is in use, and who waits"),
    ("GET /worker-pools", "how many workers process orders, and what waits for them"),
    ("GET /degradation", "the load, and what is switched off because of it"),
    ("GET /demo/load-test", "puts load on the service, and reports what becomes of it"),
    ("GET /health", "how the service and what it depends on are"),
    ("GET /livez", "whether the process works"),
    ("GET /readyz", "whether it wants requests"),
    ("GET /metrics", "figures, as OpenMetrics text"),
    ("GET /openapi.json", "this interface, described for programs"),
];

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(overview))
}

/// Overview.
#[utoipa::path(
    get,
    path = "/",
    tag = "about",
    responses((status = 200, description = "Version, profile and routes", body = Overview))
)]
async fn overview(State(app): State<Arc<App>>) -> Json<Overview> {
    Json(Overview {
        service: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        profile: app.profile,
        links: LINKS.map(|(route, shows)| Link { route, shows }).into(),
    })
}
