//! What is counted, and how long it took.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use hdrhistogram::Histogram;
use seawall_core::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::VISITOR;
use super::parameters::Parameters;
use super::run::End;
use super::schedule::{Errand, Planned, Schedule};

/// What a load test found out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Report {
    parameters: Parameters,
    /// From the moment of the first request to the last answer, and no less than `seconds`.
    duration_seconds: f64,
    /// Answers a second in that time, refusals included.
    achieved_rps: f64,
    refused: Refused,
    #[serde(flatten)]
    total: Figures,
    routes: Vec<OfRoute>,
    /// The customer of the orders that were placed. They are orders like any others, stored and paid.
    #[schema(example = "load-test")]
    customer_id: &'static str,
}

/// The answers by which the service protects itself.
#[derive(Debug, Serialize, ToSchema)]
struct Refused {
    /// 429: a limit was reached.
    too_many_requests: u64,
    /// 503: a circuit is open, a bulkhead full, a feature switched off.
    unavailable: u64,
    /// Both, of what was sent; from 0 to 1.
    share: f64,
}

#[derive(Debug, Serialize, ToSchema)]
struct OfRoute {
    #[schema(example = "GET /products")]
    route: &'static str,
    /// Its part of the schedule, from 0 to 1.
    planned_share: f64,
    #[serde(flatten)]
    figures: Figures,
}

/// What became of requests: `planned` is `sent` and `unsent`, and `sent` is the sum of `by_status` and `errors`.
#[derive(Debug, Serialize, ToSchema)]
struct Figures {
    planned: u64,
    sent: u64,
    /// For which there was no room in time: those before them took too long.
    unsent: u64,
    /// Sent and never answered: given up after five seconds, or the connection broke.
    errors: u64,
    /// Answers by status code.
    by_status: BTreeMap<u16, u64>,
    /// From the moment at which each was to begin, sent late or not.
    latency_ms: Option<Quantiles>,
    /// From the moment at which each was sent.
    service_time_ms: Option<Quantiles>,
}

/// Of everything that was sent, in milliseconds; what was given up counts with the time until then.
#[derive(Debug, Serialize, ToSchema)]
struct Quantiles {
    mean: f64,
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
    #[serde(rename = "p99_9")]
    p999: f64,
    max: f64,
}

/// One request, and what became of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shot {
    pub(super) errand: Errand,
    pub(super) end: End,
    /// From the moment at which it was to begin.
    pub(super) latency: Duration,
    /// From the moment at which it was sent.
    pub(super) service_time: Duration,
}

impl Shot {
    /// One that was not sent.
    pub(super) fn unsent(planned: Planned) -> Self {
        Self { errand: planned.errand, end: End::Unsent, latency: Duration::ZERO, service_time: Duration::ZERO }
    }
}

/// Counts shots, by route and all together.
#[derive(Debug)]
pub(super) struct Recorder {
    total: Tally,
    routes: [Tally; Errand::ALL.len()],
}

#[derive(Debug)]
struct Tally {
    unsent: u64,
    errors: u64,
    by_status: BTreeMap<u16, u64>,
    /// In microseconds.
    latencies: Histogram<u64>,
    service_times: Histogram<u64>,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self { total: Tally::new(), routes: std::array::from_fn(|_| Tally::new()) }
    }

    pub(super) fn note(&mut self, shot: &Shot) {
        let routes = Errand::ALL.iter().zip(&mut self.routes);
        for (_, tally) in routes.filter(|(errand, _)| **errand == shot.errand) {
            tally.note(shot);
        }
        self.total.note(shot);
    }

    /// The report on a test that is over now.
    pub(super) fn report(&self, schedule: &Schedule, now: Timestamp) -> Report {
        let duration = now.saturating_duration_since(schedule.start()).as_secs_f64();
        let total = self.total.figures();
        let count = |status: StatusCode| total.by_status.get(&status.as_u16()).copied().unwrap_or_default();
        let too_many_requests = count(StatusCode::TOO_MANY_REQUESTS);
        let unavailable = count(StatusCode::SERVICE_UNAVAILABLE);
        let of_route = |(errand, tally): (Errand, &Tally)| OfRoute {
            route: errand.route(),
            planned_share: errand.share(),
            figures: tally.figures(),
        };
        Report {
            parameters: schedule.parameters(),
            duration_seconds: duration,
            achieved_rps: ratio(total.sent - total.errors, duration),
            refused: Refused {
                too_many_requests,
                unavailable,
                share: ratio(too_many_requests + unavailable, float(total.sent)),
            },
            total,
            routes: Errand::ALL.into_iter().zip(&self.routes).map(of_route).collect(),
            customer_id: VISITOR,
        }
    }
}

impl Tally {
    fn new() -> Self {
        let histogram = || Histogram::new_with_max(60_000_000, 3).expect("a minute of microseconds in three digits");
        Self { unsent: 0, errors: 0, by_status: BTreeMap::new(), latencies: histogram(), service_times: histogram() }
    }

    fn note(&mut self, shot: &Shot) {
        match shot.end {
            End::Answered(status) => *self.by_status.entry(status.as_u16()).or_default() += 1,
            End::Unanswered => self.errors += 1,
            End::Unsent => {
                self.unsent += 1;
                return;
            }
        }
        self.latencies.saturating_record(micros(shot.latency));
        self.service_times.saturating_record(micros(shot.service_time));
    }

    fn figures(&self) -> Figures {
        let Self { unsent, errors, ref by_status, ref latencies, ref service_times } = *self;
        let sent = by_status.values().sum::<u64>() + errors;
        Figures {
            planned: sent + unsent,
            sent,
            unsent,
            errors,
            by_status: by_status.clone(),
            latency_ms: Quantiles::of(latencies),
            service_time_ms: Quantiles::of(service_times),
        }
    }
}

impl Quantiles {
    fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| float(histogram.value_at_quantile(quantile)) / 1e3;
        (!histogram.is_empty()).then(|| Self {
            mean: histogram.mean() / 1e3,
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: float(histogram.max()) / 1e3,
        })
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Zero of nothing.
fn ratio(part: u64, whole: f64) -> f64 {
    if whole > 0.0 { float(part) / whole } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "neither requests nor microseconds come near 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}
