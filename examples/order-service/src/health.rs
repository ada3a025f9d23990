//! How the service is: for the orchestrator, the load balancer, and people.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use seawall_bulkhead::load::Level;
use seawall_circuit_breaker::State;
use seawall_telemetry::health::{CONTENT_TYPE, Check, Criticality, Report, Status};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::breakers::Entry;
use crate::clock::WallTime;
use crate::database::Database;
use crate::orders::OrderStore;
use crate::{bulkheads, worker_pools};

/// How long the database may take to answer before it counts as failed: shorter than a probe waits.
const DATABASE_LIMIT: Duration = Duration::from_millis(800);

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(livez)).routes(routes!(readyz))
}

/// The service and everything that it depends on.
#[utoipa::path(
    get,
    path = "/health",
    tag = "operation",
    responses(
        (status = 200, description = "Passes, or warns", content_type = "application/health+json"),
        (status = 503, description = "Fails", content_type = "application/health+json"),
    )
)]
async fn health(extract::State(app): extract::State<Arc<App>>) -> Response {
    let report =
        described().check(lifecycle(&app)).check(database(&app).await).check(storage(&app)).check(backlog(&app).await);
    let report = app.breakers.iter().map(circuit).fold(report, Report::check);
    let report = app.bulkheads.iter().map(room).fold(report, Report::check);
    answer(&app.worker_pools.iter().map(workers).fold(report, Report::check).check(load(&app)))
}

/// Whether the process works. Asks nothing else: what a restart would not cure is no reason for one.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operation",
    responses((status = 200, description = "It does", content_type = "application/health+json"))
)]
async fn livez() -> Response {
    answer(&described())
}

/// Whether the service wants requests: not without its database, and not while it drains.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses(
        (status = 200, description = "It does", content_type = "application/health+json"),
        (status = 503, description = "It does not", content_type = "application/health+json"),
    )
)]
async fn readyz(extract::State(app): extract::State<Arc<App>>) -> Response {
    let report = described().check(lifecycle(&app)).check(database(&app).await);
    let vital = app.breakers.iter().filter(|entry| entry.role().vital);
    answer(&vital.map(circuit).fold(report, Report::check))
}

fn described() -> Report {
    Report::new().service(env!("CARGO_PKG_NAME")).version("1").release(env!("CARGO_PKG_VERSION"))
}

fn lifecycle(app: &App) -> Check {
    let (status, state) = if app.drain.has_begun() { (Status::Fail, "draining") } else { (Status::Pass, "serving") };
    Check::new("lifecycle", "state", status).observed(state, "").output("the service is shutting down")
}

/// Not asked while its circuit keeps every request from it.
async fn database(app: &App) -> Check {
    let started = app.clock.now();
    let answered = app.database.look(DATABASE_LIMIT, Database::ping).await;
    let took = app.clock.now().saturating_duration_since(started);
    let (status, output) = match answered {
        Ok(()) => (Status::Pass, String::new()),
        Err(error) => (Status::Fail, error.to_string()),
    };
    Check::new("database", "responseTime", status)
        .component_id(app.database.unguarded().engine())
        .component_type("datastore")
        .observed(took.as_secs_f64() * 1e3, "ms")
        .time(WallTime::now().to_system())
        .affects("/orders")
        .affects("/products")
        .output(output)
}

/// Warns only: what is stored can be read, and nothing but another order can show that storing works again.
fn storage(app: &App) -> Check {
    let (status, state) =
        if app.orders.unguarded().is_refusing() { (Status::Warn, "refusing") } else { (Status::Pass, "storing") };
    Check::new("orders", "storage", status)
        .criticality(Criticality::Degrading)
        .component_type("datastore")
        .observed(state, "")
        .affects("/orders")
        .output("the last order could not be stored")
}

fn circuit(entry: &Entry) -> Check {
    let role = entry.role();
    let state = entry.breaker().state();
    let (status, output) = match state {
        State::Closed => (Status::Pass, ""),
        State::Open | State::ForcedOpen => (Status::Fail, role.without),
        _ => (Status::Warn, "the circuit is not closed"),
    };
    Check::new(role.name, "circuitBreaker", status)
        .criticality(if role.vital { Criticality::Critical } else { Criticality::Degrading })
        .component_type("component")
        .observed(state.to_string(), "")
        .output(output)
}

/// Warns while calls are refused because there are too many.
fn room(bulkhead: &bulkheads::Entry) -> Check {
    let now = bulkhead.snapshot();
    let is_full = now.in_flight >= now.limit && now.queued >= now.queue;
    Check::new(bulkhead.name(), "bulkhead", if is_full { Status::Warn } else { Status::Pass })
        .criticality(Criticality::Degrading)
        .component_type("component")
        .observed(now.in_flight, "calls")
        .output(bulkhead.when_full())
}

/// Warns while orders find no place in the pool's queue.
fn workers(pool: &worker_pools::Entry) -> Check {
    let now = pool.snapshot();
    let is_full = now.idle == 0 && now.queued - now.delayed >= now.queue;
    Check::new(pool.name(), "workerPool", if is_full { Status::Warn } else { Status::Pass })
        .criticality(Criticality::Degrading)
        .component_type("component")
        .observed(i64::try_from(now.queued).unwrap_or(i64::MAX), "jobs")
        .affects("/orders")
        .output("its queue is full: orders are accepted and processed later")
}

/// Warns while something is left undone because of the load.
fn load(app: &App) -> Check {
    let level = app.degradation.gauge().update();
    Check::new("load", "level", if level == Level::Normal { Status::Pass } else { Status::Warn })
        .criticality(Criticality::Degrading)
        .component_type("system")
        .observed(level.to_string(), "")
        .output("what can be left undone is switched off")
}

async fn backlog(app: &App) -> Check {
    let counted = app.orders.look(DATABASE_LIMIT, OrderStore::count_pending).await;
    let check = |status| Check::new("orders", "paymentPending", status).criticality(Criticality::Informative);
    match counted {
        Ok(orders) => check(Status::Pass).observed(orders, "orders"),
        Err(error) => check(Status::Warn).output(error.to_string()),
    }
}

fn answer(report: &Report) -> Response {
    let body = serde_json::to_vec(report).expect("a report has string keys only");
    let status = StatusCode::from_u16(report.http_status()).expect("a report's status code is 200 or 503");
    let mut response = (status, Body::from(body)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}
