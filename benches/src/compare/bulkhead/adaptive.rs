//! Limits that find themselves, ours and those of tower-resilience and `tower-acc`.

use std::hint::black_box;
use std::time::Duration;

use seawall_bulkhead::limit::{Adaptive, Aimd, Gradient2, Sample, Signal, Vegas};
use seawall_bulkhead::{Bulkhead, Config};
use seawall_core::Permit;
use seawall_core::time::Timestamp;
use tower::Layer;
use tower_resilience_adaptive::AdaptiveLimiterLayer;

use super::super::service::service;
use super::ours::admitting;
use crate::harness::{Subject, drive_sync, serve};

/// One sample for Vegas, which wavers around a limit.
pub(super) fn vegas_samples() -> Subject {
    samples(Vegas::default().into())
}

/// One sample for Gradient2.
pub(super) fn gradient2_samples() -> Subject {
    samples(Gradient2::default().into())
}

/// Calls that take between one and two milliseconds, and use as much as they may.
fn samples(adaptive: Adaptive) -> Subject {
    Subject::new(move |_| {
        let mut algorithm = adaptive.build().expect("the settings are valid");
        let (mut at, mut turn) = (Timestamp::ZERO, 0);
        drive_sync(move || {
            turn += 1;
            at = at + Duration::from_micros(10);
            let rtt = Duration::from_micros(1_000 + turn * 37 % 1_000);
            black_box(algorithm.on_sample(&Sample::new(at, rtt, algorithm.limit(), Signal::Completed))) > 0
        })
    })
}

fn build(adaptive: impl Into<Adaptive>) -> Bulkhead {
    Bulkhead::new(Config::adaptive(adaptive).name("database")).expect("the settings are valid")
}

/// A permit is taken, and the call said to have succeeded.
pub(super) fn admit() -> Subject {
    admitting(build(Aimd::default()), |bulkhead| {
        let bulkhead = bulkhead.clone();
        drive_sync(move || bulkhead.try_admit().map(Permit::success).is_ok())
    })
}

/// Our layer over AIMD.
pub(super) fn layer_aimd() -> Subject {
    admitting(build(Aimd::default()), |bulkhead| serve(bulkhead.layer().layer(service())))
}

/// Our layer over Vegas.
pub(super) fn layer_vegas() -> Subject {
    admitting(build(Vegas::default()), |bulkhead| serve(bulkhead.layer().layer(service())))
}

/// tower-resilience over its AIMD.
pub(super) fn resilience_aimd() -> Subject {
    let algorithm = tower_resilience_adaptive::Aimd::builder().initial_limit(20).min_limit(20).max_limit(200);
    let layer = AdaptiveLimiterLayer::new(algorithm.build().expect("the settings are valid"));
    let service = layer.layer(service());
    Subject::new(move |_| serve(service.clone()))
}

/// tower-resilience over its Vegas.
pub(super) fn resilience_vegas() -> Subject {
    let algorithm = tower_resilience_adaptive::Vegas::builder().initial_limit(20).max_limit(200);
    let layer = AdaptiveLimiterLayer::new(algorithm.build().expect("the settings are valid"));
    let service = layer.layer(service());
    Subject::new(move |_| serve(service.clone()))
}

/// `tower-acc` over its AIMD. Its services share one limit when they are cloned.
pub(super) fn acc_aimd() -> Subject {
    let algorithm = tower_acc::Aimd::builder().initial_limit(20).min_limit(20).max_limit(200).build();
    let service = tower_acc::ConcurrencyLimit::new(service(), algorithm);
    Subject::new(move |_| serve(service.clone()))
}

/// `tower-acc` over its Vegas.
pub(super) fn acc_vegas() -> Subject {
    let algorithm = tower_acc::Vegas::builder().initial_limit(20).max_limit(200).build();
    let service = tower_acc::ConcurrencyLimit::new(service(), algorithm);
    Subject::new(move |_| serve(service.clone()))
}
