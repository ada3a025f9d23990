//! The peers that are tower layers, around the same service as ours.

use tower::Layer;
use tower::limit::ConcurrencyLimit;
use tower_resilience_circuitbreaker::{CircuitBreakerHandle, CircuitBreakerLayer, CircuitState, DefaultClassifier};

use super::operation::{FOREVER, WINDOW_CALLS, service};
use crate::harness::{Mismatch, Subject, poll_to_end, serve};

/// tower-resilience's breaker, closed, every call succeeds.
pub(super) fn resilience_closed() -> Subject {
    let (layer, handle) = resilience();
    let service = layer.layer(service());
    Subject::new(move |_| serve(service.clone())).audited(move |driven| {
        let metrics = poll_to_end(handle.metrics());
        Mismatch::check("state", CircuitState::Closed, metrics.state)?;
        // Its count window does not slide: it counts every call since the circuit was last closed.
        Mismatch::check("recorded", driven.admitted, metrics.total_calls as u64)
    })
}

/// tower-resilience's breaker, open for longer than the run.
pub(super) fn resilience_open() -> Subject {
    let (layer, handle) = resilience();
    let service = layer.layer(service());
    poll_to_end(handle.force_open());
    Subject::new(move |_| serve(service.clone()))
        .audited(move |_| Mismatch::check("state", CircuitState::Open, handle.state()))
}

fn resilience() -> (CircuitBreakerLayer, CircuitBreakerHandle<DefaultClassifier>) {
    CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(WINDOW_CALLS)
        .wait_duration_in_open(FOREVER)
        .build_with_handle()
        .expect("the settings are valid")
}

/// tower's concurrency limit, never full: what an admission layer costs that only counts.
pub(super) fn concurrency_limit() -> Subject {
    let service = ConcurrencyLimit::new(service(), 1_024);
    Subject::new(move |_| serve(service.clone()))
}
