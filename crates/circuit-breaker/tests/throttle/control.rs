//! By hand, and live.

use seawall_circuit_breaker::throttle::Config;
use seawall_core::Outcome;

use crate::{SECOND, eager, record, throttle};

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[test]
fn what_is_held_by_hand_decides_whatever_is_counted() {
    let (throttle, time) = throttle(eager());
    throttle.hold(1.0).expect("a probability");
    for _ in 0..1_000 {
        let refusal = throttle.try_admit().map(drop).expect_err("nothing passes");
        assert!(close(refusal.probability(), 1.0));
    }
    let snapshot = throttle.snapshot();
    assert_eq!((snapshot.held, snapshot.requests, snapshot.refused), (Some(1.0), 1_000, 1_000), "it is counted");
    throttle.hold(0.0).expect("a probability");
    for _ in 0..1_000 {
        throttle.try_admit().expect("everything passes").failure();
    }
    time.advance(5 * SECOND);
    throttle.release();
    let snapshot = throttle.snapshot();
    assert_eq!(snapshot.held, None);
    assert!(close(snapshot.probability, 2_000.0 / 2_001.0), "the counts decide again");
}

#[test]
fn a_probability_that_cannot_be_changes_nothing() {
    let (throttle, _time) = throttle(eager());
    throttle.hold(0.25).expect("a probability");
    for value in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = throttle.hold(value).expect_err("no probability");
        assert_eq!((error.field(), error.valid()), ("probability", "a number from 0 to 1"));
        assert_eq!(error.value(), value.to_string());
        assert_eq!(throttle.snapshot().held, Some(0.25));
    }
}

#[test]
fn a_reset_forgets_the_window_and_what_ran_counts_nowhere() {
    let (throttle, _time) = throttle(eager());
    let old = throttle.try_admit().expect("the first");
    let cancelled = {
        record(&throttle, Outcome::Success, 1);
        throttle.try_admit().expect("enough is accepted")
    };
    record(&throttle, Outcome::Failure, 1_000);
    throttle.reset();
    let snapshot = throttle.snapshot();
    assert_eq!((snapshot.requests, snapshot.accepts), (0, 0));
    throttle.try_admit().expect("nothing is known against it").failure();
    old.success();
    cancelled.cancel();
    let snapshot = throttle.snapshot();
    assert_eq!((snapshot.requests, snapshot.accepts, snapshot.total.stale), (1, 0, 1));
    assert_eq!((snapshot.total.requests, snapshot.total.failures), (1_004, 1_001), "totals stay");
}

#[test]
fn other_rules_keep_what_was_counted_and_who_runs() {
    let (throttle, time) = throttle(eager().name("search"));
    record(&throttle, Outcome::Success, 50);
    record(&throttle, Outcome::Failure, 49);
    let running = throttle.try_admit().expect("half are accepted");
    assert!(close(throttle.snapshot().probability, 0.0));
    throttle.reconfigure(eager().name("search").k(1.5)).expect("valid");
    assert!(close(throttle.snapshot().probability, 25.0 / 101.0));
    running.success();
    assert_eq!((throttle.snapshot().requests, throttle.snapshot().accepts), (100, 51));

    throttle.reconfigure(eager().name("search").window(SECOND).max_rejection(0.1).k(1.2)).expect("valid");
    assert!(close(throttle.snapshot().probability, 0.1), "at once");
    time.advance(SECOND);
    assert_eq!(throttle.snapshot().requests, 0, "the new window is a second");

    throttle.reconfigure(Config::default().name("search")).expect("valid");
    record(&throttle, Outcome::Failure, 99);
    assert!(close(throttle.snapshot().probability, 0.0), "below the minimum");
    throttle.reconfigure(Config::default().name("search").minimum_calls(99)).expect("valid");
    assert!(throttle.snapshot().probability > 0.9);
}

#[test]
fn a_running_throttle_keeps_its_name_and_refuses_what_cannot_be() {
    let (throttle, _time) = throttle(eager().name("search"));
    let error = throttle.reconfigure(eager().name("find")).expect_err("another name");
    assert_eq!(error.to_string(), "`name` is \"find\", must be \"search\": a running throttle keeps its name");
    record(&throttle, Outcome::Failure, 10);
    throttle.reconfigure(eager().name("search").k(1.0)).expect_err("a k of 1");
    let snapshot = throttle.snapshot();
    assert_eq!((snapshot.name.as_str(), snapshot.requests), ("search", 10));
    assert!(close(throttle.formula().k(), 2.0), "nothing has changed");
}

#[test]
fn handles_share_one_throttle() {
    let (throttle, _time) = throttle(eager());
    let other = throttle.clone();
    record(&other, Outcome::Failure, 10);
    assert!(throttle.is_same(&other));
    assert_eq!(throttle.snapshot(), other.snapshot());
    assert_eq!(throttle.snapshot().requests, 10);
    assert!(format!("{throttle:?}").starts_with("Throttle { name: \"adaptive_throttle\", probability: 0.909"));
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_is_json() {
    let (throttle, time) = throttle(eager().name("search"));
    record(&throttle, Outcome::Failure, 3);
    record(&throttle, Outcome::Success, 1);
    time.advance(SECOND);
    let json = serde_json::to_value(throttle.snapshot()).expect("it serialises");
    let expected = serde_json::json!({
        "name": "search", "requests": 4, "accepts": 1, "refused": 0, "probability": 0.4, "held": null,
        "throttling_seconds": 0.0,
        "total": {
            "requests": 4, "refused": 0, "successes": 1, "failures": 3, "abandoned": 0, "ignored": 0, "stale": 0,
            "episodes": 1,
        },
    });
    assert_eq!(json, expected, "and throttling is noticed when somebody looks");
}
