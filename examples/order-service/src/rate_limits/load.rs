//! How loaded the service is, told to the limits that adapt.

use std::sync::Arc;
use std::time::Duration;

use seawall_core::time::Clock;
use serde::Serialize;
use utoipa::ToSchema;

use super::RateLimits;
use crate::metrics::HttpFigures;
use crate::shutdown::Drain;

/// How loaded the service is, by the requests under way: whatever it is that makes requests slow, there are more of them at once.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) requests: HttpFigures,
    /// So many are all that the service should have.
    pub(crate) ceiling: u32,
}

/// The load at one moment.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Loaded {
    /// From 0 to 1: above the target of an adaptive limit its quota falls.
    pub(super) load: f64,
    /// Requests under way.
    requests: u32,
    /// So many are a load of 1.
    ceiling: u32,
}

impl Load {
    pub(super) fn now(&self) -> Loaded {
        let Self { requests, ceiling } = self;
        let requests = requests.under_way();
        Loaded { load: (f64::from(requests) / f64::from(*ceiling)).min(1.0), requests, ceiling: *ceiling }
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
