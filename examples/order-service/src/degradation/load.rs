//! How loaded the service is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use seawall_bulkhead::load::{LoadGauge, Signal};
use seawall_core::ConfigError;
use seawall_core::time::Clock;

use super::features::Features;
use super::history::History;
use crate::bulkheads::Bulkheads;
use crate::config;
use crate::metrics::HttpFigures;
use crate::shutdown::Drain;

/// How loaded the service is, and what it leaves undone because of that.
#[derive(Debug)]
pub(crate) struct Degradation {
    gauge: LoadGauge,
    pub(super) features: Arc<Features>,
    pub(super) history: History,
    /// What the lever says, as the bits of a number.
    lever: Arc<AtomicU64>,
}

/// A load, from 0 to 1, as it is by the requests under way: whatever it is that makes requests slow, there are more at once.
pub(crate) fn of_requests(requests: u32, ceiling: u32) -> f64 {
    (f64::from(requests) / f64::from(ceiling)).min(1.0)
}

impl Degradation {
    /// Goes by the `requests` under way, of which `ceiling` are all that the service should have, and by the line of the database.
    pub(crate) fn new(
        config: &config::Degradation,
        (requests, ceiling): (HttpFigures, u32),
        bulkheads: &Bulkheads,
        clock: &Clock,
    ) -> Result<Self, ConfigError> {
        let history = History::default();
        let gauge = LoadGauge::with_clock(config.gauge.clone().observer(history.observer()), clock.clone())?;
        let lever = Arc::new(AtomicU64::new(0.0_f64.to_bits()));
        let told = lever.clone();
        gauge.signal(Signal::read("requests", move || of_requests(requests.under_way(), ceiling)))?;
        gauge.signal(Signal::queue_age("database-line", bulkheads.database.bulkhead(), config.queue_age))?;
        gauge.signal(Signal::read("lever", move || f64::from_bits(told.load(Ordering::Relaxed))))?;
        let features = Arc::new(Features::of(&gauge)?);
        Ok(Self { gauge, features, history, lever })
    }

    /// What makes levels of the load.
    pub(crate) fn gauge(&self) -> &LoadGauge {
        &self.gauge
    }

    /// What the lever says.
    pub(super) fn lever(&self) -> f64 {
        f64::from_bits(self.lever.load(Ordering::Relaxed))
    }

    /// Has the lever say `load`, from 0 to 1, until it is moved again. What it said before.
    pub(super) fn pull(&self, load: f64) -> f64 {
        let before = self.lever.swap(load.to_bits(), Ordering::Relaxed);
        self.gauge.sample();
        f64::from_bits(before)
    }
}

/// Looks at the load at every interval, until the service drains: what was switched off comes back though nobody asks for it.
pub(crate) async fn follow(gauge: LoadGauge, drain: Drain) {
    tokio::select! {
        never = gauge.follow_time() => match never {},
        () = drain.begun() => {}
    }
}
