//! What is counted, and how it is told to Prometheus.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use seawall_telemetry::Instances;

use crate::database::Connections;
use crate::load_test::LoadTestFigures;

/// OpenTelemetry's bounds for HTTP, and one more where the objective for `POST /orders` lies.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// All figures of the service. Each part has its own handle on those that it changes.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) http: HttpFigures,
    pub(crate) orders: OrderFigures,
    pub(crate) payments: AttemptFigures,
    pub(crate) reservations: AttemptFigures,
    pub(crate) sql: SqlFigures,
    pub(crate) load_tests: LoadTestFigures,
    /// The patterns, which count for themselves.
    pub(crate) patterns: Instances,
}

impl Metrics {
    /// Figures that start at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let http = HttpFigures::register(&mut registry);
        let orders = OrderFigures::register(&mut registry);
        let payments = AttemptFigures::register(&mut registry, "payment_attempts", "Attempts to have an order paid");
        let help = "Attempts to have what an order needs reserved";
        let reservations = AttemptFigures::register(&mut registry, "inventory_attempts", help);
        let sql = SqlFigures::register(&mut registry);
        let load_tests = LoadTestFigures::register(&mut registry);
        let patterns = Instances::new();
        registry.register_collector(Box::new(patterns.clone()));
        Self { registry, http, orders, payments, reservations, sql, load_tests, patterns }
    }

    /// Everything as OpenMetrics text.
    pub(crate) fn to_text(&self) -> Result<String, std::fmt::Error> {
        seawall_telemetry::open_metrics(&self.registry)
    }
}

/// Rate, errors and duration of HTTP requests.
#[derive(Clone, Debug)]
pub(crate) struct HttpFigures {
    durations: Family<Traffic, Histogram, fn() -> Histogram>,
    active: Gauge,
}

/// Which requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(clippy::struct_field_names, reason = "the fields are the labels, named by convention")]
pub(crate) struct Traffic {
    http_request_method: &'static str,
    http_route: String,
    http_response_status_code: u16,
}

impl Traffic {
    pub(crate) fn new(method: &Method, route: &str, status: StatusCode) -> Self {
        const METHODS: [&str; 9] = ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"];
        let known = METHODS.into_iter().find(|known| *known == method.as_str());
        Self {
            http_request_method: known.unwrap_or("_OTHER"),
            http_route: route.to_owned(),
            http_response_status_code: status.as_u16(),
        }
    }
}

/// A request under way, counted until dropped.
#[derive(Debug)]
pub(crate) struct Active<'a>(&'a Gauge);

impl HttpFigures {
    fn register(registry: &mut Registry) -> Self {
        let durations: Family<_, _, fn() -> Histogram> = Family::new_with_constructor(|| Histogram::new(SECONDS));
        let active = Gauge::default();
        let help = "How long requests took to be answered";
        registry.register_with_unit("http_server_request_duration", help, Unit::Seconds, durations.clone());
        registry.register("http_server_active_requests", "Requests under way", active.clone());
        Self { durations, active }
    }

    pub(crate) fn begin(&self) -> Active<'_> {
        self.active.inc();
        Active(&self.active)
    }

    /// How many are under way.
    pub(crate) fn under_way(&self) -> u32 {
        u32::try_from(self.active.get()).unwrap_or_default()
    }

    pub(crate) fn note(&self, traffic: &Traffic, took: Duration) {
        self.durations.get_or_create(traffic).observe(took.as_secs_f64());
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What becomes of orders.
#[derive(Clone, Debug)]
pub(crate) struct OrderFigures {
    accepted: Counter,
    withdrawn: Counter,
    queued: Counter,
    paid: Family<Paid, Counter>,
    pending: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Paid {
    /// The part that had it paid: `request` or `redrive`.
    by: &'static str,
}

impl OrderFigures {
    fn register(registry: &mut Registry) -> Self {
        let figures = Self {
            accepted: Counter::default(),
            withdrawn: Counter::default(),
            queued: Counter::default(),
            paid: Family::default(),
            pending: Gauge::default(),
        };
        registry.register("orders_accepted", "Orders accepted and stored", figures.accepted.clone());
        let help = "Orders stored and then refused, because something was out of stock";
        registry.register("orders_withdrawn", help, figures.withdrawn.clone());
        let help = "Orders whose callers were answered before their processing was over";
        registry.register("orders_queued", help, figures.queued.clone());
        registry.register("orders_paid", "Orders whose payment was made", figures.paid.clone());
        registry.register("orders_payment_pending", "Orders whose payment is pending", figures.pending.clone());
        figures
    }

    pub(crate) fn note_accepted(&self) {
        self.accepted.inc();
    }

    pub(crate) fn note_withdrawn(&self) {
        self.withdrawn.inc();
    }

    pub(crate) fn note_queued(&self) {
        self.queued.inc();
    }

    pub(crate) fn note_paid_at_once(&self) {
        self.paid.get_or_create(&Paid { by: "request" }).inc();
    }

    pub(crate) fn note_paid_late(&self) {
        self.paid.get_or_create(&Paid { by: "redrive" }).inc();
    }

    pub(crate) fn set_pending(&self, orders: i64) {
        self.pending.set(orders);
    }
}

/// How attempts to have a provider do something end.
#[derive(Clone, Debug)]
pub(crate) struct AttemptFigures {
    attempts: Family<Ended, Counter>,
}

/// The end of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The provider did it.
    Succeeded,
    /// The provider did not, or nobody knows.
    Failed,
    /// The provider did not answer in time.
    TimedOut,
    /// The breaker kept the provider from being asked, or there was no room at its bulkhead.
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

impl AttemptFigures {
    fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        let attempts = Family::default();
        registry.register(name, help, attempts.clone());
        Self { attempts }
    }

    pub(crate) fn note(&self, attempt: Attempt) {
        let outcome = match attempt {
            Attempt::Succeeded => "succeeded",
            Attempt::Failed => "failed",
            Attempt::TimedOut => "timed_out",
            Attempt::Refused => "refused",
        };
        self.attempts.get_or_create(&Ended { outcome }).inc();
    }
}

/// How statements end, and the connections for them.
#[derive(Clone, Debug)]
pub(crate) struct SqlFigures {
    durations: Family<Asked, Histogram, fn() -> Histogram>,
    connections: Family<Pooled, Gauge>,
    max: Family<System, Gauge>,
}

/// Which statements are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    db_system_name: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pooled {
    db_system_name: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct System {
    db_system_name: &'static str,
}

impl SqlFigures {
    fn register(registry: &mut Registry) -> Self {
        let durations: Family<_, _, fn() -> Histogram> = Family::new_with_constructor(|| Histogram::new(SECONDS));
        let figures = Self { durations, connections: Family::default(), max: Family::default() };
        let help = "How long statements took, with the wait for a connection";
        registry.register_with_unit("db_client_operation_duration", help, Unit::Seconds, figures.durations.clone());
        let help = "Connections to the database";
        registry.register("db_client_connection_count", help, figures.connections.clone());
        registry.register("db_client_connection_max", "The most connections that there may be", figures.max.clone());
        figures
    }

    pub(crate) fn note(&self, engine: &'static str, outcome: &'static str, took: Duration) {
        self.durations.get_or_create(&Asked { db_system_name: engine, outcome }).observe(took.as_secs_f64());
    }

    pub(crate) fn set_connections(&self, engine: &'static str, connections: Connections) {
        let Connections { idle, used, max } = connections;
        for (state, number) in [("idle", idle), ("used", used)] {
            self.connections.get_or_create(&Pooled { db_system_name: engine, state }).set(number.into());
        }
        self.max.get_or_create(&System { db_system_name: engine }).set(max.into());
    }
}
