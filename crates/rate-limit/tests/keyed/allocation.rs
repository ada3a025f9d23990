use seawall_rate_limit::Algorithm;
use seawall_testkit::alloc::assert_none;

use crate::support::limiter;

#[test]
fn no_decision_allocates_for_known_keys_or_new_ones() {
    for algorithm in [Algorithm::Gcra, Algorithm::sliding_window()] {
        let (users, _time) = limiter::<str>(algorithm, 1_000_000, 4_096);
        assert_none("known", || (0..100).for_each(|_| assert!(users.check("anne").is_ok())));
        assert_none("a permit", || users.with("anne").try_admit().expect("room").success());
        assert_none("given back", || users.refund(users.check("anne").expect("room")));
        assert_none("a look", || users.peek("anne").remaining());
        let (limited, _time) = limiter::<u64>(algorithm, 1, 64);
        let mut key = 0;
        assert_none("new, evicting and refused", || {
            for _ in 0..1_000 {
                key += 1;
                let _ = (limited.check(&key), limited.check(&key));
            }
        });
        assert!(limited.snapshot().evicted_live > 0 || limited.snapshot().throttled > 0);
    }
}
