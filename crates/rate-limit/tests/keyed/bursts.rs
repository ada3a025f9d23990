use std::time::Duration;

use seawall_rate_limit::{BurstConfig, Config, Keyed, Quota};

use crate::support::with;

/// More than two calls in ten seconds are a burst, and cost a second.
fn watched() -> Config {
    let burst = BurstConfig::default().requests(2).period(Duration::from_secs(10)).penalty(Duration::from_secs(1));
    Config::new(Quota::per_second(1_000_000)).burst(burst)
}

#[test]
fn a_key_that_comes_back_when_it_was_told_to_begins_anew() {
    let (users, time) = with::<str>(Keyed::new(watched()));
    for _ in 0..3 {
        assert_eq!((0..2).filter(|_| users.check("anne").is_ok()).count(), 2);
        let throttled = users.check("anne").expect_err("the third is a burst");
        assert_eq!(throttled.retry_after(), Some(Duration::from_secs(1)));
        time.advance(Duration::from_secs(1));
    }
}

#[test]
fn no_newcomer_in_a_flood_is_punished_for_the_calls_of_those_that_had_to_go() {
    // One set of four slots, and each key has called as often as it may without a burst when the next one comes.
    let (users, _time) = with::<u32>(Keyed::new(watched()).capacity(4));
    for key in 0..1_000 {
        for call in 1..=2 {
            assert!(users.check(&key).is_ok(), "call {call} of key {key}");
        }
    }
    let snapshot = users.snapshot();
    assert_eq!((snapshot.bursts, snapshot.throttled), (0, 0));
    assert!(users.check(&999).is_err(), "its own third call is a burst");
}
