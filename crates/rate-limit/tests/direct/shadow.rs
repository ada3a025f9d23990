use std::time::Duration;

use seawall_rate_limit::{BurstConfig, Mode};
use seawall_testkit::exec::Executor;

use crate::support::*;

#[test]
fn a_shadow_counts_what_enforcing_would_have_refused_and_lets_it_pass() {
    for algorithm in algorithms() {
        let (enforced, enforced_time) = limiter(config(algorithm));
        let (shadow, shadow_time) = limiter(config(algorithm).mode(Mode::Shadow));
        for call in 0..200_u32 {
            let step = Duration::from_millis(u64::from(call * 7 % 90));
            enforced_time.advance(step);
            shadow_time.advance(step);
            let cells = 1 + call % 3;
            let refused = enforced.check_n(cells);
            let passed = shadow.check_n(cells).expect("a shadow refuses nothing");
            assert_eq!(passed.cells(), refused.as_ref().map_or(0, seawall_rate_limit::Grant::cells), "{algorithm:?}");
            assert_eq!(standing(&shadow), standing(&enforced), "{algorithm:?}, call {call}");
        }
        let (enforced, shadow) = (enforced.snapshot(), shadow.snapshot());
        assert!(enforced.throttled > 20, "{algorithm:?}");
        assert_eq!((shadow.admitted, shadow.shadowed), (enforced.admitted, enforced.throttled), "{algorithm:?}");
        assert_eq!((shadow.throttled, enforced.shadowed), (0, 0), "{algorithm:?}");
    }
}

#[test]
fn a_shadow_lets_pass_what_never_would() {
    for algorithm in countings() {
        let (limiter, _time) = limiter(config(algorithm).mode(Mode::Shadow));
        assert_eq!(limiter.check_n(LIMIT + 1).map(|grant| grant.cells()), Ok(0), "{algorithm:?}");
        weighed(&limiter).with(&u32::MAX).try_admit().expect("a shadow refuses nothing").success();
        assert_eq!(limiter.snapshot().shadowed, 2, "{algorithm:?}");
    }
}

#[test]
fn a_shadow_makes_nobody_wait() {
    for algorithm in algorithms() {
        let (limiter, _time) = limiter(config(algorithm).mode(Mode::Shadow).max_wait(SECOND));
        let executor = Executor::new(3);
        for _ in 0..2 * LIMIT {
            // Nothing on this executor moves the limiter's clock: a wait would be one for ever.
            executor.block_on(limiter.admit()).expect("a shadow refuses nothing").success();
        }
        let grant = executor.block_on(limiter.acquire(1)).expect("a shadow refuses nothing");
        assert_eq!(grant.wait(), Duration::ZERO, "{algorithm:?}");
        let snapshot = limiter.snapshot();
        assert!(snapshot.waited > 0, "{algorithm:?}: it is counted who would have waited");
        assert_eq!(snapshot.admitted + snapshot.shadowed, u64::from(2 * LIMIT) + 1, "{algorithm:?}");
    }
}

#[test]
fn a_shadow_punishes_nobody() {
    let burst = BurstConfig::default().requests(3).penalty(SECOND);
    for algorithm in countings() {
        let (limiter, _time) = limiter(config(algorithm).mode(Mode::Shadow).burst(burst));
        for _ in 0..8 {
            limiter.check().expect("a shadow refuses nothing");
        }
        let snapshot = limiter.snapshot();
        assert_eq!((snapshot.bursts, snapshot.admitted, snapshot.shadowed), (1, 3, 5), "{algorithm:?}");
        assert_eq!(snapshot.remaining, LIMIT - 3, "{algorithm:?}: what enforcing refuses takes nothing");
    }
}
