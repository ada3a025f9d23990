//! Our limiter of one key, through the front doors that users call.

use std::hint::black_box;
use std::sync::Arc;

use seawall_rate_limit::limit::{Alignment, AtomicGcra};
use seawall_rate_limit::{Algorithm, Config, Quota, RateLimiter, Scaling};
use tower::Layer;

use super::quotas;
use crate::compare::service::service;
use crate::harness::{Lane, Mismatch, Subject, Tally, drive_sync, serve};

/// A token bucket that never runs out.
pub(super) fn accept() -> Subject {
    admitting(bucket(), check)
}

/// The same, of which threads take leases.
pub(super) fn accept_sharded() -> Subject {
    admitting(bucket().scaling(Scaling::Sharded), check)
}

/// A token bucket that counts nothing and never runs out.
pub(super) fn accept_bare() -> Subject {
    bare(quotas::bucket())
}

/// A token bucket that counts nothing and has run out.
pub(super) fn refuse_bare() -> Subject {
    bare(quotas::exhausted())
}

/// A token bucket that has run out.
pub(super) fn refuse() -> Subject {
    refusing(Config::new(quotas::exhausted()).algorithm(Algorithm::Gcra), check)
}

/// The same, and the caller looks when to come back.
pub(super) fn refuse_and_tell() -> Subject {
    refusing(Config::new(quotas::exhausted()).algorithm(Algorithm::Gcra), |limiter| {
        let limiter = limiter.clone();
        drive_sync(move || match limiter.check() {
            Ok(_) => true,
            Err(throttled) => {
                black_box(throttled.retry_after());
                false
            }
        })
    })
}

/// The default, a sliding window, never full.
pub(super) fn accept_window() -> Subject {
    admitting(Config::new(quotas::window()), check)
}

/// A sliding window that is full.
pub(super) fn refuse_window() -> Subject {
    refusing(Config::new(quotas::exhausted()), check)
}

/// A tower layer over the default, a sliding window, never full.
pub(super) fn layer_window() -> Subject {
    admitting(Config::new(quotas::window()), layered)
}

/// A tower layer over a token bucket that never runs out.
pub(super) fn layer_bucket() -> Subject {
    admitting(bucket(), layered)
}

/// A tower layer over windows that begin with the first call, as the peer's.
pub(super) fn layer_fixed() -> Subject {
    let algorithm = Algorithm::FixedWindow { alignment: Alignment::FirstCell };
    admitting(Config::new(quotas::window()).algorithm(algorithm), layered)
}

/// A tower layer over a window of two counters.
pub(super) fn layer_counter() -> Subject {
    admitting(Config::new(quotas::window()).algorithm(Algorithm::WindowCounter), layered)
}

/// A tower layer that remembers each call.
pub(super) fn layer_log() -> Subject {
    admitting(Config::new(quotas::log()).algorithm(Algorithm::SlidingLog), layered)
}

fn bare(quota: Quota) -> Subject {
    let bucket = Arc::new(AtomicGcra::new(quota).expect("the quota is valid"));
    if quota == quotas::exhausted() {
        bucket.check().expect("there is one cell");
    }
    Subject::new(move |_| {
        let bucket = bucket.clone();
        drive_sync(move || bucket.check().is_ok())
    })
}

fn bucket() -> Config {
    Config::new(quotas::bucket()).algorithm(Algorithm::Gcra)
}

fn build(config: Config) -> RateLimiter {
    RateLimiter::new(config.name("api")).expect("the settings are valid")
}

fn admitting(config: Config, lane: fn(&RateLimiter) -> Lane) -> Subject {
    subject(build(config), lane)
}

/// Of a limiter whose only cell is taken.
fn refusing(config: Config, lane: fn(&RateLimiter) -> Lane) -> Subject {
    let limiter = build(config);
    limiter.check().expect("there is one cell");
    subject(limiter, lane)
}

fn subject(limiter: RateLimiter, lane: fn(&RateLimiter) -> Lane) -> Subject {
    let (before, audited) = (limiter.snapshot(), limiter.clone());
    Subject::new(move |_| lane(&limiter)).audited(move |driven: &Tally| {
        let after = audited.snapshot();
        Mismatch::check("admitted", driven.admitted, after.admitted - before.admitted)?;
        Mismatch::check("throttled", driven.refused, after.throttled - before.throttled)
    })
}

fn check(limiter: &RateLimiter) -> Lane {
    let limiter = limiter.clone();
    drive_sync(move || limiter.check().is_ok())
}

fn layered(limiter: &RateLimiter) -> Lane {
    serve(limiter.layer().layer(service()))
}
