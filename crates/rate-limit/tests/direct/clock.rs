//! A clock that steps: no panic, nothing minted, nobody locked out for longer than the quota takes to refill.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall_core::time::{BoxFuture, Clock, TimeDriver, Timestamp};
use seawall_rate_limit::{Algorithm, Config, Quota, RateLimiter, Scaling};

use crate::support::*;

/// A clock that tells whatever it was set to.
#[derive(Default)]
struct Faulty(AtomicU64);

impl Faulty {
    fn set(&self, nanos: u64) {
        self.0.store(nanos, Ordering::SeqCst);
    }

    fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_nanos()).expect("no more than a century"), Ordering::SeqCst);
    }
}

impl TimeDriver for Faulty {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture {
        Box::pin(std::future::ready(()))
    }
}

fn on_faulty(algorithm: Algorithm) -> (RateLimiter, Arc<Faulty>) {
    let faulty = Arc::new(Faulty::default());
    faulty.set(1_000_000_000_000);
    let limiter = RateLimiter::with_clock(config(algorithm), Clock::custom(faulty.clone())).expect("valid");
    (limiter, faulty)
}

const DAY: u64 = 24 * 3_600 * 1_000_000_000;

/// How long a full limiter may refuse after a step back of any length, with a quota for one second.
fn longest(algorithm: Algorithm) -> Duration {
    match algorithm {
        // A cell counts for one bucket more than a period, and buckets stay where the clock aligns them.
        Algorithm::SlidingWindow { buckets } => SECOND + 2 * SECOND / u32::from(buckets),
        Algorithm::Gcra | Algorithm::Pacer { .. } | Algorithm::SlidingLog => SECOND,
        // Windows and steps stay where the clock aligns them, too.
        _ => 2 * SECOND,
    }
}

#[test]
fn a_step_back_locks_nobody_out_for_long() {
    for algorithm in algorithms() {
        for back in [1, 1_000, 50_000_000, 500_000_000, 1_000_000_000, 3_000_000_000, DAY, u64::MAX] {
            let (limiter, faulty) = on_faulty(algorithm);
            faulty.set(2 * DAY);
            exhaust(&limiter);
            faulty.set((2 * DAY).saturating_sub(back));
            let waited = match limiter.check() {
                Ok(_) => Duration::ZERO,
                Err(throttled) => throttled.retry_after().expect("not for ever"),
            };
            assert!(waited <= longest(algorithm), "{algorithm:?}: locked out for {waited:?} after a step of {back} ns");
            faulty.advance(waited);
            if !waited.is_zero() {
                limiter
                    .check()
                    .unwrap_or_else(|late| panic!("{algorithm:?}, {back} ns back, after {waited:?}: {late}"));
            }
        }
    }
}

#[test]
fn nobody_waits_for_turns_that_lie_ahead_only_because_the_clock_has_stepped() {
    for algorithm in algorithms() {
        let (limiter, faulty) = on_faulty(algorithm);
        faulty.set(2 * DAY);
        exhaust(&limiter);
        faulty.set(DAY);
        let turn = limiter.reserve(1, Duration::from_secs(3_600 * 24 * 7)).expect("a week is enough");
        assert!(turn.wait() <= longest(algorithm), "{algorithm:?}: {:?}", turn.wait());
    }
}

#[test]
fn steps_mint_nothing() {
    for algorithm in countings() {
        for step in [1_u64, 1_000_000, 100_000_000, 999_999_999, DAY] {
            let (limiter, faulty) = on_faulty(algorithm);
            let at = 3 * DAY + 500_000_000;
            faulty.set(at);
            let mut passed = exhaust(&limiter);
            // Back and forth around one moment: the time that passes is none.
            for _ in 0..50 {
                faulty.set(at - step);
                let _ = limiter.check().map(|_| passed += 1);
                faulty.set(at);
                let _ = limiter.check().map(|_| passed += 1);
            }
            // Each way of counting sees each moment once, and the step forward as time that has passed once.
            let once = if step < 1_000_000_000 { 1 } else { 2 };
            assert!(passed <= LIMIT * 2 * once * 51, "{algorithm:?}: {passed} passed by steps of {step} ns");
            if step < 100_000_000 {
                assert!(passed <= 2 * LIMIT, "{algorithm:?}: {passed} passed by steps of {step} ns");
            }
        }
    }
}

#[test]
fn a_step_forward_is_time_that_has_passed() {
    for algorithm in countings() {
        let (limiter, faulty) = on_faulty(algorithm);
        exhaust(&limiter);
        faulty.advance(Duration::from_secs(30 * 24 * 3_600));
        assert_eq!(exhaust(&limiter), LIMIT, "{algorithm:?}: as after any month, and no more");
    }
}

#[test]
fn a_clock_at_its_end_lets_no_flood_pass() {
    for algorithm in algorithms() {
        let (limiter, faulty) = on_faulty(algorithm);
        // A clock that tells the time of day; centuries from now; its very end, where it only must not panic.
        for end in [1_700_000_000_000_000_000, u64::MAX / 2, u64::MAX - 500_000_000, u64::MAX - 1, u64::MAX] {
            faulty.set(end);
            if end <= u64::MAX / 2 {
                let passed = exhaust(&limiter);
                assert!(passed <= LIMIT, "{algorithm:?}: {passed} passed at {end}");
            }
            let _ = limiter.reserve(1, Duration::MAX).map(|turn| _ = turn.keep());
            let _ = (limiter.check_n(u32::MAX), limiter.take_up_to(u32::MAX), limiter.peek(), limiter.snapshot());
        }
        faulty.set(5 * DAY);
        let _ = limiter.check();
        limiter.reset();
        limiter.check().expect("everything is forgotten");
    }
}

#[test]
fn a_receipt_of_before_a_step_takes_nothing_from_others() {
    for algorithm in countings() {
        let (limiter, faulty) = on_faulty(algorithm);
        faulty.set(2 * DAY);
        let grant = limiter.check_n(LIMIT).expect("all of it");
        faulty.set(DAY);
        exhaust(&limiter);
        limiter.check().expect_err("exhausted");
        faulty.set(2 * DAY);
        exhaust(&limiter);
        let before = standing(&limiter);
        limiter.refund(grant);
        assert_eq!(standing(&limiter), before, "{algorithm:?}: it gave back what others have");
    }
}

#[test]
fn a_turn_that_is_given_up_by_a_clock_that_stepped_back_forgets_nobody_who_passed_after_it() {
    each(countings(), |algorithm, limiter, time| {
        exhaust(limiter);
        let turn = limiter.reserve(1, 10 * SECOND).expect("in turn");
        let after = SECOND / 10;
        time.advance(turn.wait() + after);
        assert!(exhaust(limiter) > 0, "{algorithm:?}: the turn has come");
        // By a clock that is no further behind than any turn lay ahead, the turn is still to come.
        time.step_back(after + NANO);
        drop(turn);
        time.advance(after + NANO);
        let more = exhaust(limiter);
        assert!(more <= 1, "{algorithm:?}: {more} pass in the place of one turn: those who passed are forgotten");
    });
}

/// Twenty at once, and one more each 100 ms.
fn twenty(algorithm: Algorithm) -> Config {
    Config::new(Quota::per_second(10).burst(20)).algorithm(algorithm)
}

#[test]
fn what_is_given_back_before_and_after_a_clock_passes_its_old_time_again_mints_nothing() {
    for scaling in [Scaling::Strict, Scaling::Sharded] {
        for algorithm in [Algorithm::Gcra, Algorithm::TokenSteps] {
            let (limiter, time) = limiter(twenty(algorithm).scaling(scaling));
            let first = limiter.check_n(10).expect("half of it");
            time.advance(SECOND / 2);
            let second = limiter.check_n(10).expect("the other half");
            time.step_back(SECOND / 2);
            limiter.refund(first);
            time.advance(9 * SECOND / 10);
            let before = limiter.take_up_to(20).cells();
            limiter.refund(second);
            let after = limiter.take_up_to(20).cells();
            assert!(before + after <= 20, "{algorithm:?}, {scaling:?}: {before} and {after} of 20 at one time");
        }
    }
}

#[test]
fn receipts_of_after_a_step_back_are_taken() {
    for algorithm in algorithms() {
        let (limiter, time) = limiter(config(algorithm));
        let before = limiter.check().expect("the first");
        time.step_back(NANO);
        limiter.refund(before);
        assert_eq!(limiter.snapshot().given_back, 0, "{algorithm:?}: of before");
        time.advance(SECOND);
        let after = limiter.check().expect("one of ten");
        limiter.refund(after);
        assert_eq!(limiter.snapshot().given_back, 1, "{algorithm:?}: of after");
    }
}

type Meanwhile = Box<dyn FnOnce() + Send>;

/// A clock of which whoever reads it is held up once, while others go on.
#[derive(Default)]
struct HoldsUp {
    time: Faulty,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl HoldsUp {
    fn next(&self, meanwhile: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().expect("nobody panics") = Some(Box::new(meanwhile));
    }
}

impl TimeDriver for HoldsUp {
    fn now(&self) -> Timestamp {
        let now = self.time.now();
        let meanwhile = self.meanwhile.lock().expect("nobody panics").take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        now
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture {
        self.time.sleep_until(at)
    }
}

#[test]
fn who_is_held_up_after_reading_the_clock_gives_back_no_more_than_who_is_not() {
    for algorithm in [Algorithm::Gcra, Algorithm::TokenSteps] {
        let clock = Arc::new(HoldsUp::default());
        clock.time.set(2 * DAY);
        let limiter = RateLimiter::with_clock(twenty(algorithm), Clock::custom(clock.clone())).expect("valid");
        let mine = limiter.check_n(10).expect("half of it");
        let (others, time) = (limiter.clone(), clock.clone());
        clock.next(move || {
            time.time.advance(SECOND);
            others.check_n(10).expect("the other half");
        });
        limiter.refund(mine);
        assert_eq!(limiter.snapshot().given_back, 1, "{algorithm:?}");
        let left = limiter.take_up_to(20).cells();
        assert!(left <= 10, "{algorithm:?}: {left} beside 10 of 20 at one time");
    }
}
