//! Three limits for one call: ours as one decision, governor's as three checks in turn, of which the first that refuses ends the
//! call and leaves what the others have taken.

use std::sync::Arc;

use governor::RateLimiter as Governor;
use seawall_rate_limit::{Algorithm, Config, Layers, RateLimiter, Rule};

use super::quotas;
use crate::harness::{Mismatch, Subject, Tally, drive_sync};

/// From the narrowest to the widest.
const NAMES: [&str; 3] = ["user", "tenant", "everybody"];

/// Ours.
pub(super) fn ours() -> Subject {
    let each = NAMES.map(|name| {
        let config = Config::new(quotas::bucket()).algorithm(Algorithm::Gcra).name(name);
        RateLimiter::new(config).expect("the settings are valid")
    });
    let limits = Layers::<u64, 3>::of(each.each_ref().map(Rule::all)).expect("of different names");
    Subject::new(move |_| {
        let limits = limits.clone();
        drive_sync(move || match limits.with(&7).try_admit() {
            Ok(permit) => {
                permit.success();
                true
            }
            Err(_) => false,
        })
    })
    .audited(move |driven: &Tally| {
        each.iter().try_for_each(|limiter| {
            Mismatch::check(limiter.name().to_string(), driven.admitted, limiter.snapshot().admitted)
        })
    })
}

/// governor.
pub(super) fn governor() -> Subject {
    let each: Arc<[_]> = NAMES.iter().map(|_| Governor::direct(quotas::governors_bucket())).collect();
    Subject::new(move |_| {
        let each = each.clone();
        drive_sync(move || each.iter().all(|limiter| limiter.check().is_ok()))
    })
}
