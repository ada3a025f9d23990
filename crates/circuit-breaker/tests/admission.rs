//! What a caller sees: states, refusals, and how calls of each ending count.

use std::time::Duration;

use seawall_circuit_breaker::{Abandoned, Cause, CircuitBreaker, Config, HalfOpen, OpenInterval, State, Window};
use seawall_core::time::{Clock, ManualTime};
use seawall_core::{Outcome, Rejection, Report};

const SECOND: Duration = Duration::from_secs(1);

fn breaker(config: Config) -> (CircuitBreaker, ManualTime) {
    let (clock, time) = Clock::manual();
    (CircuitBreaker::with_clock(config, clock).expect("a valid configuration"), time)
}

fn call(breaker: &CircuitBreaker, outcome: Outcome) {
    breaker.try_admit().expect("admitted").finish(outcome);
}

fn fail(breaker: &CircuitBreaker, times: usize) {
    (0..times).for_each(|_| call(breaker, Outcome::Failure));
}

fn succeed(breaker: &CircuitBreaker, times: usize) {
    (0..times).for_each(|_| call(breaker, Outcome::Success));
}

#[test]
fn five_failures_in_a_row_open_the_classic_one_and_three_successes_close_it() {
    let (breaker, time) = breaker(Config::classic());
    fail(&breaker, 4);
    succeed(&breaker, 1);
    fail(&breaker, 4);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);

    let refused = breaker.try_admit().expect_err("open");
    assert_eq!(refused.retry_after(), Some(60 * SECOND));
    assert_eq!(refused.cause(), Cause::ConsecutiveFailures);
    time.advance(Duration::from_nanos(59_999_999_999));
    assert_eq!(breaker.try_admit().expect_err("1 ns early").retry_after(), Some(Duration::from_nanos(1)));
    time.advance(Duration::from_nanos(1));
    succeed(&breaker, 2);
    assert_eq!(breaker.state(), State::HalfOpen);
    succeed(&breaker, 1);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_thousand_successes_do_not_hide_fifty_failures_of_the_last_hundred() {
    let (breaker, _time) = breaker(Config::default().window(Window::count(100)).failure_rate(0.5));
    succeed(&breaker, 1_000);
    fail(&breaker, 49);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.figures.calls, snapshot.figures.failed), (100, 50));
    assert_eq!(snapshot.failure_rate, Some(0.5));
}

#[test]
fn the_success_that_completes_the_minimum_opens_the_circuit() {
    let (breaker, _time) = breaker(Config::default().window(Window::count(10).minimum_calls(5)).failure_rate(0.6));
    fail(&breaker, 3);
    succeed(&breaker, 1);
    assert_eq!(breaker.state(), State::Closed);
    succeed(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn failures_leave_the_time_window() {
    let window = Window::time(10 * SECOND).minimum_calls(4);
    let (breaker, time) = breaker(Config::default().window(window).failure_rate(0.5));
    fail(&breaker, 3);
    time.advance(10 * SECOND);
    succeed(&breaker, 3);
    fail(&breaker, 2);
    assert_eq!(breaker.state(), State::Closed, "old failures counted");
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn slow_calls_open_it_whatever_their_result_and_a_slow_probe_does_not_close_it() {
    let config = Config::empty()
        .slow_calls(SECOND, 0.5)
        .window(Window::count(4).minimum_calls(4))
        .open_for(SECOND)
        .half_open(HalfOpen::probes(1));
    let (breaker, time) = breaker(config);
    let taking = |duration| {
        let permit = breaker.try_admit().expect("admitted");
        time.advance(duration);
        permit.success();
        breaker.state()
    };
    assert_eq!(taking(SECOND), State::Closed);
    assert_eq!(taking(SECOND), State::Closed);
    let slow = SECOND + Duration::from_nanos(1);
    assert_eq!(taking(slow), State::Closed);
    assert_eq!(taking(slow), State::Open);
    time.advance(SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
    let permit = breaker.try_admit().expect("a probe");
    time.advance(slow);
    permit.success();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn exactly_the_probes_are_admitted_and_their_dropping_gives_the_place_back() {
    let (breaker, time) = breaker(Config::classic().abandoned(Abandoned::Ignore));
    fail(&breaker, 5);
    time.advance(60 * SECOND);
    let probes: Vec<_> = (0..8).map(|_| breaker.try_admit()).collect();
    assert_eq!(probes.iter().filter(|probe| probe.is_ok()).count(), 3);
    let refused = probes.iter().find_map(|probe| probe.as_ref().err()).expect("refused");
    assert_eq!(refused.state(), State::HalfOpen);
    assert_eq!(refused.retry_after(), Some(30 * SECOND), "by then it is decided");
    drop(probes);
    assert_eq!(breaker.snapshot().probes_left, Some(3));
    breaker.try_admit().expect("free again").cancel();
    breaker.try_admit().expect("free again").ignore();
    assert_eq!(breaker.snapshot().probes_left, Some(3));
}

#[test]
fn what_was_admitted_before_the_trip_changes_nothing_after_it() {
    let (breaker, time) = breaker(Config::classic());
    let early: Vec<_> = (0..20).map(|_| breaker.try_admit().expect("closed")).collect();
    fail(&breaker, 5);
    time.advance(60 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
    let mut early = early.into_iter();
    early.by_ref().take(5).for_each(seawall_core::Permit::success);
    early.by_ref().take(5).for_each(seawall_core::Permit::failure);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.snapshot().figures.calls, 0);
    succeed(&breaker, 3);
    early.for_each(seawall_core::Permit::failure);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().consecutive_failures, 0);
    assert_eq!(breaker.snapshot().total.stale, 20);
}

#[test]
fn hanging_probes_are_given_up() {
    let (breaker, time) = breaker(Config::classic());
    fail(&breaker, 5);
    time.advance(60 * SECOND);
    let hung: Vec<_> = (0..3).map(|_| breaker.try_admit().expect("a probe")).collect();
    time.advance(30 * SECOND);
    let refused = breaker.try_admit().expect_err("open again");
    assert_eq!((refused.state(), refused.cause()), (State::Open, Cause::ProbesUndecided));
    drop(hung);
    time.advance(60 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn the_interval_grows_until_the_circuit_was_stable() {
    let interval = OpenInterval::exponential(SECOND, 2.0, 3 * SECOND).stable_after(10 * SECOND);
    let half_open = HalfOpen::probes(1);
    let (breaker, time) = breaker(Config::empty().consecutive_failures(1).open(interval).half_open(half_open));
    let reopen = |closed_for| {
        succeed(&breaker, 1);
        time.advance(closed_for);
        fail(&breaker, 1);
        let after = breaker.try_admit().expect_err("open").retry_after().expect("known");
        time.advance(after);
        after
    };
    assert_eq!(reopen(Duration::ZERO), SECOND);
    assert_eq!(reopen(SECOND), 2 * SECOND);
    assert_eq!(reopen(9 * SECOND), 3 * SECOND);
    assert_eq!(reopen(10 * SECOND), SECOND);
}

#[test]
fn the_failures_own_hint_is_honoured_up_to_the_longest_interval() {
    let (breaker, _time) = breaker(Config::empty().consecutive_failures(1));
    let permit = breaker.try_admit().expect("closed");
    permit.finish(Report::failure().because(&"503 from the bank").retry_after(7 * SECOND));
    assert_eq!(breaker.try_admit().expect_err("open").retry_after(), Some(7 * SECOND));
    assert_eq!(breaker.snapshot().last_error.as_deref(), Some("503 from the bank"));
    breaker.reset();
    breaker.try_admit().expect("closed").finish(Report::failure().retry_after(Duration::MAX));
    assert_eq!(breaker.try_admit().expect_err("open").retry_after(), Some(600 * SECOND));
}

#[test]
fn nothing_but_abandoned_calls_opens_it_and_one_success_among_them_does_not() {
    let config = Config::default().window(Window::count(10).minimum_calls(3));
    let (one, _time) = breaker(config.clone());
    (0..2).for_each(|_| drop(one.try_admit()));
    assert_eq!(one.state(), State::Closed);
    drop(one.try_admit());
    assert_eq!(one.snapshot().cause, Some(Cause::AbandonedRate));

    let (other, _time) = breaker(config);
    succeed(&other, 1);
    (0..9).for_each(|_| drop(other.try_admit()));
    assert_eq!(other.state(), State::Closed);
    drop(other.try_admit());
    assert_eq!(other.state(), State::Open, "the success has left the window");
}

#[test]
fn a_panic_is_a_failure() {
    let (breaker, _time) = breaker(Config::empty().consecutive_failures(1));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = breaker.run_sync(|| -> Result<(), ()> { panic!("the call's own") });
    }));
    assert!(panicked.is_err());
    assert_eq!(breaker.snapshot().total.failures, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn the_hand_is_stronger_than_time_and_outcomes() {
    let (breaker, time) = breaker(Config::classic());
    breaker.force_open();
    time.advance(Duration::from_secs(1 << 30));
    let refused = breaker.try_admit().expect_err("forced open");
    assert_eq!((refused.state(), refused.retry_after()), (State::ForcedOpen, None));
    breaker.disable();
    fail(&breaker, 50);
    assert_eq!(breaker.state(), State::Disabled);
    breaker.metrics_only();
    fail(&breaker, 50);
    assert_eq!(breaker.state(), State::MetricsOnly);
    assert_eq!(breaker.snapshot().consecutive_failures, 50);
    breaker.force_closed();
    assert_eq!(breaker.snapshot().consecutive_failures, 0);
    assert_eq!(breaker.half_open().expect_err("closed").state(), State::Closed);
    breaker.isolate(7 * SECOND);
    assert_eq!(breaker.try_admit().expect_err("isolated").retry_after(), Some(7 * SECOND));
    breaker.half_open().expect("open");
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn reset_forgets_what_was_counted_even_when_closed() {
    let (breaker, _time) = breaker(Config::default().consecutive_failures(5).window(Window::count(10)));
    fail(&breaker, 4);
    succeed(&breaker, 2);
    fail(&breaker, 1);
    breaker.reset();
    assert_eq!(breaker.snapshot().figures.calls, 0);
    fail(&breaker, 4);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_refusal_is_found_again_behind_a_box() {
    let (breaker, _time) = breaker(Config::classic().name("payment"));
    breaker.trip();
    let refused = Rejection::from(breaker.try_admit().expect_err("open"));
    let boxed: Box<dyn std::error::Error + Send + Sync> = refused.into();
    let found = Rejection::find(&*boxed).expect("found");
    assert_eq!((found.pattern(), found.reason(), found.name().as_str()), ("circuit_breaker", "open", "payment"));
    assert_eq!(boxed.to_string(), "circuit_breaker `payment` refused the call: open, retry after 60s");
}
