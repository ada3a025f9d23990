//! Several limits as one decision: all of them give, or none.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use seawall_core::Rejection;
use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::{Algorithm, Config, LayeredRateLimiter, Layers, Mode, Quota, RateLimiter, Rule};
use seawall_testkit::random::Random;

const SECOND: Duration = Duration::from_secs(1);

/// A call: for each of three rules how many cells it takes, and whether it concerns it.
#[derive(Clone, Copy, Debug)]
struct Call {
    cells: [u32; 3],
    concerns: [bool; 3],
}

const EACH: Call = Call { cells: [1; 3], concerns: [true; 3] };

fn limiter(clock: &Clock, name: &str, limit: u32, algorithm: Algorithm) -> RateLimiter {
    let config = Config::new(Quota::per_second(limit)).algorithm(algorithm).name(name);
    RateLimiter::with_clock(config, clock.clone()).expect("a valid configuration")
}

fn rule(place: usize, limiter: &RateLimiter) -> Rule<Call> {
    Rule::all(limiter).cells(move |call: &Call| call.cells[place]).when(move |call: &Call| call.concerns[place])
}

fn three(algorithms: [Algorithm; 3], limits: [u32; 3]) -> ([RateLimiter; 3], LayeredRateLimiter<Call, 3>, ManualTime) {
    let (clock, time) = Clock::manual();
    time.advance(5 * SECOND);
    let limiters: [RateLimiter; 3] =
        std::array::from_fn(|i| limiter(&clock, ["user", "tenant", "all"][i], limits[i], algorithms[i]));
    let rules = std::array::from_fn(|i| rule(i, &limiters[i]));
    (limiters, Layers::of(rules).expect("of different names, on one clock"), time)
}

fn remaining(limiters: &[RateLimiter; 3]) -> [u32; 3] {
    limiters.each_ref().map(|limiter| limiter.peek().remaining())
}

#[test]
fn a_call_takes_from_all_that_concern_it_or_from_none() {
    let (limiters, limits, _time) =
        three([Algorithm::Gcra, Algorithm::sliding_window(), Algorithm::SlidingLog], [2, 3, 9]);
    let permit = limits.with(&Call { cells: [1, 2, 3], ..EACH }).try_admit().expect("all have room");
    let taken: Vec<_> =
        permit.token().expect("it is held").grants().map(|grant| grant.map(seawall_rate_limit::Grant::cells)).collect();
    assert_eq!(taken, [Some(1), Some(2), Some(3)]);
    permit.success();
    assert_eq!(remaining(&limiters), [1, 1, 6]);
    limits.with(&Call { cells: [1, 2, 1], ..EACH }).try_admit().expect_err("two of one");
    assert_eq!(remaining(&limiters), [1, 1, 6], "a refused call takes nothing");
    let other = Call { cells: [1, 2, 1], concerns: [true, false, true] };
    let permit = limits.with(&other).try_admit().expect("it does not concern the second");
    assert_eq!(permit.token().expect("it is held").grants().flatten().count(), 2);
    permit.cancel();
    assert_eq!(remaining(&limiters), [1, 1, 6], "a call that never began gives back");
}

#[test]
fn every_violated_limit_is_named_and_the_longest_wait_is_told() {
    let (limiters, limits, time) = three([Algorithm::Gcra, Algorithm::SlidingLog, Algorithm::Gcra], [2, 1, 9]);
    limits.with(&Call { cells: [2, 1, 1], ..EACH }).try_admit().expect("all have room").success();
    let violation = limits.with(&EACH).try_admit().expect_err("two are used up");
    let named: Vec<_> = violation.violated().map(|throttled| throttled.name().to_string()).collect();
    assert_eq!(named, ["user", "tenant"]);
    assert_eq!(violation.retry_after(), Some(SECOND), "half a second for the first, a whole one for the second");
    assert_eq!(
        violation.to_string(),
        "the limit `user` of 2 per 1s is reached, retry after 500ms; the limit `tenant` of 1 per 1s is reached, retry after 1s"
    );
    let rejection = Rejection::find(violation.source().expect("the rejection")).copied().expect("the rejection");
    assert_eq!((rejection.name().as_str(), rejection.retry_after()), ("tenant", Some(SECOND)));
    let counted = limiters.each_ref().map(|limiter| limiter.snapshot().throttled);
    assert_eq!(counted, [1, 1, 0], "who refused has counted it");
    time.advance(SECOND.saturating_sub(Duration::from_nanos(1)));
    limits.with(&EACH).try_admit().expect_err("a nanosecond is missing");
    time.advance(Duration::from_nanos(1));
    limits.with(&EACH).try_admit().expect("after the longest wait").success();
}

#[test]
fn what_never_passes_is_told_so_whatever_the_others_say() {
    let (_limiters, limits, _time) = three([Algorithm::Gcra; 3], [2, 1, 9]);
    limits.with(&EACH).try_admit().expect("all have room").success();
    let violation = limits.with(&Call { cells: [3, 1, 1], ..EACH }).try_admit().expect_err("three of two");
    assert_eq!(violation.retry_after(), None);
    assert_eq!(violation.violated().count(), 2);
}

#[test]
fn a_shadow_among_them_refuses_nobody() {
    let (clock, _time) = Clock::manual();
    let shadow = Config::new(Quota::per_second(1)).name("shadow").mode(Mode::Shadow);
    let shadow = RateLimiter::with_clock(shadow, clock.clone()).expect("valid");
    let real = limiter(&clock, "real", 2, Algorithm::Gcra);
    let limits = Layers::of([Rule::<()>::all(&shadow), Rule::all(&real)]).expect("valid");
    limits.with(&()).try_admit().expect("both have room").success();
    limits.with(&()).try_admit().expect("the shadow has none, and passes").success();
    let named: Vec<_> = {
        let violation = limits.with(&()).try_admit().expect_err("the other has none either");
        violation.violated().map(|throttled| throttled.name().to_string()).collect()
    };
    assert_eq!(named, ["real"]);
    assert_eq!((shadow.snapshot().shadowed, shadow.snapshot().admitted), (1, 1));
}

#[test]
fn rules_that_cannot_be_one_are_refused() {
    let (clock, _time) = Clock::manual();
    let (other, _other_time) = Clock::manual();
    let one = limiter(&clock, "one", 1, Algorithm::Gcra);
    let two = limiter(&other, "two", 1, Algorithm::Gcra);
    let none: [Rule<()>; 0] = [];
    let error = Layers::of(none).expect_err("no rule");
    assert_eq!(error.to_string(), "`rules` is empty, must be at least one rule");
    let error = Layers::of([Rule::<()>::all(&one), Rule::all(&one)]).expect_err("the same name");
    assert_eq!(error.to_string(), "`rules` is two named `one`, must be of different names");
    let error = Layers::of([Rule::<()>::all(&one), Rule::all(&two)]).expect_err("two clocks");
    let valid = "on the clock of `one`: the limits of one decision share a clock";
    assert_eq!((error.field(), error.value(), error.valid()), ("rules", "`two` on Clock::manual", valid));
}

/// Random rules and calls from three threads at one moment: no limit gives more than it has, and once it is quiet each has given
/// exactly what the admitted calls took.
#[test]
fn whatever_threads_ask_at_once_no_limit_gives_more_and_no_refusal_costs_anything() {
    let kinds = [Algorithm::Gcra, Algorithm::sliding_window(), Algorithm::SlidingLog, Algorithm::WindowCounter];
    for seed in 0..150_u64 {
        let mut random = Random::new(seed);
        let mut below = |bound: usize| u32::try_from(random.below(bound)).expect("small");
        let algorithms = std::array::from_fn(|_| kinds[below(kinds.len()) as usize]);
        let limits: [u32; 3] = std::array::from_fn(|_| 5 + below(60));
        let (limiters, layers, time) = three(algorithms, limits);
        for round in 0..3 {
            let admitted = Mutex::new([0_u32; 3]);
            std::thread::scope(|scope| {
                for thread in 0..3 {
                    let (admitted, layers) = (&admitted, &layers);
                    scope.spawn(move || {
                        let mut random = Random::new(seed * 9 + round * 3 + thread);
                        for _ in 0..60 {
                            let cells = std::array::from_fn(|_| u32::try_from(random.below(4)).expect("small"));
                            let concerns = std::array::from_fn(|_| random.below(4) > 0);
                            let cancels = random.below(5) == 0;
                            match layers.with(&Call { cells, concerns }).try_admit() {
                                Ok(permit) if cancels => permit.cancel(),
                                Ok(permit) => {
                                    permit.success();
                                    let mut admitted = admitted.lock().expect("not poisoned");
                                    for place in (0..3).filter(|place| concerns[*place]) {
                                        admitted[place] += cells[place];
                                    }
                                }
                                Err(violation) => {
                                    assert!(violation.violated().count() > 0);
                                    let waits =
                                        violation.violated().filter_map(seawall_rate_limit::Throttled::retry_after);
                                    assert_eq!(violation.retry_after(), waits.max());
                                }
                            }
                        }
                    });
                }
            });
            let admitted = admitted.into_inner().expect("not poisoned");
            let left = remaining(&limiters);
            for place in 0..3 {
                assert!(admitted[place] <= limits[place], "{algorithms:?} {limits:?}: {admitted:?}");
                assert_eq!(admitted[place] + left[place], limits[place], "{algorithms:?}, rule {place}, seed {seed}");
            }
            time.advance(10 * SECOND);
        }
    }
}

#[test]
fn a_panic_between_two_limits_takes_from_none() {
    let [first, second] =
        ["first", "second"].map(|name| RateLimiter::new(Config::new(Quota::per_hour(5)).name(name)).expect("valid"));
    let asked = AtomicU32::new(0);
    let cells = move |(): &()| {
        // The first time it is asked what the call would take, the second time to take it.
        assert!(asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(2), "the caller's own");
        1
    };
    let limits = Layers::of([Rule::all(&first), Rule::all(&second).cells(cells)]).expect("valid");
    let call = || drop(limits.with(&()).try_admit());
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    assert_eq!((first.peek().remaining(), second.peek().remaining()), (5, 5));
}
