//! One pattern in the service's own registry, and what `/metrics` and `/health` answer.
//!
//! `cargo run -p seawall-telemetry --example telemetry_quick_start`

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::registry::Registry;
use seawall_core::observe::{Collect, Metric, MetricKind, Sink, Unit, Value};
use seawall_telemetry::health::{Check, Criticality, Report, Status};
use seawall_telemetry::{Instances, open_metrics, prometheus_client};

static CALLS: Metric = Metric {
    name: "seawall_turnstile_calls",
    help: "Calls that passed.",
    kind: MetricKind::Counter,
    unit: Unit::Count,
};

/// Stands for any pattern's handle: each of them implements `Collect` in the same way.
struct Turnstile {
    name: &'static str,
    calls: AtomicU64,
}

impl Collect for Turnstile {
    fn collect(&self, sink: &mut dyn Sink) {
        sink.sample(&CALLS, &[("name", self.name)], Value::Integer(self.calls.load(Ordering::Relaxed)));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let instances = Instances::new();
    instances.add(Turnstile { name: "orders", calls: AtomicU64::new(41) });
    instances.add(Turnstile { name: "payment", calls: AtomicU64::new(40) });

    let mut registry = Registry::default();
    registry.register_collector(Box::new(instances));
    print!("GET /metrics\n\n{}", open_metrics(&registry)?);

    let report = Report::new()
        .service("order-service")
        .check(Check::new("database", "connections", Status::Pass).observed(7, "connections"))
        .check(
            Check::new("payment", "state", Status::Fail)
                .criticality(Criticality::Degrading)
                .output("circuit open for 12 s more"),
        );
    println!("\nGET /health: {}\n\n{}", report.http_status(), serde_json::to_string_pretty(&report)?);
    Ok(())
}
