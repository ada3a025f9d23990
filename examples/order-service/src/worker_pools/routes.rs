//! What everybody may know of the pools.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use seawall_worker_pool::{Refusals, Snapshot};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Entry;
use crate::app::App;

/// Both pools, as they are now.
#[derive(Debug, Serialize, ToSchema)]
struct Snapshots {
    worker_pools: Vec<View>,
}

/// A pool of workers. Rates and means are over the last 16 seconds; each job that was submitted is counted once: as completed,
/// failed, cancelled, expired, dropped, `depth` or `active`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WorkerPool)]
struct View {
    #[schema(example = "standard")]
    name: String,
    /// Whether it takes jobs.
    is_open: bool,
    /// How many workers there are.
    workers: usize,
    /// The fewest there may be.
    min: usize,
    /// The most there may be.
    max: usize,
    /// Workers without a job.
    idle: usize,
    /// Jobs that run.
    active: usize,
    /// Jobs that wait.
    depth: usize,
    /// How many may.
    queue: usize,
    /// How long the job has waited that has waited longest.
    oldest_age_seconds: f64,
    /// Jobs that came, a second.
    arrival_rate: f64,
    /// Jobs that ended, a second.
    throughput: f64,
    /// How long a job keeps its worker, on average.
    service_time_seconds: Option<f64>,
    /// How long a job waits, on average.
    wait_time_seconds: Option<f64>,
    /// The share of the workers' time that is spent on jobs.
    utilisation: f64,
    /// How many workers the arrivals need.
    demand: Option<f64>,
    /// Jobs that were taken.
    submitted: u64,
    completed: u64,
    /// Jobs that left an order pending: its payment is tried again.
    failed: u64,
    panicked: u64,
    cancelled: u64,
    expired: u64,
    /// Jobs that gave way to others in a full queue.
    dropped: u64,
    /// Attempts after the first.
    retried: u64,
    /// Jobs that were not taken, by reason.
    #[schema(value_type = Object)]
    refused: Refusals,
    /// Failed jobs that are kept.
    dead_letters: usize,
}

impl From<Snapshot> for View {
    fn from(now: Snapshot) -> Self {
        let signals = now.signals;
        Self {
            name: now.name.to_string(),
            is_open: now.is_open,
            workers: now.workers,
            min: now.min_workers,
            max: now.max_workers,
            idle: now.idle,
            active: now.running,
            depth: now.queued,
            queue: now.queue,
            oldest_age_seconds: signals.oldest_age.as_secs_f64(),
            arrival_rate: signals.arrival_rate,
            throughput: signals.throughput,
            service_time_seconds: signals.service_time.as_ref().map(Duration::as_secs_f64),
            wait_time_seconds: signals.wait_time.as_ref().map(Duration::as_secs_f64),
            utilisation: signals.utilisation,
            demand: signals.demand,
            submitted: now.submitted,
            completed: now.completed,
            failed: now.failed,
            panicked: now.panicked,
            cancelled: now.cancelled,
            expired: now.expired,
            dropped: now.dropped,
            retried: now.retried,
            refused: now.refused,
            dead_letters: now.dead_letters,
        }
    }
}

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// How many workers process orders, what they have done, and what waits for them.
#[utoipa::path(
    get,
    path = "/worker-pools",
    tag = "operation",
    responses((status = 200, description = "A snapshot of each pool", body = Snapshots))
)]
async fn list(State(app): State<Arc<App>>) -> Json<Snapshots> {
    Json(Snapshots { worker_pools: app.worker_pools.iter().map(|entry| Entry::snapshot(entry).into()).collect() })
}
