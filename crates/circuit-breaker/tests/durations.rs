//! How long the calls of the window took, where that is kept.

use std::time::Duration;

use seawall_circuit_breaker::{Abandoned, CircuitBreaker, Config, Durations, State, Window};
use seawall_core::observe::{Collect, Metric, Sink, Value};
use seawall_core::time::{Clock, ManualTime};
use seawall_core::{Outcome, Report};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn config() -> Config {
    Config::empty().consecutive_failures(3).open_for(SECOND).durations(true)
}

fn breaker(config: Config) -> (CircuitBreaker, ManualTime) {
    let (clock, time) = Clock::manual();
    time.advance(1_000 * SECOND);
    (CircuitBreaker::with_clock(config, clock).expect("valid"), time)
}

/// The calls whose duration is known, and how long they took.
fn told(breaker: &CircuitBreaker) -> Option<(u64, Duration)> {
    breaker.snapshot().durations.map(|durations| (durations.calls, durations.total))
}

fn record(breaker: &CircuitBreaker, outcome: Outcome, took: Duration) {
    breaker.record(outcome, took);
}

#[test]
fn the_last_calls_of_a_count_window_are_timed() {
    let (breaker, time) = breaker(config().window(Window::count(3)));
    assert_eq!(told(&breaker), Some((0, Duration::ZERO)));
    assert_eq!(breaker.snapshot().durations.and_then(|durations| durations.mean()), None);
    for millis in [100, 20, 30, 41] {
        let call = breaker.try_admit().expect("closed");
        time.advance(millis * MS);
        call.success();
    }
    assert_eq!(told(&breaker), Some((3, 91 * MS)), "the first has left");
    let mean = breaker.snapshot().durations.and_then(|durations| durations.mean());
    assert_eq!(mean, Some(Duration::from_nanos(30_333_333)));
}

#[test]
fn calls_leave_a_time_window_with_their_durations() {
    let (breaker, time) = breaker(config().window(Window::time(10 * SECOND)));
    record(&breaker, Outcome::Success, 100 * MS);
    time.advance(5 * SECOND);
    record(&breaker, Outcome::Failure, 50 * MS);
    assert_eq!(told(&breaker), Some((2, 150 * MS)));
    time.advance(5 * SECOND);
    assert_eq!(told(&breaker), Some((1, 50 * MS)));
    time.advance(5 * SECOND);
    assert_eq!(told(&breaker), Some((0, Duration::ZERO)));
}

#[test]
fn only_calls_that_succeed_or_fail_are_timed() {
    let (breaker, time) = breaker(config().window(Window::count(4)).abandoned(Abandoned::Rate(1.0)));
    let calls: Vec<_> = (0..5).map(|_| breaker.try_admit().expect("closed")).collect();
    time.advance(7 * MS);
    let end: [fn(_); 5] = [
        |permit: seawall_core::Permit<&_>| permit.success(),
        |permit| permit.failure(),
        |permit| permit.finish(Report::ignored()),
        |permit| permit.cancel(),
        |permit| drop(permit),
    ];
    calls.into_iter().zip(end).for_each(|(permit, end)| end(permit));
    assert_eq!(told(&breaker), Some((2, 14 * MS)));
    let figures = breaker.snapshot().figures;
    assert_eq!((figures.calls, figures.abandoned), (2, 1), "the dropped one takes a place");
    (0..2).for_each(|_| record(&breaker, Outcome::Success, MS));
    assert_eq!(told(&breaker), Some((3, 9 * MS)), "the success has left");
}

#[test]
fn nothing_is_kept_unless_it_is_asked_for() {
    let (breaker, _) = breaker(Config::default());
    record(&breaker, Outcome::Success, SECOND);
    assert_eq!(told(&breaker), None);
}

#[test]
fn durations_open_nothing_and_change_no_rule() {
    for durations in [false, true] {
        let (breaker, _) = breaker(config().durations(durations));
        drop(breaker.try_admit().expect("closed"));
        drop(breaker.try_admit().expect("closed"));
        record(&breaker, Outcome::Success, 1_000 * SECOND);
        (0..2).for_each(|_| drop(breaker.try_admit().expect("closed")));
        assert_eq!(breaker.state(), State::Closed);
        drop(breaker.try_admit().expect("closed"));
        assert_eq!(breaker.state(), State::Open, "three abandoned calls in a row, with durations {durations}");
    }
}

#[test]
fn an_open_circuit_shows_those_of_the_calls_that_opened_it_and_a_half_open_one_its_probes() {
    let (breaker, time) = breaker(config());
    (0..3).for_each(|_| record(&breaker, Outcome::Failure, 30 * MS));
    assert_eq!((breaker.state(), told(&breaker)), (State::Open, Some((3, 90 * MS))));
    time.advance(SECOND);
    assert_eq!((breaker.state(), told(&breaker)), (State::HalfOpen, Some((0, Duration::ZERO))));
    let probe = breaker.try_admit().expect("a probe");
    time.advance(4 * MS);
    probe.success();
    assert_eq!(told(&breaker), Some((1, 4 * MS)));
    breaker.try_admit().expect("a probe").success();
    assert_eq!((breaker.state(), told(&breaker)), (State::Closed, Some((0, Duration::ZERO))));
}

#[test]
fn they_may_be_turned_on_and_off_while_it_runs() {
    for window in [Window::count(10), Window::time(60 * SECOND)] {
        let config = || config().window(window).failure_rate(0.5);
        let (breaker, time) = breaker(config().durations(false));
        let early = breaker.try_admit().expect("closed");
        breaker.try_admit().expect("closed").success();
        breaker.reconfigure(config()).expect("valid");
        time.advance(SECOND);
        early.success();
        assert_eq!(told(&breaker), Some((0, Duration::ZERO)), "nobody knows when it started");
        record(&breaker, Outcome::Success, 5 * MS);
        assert_eq!((breaker.snapshot().figures.calls, told(&breaker)), (3, Some((1, 5 * MS))));
        breaker.reconfigure(config().durations(false)).expect("valid");
        assert_eq!((breaker.snapshot().figures.calls, told(&breaker)), (3, None));
    }
}

#[test]
fn they_go_on_over_a_restart() {
    let windows = [Window::count(10), Window::time(60 * SECOND)];
    for (from, to) in windows.into_iter().flat_map(|from| windows.map(|to| (from, to))) {
        let (before, _) = breaker(config().window(from));
        for millis in [1, 2, 4] {
            record(&before, Outcome::Success, millis * MS);
        }
        record(&before, Outcome::Failure, 8 * MS);
        let saved = before.snapshot();
        let (after, _) = breaker(config().window(to));
        after.restore(&saved, SECOND).expect("it could be");
        assert_eq!((after.snapshot().figures, told(&after)), (saved.figures, Some((4, 15 * MS))));
        let (without, _) = breaker(config().window(to).durations(false));
        without.restore(&saved, SECOND).expect("it could be");
        assert_eq!(told(&without), None);
        let (small, _) = breaker(config().window(Window::count(2)));
        small.restore(&saved, SECOND).expect("it could be");
        let durations = small.snapshot().durations.expect("they are kept");
        assert_eq!(durations.mean(), Some(Duration::from_micros(3_750)), "of as many as fit: {durations:?}");
    }
}

#[test]
fn a_snapshot_of_durations_that_cannot_be_is_refused() {
    let (breaker, _) = breaker(config());
    record(&breaker, Outcome::Success, MS);
    let restored = |change: fn(&mut Durations)| {
        let mut saved = breaker.snapshot();
        saved.durations.as_mut().map(change);
        breaker.restore(&saved, Duration::ZERO).map_err(|error| (error.field().to_owned(), error.valid().to_owned()))
    };
    let refused = |field: &str, valid: &str| Err((field.to_owned(), valid.to_owned()));
    assert_eq!(restored(|it| it.calls = 2), refused("durations.calls", "at most `figures.calls`"));
    assert_eq!(restored(|it| it.calls = 0), refused("durations.total", "zero, as there are no calls"));
    assert_eq!(restored(|it| it.total = Duration::MAX), Ok(()));
    assert_eq!(told(&breaker), Some((1, Duration::MAX)));
    (0..2).for_each(|_| record(&breaker, Outcome::Success, Duration::MAX));
    assert_eq!(told(&breaker), Some((3, Duration::MAX)), "no sum is too long");
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_without_them_is_still_read() {
    let (breaker, _) = breaker(config());
    (0..2).for_each(|_| record(&breaker, Outcome::Success, 250 * MS));
    let mut json = serde_json::to_value(breaker.snapshot()).expect("JSON");
    assert_eq!(json["durations"], serde_json::json!({ "calls": 2, "total_seconds": 0.5 }));
    let fields = json.as_object_mut().expect("an object");
    fields.remove("durations");
    fields.remove("success_rate_ema");
    let earlier = serde_json::from_value(json).expect("a snapshot of an earlier version");
    breaker.restore(&earlier, Duration::ZERO).expect("it could be");
    assert_eq!((breaker.snapshot().figures.calls, told(&breaker)), (2, Some((0, Duration::ZERO))));
}

#[derive(Default)]
struct Gauges(Vec<(&'static str, f64)>);

impl Sink for Gauges {
    fn sample(&mut self, metric: &'static Metric, _: &[(&'static str, &str)], value: Value) {
        if let Value::Float(value) = value {
            self.0.push((metric.name, value));
        }
    }
}

fn gauges(breaker: &CircuitBreaker) -> Vec<(&'static str, f64)> {
    let mut gauges = Gauges::default();
    breaker.collect(&mut gauges);
    gauges.0
}

#[test]
fn metrics_tell_the_mean_and_the_total() {
    let (breaker, _) = breaker(config());
    assert_eq!(gauges(&breaker), [("seawall_circuit_breaker_total_duration_seconds", 0.0)]);
    for millis in [250, 750] {
        record(&breaker, Outcome::Success, millis * MS);
    }
    let mean = ("seawall_circuit_breaker_mean_duration_seconds", 0.5);
    assert_eq!(gauges(&breaker), [mean, ("seawall_circuit_breaker_total_duration_seconds", 1.0)]);
    breaker.reconfigure(config().durations(false)).expect("valid");
    assert_eq!(gauges(&breaker), []);
}
