//! The family together: breakers of the facade, exported by the facade's telemetry.

use seawall::circuit_breaker::{CircuitBreaker, Config};
use seawall::core::time::Clock;
use seawall::telemetry::prometheus_client::registry::Registry;
use seawall::telemetry::{Instances, open_metrics};

fn breaker(name: &str, clock: &Clock) -> CircuitBreaker {
    CircuitBreaker::with_clock(Config::classic().name(name), clock.clone()).expect("a valid configuration")
}

#[test]
fn two_breakers_are_exported_side_by_side() {
    let (clock, _time) = Clock::manual();
    let (payment, stock) = (breaker("payment", &clock), breaker("stock", &clock));
    for _ in 0..5 {
        payment.try_admit().expect("closed").failure();
    }
    payment.try_admit().expect_err("open");
    stock.try_admit().expect("closed").success();

    let instances = Instances::new();
    instances.add(payment);
    instances.add(stock);
    let mut registry = Registry::default();
    registry.register_collector(Box::new(instances));
    let text = open_metrics(&registry).expect("breakers encode");

    for sample in [
        "seawall_circuit_breaker_calls_total{name=\"payment\",outcome=\"failure\"} 5",
        "seawall_circuit_breaker_calls_total{name=\"stock\",outcome=\"success\"} 1",
        "seawall_circuit_breaker_refused_total{name=\"payment\"} 1",
        "seawall_circuit_breaker_refused_total{name=\"stock\"} 0",
        "seawall_circuit_breaker_state{name=\"payment\",state=\"open\"} 1",
        "seawall_circuit_breaker_state{name=\"payment\",state=\"closed\"} 0",
        "seawall_circuit_breaker_state{name=\"stock\",state=\"closed\"} 1",
        "seawall_telemetry_duplicate_samples 0",
    ] {
        assert!(text.lines().any(|line| line == sample), "no `{sample}` in\n{text}");
    }
    assert_eq!(text.matches("# TYPE seawall_circuit_breaker_state gauge\n").count(), 1, "{text}");
}
