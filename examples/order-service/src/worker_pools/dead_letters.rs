//! Jobs that failed: what is known of them, and another try for them.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::{Extension, Json};
use seawall_worker_pool::{DeadLetter, Refused};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::control::named_in_path;
use crate::app::App;
use crate::audit;
use crate::http::{Peer, Problem, Violation};

/// No good query has more than one pair; the rest of a bad one is not looked at.
const MAX_PAIRS: usize = 16;

/// The failed jobs that a pool keeps, the earliest first.
#[derive(Debug, Serialize, ToSchema)]
struct DeadLetters {
    #[schema(value_type = Vec<Object>)]
    dead_letters: Vec<DeadLetter>,
}

/// How many jobs were submitted again.
#[derive(Debug, Serialize, ToSchema)]
struct Redriven {
    redriven: usize,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(redrive))
}

/// List the jobs that failed.
///
/// Each names its order, and why that is still pending. The order itself is in the database, where its payment is tried again
/// with growing waits: a letter tells what happened, and nothing is lost when it is forgotten.
#[utoipa::path(
    get,
    path = "/admin/worker-pools/{name}/dead-letters",
    tag = "drills",
    params(("name" = String, Path, description = "The pool's name", example = "standard")),
    responses(
        (status = 200, description = "The latest of them, the earliest first", body = DeadLetters),
        (status = 400, description = "Not a name", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such pool", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<DeadLetters>, Problem> {
    Ok(Json(DeadLetters { dead_letters: named_in_path(&app.worker_pools, path)?.pool().dead_letters() }))
}

/// Submit failed jobs again.
///
/// An order that has been paid meanwhile is left alone, and so is one that is being tried at the moment.
#[utoipa::path(
    post,
    path = "/admin/worker-pools/{name}/redrive",
    tag = "drills",
    params(
        ("name" = String, Path, description = "The pool's name", example = "standard"),
        ("job" = Option<u64>, Query, description = "The number of the one job; without it all of them"),
    ),
    responses(
        (status = 200, description = "How many were submitted", body = Redriven),
        (status = 400, description = "Not a name, or bad parameters", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such pool, or no such dead letter", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The pool's queue is full", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn redrive(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Json<Redriven>, Problem> {
    let entry = named_in_path(&app.worker_pools, path)?;
    let job = job_in_query(query.as_deref())?;
    let before = entry.pool().snapshot().dead_letters;
    let redriven = match job {
        Some(job) if entry.pool().redrive(job).map_err(|refused| full(&refused))? => 1,
        Some(job) => return Err(Problem::not_found(format!("there is no dead letter of a job {job}"))),
        None => entry.pool().redrive_all().map_err(|refused| full(&refused))?,
    };
    let what = format!("worker pool {}: dead letters redriven", entry.name());
    audit::note(peer, &what, before, entry.pool().snapshot().dead_letters);
    Ok(Json(Redriven { redriven }))
}

fn job_in_query(query: Option<&str>) -> Result<Option<u64>, Problem> {
    let mut job = None;
    let mut faults = Vec::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()).take(MAX_PAIRS) {
        let fault = match (&*name, value.parse()) {
            ("job", Ok(number)) if job.is_none() => {
                job = Some(number);
                continue;
            }
            ("job", Ok(_)) => "is given twice",
            ("job", Err(_)) => "must be the number of a job",
            _ => "is no parameter of this route, which has `job`",
        };
        faults.push(Violation::new(&*name, fault).value(&value));
    }
    if faults.is_empty() { Ok(job) } else { Err(Problem::invalid_parameters(faults)) }
}

fn full(refused: &Refused) -> Problem {
    Problem::unavailable(format!("not all were submitted: {refused}")).refused_by(&refused.rejection())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_job_is_named_or_all_are_meant() {
        for (query, job) in [(None, None), (Some(""), None), (Some("job=7"), Some(7))] {
            assert_eq!(job_in_query(query).expect("a good query"), job, "{query:?}");
        }
        for query in ["job=", "job=-1", "job=1.5", "job=x", "job=1&job=1", "jobs=1", "job=99999999999999999999"] {
            assert!(job_in_query(Some(query)).is_err(), "{query}");
        }
    }
}
