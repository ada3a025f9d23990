use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall_core::time::{BoxFuture, Clock, ManualTime, TimeDriver, Timestamp};
use seawall_rate_limit::{Algorithm, Config, Keyed, KeyedRateLimiter, Quota};

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

type Meanwhile = Box<dyn FnOnce() + Send>;

/// A clock of which whoever reads it is held up once, while others go on.
struct HoldsUp {
    time: ManualTime,
    meanwhile: Mutex<Option<Meanwhile>>,
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

    fn sleep_until(&self, _: Timestamp) -> BoxFuture {
        Box::pin(std::future::ready(()))
    }
}

#[test]
fn who_is_held_up_after_reading_the_clock_gives_back_no_more_than_who_is_not() {
    for algorithm in [Algorithm::Gcra, Algorithm::TokenSteps] {
        let (_, time) = Clock::manual();
        time.advance(Duration::from_secs(3_600));
        let clock = Arc::new(HoldsUp { time: time.clone(), meanwhile: Mutex::new(None) });
        let config = Keyed::new(Config::new(Quota::per_second(10).burst(20)).algorithm(algorithm));
        let keys = KeyedRateLimiter::<str>::with_clock(config, Clock::custom(clock.clone())).expect("valid");
        let mine = keys.check_n("key", 10).expect("half of it");
        let others = keys.clone();
        *clock.meanwhile.lock().expect("nobody panics") = Some(Box::new(move || {
            time.advance(Duration::from_secs(1));
            others.check_n("key", 10).expect("the other half");
        }));
        keys.refund(mine);
        assert_eq!(keys.snapshot().given_back, 1, "{algorithm:?}");
        let left = keys.take_up_to("key", 20).cells();
        assert!(left <= 10, "{algorithm:?}: {left} beside 10 of 20 at one time");
    }
}
