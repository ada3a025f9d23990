//! The lever on the service's own payment provider.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json as JsonBody};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::audit;
use crate::http::{Json, Peer, Problem};
use crate::payment::{Behaviour, Figures, Provider, check_behaviour};

/// The service's own payment provider.
#[derive(Debug, Serialize, ToSchema)]
struct ProviderView {
    /// Where it is reached.
    url: String,
    behaviour: Behaviour,
    figures: Figures,
}

impl From<&Provider> for ProviderView {
    fn from(provider: &Provider) -> Self {
        Self { url: provider.url().to_owned(), behaviour: provider.behaviour(), figures: provider.figures() }
    }
}

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show, behave))
}

/// Show the payment provider.
#[utoipa::path(
    get,
    path = "/payment-provider",
    tag = "drills",
    responses(
        (status = 200, description = "How it behaves and what it has done", body = ProviderView),
        (status = 404, description = "The provider is not the service's own", body = Problem,
            content_type = "application/problem+json"),
    )
)]
async fn show(State(app): State<Arc<App>>) -> Result<JsonBody<ProviderView>, Problem> {
    Ok(JsonBody(own(&app)?.into()))
}

/// Make the payment provider fail, slow, or well again.
///
/// The body is the whole new behaviour: what it does not name is as it is in a good provider.
#[utoipa::path(
    put,
    path = "/payment-provider",
    tag = "drills",
    request_body(content = Behaviour, example = json!({"failure_rate": 0.2, "latency": "20ms"})),
    responses(
        (status = 200, description = "Behaves so from now on", body = ProviderView),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The provider is not the service's own", body = Problem,
            content_type = "application/problem+json"),
        (status = 408, description = "The body took too long", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 1 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not application/json", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields at fault", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn behave(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    Json(behaviour): Json<Behaviour>,
) -> Result<JsonBody<ProviderView>, Problem> {
    let provider = own(&app)?;
    check_behaviour(&behaviour)?;
    let before = provider.behaviour();
    provider.behave(behaviour);
    audit::note(peer, "payment provider: behaviour", audit::json(&before), audit::json(&behaviour));
    Ok(JsonBody(provider.into()))
}

fn own(app: &App) -> Result<&Provider, Problem> {
    let none = || Problem::not_found("the payment provider is not this service's own: `payment.url` is configured");
    app.provider.as_deref().ok_or_else(none)
}
