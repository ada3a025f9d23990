//! The route that starts a load test and answers with its report.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::parameters::Parameters;
use super::report::Report;
use super::run::{Bounds, run};
use super::schedule::Schedule;
use super::visitor::Visitor;
use crate::app::App;
use crate::http::Problem;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(load_test))
}

/// Put load on the service, by itself, and report what becomes of it.
///
/// Requests begin at equal distances, whether earlier ones are answered or not: 40 % read the catalogue, 30 % suggestions, 20 %
/// orders, 5 % statistics, and 5 % place an order, which is stored and paid like any other, for the customer `load-test`. They go
/// through the public listener and every layer, as the user `load-test`, whose quotas are those of any user. Latency counts from
/// the moment at which a request was to begin. The test ends with the request that asks for it.
#[utoipa::path(
    get,
    path = "/demo/load-test",
    tag = "operation",
    params(
        ("rps" = Option<u32>, Query, description = "1 to 2000 requests a second, 50 if not given", minimum = 1, maximum = 2000),
        ("seconds" = Option<u32>, Query, description = "1 to 30 seconds, 5 if not given", minimum = 1, maximum = 30),
    ),
    responses(
        (status = 200, description = "The report", body = Report),
        (status = 400, description = "Bad parameters", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another one runs", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The service ends", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn load_test(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Result<Json<Report>, Problem> {
    let parameters = Parameters::parse(query.as_deref())?;
    let tests = &app.load_tests;
    let running = tests.slot.take().ok_or_else(one_runs)?;
    let Parameters { rps, seconds } = parameters;
    tracing::info!(rps, seconds, "load test begins");
    let visitor = Visitor::new(tests);
    let schedule = Schedule::new(parameters, app.clock.now());
    let report = run(schedule, &app.clock, &tests.timeout, Bounds::default(), |planned| visitor.send(planned));
    tokio::select! {
        report = report => {
            running.complete();
            tracing::info!(rps, seconds, "load test completed");
            Ok(Json(report))
        }
        () = app.drain.begun() => Err(Problem::unavailable("the service ends, and the load test with it")),
    }
}

fn one_runs() -> Problem {
    let detail = "another load test runs, for at most 35 seconds in all; they run one at a time";
    Problem::new(StatusCode::CONFLICT, "load-test-running", "A load test runs", detail)
}
