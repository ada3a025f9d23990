use std::time::Duration;

use seawall_rate_limit::{Algorithm, Config, Keyed, Quota, Seed};

use crate::support::{AT_ONCE, with};

fn config(algorithm: Algorithm, keys: u32) -> Keyed<u32> {
    Keyed::new(Config::new(Quota::per_minute(4)).algorithm(algorithm)).capacity(keys)
}

#[test]
fn a_restart_frees_nobody_who_is_limited_whatever_the_capacity() {
    for algorithm in AT_ONCE {
        for (before, after) in [(256, 256), (256, 64), (64, 256)] {
            let (old, _) = with(config(algorithm, before));
            // More keys than there are slots in the smallest, so that some are known by their set alone.
            let take = |key| old.check_n(&key, key % 4 + 1).map_or(0, |grant| grant.cells());
            let taken: Vec<u32> = (0..200).map(take).collect();
            let debts = old.debts();
            assert!(!debts.is_empty() && debts.len() <= before as usize);
            let (new, _time) = with(config(algorithm, after).seed(debts.seed()));
            new.restore(&debts, Duration::ZERO).expect("the same seed");
            for (key, taken) in (0..200).zip(taken) {
                let more = new.peek(&key).remaining();
                assert!(
                    taken + more <= 4,
                    "{algorithm:?} {before} {after}: key {key} took {taken} and has {more} left"
                );
            }
        }
    }
}

#[test]
fn the_time_between_is_subtracted() {
    for algorithm in AT_ONCE {
        let (old, _) = with(config(algorithm, 64));
        old.check_n(&7, 4).expect("all of it");
        let debts = old.debts();
        for (elapsed, free) in [(0, false), (180, true)] {
            let (new, _time) = with(config(algorithm, 64).seed(debts.seed()));
            new.restore(&debts, Duration::from_secs(elapsed)).expect("the same seed");
            assert_eq!(new.check(&7).is_ok(), free, "{algorithm:?} after {elapsed} s");
        }
    }
}

#[test]
fn debts_of_another_seed_are_refused() {
    let (old, _) = with(config(Algorithm::Gcra, 64));
    let (new, _) = with(config(Algorithm::Gcra, 64).seed(Seed::new(1, 2)));
    assert_eq!(new.restore(&old.debts(), Duration::ZERO).unwrap_err().field(), "seed");
}

#[cfg(feature = "serde")]
#[test]
fn debts_are_written_and_read_again() {
    let (old, _) = with(config(Algorithm::Gcra, 4));
    (0..20).for_each(|key| {
        let _ = old.check(&key);
    });
    let debts = old.debts();
    let text = serde_json::to_string(&debts).expect("writable");
    assert_eq!(serde_json::from_str::<seawall_rate_limit::Debts>(&text).expect("readable"), debts);
}
