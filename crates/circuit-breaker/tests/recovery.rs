//! Progressive recovery: exact shares, stages that pass and fail, and what is seen of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall_circuit_breaker::{
    Abandoned, Cause, CircuitBreaker, Config, Event, HalfOpen, Recovery, State, Undecided, Window,
};
use seawall_core::Outcome;
use seawall_core::time::{Clock, ManualTime};

const SECOND: Duration = Duration::from_secs(1);

fn breaker(config: Config) -> (CircuitBreaker, ManualTime) {
    let (clock, time) = Clock::manual();
    (CircuitBreaker::with_clock(config, clock).expect("valid"), time)
}

/// One probe, then the stages; half of the calls failing opens.
fn rated(recovery: Recovery) -> Config {
    Config::default()
        .window(Window::count(10).minimum_calls(4))
        .failure_rate(0.5)
        .open_for(SECOND)
        .half_open(HalfOpen::probes(1).by_rates())
        .recovery(recovery)
}

/// Brings the breaker into its first stage.
fn recover(breaker: &CircuitBreaker, time: &ManualTime) {
    breaker.trip();
    time.advance(SECOND);
    breaker.try_admit().expect("a probe").success();
}

/// Makes `n` calls, of which those that are admitted end as `outcome`; tells how many were.
fn call(breaker: &CircuitBreaker, n: usize, outcome: Outcome) -> usize {
    (0..n).filter_map(|_| breaker.try_admit().ok()).map(|permit| permit.finish(outcome)).count()
}

fn share(breaker: &CircuitBreaker) -> Option<f64> {
    breaker.snapshot().share
}

#[test]
fn each_stage_admits_exactly_its_share_and_the_last_one_closes() {
    let (breaker, time) = breaker(rated(Recovery::new([0.01, 0.05, 0.25]).each(10 * SECOND).calls(3)));
    recover(&breaker, &time);
    for (stage, admitted) in [(0.01, 10), (0.05, 50), (0.25, 250)] {
        assert_eq!((breaker.state(), share(&breaker)), (State::HalfOpen, Some(stage)));
        assert_eq!(call(&breaker, 1_000, Outcome::Success), admitted);
        time.advance(Duration::from_nanos(9_999_999_999));
        assert_eq!(share(&breaker), Some(stage), "the stage was left before its time");
        time.advance(Duration::from_nanos(1));
    }
    assert_eq!((breaker.state(), share(&breaker)), (State::Closed, None));
    assert_eq!(call(&breaker, 100, Outcome::Success), 100);
}

#[test]
fn a_share_of_any_number_of_calls_is_rounded_up() {
    let (breaker, time) = breaker(rated(Recovery::new([0.3]).each(SECOND).calls(1_000)));
    recover(&breaker, &time);
    let admitted: Vec<usize> = (0..10).map(|_| call(&breaker, 1, Outcome::Success)).collect();
    assert_eq!(admitted, [1, 0, 0, 1, 0, 0, 1, 0, 0, 0], "of n calls 0.3 n, rounded up");
}

#[test]
fn a_stage_lasts_until_enough_of_its_calls_have_ended() {
    let (breaker, time) = breaker(rated(Recovery::new([0.5]).each(SECOND).calls(4)));
    recover(&breaker, &time);
    time.advance(60 * SECOND);
    assert_eq!(call(&breaker, 6, Outcome::Success), 3);
    assert_eq!(breaker.state(), State::HalfOpen, "three calls are not four");
    assert_eq!(call(&breaker, 2, Outcome::Ignored), 1);
    assert_eq!(breaker.state(), State::HalfOpen, "an ignored call says nothing");
    assert_eq!(call(&breaker, 1, Outcome::Success), 1);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_stage_fails_as_soon_as_it_is_settled() {
    let (breaker, time) = breaker(rated(Recovery::new([0.5, 0.75]).each(SECOND).calls(10)));
    recover(&breaker, &time);
    assert_eq!(call(&breaker, 8, Outcome::Failure), 4);
    assert_eq!(breaker.state(), State::HalfOpen, "four of ten are not half");
    assert_eq!(call(&breaker, 2, Outcome::Failure), 1);
    assert_eq!(breaker.snapshot().cause, Some(Cause::ProbesFailed));
    assert_eq!(breaker.state(), State::Open);
    time.advance(SECOND);
    breaker.try_admit().expect("a probe").success();
    assert_eq!(share(&breaker), Some(0.5), "it begins with the first stage again");
}

#[test]
fn failures_beyond_the_number_of_calls_still_count() {
    let (breaker, time) = breaker(rated(Recovery::new([0.5]).each(60 * SECOND).calls(2)));
    recover(&breaker, &time);
    assert_eq!(call(&breaker, 8, Outcome::Success), 4);
    assert_eq!(call(&breaker, 6, Outcome::Failure), 3);
    assert_eq!(breaker.state(), State::HalfOpen, "three of seven");
    assert_eq!(call(&breaker, 2, Outcome::Failure), 1);
    assert_eq!(breaker.state(), State::Open, "four of eight");
}

#[test]
fn without_rates_a_stage_asks_for_the_same_share_of_successes_as_the_probes() {
    let config = Config::empty().consecutive_failures(5).open_for(SECOND).half_open(HalfOpen::probes(3).successes(2));
    let (breaker, time) = breaker(config.recovery(Recovery::new([0.5]).each(SECOND).calls(9)));
    breaker.trip();
    time.advance(SECOND);
    assert_eq!(call(&breaker, 2, Outcome::Success), 2);
    assert_eq!(share(&breaker), Some(0.5));
    assert_eq!(call(&breaker, 6, Outcome::Failure), 3);
    assert_eq!(breaker.state(), State::HalfOpen, "six of nine may still succeed");
    assert_eq!(call(&breaker, 2, Outcome::Failure), 1);
    assert_eq!(breaker.state(), State::Open, "five of nine are less than two of three");
}

#[test]
fn a_slow_call_does_not_count_towards_a_stage() {
    let config = Config::empty().slow_calls(SECOND, 0.5).open_for(SECOND).half_open(HalfOpen::probes(1));
    let (breaker, time) = breaker(config.recovery(Recovery::new([0.5]).each(SECOND).calls(2)));
    recover(&breaker, &time);
    let permit = breaker.try_admit().expect("the first of two");
    time.advance(2 * SECOND);
    permit.success();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn calls_that_hang_end_a_stage() {
    let half_open = HalfOpen::probes(1).max(5 * SECOND);
    let staged = |undecided| {
        let recovery = Recovery::new([0.5]).each(60 * SECOND).calls(2);
        let config = rated(recovery).half_open(half_open.after_max(undecided));
        let (breaker, time) = breaker(config);
        recover(&breaker, &time);
        let hanging = breaker.try_admit().expect("the first of two");
        time.advance(4 * SECOND);
        assert!(breaker.try_admit().is_err(), "the second of two");
        breaker.try_admit().expect("the third").success();
        time.advance(4 * SECOND);
        assert_eq!(breaker.state(), State::HalfOpen, "a result came four seconds ago");
        time.advance(SECOND);
        let state = breaker.state();
        drop(hanging);
        state
    };
    assert_eq!(staged(Undecided::Open), State::Open);
    assert_eq!(staged(Undecided::Close), State::Closed);
}

#[test]
fn calls_that_are_dropped_fail_a_stage_when_nothing_else_ends() {
    let config = rated(Recovery::new([0.5]).each(SECOND).calls(2)).abandoned(Abandoned::Rate(1.0));
    let (breaker, time) = breaker(config);
    recover(&breaker, &time);
    drop(breaker.try_admit().expect("the first of two"));
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(breaker.try_admit().is_err());
    drop(breaker.try_admit().expect("the third"));
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn an_outcome_of_an_earlier_stage_counts_nowhere() {
    let (breaker, time) = breaker(rated(Recovery::new([0.5, 0.75]).each(SECOND).calls(1)));
    recover(&breaker, &time);
    let late = breaker.try_admit().expect("the first of two");
    assert!(breaker.try_admit().is_err());
    breaker.try_admit().expect("the third").success();
    time.advance(SECOND);
    assert_eq!(share(&breaker), Some(0.75));
    late.failure();
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.figures.failed, snapshot.total.stale), (0, 1));
    assert_eq!(snapshot.state, State::HalfOpen);
}

#[test]
fn a_refusal_tells_when_the_stage_can_end() {
    let (breaker, time) = breaker(rated(Recovery::new([0.5]).each(10 * SECOND).calls(5)));
    recover(&breaker, &time);
    assert_eq!(call(&breaker, 1, Outcome::Success), 1);
    time.advance(4 * SECOND);
    let refused = breaker.try_admit().map(drop).expect_err("the second of two");
    assert_eq!((refused.state(), refused.retry_after()), (State::HalfOpen, Some(6 * SECOND)));
    assert_eq!(call(&breaker, 1, Outcome::Success), 1);
    time.advance(6 * SECOND);
    let refused = breaker.try_admit().map(drop).expect_err("the fourth of two");
    assert_eq!(refused.retry_after(), None, "nobody knows when enough calls will have ended");
}

#[test]
fn every_stage_is_told_with_its_share() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let told = told.clone();
        move |event: &Event| told.lock().expect("nobody panics").push((event.from, event.to, event.cause, event.share))
    };
    let (breaker, time) = breaker(rated(Recovery::new([0.1, 0.5]).each(SECOND).calls(1)).observer(observer));
    recover(&breaker, &time);
    for _ in 0..2 {
        call(&breaker, 1, Outcome::Success);
        time.advance(SECOND);
    }
    assert_eq!(breaker.state(), State::Closed);
    let (open, half, closed) = (State::Open, State::HalfOpen, State::Closed);
    assert_eq!(
        *told.lock().expect("nobody panics"),
        [
            (closed, open, Cause::Manual, None),
            (open, half, Cause::IntervalEnded, None),
            (half, half, Cause::ProbesSucceeded, Some(0.1)),
            (half, half, Cause::ProbesSucceeded, Some(0.5)),
            (half, closed, Cause::ProbesSucceeded, None),
        ]
    );
}

#[test]
fn a_recovery_follows_its_configuration_while_it_runs() {
    let recovery = |shares: &[f64]| rated(Recovery::new(shares).each(SECOND).calls(4));
    let (breaker, time) = breaker(recovery(&[0.1, 0.5]));
    recover(&breaker, &time);
    assert_eq!(call(&breaker, 10, Outcome::Success), 1);
    breaker.reconfigure(recovery(&[0.2, 0.5])).expect("valid");
    assert_eq!(share(&breaker), Some(0.2));
    assert_eq!(call(&breaker, 10, Outcome::Success), 2, "what was admitted under another share says nothing");
    breaker.reconfigure(Config::default().failure_rate(0.5)).expect("valid");
    assert_eq!(breaker.state(), State::Closed, "without stages the probes had closed it");
}

#[test]
fn by_hand_a_recovery_ends_at_once() {
    let (breaker, time) = breaker(rated(Recovery::default()));
    recover(&breaker, &time);
    assert_eq!(breaker.half_open(), Ok(()));
    assert_eq!(share(&breaker), Some(0.01), "it is half-open already");
    breaker.force_closed();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn the_k_th_failure_of_the_window_opens_at_once() {
    let (breaker, _time) = breaker(Config::empty().window(Window::count(5)).failures_in_window(3));
    for outcome in [Outcome::Failure, Outcome::Success, Outcome::Failure, Outcome::Success, Outcome::Success] {
        breaker.try_admit().expect("admitted").finish(outcome);
    }
    // The first failure slides out: two of five are left.
    breaker.try_admit().expect("admitted").failure();
    assert_eq!(breaker.state(), State::Closed);
    breaker.try_admit().expect("admitted").failure();
    assert_eq!((breaker.state(), breaker.snapshot().cause), (State::Open, Some(Cause::FailuresInWindow)));
}
