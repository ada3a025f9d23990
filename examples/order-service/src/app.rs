//! What the routes share, and the routes themselves.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use seawall_core::time::Clock;
use seawall_retry::Timeout;
use utoipa_axum::router::OpenApiRouter;

use crate::breakers::{Breakers, Guarded};
use crate::bulkheads::Bulkheads;
use crate::caller::{self, KeyStore, Keyring};
use crate::config::Profile;
use crate::database::Database;
use crate::degradation::Degradation;
use crate::http::{Deadlines, Edge, Patience, answered, protect};
use crate::inventory::{self, Inventory};
use crate::load_test::{self, LoadTests};
use crate::metrics::Metrics;
use crate::orders::OrderStore;
use crate::payment::{self, Payments};
use crate::products::ProductStore;
use crate::rate_limits::{self, Load, RateLimits};
use crate::shutdown::Drain;
use crate::statistics::StatisticsStore;
use crate::suggestions::Suggestions;
use crate::worker_pools::WorkerPools;
use crate::{
    breakers, bulkheads, degradation, health, openapi, orders, overview, products, provider_control, scrape,
    statistics, suggestions, worker_pools,
};

/// The state of the service that its routes share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) profile: Profile,
    pub(crate) clock: Clock,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) keys: Guarded<KeyStore>,
    pub(crate) rate_limits: Arc<RateLimits>,
    /// What adaptive limits go by.
    pub(crate) load: Load,
    pub(crate) database: Guarded<Database>,
    pub(crate) orders: Guarded<OrderStore>,
    pub(crate) products: Guarded<ProductStore>,
    pub(crate) suggestions: Suggestions,
    pub(crate) statistics: Guarded<StatisticsStore>,
    pub(crate) inventory: Inventory,
    pub(crate) payments: Payments,
    /// The providers, where they are the service's own.
    pub(crate) inventory_provider: Option<Arc<inventory::Provider>>,
    pub(crate) payment_provider: Option<Arc<payment::Provider>>,
    pub(crate) breakers: Breakers,
    pub(crate) bulkheads: Bulkheads,
    pub(crate) worker_pools: Arc<WorkerPools>,
    pub(crate) degradation: Degradation,
    pub(crate) load_tests: LoadTests,
    pub(crate) metrics: Metrics,
    pub(crate) drain: Drain,
    pub(crate) deadlines: Arc<Deadlines>,
    /// How long a caller may take to send a body.
    pub(crate) bodies: Timeout,
    /// How long requests under way may take to finish when the service ends.
    pub(crate) shutdown: Timeout,
}

impl FromRef<Arc<App>> for Patience {
    fn from_ref(app: &Arc<App>) -> Self {
        Self(app.bodies.clone())
    }
}

/// The routes for everybody.
pub(crate) fn public(app: &Arc<App>, edge: &Arc<Edge>) -> Router {
    let of_callers = overview::routes().merge(orders::routes()).merge(products::routes());
    let of_callers = of_callers.merge(suggestions::routes()).merge(statistics::routes()).merge(load_test::routes());
    let of_callers = caller::known(answered(of_callers, &app.deadlines));
    let of_callers = caller::told_apart(rate_limits::limited(of_callers, &app.rate_limits), &app.keyring);
    // Outside of the limits: what is switched off uses up no quota.
    let of_callers = degradation::degradable(of_callers, &app.degradation);
    // What tells how the service is does so whoever asks, and however often.
    let exempt = health::routes().merge(scrape::routes()).merge(breakers::routes());
    let exempt = exempt.merge(rate_limits::routes()).merge(bulkheads::routes()).merge(worker_pools::routes());
    let exempt = exempt.merge(degradation::routes());
    finish(of_callers.merge(answered(exempt, &app.deadlines)), app, edge)
}

/// The routes for whoever runs the service.
pub(crate) fn admin(app: &Arc<App>, edge: &Arc<Edge>) -> Router {
    let levers = provider_control::routes().merge(breakers::control_routes());
    let levers = levers
        .merge(rate_limits::control_routes())
        .merge(bulkheads::control_routes())
        .merge(worker_pools::control_routes())
        .merge(degradation::control_routes());
    finish(answered(levers.merge(health::routes()), &app.deadlines), app, edge)
}

/// Adds the document that describes the routes, and what all of them share.
fn finish(routes: OpenApiRouter<Arc<App>>, app: &Arc<App>, edge: &Arc<Edge>) -> Router {
    protect(openapi::describe(routes, &app.deadlines).with_state(app.clone()), edge.clone())
}
