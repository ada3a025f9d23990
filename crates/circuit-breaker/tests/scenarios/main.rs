//! The situations in which other breakers were found wrong, or in which theirs is worth keeping.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use seawall_circuit_breaker::{Abandoned, CircuitBreaker, Config, HalfOpen, OpenInterval, State, Window};
use seawall_core::time::{Clock, ManualTime};
use seawall_core::{Outcome, Rejection};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn breaker(config: Config) -> (CircuitBreaker, ManualTime) {
    let (clock, time) = Clock::manual();
    (CircuitBreaker::with_clock(config, clock).expect("valid"), time)
}

fn rated(window: Window) -> Config {
    Config::default().window(window).failure_rate(0.5)
}

fn single_probe() -> HalfOpen {
    HalfOpen::probes(1)
}

fn call(breaker: &CircuitBreaker, outcome: Outcome) {
    breaker.try_admit().expect("admitted").finish(outcome);
}

/// Makes calls until the circuit opens; how many it took.
fn calls_until_open(breaker: &CircuitBreaker, outcomes: impl IntoIterator<Item = bool>) -> Option<usize> {
    let ends = |succeeds| if succeeds { Outcome::Success } else { Outcome::Failure };
    let mut outcomes = outcomes.into_iter();
    (1..).map_while(|number| outcomes.next().map(|succeeds| (number, succeeds))).find_map(|(number, succeeds)| {
        call(breaker, ends(succeeds));
        (breaker.state() == State::Open).then_some(number)
    })
}

#[test]
fn it_opens_at_exactly_the_call_that_meets_a_rule() {
    let (ok, no) = (true, false);
    let four = || rated(Window::count(4).minimum_calls(4));
    let ten = || rated(Window::count(10).minimum_calls(10));
    let three_in_a_row = || Config::empty().consecutive_failures(3);
    for (config, outcomes, opens) in [
        (four(), vec![ok, no, ok, no], Some(4)),
        (four(), vec![no, no, no, no], Some(4)),
        (ten(), vec![no, ok, no, ok, no, ok, no, ok, ok, no], Some(10)),
        (ten(), vec![no, ok, no, ok, no, ok, no, ok, ok, ok], None),
        (three_in_a_row(), vec![ok, no, no, no], Some(4)),
        (three_in_a_row(), vec![no, no, ok, no, no], None),
    ] {
        let (breaker, _time) = breaker(config);
        assert_eq!(calls_until_open(&breaker, outcomes.clone()), opens, "{outcomes:?}");
    }
}

#[test]
fn a_window_of_calls_slides_however_many_were_good_before() {
    let (breaker, _time) = breaker(rated(Window::count(100)));
    assert_eq!(calls_until_open(&breaker, std::iter::repeat_n(true, 1_000)), None);
    assert_eq!(calls_until_open(&breaker, std::iter::repeat(false)), Some(50));
}

#[test]
fn a_window_of_time_forgets_by_age_and_not_by_how_calls_arrive() {
    let (breaker, time) = breaker(rated(Window::time(10 * SECOND).minimum_calls(5)).failure_rate(0.8));
    // Four failures are too few; they are gone eleven seconds later.
    (0..4).for_each(|_| call(&breaker, Outcome::Failure));
    time.advance(11 * SECOND);
    assert_eq!(breaker.snapshot().figures.calls, 0);
    (0..4).for_each(|_| call(&breaker, Outcome::Failure));
    assert_eq!(breaker.state(), State::Closed);
    call(&breaker, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open, "the fifth");

    // Eight of ten, whether in one burst or one each half second.
    for pause in [Duration::ZERO, 500 * MS] {
        breaker.reset();
        let outcomes = [true, false, true, false, false, false, false, false, false, false];
        let took = outcomes.into_iter().position(|succeeds| {
            call(&breaker, if succeeds { Outcome::Success } else { Outcome::Failure });
            time.advance(pause);
            breaker.state() == State::Open
        });
        assert_eq!(took, Some(9), "pause {pause:?}");
    }
}

#[test]
fn the_interval_doubles_while_probes_fail_and_begins_anew_after_a_recovery() {
    let open = OpenInterval::exponential(5 * SECOND, 2.0, 300 * SECOND);
    let (breaker, time) = breaker(Config::empty().consecutive_failures(3).open(open).half_open(single_probe()));
    let wait = || breaker.try_admit().map(|_| ()).expect_err("open").retry_after();
    (0..3).for_each(|_| call(&breaker, Outcome::Failure));
    time.advance(2 * SECOND);
    assert_eq!(wait(), Some(3 * SECOND));
    time.advance(4 * SECOND);
    for expected in [10, 20, 40, 80, 160, 300, 300] {
        call(&breaker, Outcome::Failure);
        assert_eq!(wait(), Some(expected * SECOND));
        time.advance(expected * SECOND);
    }
    call(&breaker, Outcome::Success);
    (0..3).for_each(|_| call(&breaker, Outcome::Failure));
    assert_eq!(wait(), Some(5 * SECOND));
}

#[test]
fn a_break_ends_with_its_last_nanosecond() {
    let (breaker, time) = breaker(Config::empty().consecutive_failures(1).open_for(100 * MS).half_open(single_probe()));
    call(&breaker, Outcome::Failure);
    time.advance(99 * MS);
    assert_eq!(breaker.try_admit().map(|_| ()).expect_err("open").retry_after(), Some(MS));
    time.advance(MS);
    breaker.try_admit().expect("the probe").success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_probe_that_is_given_up_leaves_the_place_to_another() {
    let (breaker, time) = breaker(Config::classic().half_open(single_probe()).abandoned(Abandoned::Ignore));
    breaker.trip();
    time.advance(60 * SECOND);
    for _ in 0..100 {
        drop(breaker.try_admit().expect("free again"));
    }
    let completed = breaker.try_admit().expect("free again");
    assert!(breaker.try_admit().is_err());
    completed.success();
    assert_eq!((breaker.state(), breaker.snapshot().total.abandoned), (State::Closed, 100));
}

#[test]
fn a_straggler_of_another_generation_decides_nothing() {
    let (breaker, time) = breaker(Config::empty().consecutive_failures(2).half_open(single_probe()));
    let stragglers: Vec<_> = (0..6).map(|_| breaker.try_admit().expect("closed")).collect();
    let mut stragglers = stragglers.into_iter();
    let mut next = || stragglers.next().expect("there are six");
    (0..2).for_each(|_| call(&breaker, Outcome::Failure));
    next().success();
    assert_eq!(breaker.state(), State::Open, "while it is shut");
    time.advance(30 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
    next().success();
    next().failure();
    assert_eq!(breaker.state(), State::HalfOpen, "while it is probed");
    let probe = breaker.try_admit().expect("the probe");
    breaker.force_closed();
    probe.failure();
    next().failure();
    next().failure();
    assert_eq!(breaker.snapshot().consecutive_failures, 0, "when it is closed again");
    drop(next());
    assert_eq!(breaker.snapshot().total.stale, 7);
}

#[test]
fn probes_that_are_slower_than_the_window_is_long_still_decide() {
    let half_open = HalfOpen::probes(3).without_max();
    let (breaker, time) = breaker(rated(Window::time(10 * SECOND)).half_open(half_open));
    breaker.trip();
    time.advance(30 * SECOND);
    for _ in 0..3 {
        let probe = breaker.try_admit().expect("a probe");
        time.advance(20 * SECOND);
        probe.success();
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn half_of_two_calls_slower_than_allowed_open_it() {
    let config = Config::empty().slow_calls(10 * MS, 0.5).window(Window::count(2).minimum_calls(2));
    let (breaker, time) = breaker(config);
    call(&breaker, Outcome::Success);
    let slow = breaker.try_admit().expect("closed");
    time.advance(20 * MS);
    slow.success();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn dropped_calls_alone_open_it_and_one_success_among_them_keeps_it_closed() {
    let config = || rated(Window::time(30 * SECOND).minimum_calls(3));
    let (hanging, _time) = breaker(config());
    (0..3).for_each(|_| drop(hanging.try_admit().expect("closed")));
    assert_eq!(hanging.state(), State::Open);
    let (answering, _time) = breaker(config());
    call(&answering, Outcome::Success);
    (0..50).for_each(|_| drop(answering.try_admit().expect("closed")));
    assert_eq!(answering.state(), State::Closed);
}

#[test]
fn breakers_do_not_know_of_each_other_and_clones_are_one() {
    let (one, _time) = breaker(Config::empty().consecutive_failures(1));
    let (other, _time) = breaker(Config::empty().consecutive_failures(1));
    let clone = one.clone();
    call(&clone, Outcome::Failure);
    assert_eq!((one.state(), clone.state(), other.state()), (State::Open, State::Open, State::Closed));
    assert!(one.is_same(&clone) && !one.is_same(&other));
}

/// A rule of the user's own for the open interval runs under the lock: while it does, the lock is taken.
#[test]
fn neither_refusals_nor_successes_wait_for_the_lock() {
    let (entered, waits) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let config = Config::classic().open_by(move |_| {
        entered.send(()).expect("the test waits");
        // Ends with the test even if that fails before it releases.
        let _ = released.lock().expect("no panic").recv();
        60 * SECOND
    });
    let (breaker, _time) = breaker(config);
    std::thread::scope(|scope| {
        let release = release;
        let pass = || release.send(()).expect("somebody waits");
        let opening = scope.spawn(|| breaker.trip());
        waits.recv().expect("the lock is taken");
        breaker.run_sync(|| Ok::<_, ()>(())).expect("still closed").expect("no failure");
        pass();
        opening.join().expect("no panic");

        let opening_again = scope.spawn(|| breaker.trip());
        waits.recv().expect("the lock is taken");
        assert_eq!(breaker.try_admit().map(|_| ()).expect_err("open").retry_after(), Some(60 * SECOND));
        pass();
        opening_again.join().expect("no panic");
    });
    assert_eq!(breaker.snapshot().total.refused, 1);
}

#[test]
fn what_is_dropped_before_its_first_poll_was_never_a_call() {
    let (breaker, _time) = breaker(Config::empty().consecutive_failures(1).abandoned(Abandoned::Failure));
    drop(breaker.run(async { Ok::<_, ()>(()) }));
    assert_eq!((breaker.state(), breaker.snapshot().total.abandoned), (State::Closed, 0));
}

#[test]
fn a_refusal_names_its_breaker_and_says_when_to_come_again() {
    let (breaker, time) = breaker(Config::classic().name("payment").half_open(single_probe()));
    breaker.trip();
    time.advance(18 * SECOND);
    let rejection = Rejection::from(breaker.try_admit().map(|_| ()).expect_err("open"));
    let shown = rejection.to_string();
    assert_eq!(shown, "circuit_breaker `payment` refused the call: open, retry after 42s");
    breaker.force_open();
    let rejection = Rejection::from(breaker.try_admit().map(|_| ()).expect_err("open"));
    assert_eq!((rejection.reason(), rejection.retry_after()), ("forced_open", None));
}

#[cfg(feature = "tower")]
mod layers {
    use super::*;
    use seawall_testkit::service::{self, Answer, CallError, Ready};
    use std::task::{Context, Poll, Waker};
    use tower::{Layer, Service};

    fn poll_ready<S: Service<u32>>(service: &mut S) -> Poll<Result<(), S::Error>> {
        service.poll_ready(&mut Context::from_waker(Waker::noop()))
    }

    fn poll<F: Future>(future: F) -> Poll<F::Output> {
        std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn an_open_circuit_stays_ready_and_never_polls_what_is_behind_it() {
        let (breaker, _time) = breaker(Config::classic());
        let (inner, control) = service::controlled();
        control.ready(Ready::NotYet);
        breaker.trip();
        let mut service = breaker.layer().layer(inner);
        for _ in 0..3 {
            assert!(matches!(poll_ready(&mut service), Poll::Ready(Ok(()))));
            let Poll::Ready(Err(CallError::Rejected(rejection))) = poll(service.call(1)) else { panic!("not refused") };
            assert_eq!((rejection.reason(), rejection.retry_after()), ("open", Some(60 * SECOND)));
        }
        assert_eq!((control.seen().readiness_polls, control.seen().calls), (0, 0));
        breaker.reset();
        assert!(poll_ready(&mut service).is_pending(), "a closed one waits for what is behind it");
    }

    #[test]
    fn a_call_that_was_made_and_dropped_unpolled_counts_as_dropped() {
        let (breaker, _time) = breaker(Config::empty().consecutive_failures(2).abandoned(Abandoned::Failure));
        let (inner, control) = service::controlled();
        let mut service = breaker.layer().layer(inner);
        for _ in 0..2 {
            assert!(matches!(poll_ready(&mut service), Poll::Ready(Ok(()))));
            drop(service.call(1));
        }
        assert_eq!((breaker.state(), control.seen().dropped), (State::Open, 2));
    }

    #[test]
    fn a_panic_of_the_service_is_a_failure_wherever_it_happens() {
        for answer in [Answer::Panic, Answer::PanicInCall] {
            let (breaker, _time) = breaker(Config::empty().consecutive_failures(1));
            let (inner, control) = service::controlled();
            let mut service = breaker.layer().layer(inner);
            control.answer(answer);
            assert!(matches!(poll_ready(&mut service), Poll::Ready(Ok(()))));
            let call = std::panic::AssertUnwindSafe(|| poll(service.call(1)).is_ready());
            assert!(std::panic::catch_unwind(call).is_err());
            assert_eq!((breaker.state(), breaker.snapshot().total.failures), (State::Open, 1), "{answer:?}");
        }
    }
}
