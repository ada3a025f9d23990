//! Our breaker, driven through the front doors that users call.

use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreaker, Config, HalfOpen, State, Window};
use tower::Layer;

use super::operation::{Answer, FOREVER, WINDOW_CALLS, WINDOW_TIME, fail, fail_every_second, service, succeed};
use crate::harness::{Lane, Mismatch, Subject, Tally, drive_sync, poll_to_end, serve};

/// Closed, every call succeeds; the failure rate is taken over a time window.
pub(super) fn closed_success_time_window() -> Subject {
    subject(time_window(0.5), State::Closed, |breaker| sync_lane(breaker, succeed))
}

/// The same, asynchronous.
pub(super) fn closed_success_async() -> Subject {
    subject(time_window(0.5), State::Closed, async_lane)
}

/// The same, with a permit that the caller settles.
pub(super) fn closed_success_permit() -> Subject {
    subject(time_window(0.5), State::Closed, permit_lane)
}

/// Closed, every call succeeds; the failure rate is taken over the last calls, exactly.
pub(super) fn closed_success_count_window() -> Subject {
    subject(count_window(0.5), State::Closed, |breaker| sync_lane(breaker, succeed))
}

/// Closed, every call succeeds; only consecutive failures would open.
pub(super) fn closed_success_consecutive() -> Subject {
    subject(Config::classic(), State::Closed, |breaker| sync_lane(breaker, succeed))
}

/// Closed, every call succeeds; slow calls would open as well, so each call is timed.
pub(super) fn closed_success_slow_calls() -> Subject {
    let config = time_window(0.5).slow_calls(Duration::from_millis(800), 0.8);
    subject(config, State::Closed, |breaker| sync_lane(breaker, succeed))
}

/// Closed, every second call fails, which stays below the threshold.
pub(super) fn closed_failure_time_window() -> Subject {
    subject(time_window(0.75), State::Closed, |breaker| sync_lane(breaker, fail_every_second()))
}

/// The same over the last calls, exactly.
pub(super) fn closed_failure_count_window() -> Subject {
    subject(count_window(0.75), State::Closed, |breaker| sync_lane(breaker, fail_every_second()))
}

/// Open for longer than the run.
pub(super) fn open() -> Subject {
    subject(time_window(0.5), State::Open, |breaker| sync_lane(breaker, succeed))
}

/// The same, asynchronous.
pub(super) fn open_async() -> Subject {
    subject(time_window(0.5), State::Open, async_lane)
}

/// A tower layer, closed, every call succeeds; the failure rate is taken over the last calls, exactly.
pub(super) fn layer_closed() -> Subject {
    subject(count_window(0.5), State::Closed, service_lane)
}

/// A tower layer, open for longer than the run.
pub(super) fn layer_open() -> Subject {
    subject(count_window(0.5), State::Open, service_lane)
}

/// Half-open for the whole of each round: every call is a probe that is admitted and succeeds, and more of them are wanted
/// than a round has calls. Each lane is prepared by letting the circuit probe anew.
pub(super) fn half_open() -> Subject {
    let most = 1_000_000;
    let half_open = HalfOpen::probes(most).without_max();
    let breaker = build(time_window(0.5).half_open(half_open));
    let audited = breaker.clone();
    Subject::new(move |_| {
        breaker.trip();
        breaker.half_open().expect("it has just been opened");
        sync_lane(&breaker, succeed)
    })
    .audited(move |driven| audit(&audited, State::HalfOpen, driven))
}

/// Each call finds its open interval over, is admitted as a probe, fails and opens the circuit again.
pub(super) fn half_open_reopens() -> Subject {
    let one = HalfOpen::probes(1);
    let breaker = build(Config::empty().consecutive_failures(1).open_for(Duration::from_nanos(1)).half_open(one));
    breaker.trip();
    let audited = breaker.clone();
    Subject::new(move |_| sync_lane(&breaker, fail)).audited(move |driven| {
        let total = audited.snapshot().total;
        Mismatch::check("failures", driven.admitted, total.failures)?;
        // The first time was by hand.
        Mismatch::check("times opened", driven.admitted + 1, total.opened)
    })
}

fn time_window(failure_rate: f64) -> Config {
    rated(Window::time(WINDOW_TIME), failure_rate)
}

fn count_window(failure_rate: f64) -> Config {
    rated(Window::count(window_calls()), failure_rate)
}

fn rated(window: Window, failure_rate: f64) -> Config {
    Config::empty().window(window.minimum_calls(window_calls())).failure_rate(failure_rate).open_for(FOREVER)
}

fn window_calls() -> u32 {
    u32::try_from(WINDOW_CALLS).expect("a small constant")
}

fn build(config: Config) -> CircuitBreaker {
    CircuitBreaker::new(config.name("payment")).expect("the settings are valid")
}

/// A breaker that is in `state` from the first call to the last.
fn subject(config: Config, state: State, lane: fn(&CircuitBreaker) -> Lane) -> Subject {
    let breaker = build(config);
    if state == State::Open {
        breaker.trip();
    }
    let audited = breaker.clone();
    Subject::new(move |_| lane(&breaker)).audited(move |driven| audit(&audited, state, driven))
}

fn audit(breaker: &CircuitBreaker, state: State, driven: &Tally) -> Result<(), Mismatch> {
    let snapshot = breaker.snapshot();
    Mismatch::check("state", state, snapshot.state)?;
    Mismatch::check("recorded", driven.admitted, snapshot.total.successes + snapshot.total.failures)?;
    Mismatch::check("refused", driven.refused, snapshot.total.refused)
}

fn sync_lane(breaker: &CircuitBreaker, mut operation: impl FnMut() -> Answer + 'static) -> Lane {
    let breaker = breaker.clone();
    drive_sync(move || breaker.run_sync(&mut operation).is_ok())
}

fn async_lane(breaker: &CircuitBreaker) -> Lane {
    let breaker = breaker.clone();
    drive_sync(move || poll_to_end(breaker.run(async { succeed() })).is_ok())
}

fn service_lane(breaker: &CircuitBreaker) -> Lane {
    serve(breaker.layer().layer(service()))
}

fn permit_lane(breaker: &CircuitBreaker) -> Lane {
    let breaker = breaker.clone();
    drive_sync(move || match breaker.try_admit() {
        Ok(permit) => {
            match succeed() {
                Ok(_) => permit.success(),
                Err(_) => permit.failure(),
            }
            true
        }
        Err(_) => false,
    })
}
