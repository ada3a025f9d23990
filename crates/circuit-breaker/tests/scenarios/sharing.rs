//! Several callers and several breakers: what they share, and what they do not.

use std::sync::{Mutex, mpsc};

use seawall_circuit_breaker::{Config, State, Window};
use seawall_core::Outcome;

use crate::{SECOND, breaker, call, calls, rated, single_probe};

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
    let locked = || waits.recv_timeout(60 * SECOND).expect("the lock is taken");
    std::thread::scope(|scope| {
        let release = release;
        let pass = || release.send(()).expect("somebody waits");
        let opening = scope.spawn(|| breaker.trip());
        locked();
        breaker.run_sync(|| Ok::<_, ()>(())).expect("still closed").expect("no failure");
        pass();
        opening.join().expect("no panic");

        let opening_again = scope.spawn(|| breaker.trip());
        locked();
        assert_eq!(breaker.try_admit().map(|_| ()).expect_err("open").retry_after(), Some(60 * SECOND));
        pass();
        opening_again.join().expect("no panic");
    });
    assert_eq!(breaker.snapshot().total.refused, 1);
}

/// Where an answer is to weigh on the rate and yet break no run of failures, as linkerd has it for 429, each rule has a breaker
/// of its own that judges it so.
#[test]
fn a_throttled_answer_weighs_on_the_rate_fails_a_probe_and_breaks_no_run() {
    let (by_rate, time) = breaker(rated(Window::time(10 * SECOND).minimum_calls(5)).half_open(single_probe()));
    let (by_run, _time) = breaker(Config::empty().consecutive_failures(3));
    let answer = |status: u16| {
        let (rate, run) = (by_rate.try_admit().expect("admitted"), by_run.try_admit().expect("admitted"));
        match status {
            429 => (rate.failure(), run.ignore()).0,
            500.. => (rate.failure(), run.failure()).0,
            _ => (rate.success(), run.success()).0,
        }
    };
    [200, 200, 200, 500, 429, 429].into_iter().for_each(answer);
    assert_eq!((by_rate.state(), by_run.state()), (State::Open, State::Closed), "half of six, and one in a row");
    assert_eq!(by_run.snapshot().consecutive_failures, 1);
    time.advance(30 * SECOND);
    answer(429);
    assert_eq!((by_rate.state(), by_run.state()), (State::Open, State::Closed));
    time.advance(30 * SECOND);
    answer(200);
    calls(&by_run, 2, Outcome::Failure);
    assert_eq!((by_rate.state(), by_run.state()), (State::Closed, State::Closed), "the success ended the run");
}
