use std::time::Duration;

use seawall_rate_limit::{Algorithm, Config, Quota};

use crate::support::*;

#[test]
fn what_is_given_back_at_once_is_there_again() {
    each(countings(), |algorithm, limiter, _| {
        let fresh = standing(limiter);
        let kept = limiter.check_n(2).expect("two of ten");
        let before = standing(limiter);
        let given = limiter.check_n(5).expect("five of eight");
        limiter.refund(given);
        assert_eq!(limiter.peek().remaining(), before.0, "{algorithm:?}");
        limiter.refund(kept);
        assert_eq!(limiter.peek().remaining(), fresh.0, "{algorithm:?}");
        assert_eq!(limiter.snapshot().given_back, 2, "{algorithm:?}");
        assert_eq!(
            limiter.check_n(LIMIT).map(|grant| grant.remaining()),
            Ok(0),
            "{algorithm:?}: and no more than that"
        );
    });
}

#[test]
fn a_bucket_takes_back_less_the_later_it_comes() {
    let (limiter, time) = limiter(config(Algorithm::Gcra));
    let early = limiter.check_n(4).expect("four of ten");
    let late = limiter.check_n(6).expect("six of six");
    // Three of those cells have come back by themselves; of the first four at most one is still owed.
    time.advance(Duration::from_millis(300));
    limiter.refund(early);
    assert_eq!(limiter.peek().remaining(), 4);
    time.advance(Duration::from_millis(600));
    limiter.refund(late);
    assert_eq!(limiter.peek().remaining(), 10, "all that was owed had come back but for what was given back");
}

#[test]
fn a_window_takes_back_all_of_it_while_it_counts() {
    let (limiter, time) = limiter(config(Algorithm::sliding_window()));
    let grant = limiter.check_n(4).expect("four of ten");
    time.advance(Duration::from_millis(900));
    limiter.check_n(6).expect("six of six");
    limiter.refund(grant);
    assert_eq!(limiter.peek().remaining(), 4);
    let grant = limiter.check_n(4).expect("four of four");
    time.advance(2 * SECOND);
    assert_eq!(limiter.check_n(LIMIT).map(|grant| grant.remaining()), Ok(0));
    limiter.refund(grant);
    assert_eq!(limiter.peek().remaining(), 0, "what does not count any more makes nobody wait");
}

#[test]
fn a_cell_is_given_back_to_the_bucket_that_has_it() {
    // Eight buckets of 125 ms. What is taken in one and given back in the next leaves the first.
    let (limiter, time) = limiter(config(Algorithm::sliding_window()));
    let grant = limiter.check_n(5).expect("five of ten");
    time.advance(Duration::from_millis(250));
    limiter.check_n(5).expect("five of five");
    limiter.refund(grant);
    time.advance(Duration::from_millis(880));
    assert_eq!(limiter.peek().remaining(), 5, "the first bucket has left the window, empty; the second has its five");
}

#[test]
fn what_another_limiter_granted_is_not_taken() {
    each(algorithms(), |algorithm, limiter, _| {
        let (other, _time) = crate::support::limiter(config(*algorithm));
        exhaust(limiter);
        let before = standing(limiter);
        limiter.refund(other.check().expect("the first"));
        assert_eq!(standing(limiter), before, "{algorithm:?}");
        assert_eq!(limiter.snapshot().given_back, 0, "{algorithm:?}");
    });
}

#[test]
fn what_was_granted_under_another_quota_is_not_taken() {
    each(algorithms(), |algorithm, limiter, _| {
        let grant = limiter.check().expect("the first");
        limiter.reconfigure(config(*algorithm)).expect("the same is another one");
        exhaust(limiter);
        let before = standing(limiter);
        limiter.refund(grant);
        assert_eq!((standing(limiter), limiter.snapshot().given_back), (before, 0), "{algorithm:?}");
    });
}

#[test]
fn what_was_granted_before_the_load_changed_the_quota_is_not_taken() {
    let adaptive = seawall_rate_limit::AdaptiveConfig::default();
    for algorithm in lock_free() {
        let (limiter, _time) = limiter(config(algorithm).adaptive(adaptive));
        let kept = limiter.check().expect("the first");
        limiter.adapt(0.1).expect("a load");
        limiter.refund(kept);
        assert_eq!(limiter.snapshot().given_back, 1, "{algorithm:?}: nothing changed");
        let grant = limiter.check().expect("the first");
        limiter.adapt(0.9).expect("a load");
        limiter.refund(grant);
        assert_eq!(limiter.snapshot().given_back, 1, "{algorithm:?}");
    }
}

#[test]
fn what_was_granted_before_a_reset_is_not_taken() {
    each(algorithms(), |algorithm, limiter, _| {
        let grant = limiter.check().expect("the first");
        limiter.reset();
        exhaust(limiter);
        let before = standing(limiter);
        limiter.refund(grant);
        assert_eq!((standing(limiter), limiter.snapshot().given_back), (before, 0), "{algorithm:?}");
    });
}

#[test]
fn a_refused_configuration_leaves_receipts_valid() {
    for algorithm in countings() {
        let (limiter, _time) = limiter(config(algorithm));
        let grant = limiter.check_n(LIMIT).expect("all of it");
        let other = if algorithm == Algorithm::Gcra { Algorithm::SlidingLog } else { Algorithm::Gcra };
        limiter.reconfigure(config(other)).expect_err("another algorithm");
        limiter.reconfigure(Config::new(Quota::per_second(0)).name("test").algorithm(algorithm)).expect_err("no limit");
        limiter.refund(grant);
        assert_eq!(limiter.peek().remaining(), LIMIT, "{algorithm:?}");
    }
}

#[test]
fn what_comes_back_from_the_future_is_not_taken() {
    each(algorithms(), |algorithm, limiter, time| {
        let grant = limiter.check().expect("the first");
        time.step_back(SECOND);
        limiter.refund(grant);
        assert_eq!(limiter.snapshot().given_back, 0, "{algorithm:?}");
    });
}
