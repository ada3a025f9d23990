use std::time::Duration;

use seawall_core::time::Timestamp;

/// An exponential moving average over time: a load counts for less the longer ago it was.
///
/// `average += (load - average) * (1 - exp(-elapsed / span))`: the load averages of Unix are made so, for any spacing of the
/// samples. After one span of a new load, 63 % of the way to it is gone; after three, 95 %.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Smoothing {
    average: Option<f64>,
    last: Timestamp,
}

impl Smoothing {
    /// The average after `load`. Without a load there is none: it begins anew with the next one.
    pub(crate) fn smooth(&mut self, load: Option<f64>, span: Duration, now: Timestamp) -> Option<f64> {
        // After a step back of the clock nothing has elapsed.
        let elapsed = now.saturating_duration_since(self.last);
        self.last = now;
        self.average = load.map(|load| match self.average {
            Some(average) if !span.is_zero() => {
                average - (load - average) * (-elapsed.as_secs_f64() / span.as_secs_f64()).exp_m1()
            }
            _ => load,
        });
        self.average
    }

    /// The average as it was last.
    pub(crate) const fn average(&self) -> Option<f64> {
        self.average
    }
}
