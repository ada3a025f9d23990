//! The levers on the service's own providers.

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
use crate::inventory::{Reservations, Shelf};
use crate::payment::{Charges, Ledger};
use crate::provider::{Behaviour, Figures, Provider, Trade, check_behaviour};

/// One of the service's own providers.
#[derive(Debug, Serialize, ToSchema)]
struct ProviderView<D> {
    /// Where it is reached.
    url: String,
    behaviour: Behaviour,
    figures: Figures<D>,
}

type Answer<T> = Result<JsonBody<ProviderView<<T as Trade>::Done>>, Problem>;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show_payment, behave_payment)).routes(routes!(show_inventory, behave_inventory))
}

/// The provider of `what` that is configured in `section`, if it is the service's own.
struct Lever<'a, T> {
    what: &'static str,
    section: &'static str,
    provider: Option<&'a Provider<T>>,
}

impl<T: Trade> Lever<'_, T> {
    fn own(&self) -> Result<&Provider<T>, Problem> {
        let Self { what, section, .. } = self;
        let none = || {
            Problem::not_found(format!("the {what} provider is not this service's own: `{section}.url` is configured"))
        };
        self.provider.ok_or_else(none)
    }

    fn show(&self) -> Answer<T> {
        let provider = self.own()?;
        let (url, behaviour) = (provider.url().to_owned(), provider.behaviour());
        Ok(JsonBody(ProviderView { url, behaviour, figures: provider.figures() }))
    }

    fn behave(&self, peer: Peer, behaviour: Behaviour) -> Answer<T> {
        let provider = self.own()?;
        check_behaviour(&behaviour)?;
        let before = provider.behaviour();
        provider.behave(behaviour);
        let what = format!("{} provider: behaviour", self.what);
        audit::note(peer, &what, audit::json(&before), audit::json(&behaviour));
        self.show()
    }
}

fn payment(app: &App) -> Lever<'_, Ledger> {
    Lever { what: "payment", section: "payment", provider: app.payment_provider.as_deref() }
}

fn inventory(app: &App) -> Lever<'_, Shelf> {
    Lever { what: "inventory", section: "inventory", provider: app.inventory_provider.as_deref() }
}

/// Show the payment provider.
#[utoipa::path(
    get,
    path = "/payment-provider",
    tag = "drills",
    responses(
        (status = 200, description = "How it behaves and what it has done", body = ProviderView<Charges>),
        (status = 404, description = "The provider is not the service's own", body = Problem,
            content_type = "application/problem+json"),
    )
)]
async fn show_payment(State(app): State<Arc<App>>) -> Answer<Ledger> {
    payment(&app).show()
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
        (status = 200, description = "Behaves so from now on", body = ProviderView<Charges>),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The provider is not the service's own", body = Problem,
            content_type = "application/problem+json"),
        (status = 408, description = "The body took too long", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 1 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not application/json", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields at fault", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn behave_payment(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    Json(behaviour): Json<Behaviour>,
) -> Answer<Ledger> {
    payment(&app).behave(peer, behaviour)
}

/// Show the inventory provider.
#[utoipa::path(
    get,
    path = "/inventory-provider",
    tag = "drills",
    responses(
        (status = 200, description = "How it behaves and what it has done", body = ProviderView<Reservations>),
        (status = 404, description = "The provider is not the service's own", body = Problem,
            content_type = "application/problem+json"),
    )
)]
async fn show_inventory(State(app): State<Arc<App>>) -> Answer<Shelf> {
    inventory(&app).show()
}

/// Make the inventory provider fail, slow, or well again.
///
/// The body is the whole new behaviour: what it does not name is as it is in a good provider.
#[utoipa::path(
    put,
    path = "/inventory-provider",
    tag = "drills",
    request_body(content = Behaviour, example = json!({"failure_rate": 0.2, "latency": "20ms"})),
    responses(
        (status = 200, description = "Behaves so from now on", body = ProviderView<Reservations>),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The provider is not the service's own", body = Problem,
            content_type = "application/problem+json"),
        (status = 408, description = "The body took too long", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 1 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not application/json", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields at fault", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn behave_inventory(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    Json(behaviour): Json<Behaviour>,
) -> Answer<Shelf> {
    inventory(&app).behave(peer, behaviour)
}
