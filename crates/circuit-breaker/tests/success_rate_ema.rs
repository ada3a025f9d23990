//! The moving average of the success rate: when it opens the circuit, and that it is the weighted sum that its formula says.

use std::time::Duration;

use proptest::prelude::*;
use seawall_circuit_breaker::{Cause, CircuitBreaker, Config, EmaWindow, HalfOpen, State, SuccessRateEma};
use seawall_core::Outcome;
use seawall_core::time::{Clock, ManualTime};

const SECOND: Duration = Duration::from_secs(1);

fn config(rule: SuccessRateEma) -> Config {
    Config::empty().success_rate_ema(rule).half_open(HalfOpen::probes(1)).open_for(5 * SECOND)
}

fn breaker(config: Config) -> (CircuitBreaker, ManualTime) {
    let (clock, time) = Clock::manual();
    time.advance(1_000 * SECOND);
    (CircuitBreaker::with_clock(config, clock).expect("valid"), time)
}

fn succeed(breaker: &CircuitBreaker, n: usize) {
    (0..n).for_each(|_| breaker.try_admit().expect("admitted").success());
}

fn fail(breaker: &CircuitBreaker, n: usize) {
    (0..n).for_each(|_| breaker.try_admit().expect("admitted").failure());
}

/// How many failures it takes to open it, each of them `apart` from the last call.
fn failures_to_open(breaker: &CircuitBreaker, time: &ManualTime, apart: Duration) -> usize {
    (1..=1_000)
        .find(|_| {
            time.advance(apart);
            fail(breaker, 1);
            breaker.state() == State::Open
        })
        .expect("it opens")
}

#[test]
fn half_of_what_is_required_is_left_after_ln_2_of_a_window() {
    let (over_calls, time) = breaker(config(SuccessRateEma::over_calls(0.5, 100)));
    succeed(&over_calls, 100);
    assert_eq!(failures_to_open(&over_calls, &time, Duration::ZERO), 70);
    assert_eq!(over_calls.snapshot().cause, Some(Cause::SuccessRateEma));

    let (over_time, time) = breaker(config(SuccessRateEma::over_time(0.5, 100 * SECOND)));
    for _ in 0..100 {
        time.advance(SECOND);
        succeed(&over_time, 1);
    }
    assert_eq!(failures_to_open(&over_time, &time, SECOND), 70);
}

#[test]
fn nothing_opens_before_a_whole_window_has_passed() {
    let (over_calls, time) = breaker(config(SuccessRateEma::over_calls(1.0, 5)));
    assert_eq!(over_calls.snapshot().success_rate_ema, None);
    assert_eq!(failures_to_open(&over_calls, &time, Duration::ZERO), 5);

    let (over_time, time) = breaker(config(SuccessRateEma::over_time(1.0, 30 * SECOND).minimum_calls(1)));
    time.advance(29 * SECOND);
    fail(&over_time, 10);
    assert_eq!((over_time.state(), over_time.snapshot().success_rate_ema), (State::Closed, None));
    assert_eq!(failures_to_open(&over_time, &time, SECOND), 1);
}

#[test]
fn nothing_opens_below_the_minimum_of_calls_in_the_last_window() {
    let (breaker, time) = breaker(config(SuccessRateEma::over_time(1.0, 30 * SECOND)));
    for _ in 0..10 {
        time.advance(10 * SECOND);
        fail(&breaker, 1);
    }
    assert_eq!((breaker.state(), breaker.snapshot().success_rate_ema), (State::Closed, None), "three in a window");
    assert_eq!(failures_to_open(&breaker, &time, Duration::ZERO), 2, "the fifth in a window");
}

#[test]
fn a_success_is_never_the_last_straw() {
    let (breaker, _) = breaker(config(SuccessRateEma::over_calls(0.9, 5)));
    fail(&breaker, 4);
    succeed(&breaker, 1);
    assert!(breaker.snapshot().success_rate_ema < Some(0.9));
    breaker.reconfigure(config(SuccessRateEma::over_calls(0.9, 5))).expect("valid");
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn it_begins_anew_when_the_circuit_closes_again() {
    let rules = [SuccessRateEma::over_calls(1.0, 2), SuccessRateEma::over_time(1.0, SECOND).minimum_calls(2)];
    for rule in rules {
        let (breaker, time) = breaker(config(rule));
        time.advance(SECOND);
        fail(&breaker, 2);
        assert_eq!(
            (breaker.state(), breaker.snapshot().success_rate_ema),
            (State::Open, Some(0.0)),
            "it stays visible"
        );
        time.advance(5 * SECOND);
        succeed(&breaker, 1);
        assert_eq!((breaker.state(), breaker.snapshot().success_rate_ema), (State::Closed, None));
        fail(&breaker, 1);
        assert_eq!(breaker.state(), State::Closed);
        time.advance(SECOND);
        fail(&breaker, 1);
        assert_eq!(breaker.state(), if matches!(rule.over, EmaWindow::Calls(_)) { State::Open } else { State::Closed });
        fail(&breaker, usize::from(breaker.state() == State::Closed));
        assert_eq!(breaker.state(), State::Open);
    }
}

#[test]
fn other_outcomes_do_not_move_it() {
    let (breaker, _) = breaker(config(SuccessRateEma::over_calls(0.5, 2)));
    succeed(&breaker, 2);
    breaker.record(Outcome::Ignored, SECOND);
    breaker.try_admit().expect("closed").cancel();
    drop(breaker.try_admit().expect("closed"));
    assert_eq!(breaker.snapshot().success_rate_ema, Some(1.0));
    breaker.metrics_only();
    assert_eq!(breaker.snapshot().success_rate_ema, None);
}

#[test]
fn it_opens_for_as_long_as_a_function_says_that_is_told_the_average() {
    let (breaker, time) =
        breaker(config(SuccessRateEma::over_calls(0.5, 2)).open_by(|trip| match (trip.cause, trip.success_rate_ema) {
            (Cause::SuccessRateEma, Some(rate)) if rate < 0.5 => 7 * SECOND,
            _ => SECOND,
        }));
    assert_eq!(failures_to_open(&breaker, &time, Duration::ZERO), 2);
    assert_eq!(breaker.snapshot().retry_after, Some(7 * SECOND));
}

#[test]
fn it_goes_on_over_a_restart_and_a_new_configuration() {
    let rules = [SuccessRateEma::over_calls(0.5, 10), SuccessRateEma::over_time(0.5, 10 * SECOND).minimum_calls(4)];
    for rule in rules {
        let (before, time) = breaker(config(rule));
        for _ in 0..20 {
            time.advance(SECOND);
            succeed(&before, 1);
        }
        time.advance(SECOND);
        fail(&before, 1);
        let saved = before.snapshot();
        assert!(saved.success_rate_ema < Some(0.95), "{saved:?}");

        let (after, later) = breaker(config(rule));
        after.restore(&saved, SECOND).expect("it could be");
        assert_eq!(after.snapshot().success_rate_ema, saved.success_rate_ema);
        assert_eq!(failures_to_open(&after, &later, SECOND), failures_to_open(&before, &time, SECOND));

        let (stricter, _) = breaker(config(rule));
        stricter.restore(&saved, SECOND).expect("it could be");
        let mut strict = rule;
        strict.required = 0.99;
        stricter.reconfigure(config(strict)).expect("valid");
        assert_eq!(stricter.snapshot().cause, Some(Cause::SuccessRateEma), "the last call failed");

        let (other, _) = breaker(config(rule));
        other.restore(&saved, SECOND).expect("it could be");
        other.reconfigure(Config::classic().name("circuit_breaker")).expect("valid");
        other.reconfigure(config(rule)).expect("valid");
        assert_eq!(other.snapshot().success_rate_ema, None, "meanwhile nothing was averaged");
    }
    let (late, _) = breaker(config(rules[1]));
    let mut saved = late.snapshot();
    saved.success_rate_ema = Some(0.1);
    late.restore(&saved, 10 * SECOND).expect("it could be");
    assert_eq!(late.snapshot().success_rate_ema, None, "its window is over");
    for impossible in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
        saved.success_rate_ema = Some(impossible);
        let error = late.restore(&saved, SECOND).expect_err("no rate");
        assert_eq!((error.field(), error.valid()), ("success_rate_ema", "a number of at least 0 and at most 1"));
    }
}

#[test]
fn a_clock_that_steps_back_neither_blinds_it_nor_panics() {
    let (breaker, time) = breaker(config(SuccessRateEma::over_time(0.5, 10 * SECOND).minimum_calls(1)));
    for _ in 0..20 {
        time.advance(SECOND);
        succeed(&breaker, 1);
    }
    time.step_back(500 * SECOND);
    assert_eq!(
        failures_to_open(&breaker, &time, SECOND),
        8,
        "ln 2 of ten seconds, and the failure that weighs nothing"
    );

    breaker.reset();
    time.advance(6 * SECOND);
    succeed(&breaker, 1);
    time.step_back(500 * SECOND);
    fail(&breaker, 1);
    assert_eq!(breaker.snapshot().success_rate_ema, None, "six of ten seconds have passed");
    assert_eq!(failures_to_open(&breaker, &time, 2 * SECOND), 4, "eight seconds, by which it is below one half");
}

/// What happens to a circuit that only the average can open.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Succeed(u8),
    Fail,
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u64..=3_000).prop_map(Step::Wait),
        4 => (1_u8..=30).prop_map(Step::Succeed),
        6 => Just(Step::Fail),
        1 => Just(Step::Reset),
    ]
}

fn rule() -> impl Strategy<Value = SuccessRateEma> {
    let required = prop::sample::select(vec![0.1, 0.3, 0.5, 0.8, 0.95]);
    prop_oneof![
        (required.clone(), 1_u32..=30).prop_map(|(required, calls)| SuccessRateEma::over_calls(required, calls)),
        (required, 1_u64..=10_000, 1_u32..=8).prop_map(|(required, millis, minimum)| {
            SuccessRateEma::over_time(required, Duration::from_millis(5 * millis)).minimum_calls(minimum)
        }),
    ]
}

/// Every call since the average began: when it ended, in milliseconds and as which of them, and whether it succeeded.
struct Model {
    rule: SuccessRateEma,
    began: u64,
    calls: Vec<(u64, bool)>,
}

impl Model {
    /// The sum of all outcomes, each weighed by how far the average moved to it and how much of that is left.
    fn rate(&self) -> Option<f64> {
        let (last, _) = *self.calls.last()?;
        let faded = |windows: f64| (-windows).exp();
        #[expect(clippy::cast_precision_loss, reason = "the counts are small")]
        let (ready, windows): (bool, Box<dyn Fn(usize, usize) -> f64>) = match self.rule.over {
            EmaWindow::Calls(window) => {
                (self.calls.len() >= window as usize, Box::new(move |from, to| (to - from) as f64 / f64::from(window)))
            }
            EmaWindow::Time { length, minimum_calls } => {
                let length = u64::try_from(length.as_millis()).expect("it is short");
                let bucket = length / 5;
                let in_window = self.calls.iter().filter(|(at, _)| at / bucket + 5 > last / bucket).count();
                let enough = in_window >= minimum_calls as usize;
                let between = move |from: usize, to: usize| (self.calls[to].0 - self.calls[from].0) as f64;
                (enough && last - self.began >= length, Box::new(move |from, to| between(from, to) / length as f64))
            }
            _ => unreachable!("there are two kinds"),
        };
        let newest = self.calls.len() - 1;
        let weight = |place: usize| {
            let moved = if place == 0 { 1.0 } else { 1.0 - faded(windows(place - 1, place)) };
            moved * faded(windows(place, newest))
        };
        let sum = (0..=newest).filter(|place| self.calls[*place].1).map(weight).sum();
        ready.then_some(sum)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_average_is_the_weighted_sum_of_all_calls(rule in rule(), steps in prop::collection::vec(step(), 1..120)) {
        let (clock, time) = Clock::manual();
        let breaker = CircuitBreaker::with_clock(config(rule), clock).expect("valid");
        breaker.metrics_only();
        let mut model = Model { rule, began: 0, calls: Vec::new() };
        for step in steps {
            let now = time.now().as_nanos() / 1_000_000;
            match step {
                Step::Wait(millis) => time.advance(Duration::from_millis(millis)),
                Step::Succeed(n) => {
                    succeed(&breaker, n.into());
                    model.calls.extend((0..n).map(|_| (now, true)));
                }
                Step::Fail => {
                    fail(&breaker, 1);
                    model.calls.push((now, false));
                }
                Step::Reset => {
                    breaker.metrics_only();
                    (model.began, model.calls) = (now, Vec::new());
                }
            }
            match (breaker.snapshot().success_rate_ema, model.rate()) {
                (Some(rate), Some(sum)) => prop_assert!((rate - sum).abs() < 1e-9, "{} instead of {}", rate, sum),
                (rate, sum) => prop_assert_eq!(rate, sum),
            }
        }
    }
}
