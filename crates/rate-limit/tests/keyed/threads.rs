use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use seawall_rate_limit::Algorithm;

use crate::support::limiter;

#[test]
fn threads_that_press_many_keys_into_one_set_get_no_key_more_than_its_limit() {
    const KEYS: usize = 9;
    for algorithm in [Algorithm::Gcra, Algorithm::sliding_window()] {
        let (keys, time) = limiter::<usize>(algorithm, 50, 4);
        for _round in 0..20 {
            let passed: [AtomicU32; KEYS] = Default::default();
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let (keys, passed) = (&keys, &passed);
                    scope.spawn(move || {
                        for call in 0..500 {
                            let key = (call * (thread + 1) + thread) % KEYS;
                            match keys.check(&key) {
                                Ok(grant) if call % 7 == 0 => keys.refund(grant),
                                Ok(_) => {
                                    passed[key].fetch_add(1, Ordering::Relaxed);
                                }
                                Err(_) => {}
                            }
                        }
                    });
                }
            });
            let passed = passed.map(AtomicU32::into_inner);
            assert!(passed.iter().all(|passed| *passed <= 50), "{algorithm:?}: {passed:?}");
            assert!(passed.iter().sum::<u32>() >= 50, "{algorithm:?}: {passed:?}");
            time.advance(Duration::from_secs(60));
        }
    }
}
