//! A limit for each of many keys. Every call goes to the next key, in an order that no cache line follows.
//!
//! All keys are known before the first round, on both sides. Ours has room for twice as many: a table that is as good as full
//! would charge newcomers.

use std::hash::Hash;
use std::sync::Arc;

use governor::DefaultKeyedRateLimiter;
use seawall_rate_limit::{Algorithm, Config, Keyed, KeyedRateLimiter, Quota};

use super::quotas;
use crate::harness::{Lane, Mismatch, Subject, Tally, drive_sync};

/// Users of a small service.
pub(super) const MANY: usize = 10_000;
/// Users of a large one: they do not fit into a cache.
const MORE: usize = 1_000_000;

/// Ours, numbers.
pub(super) fn ours<const KEYS: usize>() -> Subject {
    let limiter = build::<u64>(KEYS, quotas::bucket());
    for key in 0..KEYS as u64 {
        limiter.check(&key).expect("there are cells");
    }
    let driven = limiter.clone();
    audited(KEYS, limiter, move |thread| {
        let (limiter, mut next) = (driven.clone(), walk(KEYS, thread));
        drive_sync(move || limiter.check(&(next() as u64)).is_ok())
    })
}

/// Ours, names.
pub(super) fn ours_by_name() -> Subject {
    let (limiter, names) = (build::<str>(MANY, quotas::bucket()), names());
    for name in names.iter() {
        limiter.check(name).expect("there are cells");
    }
    let driven = limiter.clone();
    audited(MANY, limiter, move |thread| {
        let (limiter, names, mut next) = (driven.clone(), names.clone(), walk(MANY, thread));
        drive_sync(move || limiter.check(&names[next()]).is_ok())
    })
}

/// Ours, numbers, every key at its limit.
pub(super) fn ours_refuse() -> Subject {
    let limiter = build::<u64>(MANY, quotas::exhausted());
    for key in 0..MANY as u64 {
        // A newcomer without a slot of its own has found its cell taken.
        let _ = limiter.check(&key);
    }
    let driven = limiter.clone();
    audited(MANY, limiter, move |thread| {
        let (limiter, mut next) = (driven.clone(), walk(MANY, thread));
        drive_sync(move || limiter.check(&(next() as u64)).is_ok())
    })
}

/// governor, numbers.
pub(super) fn governor<const KEYS: usize>() -> Subject {
    governed_numbers(quotas::governors_bucket(), KEYS)
}

/// governor, numbers, every key at its limit.
pub(super) fn governor_refuses() -> Subject {
    governed_numbers(quotas::governors_exhausted(), MANY)
}

fn governed_numbers(quota: governor::Quota, keys: usize) -> Subject {
    let limiter = Arc::new(DefaultKeyedRateLimiter::dashmap(quota));
    for key in 0..keys as u64 {
        limiter.check_key(&key).expect("there is a cell");
    }
    let audited = limiter.clone();
    Subject::new(move |thread| {
        let (limiter, mut next) = (limiter.clone(), walk(keys, thread));
        drive_sync(move || limiter.check_key(&(next() as u64)).is_ok())
    })
    .audited(move |_| Mismatch::check("keys", keys, audited.len()))
}

/// governor, names.
pub(super) fn governor_by_name() -> Subject {
    let (limiter, names) = (Arc::new(DefaultKeyedRateLimiter::dashmap(quotas::governors_bucket())), names());
    for name in names.iter() {
        limiter.check_key(name).expect("there are cells");
    }
    let audited = limiter.clone();
    Subject::new(move |thread| {
        let (limiter, names, mut next) = (limiter.clone(), names.clone(), walk(MANY, thread));
        drive_sync(move || limiter.check_key(&names[next()]).is_ok())
    })
    .audited(move |_| Mismatch::check("keys", MANY, audited.len()))
}

/// One of ten thousand.
pub(super) const ONE_OF_MANY: [fn() -> Subject; 2] = [ours::<MANY>, governor::<MANY>];
/// One of a million.
pub(super) const ONE_OF_MORE: [fn() -> Subject; 2] = [ours::<MORE>, governor::<MORE>];

fn names() -> Arc<[String]> {
    (0..MANY).map(|key| format!("user-{key:026}x")).collect()
}

/// A walk over all keys that differs from thread to thread: its step and their number have no common divisor.
pub(super) fn walk(keys: usize, thread: usize) -> impl FnMut() -> usize {
    let (mut at, step) = (thread * (keys / 2 - 1), 341_261 % keys);
    move || {
        at += step;
        if at >= keys {
            at -= keys;
        }
        at
    }
}

fn build<K: Hash + ?Sized + 'static>(keys: usize, quota: Quota) -> KeyedRateLimiter<K> {
    let capacity = u32::try_from(2 * keys).expect("a small number");
    let each = Config::new(quota).algorithm(Algorithm::Gcra).name("users");
    KeyedRateLimiter::new(Keyed::new(each).capacity(capacity)).expect("the settings are valid")
}

fn audited<K: ?Sized + 'static>(
    keys: usize,
    limiter: KeyedRateLimiter<K>,
    lane: impl Fn(usize) -> Lane + Send + Sync + 'static,
) -> Subject {
    let before = limiter.snapshot();
    Subject::new(lane).audited(move |driven: &Tally| {
        let after = limiter.snapshot();
        Mismatch::check("admitted", driven.admitted, after.admitted - before.admitted)?;
        Mismatch::check("throttled", driven.refused, after.throttled - before.throttled)?;
        Mismatch::check("room for the keys", true, after.capacity >= 2 * keys)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_comes_by_every_key_once() {
        for keys in [MANY, MORE] {
            for thread in [0, 1] {
                let mut next = walk(keys, thread);
                let mut seen = vec![false; keys];
                (0..keys).for_each(|_| seen[next()] = true);
                assert!(seen.iter().all(|seen| *seen), "{keys} keys, thread {thread}");
            }
        }
    }
}
