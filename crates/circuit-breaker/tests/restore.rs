//! A circuit carried over a restart: by its snapshot, and how much later it is restored.

use std::time::Duration;

use seawall_circuit_breaker::{
    Cause, CircuitBreaker, Config, HalfOpen, OpenInterval, Recovery, Snapshot, State, Window,
};
use seawall_core::time::{Clock, ManualTime};
use seawall_core::{Outcome, Report};

const SECOND: Duration = Duration::from_secs(1);

fn breaker(config: Config) -> (CircuitBreaker, ManualTime) {
    let (clock, time) = Clock::manual();
    time.advance(1_000 * SECOND);
    (CircuitBreaker::with_clock(config, clock).expect("valid"), time)
}

fn classic() -> Config {
    Config::classic().name("payment")
}

fn fail(breaker: &CircuitBreaker, n: usize) {
    (0..n).for_each(|_| breaker.record(Report::failure(), Duration::ZERO));
}

/// What another breaker of the same configuration is, `elapsed` after this one was saved.
fn carried(config: &Config, from: &CircuitBreaker, elapsed: Duration) -> (CircuitBreaker, ManualTime) {
    let (after, time) = breaker(config.clone());
    after.restore(&from.snapshot(), elapsed).expect("of the same name");
    (after, time)
}

#[test]
fn an_open_circuit_stays_open_for_the_rest_of_its_interval() {
    let (before, time) = breaker(classic());
    fail(&before, 5);
    time.advance(20 * SECOND);
    let (after, time) = carried(&classic(), &before, 15 * SECOND);
    let refused = after.try_admit().map(drop).expect_err("it is open");
    assert_eq!(refused.retry_after(), Some(25 * SECOND), "60 less 20 before and 15 between");
    assert_eq!(refused.cause(), Cause::ConsecutiveFailures);
    assert_eq!(after.snapshot().cause, Some(Cause::ConsecutiveFailures));
    time.advance(25 * SECOND);
    assert_eq!(after.state(), State::HalfOpen);
}

#[test]
fn a_circuit_whose_interval_ended_meanwhile_is_half_open() {
    let (before, _) = breaker(classic());
    fail(&before, 5);
    let (after, _) = carried(&classic(), &before, 3_600 * SECOND);
    assert_eq!((after.state(), after.snapshot().probes_left), (State::HalfOpen, Some(3)));
}

#[test]
fn a_run_of_failures_goes_on() {
    let (before, _) = breaker(classic());
    fail(&before, 4);
    let (after, _) = carried(&classic(), &before, SECOND);
    assert_eq!(after.state(), State::Closed);
    fail(&after, 1);
    assert_eq!(after.state(), State::Open, "the fifth in a row");
}

#[test]
fn a_window_goes_on_with_its_rates() {
    for window in [Window::count(100).minimum_calls(10), Window::time(60 * SECOND).minimum_calls(10)] {
        let config = Config::default().name("payment").window(window);
        let (before, _) = breaker(config.clone());
        for _ in 0..6 {
            before.record(Outcome::Success, Duration::ZERO);
        }
        fail(&before, 3);
        let (after, _) = carried(&config, &before, SECOND);
        let figures = after.snapshot().figures;
        assert_eq!((figures.calls, figures.failed), (9, 3));
        fail(&after, 2);
        assert_eq!(after.state(), State::Closed, "five of eleven");
        fail(&after, 1);
        assert_eq!(after.state(), State::Open, "six of twelve");
    }
}

#[test]
fn what_is_certainly_too_old_is_forgotten() {
    let config = Config::default().name("payment").window(Window::time(60 * SECOND)).failures_in_period(3, 10 * SECOND);
    let (before, _) = breaker(config.clone());
    fail(&before, 2);
    assert_eq!(before.snapshot().recent_failures, Some(2));
    let (after, _) = carried(&config, &before, 9 * SECOND);
    assert_eq!((after.snapshot().recent_failures, after.snapshot().figures.failed), (Some(2), 2));
    fail(&after, 1);
    assert_eq!(after.snapshot().cause, Some(Cause::FailuresInPeriod));
    let (after, _) = carried(&config, &before, 10 * SECOND);
    assert_eq!((after.snapshot().recent_failures, after.snapshot().figures.failed), (Some(0), 2));
    let (after, _) = carried(&config, &before, 60 * SECOND);
    assert_eq!(after.snapshot().figures.failed, 0);
}

#[test]
fn a_half_open_circuit_begins_its_probes_anew() {
    let (before, time) = breaker(classic());
    fail(&before, 5);
    time.advance(60 * SECOND);
    let out = before.try_admit().expect("a probe");
    let (after, _) = carried(&classic(), &before, SECOND);
    drop(out);
    assert_eq!((after.state(), after.snapshot().probes_left), (State::HalfOpen, Some(3)));
    (0..3).for_each(|_| after.try_admit().expect("a probe").success());
    assert_eq!(after.state(), State::Closed);
}

#[test]
fn a_recovery_goes_on_with_its_stage() {
    let staged =
        |shares: &[f64]| classic().half_open(HalfOpen::probes(1)).recovery(Recovery::new(shares).each(SECOND).calls(1));
    let config = staged(&[0.1, 0.5]);
    let (before, time) = breaker(config.clone());
    before.trip();
    time.advance(60 * SECOND);
    before.try_admit().expect("a probe").success();
    before.try_admit().expect("the first of ten").success();
    time.advance(SECOND);
    assert_eq!(before.snapshot().share, Some(0.5));
    let share = |config: &Config| carried(config, &before, SECOND).0.snapshot().share;
    assert_eq!(share(&config), Some(0.5));
    assert_eq!(share(&staged(&[0.2, 0.4, 0.6])), Some(0.4), "the largest that is not above it");
    assert_eq!(share(&staged(&[0.6])), None, "none is: the probes again");
    assert_eq!(share(&classic()), None);
}

type Hand = fn(&CircuitBreaker);

#[test]
fn what_was_set_by_hand_stays_so() {
    let by_hand: [(Hand, State); 3] = [
        (|breaker| breaker.disable(), State::Disabled),
        (|breaker| breaker.force_open(), State::ForcedOpen),
        (|breaker| breaker.metrics_only(), State::MetricsOnly),
    ];
    for (set, state) in by_hand {
        let (before, _) = breaker(classic());
        set(&before);
        let (after, time) = carried(&classic(), &before, SECOND);
        time.advance(3_600 * SECOND);
        assert_eq!(after.state(), state);
    }
}

#[test]
fn the_interval_grows_on_where_it_was() {
    let growing = OpenInterval::exponential(SECOND, 2.0, 60 * SECOND);
    let config = classic().open(growing).half_open(HalfOpen::probes(1));
    let (before, time) = breaker(config.clone());
    fail(&before, 5);
    time.advance(SECOND);
    before.try_admit().expect("a probe").failure();
    let (after, time) = carried(&config, &before, Duration::ZERO);
    time.advance(2 * SECOND);
    after.try_admit().expect("a probe").failure();
    assert_eq!(after.snapshot().retry_after, Some(4 * SECOND));
}

#[test]
fn calls_of_before_the_restore_change_nothing() {
    let (before, _) = breaker(classic());
    let (after, _) = breaker(classic());
    let early = after.try_admit().expect("closed");
    fail(&after, 4);
    after.restore(&before.snapshot(), Duration::ZERO).expect("of the same name");
    early.failure();
    assert_eq!((after.snapshot().consecutive_failures, after.snapshot().total.stale), (0, 1));
}

type Change = fn(&mut Snapshot);

#[test]
fn what_cannot_be_is_refused_and_nothing_has_changed() {
    let (before, _) = breaker(classic());
    fail(&before, 5);
    let saved = before.snapshot();
    let (other, _) = breaker(Config::classic().name("database"));
    let error = other.restore(&saved, Duration::ZERO).expect_err("another name");
    assert_eq!(error.to_string(), "`name` is \"payment\", must be \"database\": a running breaker keeps its name");

    let wrong: [(Change, &str, &str); 7] = [
        (|it| it.figures.failed = 6, "figures.failed", "at most `figures.calls`"),
        (|it| it.figures.slow = 6, "figures.slow", "at most `figures.calls`"),
        (|it| it.figures.slow_failed = 6, "figures.slow_failed", "at most `figures.failed`"),
        (|it| (it.figures.slow, it.figures.slow_failed) = (1, 2), "figures.slow_failed", "at most `figures.slow`"),
        (|it| it.figures.slow = 1, "figures.calls", "at most as many as failed or were slow"),
        (|it| it.figures.calls = u64::MAX, "figures.calls", "at most 2^48"),
        (|it| it.figures.abandoned = u64::MAX, "figures.abandoned", "at most 2^48"),
    ];
    let (after, _) = breaker(classic());
    for (change, field, valid) in wrong {
        let mut snapshot = saved.clone();
        (snapshot.figures.calls, snapshot.figures.failed) = (5, 5);
        change(&mut snapshot);
        let error = after.restore(&snapshot, Duration::ZERO).expect_err(field);
        assert_eq!((error.field(), error.valid()), (field, valid));
        assert_eq!((after.state(), after.snapshot().generation), (State::Closed, 0));
    }
}

#[test]
fn no_snapshot_makes_it_panic() {
    let (before, _) = breaker(classic());
    let extreme = |state| {
        let mut snapshot = before.snapshot();
        snapshot.state = state;
        (snapshot.consecutive_failures, snapshot.opened_before) = (u64::MAX, u32::MAX);
        (snapshot.retry_after, snapshot.recent_failures) = (Some(Duration::MAX), Some(u64::MAX));
        (snapshot.figures.calls, snapshot.figures.failed, snapshot.share) = (1 << 48, 1 << 47, Some(f64::NAN));
        snapshot
    };
    for window in [Window::count(1_000), Window::time(60 * SECOND)] {
        let config = Config::default().name("payment").window(window).failures_in_period(1_000, SECOND);
        for state in [State::Closed, State::Open, State::HalfOpen, State::MetricsOnly] {
            let (after, time) = breaker(config.clone().recovery(Recovery::default()));
            after.restore(&extreme(state), Duration::ZERO).expect("it could be");
            fail(&after, 3);
            time.advance(3_600 * SECOND);
            after.reset();
            fail(&after, 30);
            assert_eq!(after.state(), State::Open);
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_is_read_back_as_it_was_written() {
    let config =
        Config::default().name("payment").window(Window::count(10).minimum_calls(2)).failures_in_period(9, SECOND);
    let (before, time) = breaker(config);
    let hang = before.try_admit().expect("closed");
    time.advance(Duration::from_millis(500));
    drop(hang);
    before.record(Report::failure().because(&"connection \"reset\""), Duration::ZERO);
    before.record(Outcome::Failure, Duration::ZERO);
    for _ in 0..2 {
        let saved = before.snapshot();
        let text = serde_json::to_string(&saved).expect("JSON");
        assert_eq!(serde_json::from_str::<Snapshot>(&text).expect("what was written"), saved, "{text}");
        before.trip();
        time.advance(Duration::from_millis(1_250));
    }
    let text = serde_json::to_string(&before.snapshot()).expect("JSON");
    let negative = text.replace("\"in_state_seconds\":1.25", "\"in_state_seconds\":-1.25");
    assert_ne!(text, negative);
    let error = serde_json::from_str::<Snapshot>(&negative).expect_err("no span is negative").to_string();
    assert!(error.contains("-1.25 is not a span of time in seconds"), "{error}");
}
