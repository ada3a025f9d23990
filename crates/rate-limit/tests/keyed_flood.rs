//! Keys without number: memory stays at its bound, and no limited key is let through.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use seawall_core::time::Clock;
use seawall_rate_limit::{Algorithm, Config, Keyed, KeyedRateLimiter, Quota, Seed};

/// The memory of the process is that of one flood at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// By this seed no more than four of the limited keys fall into one set.
const SEED: Seed = Seed::new(1, 2);

/// What the process holds in memory, in bytes, where that can be asked.
fn resident() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split(' ').nth(1)?.parse::<usize>().ok()? * 4_096)
}

/// A thousand limited keys, then so many others once each; every so often the limited ones try again.
fn flood(algorithm: Algorithm, keys: u64) {
    const LIMITED: u64 = 1_000;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (clock, time) = Clock::manual();
    time.advance(Duration::from_secs(3_600));
    let each = Config::new(Quota::per_second(5)).algorithm(algorithm);
    let limiter =
        KeyedRateLimiter::<u64>::with_clock(Keyed::new(each).capacity(8_192).seed(SEED), clock).expect("valid");
    for key in 0..LIMITED {
        assert_eq!((0..9).filter(|_| limiter.check(&key).is_ok()).count(), 5, "there is room for all of them");
    }
    let before = resident();
    let memory = limiter.snapshot().memory;
    let mut passed = 0;
    for key in LIMITED..keys {
        passed += u64::from(limiter.check(&key).is_ok());
        if key % (keys / 10) == 0 {
            let through = (0..LIMITED).filter(|key| limiter.check(key).is_ok()).count();
            assert_eq!(through, 0, "{through} limited keys passed after {key} others");
        }
    }
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.memory, snapshot.keys <= snapshot.capacity), (memory, true));
    assert!(snapshot.evicted_live > 0 && snapshot.inherited > 0, "{snapshot:?}");
    // All slots together let no more pass than four keys in each set are worth: time stands still.
    assert!(passed <= 2 * 5 * 8_192, "{passed} others passed");
    if let (Some(before), Some(after)) = (before, resident()) {
        let grown = after.saturating_sub(before);
        assert!(grown < 4 << 20, "{grown} bytes more than before");
    }
}

#[test]
fn a_million_keys_free_no_limited_one_and_take_no_memory() {
    flood(Algorithm::Gcra, 1_000_000);
}

#[test]
fn a_flood_of_a_window_frees_no_limited_one_either() {
    flood(Algorithm::sliding_window(), 200_000);
}

#[test]
#[ignore = "takes half a minute without optimisation: run with --release -- --ignored"]
fn ten_million_keys_free_no_limited_one_and_take_no_memory() {
    flood(Algorithm::Gcra, 10_000_000);
    flood(Algorithm::sliding_window(), 10_000_000);
}
