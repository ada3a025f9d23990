//! How loaded the service is, told to the limits that adapt.

use std::sync::Arc;
use std::time::Duration;

use seawall_bulkhead::load::LoadGauge;
use seawall_core::time::Clock;
use serde::Serialize;
use utoipa::ToSchema;

use super::RateLimits;
use crate::metrics::HttpFigures;
use crate::shutdown::Drain;

/// How loaded the service is: the load by which features are switched off as well.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) gauge: LoadGauge,
    pub(crate) requests: HttpFigures,
    /// So many are a load of 1.
    pub(crate) ceiling: u32,
}

/// The load at one moment.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Loaded {
    /// From 0 to 1: above the target of an adaptive limit its quota falls.
    pub(super) load: f64,
    /// Requests under way.
    requests: u32,
    /// So many are a load of 1, whatever else there is.
    ceiling: u32,
}

impl Load {
    pub(super) fn now(&self) -> Loaded {
        let Self { gauge, requests, ceiling } = self;
        gauge.update();
        Loaded { load: gauge.load().unwrap_or_default(), requests: requests.under_way(), ceiling: *ceiling }
    }
}

/// Tells `limits` the load every `interval`, until the service drains.
pub(crate) async fn follow(load: Load, limits: Arc<RateLimits>, interval: Duration, clock: Clock, drain: Drain) {
    loop {
        drain.begun_within(interval, &clock).await;
        if drain.has_begun() {
            return;
        }
        limits.adapt(load.now().load);
    }
}
