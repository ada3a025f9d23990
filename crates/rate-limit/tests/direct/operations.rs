use std::time::Duration;

use seawall_core::Rejection;
use seawall_rate_limit::{Grant, Throttled};

use crate::support::*;

#[test]
fn a_retry_passes_exactly_after_the_wait_that_was_told() {
    each(algorithms(), |algorithm, limiter, time| {
        for cells in [1, 1, 2, 1, 3] {
            exhaust(limiter);
            let throttled = limiter.check_n(cells).expect_err("exhausted");
            let wait = throttled.retry_after().expect("it is no more than there ever is");
            assert!(!wait.is_zero(), "{algorithm:?}");
            time.advance(wait.saturating_sub(NANO));
            let early = limiter.check_n(cells).expect_err("a nanosecond is missing");
            assert_eq!(early.retry_after(), Some(NANO), "{algorithm:?}, {cells} cells after {wait:?}");
            time.advance(NANO);
            let grant = limiter.check_n(cells).unwrap_or_else(|late| panic!("{algorithm:?} after {wait:?}: {late}"));
            assert_eq!((grant.cells(), grant.wait()), (cells, Duration::ZERO));
        }
    });
}

#[test]
fn a_limit_lets_pass_as_many_as_it_says() {
    each(countings(), |algorithm, limiter, _| {
        for taken in 1..=LIMIT {
            let grant = limiter.check().expect("fewer than the limit");
            assert_eq!((grant.cells(), grant.remaining()), (1, LIMIT - taken), "{algorithm:?}");
        }
        let throttled = limiter.check().expect_err("the limit is reached");
        assert_eq!((throttled.cells(), throttled.remaining(), throttled.is_never()), (1, 0, false), "{algorithm:?}");
    });
    each(pacings(), |algorithm, limiter, _| {
        limiter.check().expect("the first turn");
        let throttled = limiter.check().expect_err("it is not paid for");
        assert_eq!((throttled.remaining(), throttled.is_never()), (0, false), "{algorithm:?}");
    });
}

#[test]
fn all_cells_of_a_call_are_taken_or_none() {
    each(countings(), |algorithm, limiter, _| {
        assert_eq!(limiter.check_n(7).expect("seven of ten").remaining(), 3, "{algorithm:?}");
        let before = standing(limiter);
        let throttled = limiter.check_n(4).expect_err("four of three");
        assert_eq!((throttled.cells(), throttled.remaining()), (4, 3), "{algorithm:?}");
        assert_eq!(standing(limiter), before, "{algorithm:?}: a refusal took something");
        assert_eq!(limiter.check_n(3).expect("three of three").remaining(), 0, "{algorithm:?}");
    });
}

#[test]
fn more_than_there_ever_is_never_passes_and_takes_nothing() {
    each(countings(), |algorithm, limiter, _| {
        for cells in [LIMIT + 1, u32::MAX] {
            let throttled = limiter.check_n(cells).expect_err("more than the limit");
            assert!(throttled.is_never(), "{algorithm:?}");
            assert_eq!((throttled.retry_after(), throttled.remaining()), (None, LIMIT), "{algorithm:?}");
            let rejection = Rejection::from(throttled);
            assert_eq!((rejection.reason(), rejection.retry_after()), ("too_large", None));
            let never = limiter.reserve(cells, Duration::MAX).expect_err("however long it waits");
            assert!(never.is_never(), "{algorithm:?}");
            assert!(weighed(limiter).with(&cells).try_admit().expect_err("by this door too").is_never());
        }
        assert_eq!(limiter.check_n(LIMIT).expect("nothing was taken").remaining(), 0, "{algorithm:?}");
    });
}

#[test]
fn no_cell_at_all_is_a_look() {
    each(algorithms(), |algorithm, limiter, time| {
        let look = |limiter: &seawall_rate_limit::RateLimiter| {
            let before = standing(limiter);
            let seen: Vec<Grant> = vec![
                limiter.check_n(0).expect("it takes nothing"),
                limiter.peek(),
                limiter.take_up_to(0),
                limiter.reserve(0, SECOND).expect("it takes nothing").keep(),
            ];
            for grant in seen {
                assert_eq!((grant.cells(), grant.wait()), (0, Duration::ZERO), "{algorithm:?}");
                assert_eq!((grant.remaining(), grant.reset_after()), before, "{algorithm:?}");
                limiter.refund(grant);
            }
            assert_eq!(standing(limiter), before, "{algorithm:?}: a look changed something");
        };
        look(limiter);
        exhaust(limiter);
        look(limiter);
        time.advance(Duration::from_millis(333));
        look(limiter);
        let snapshot = limiter.snapshot();
        assert_eq!((snapshot.given_back, snapshot.throttled), (0, 1), "{algorithm:?}: looks were counted");
    });
}

#[test]
fn up_to_so_many_takes_what_there_is() {
    each(countings(), |algorithm, limiter, _| {
        let take = |cells| {
            let grant = limiter.take_up_to(cells);
            (grant.cells(), grant.remaining())
        };
        assert_eq!(take(4), (4, 6), "{algorithm:?}");
        assert_eq!(take(u32::MAX), (6, 0), "{algorithm:?}");
        assert_eq!(take(1), (0, 0), "{algorithm:?}");
        assert_eq!(limiter.snapshot().throttled, 0, "{algorithm:?}: taking less is no refusal");
        assert_eq!(limiter.snapshot().admitted, 2, "{algorithm:?}: taking nothing is no admission");
    });
}

#[test]
fn what_was_taken_is_forgotten_after_the_time_that_was_told() {
    each(algorithms(), |algorithm, limiter, time| {
        exhaust(limiter);
        let throttled = limiter.check().expect_err("exhausted");
        assert!(!throttled.reset_after().is_zero(), "{algorithm:?}");
        time.advance(just_below(throttled.reset_after()));
        assert_eq!(limiter.peek().reset_after(), NANO, "{algorithm:?}");
        time.advance(NANO);
        assert_eq!(limiter.peek().reset_after(), Duration::ZERO, "{algorithm:?}");
        // A pacer that was never asked has one turn and keeps no other.
        if countings().contains(algorithm) {
            assert_eq!(limiter.check_n(LIMIT).map(|grant| grant.remaining()), Ok(0), "{algorithm:?}");
        }
    });
}

#[test]
fn a_reset_forgets_everything() {
    each(algorithms(), |algorithm, limiter, _| {
        let fresh = standing(limiter);
        exhaust(limiter);
        _ = limiter.reserve(2, 100 * SECOND).map(seawall_rate_limit::Reservation::keep);
        limiter.reset();
        assert_eq!(standing(limiter), fresh, "{algorithm:?}");
        limiter.check().expect("as if nobody had called");
    });
}

#[test]
fn a_burst_is_what_a_token_bucket_has_at_once() {
    for algorithm in [seawall_rate_limit::Algorithm::Gcra, seawall_rate_limit::Algorithm::TokenSteps] {
        let quota = seawall_rate_limit::Quota::per_second(2).burst(6);
        let (limiter, time) = limiter(seawall_rate_limit::Config::new(quota).algorithm(algorithm));
        assert_eq!(limiter.check_n(6).map(|grant| grant.remaining()), Ok(0), "{algorithm:?}");
        assert!(limiter.check_n(7).is_err_and(|throttled| throttled.is_never()), "{algorithm:?}");
        time.advance(2 * SECOND);
        assert_eq!(limiter.peek().remaining(), 4, "{algorithm:?}");
        time.advance(20 * SECOND);
        assert_eq!(limiter.peek().remaining(), 6, "{algorithm:?}: not more than the burst");
    }
}

#[test]
fn every_door_takes_from_the_same_cells() {
    each(countings(), |algorithm, limiter, _| {
        limiter.try_admit().expect("ten left").success();
        weighed(limiter).with(&3).try_admit().expect("nine left").failure();
        limiter.run_sync(|| Ok::<_, ()>(())).expect("six left").expect("it did nothing");
        limiter.admit_blocking(Duration::ZERO).expect("five left").ignore();
        assert_eq!(limiter.clone().peek().remaining(), LIMIT - 6, "{algorithm:?}: each ending has used its cells");
        limiter.try_admit().expect("four left").cancel();
        weighed(limiter).with(&4).try_admit().expect("four left").cancel();
        assert_eq!(limiter.peek().remaining(), LIMIT - 6, "{algorithm:?}: a call that never began has used none");
    });
}

#[test]
fn a_refusal_is_the_same_by_every_door() {
    each(algorithms(), |algorithm, limiter, _| {
        exhaust(limiter);
        let refusals: Vec<Throttled> = vec![
            limiter.check().expect_err("exhausted"),
            limiter.try_admit().map(seawall_core::Permit::success).expect_err("exhausted"),
            weighed(limiter).with(&1).try_admit().map(seawall_core::Permit::success).expect_err("exhausted"),
            limiter.reserve(1, Duration::ZERO).map(seawall_rate_limit::Reservation::keep).expect_err("exhausted"),
            limiter.run_sync(|| Ok::<_, ()>(())).expect_err("exhausted"),
        ];
        assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{algorithm:?}: {refusals:?}");
        assert_eq!(limiter.snapshot().throttled, 6, "{algorithm:?}");
    });
}
