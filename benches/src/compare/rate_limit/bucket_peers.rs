//! The peers that limit one key, called directly: governor and better-bucket.
//!
//! better-bucket takes the time from its caller, which reads the same clock here as ours: the clock is the dearest step of both.
//! By itself it reads `Instant::now`, which takes longer than the whole call.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use better_bucket::{BucketConfig, BucketCore};
use governor::RateLimiter;
use governor::clock::{Clock as _, DefaultClock};
use seawall_core::time::Clock;

use super::quotas;
use crate::harness::{Subject, drive_sync};

/// governor, a bucket that never runs out.
pub(super) fn governor_accepts() -> Subject {
    governor(quotas::governors_bucket())
}

/// governor, a bucket that has run out.
pub(super) fn governor_refuses() -> Subject {
    governor(quotas::governors_exhausted())
}

/// The same, and the caller looks how long to wait, for which the time is read again.
pub(super) fn governor_refuses_and_tells() -> Subject {
    let limiter = Arc::new(RateLimiter::direct(quotas::governors_exhausted()));
    limiter.check().expect("there is one cell");
    Subject::new(move |_| {
        let (limiter, clock) = (limiter.clone(), DefaultClock::default());
        drive_sync(move || match limiter.check() {
            Ok(()) => true,
            Err(until) => {
                black_box(until.wait_time_from(clock.now()));
                false
            }
        })
    })
}

fn governor(quota: governor::Quota) -> Subject {
    let limiter = Arc::new(RateLimiter::direct(quota));
    if quota == quotas::governors_exhausted() {
        limiter.check().expect("there is one cell");
    }
    Subject::new(move |_| {
        let limiter = limiter.clone();
        drive_sync(move || limiter.check().is_ok())
    })
}

/// better-bucket, a bucket that never runs out.
pub(super) fn better_bucket_accepts() -> Subject {
    better_bucket(BucketConfig::new(quotas::PLENTY, 100_000_000, Duration::from_secs(1), quotas::PLENTY), 0)
}

/// better-bucket, a bucket that has run out.
pub(super) fn better_bucket_refuses() -> Subject {
    better_bucket(BucketConfig::new(1, 1, quotas::FOREVER, 1), 1)
}

fn better_bucket(config: Result<BucketConfig, better_bucket::BucketError>, taken: u32) -> Subject {
    let clock = Clock::system();
    let time = move || Duration::from_nanos(clock.now().as_nanos());
    let bucket = Arc::new(BucketCore::new(config.expect("the settings are valid"), time()));
    assert!(bucket.try_acquire_at(taken, time()), "there are cells");
    Subject::new(move |_| {
        let (bucket, time) = (bucket.clone(), time.clone());
        drive_sync(move || bucket.try_acquire_at(1, time()))
    })
}
