mod config;

use std::time::Duration;

use seawall_core::time::Timestamp;

pub use config::Correlation;

use super::round_trip::stepped_back;
use super::stats::{CorrelationWindow, Ema, MovingMedian, QuantileWindow, RollingMax};
use super::{LimitAlgorithm, Sample, Signal};

/// [`Correlation`] at work.
#[derive(Clone, Debug)]
pub struct CorrelationLimit {
    config: Correlation,
    limit: u32,
    window: Window,
    median: MovingMedian,
    recent: Ema,
    baseline: Ema,
    /// Of what calls take, and of throughput, with what is in flight.
    times: CorrelationWindow,
    throughput: CorrelationWindow,
    highest: RollingMax,
    lowered: Timestamp,
    /// The latest time that was told.
    now: Timestamp,
}

#[derive(Clone, Debug)]
struct Window {
    calls: QuantileWindow,
    end: Timestamp,
    least: u64,
    in_flight: u32,
    /// How many nanoseconds the longest of those took that were dropped.
    dropped: Option<u64>,
    last: Option<u64>,
}

enum Change {
    Raise,
    Lower,
    Hold,
}

/// How many windows it takes until averages and correlations tell anything.
const WARM_UP: u32 = 10;
/// The most calls of a window, beyond which they are drawn.
const CALLS: u32 = 512;

impl CorrelationLimit {
    pub(super) fn new(config: Correlation) -> Self {
        let calls = QuantileWindow::new(CALLS, 0);
        Self {
            config,
            limit: config.initial,
            window: Window { calls, end: Timestamp::ZERO, least: u64::MAX, in_flight: 0, dropped: None, last: None },
            median: MovingMedian::new(config.median),
            recent: Ema::new(config.smoothing, WARM_UP),
            baseline: Ema::new(config.baseline, WARM_UP),
            times: CorrelationWindow::new(config.correlation),
            throughput: CorrelationWindow::new(config.correlation),
            highest: RollingMax::new(config.stabilization),
            lowered: Timestamp::ZERO,
            now: Timestamp::ZERO,
        }
    }

    /// Teaches the baseline what calls take, as of a window that was: from an earlier run, so that it need not warm up.
    pub fn teach(&mut self, rtt: Duration) {
        self.baseline.add(rtt.as_secs_f64() * 1e9);
    }

    /// The median of what calls took in the last windows, once there was one.
    pub fn median_rtt(&self) -> Option<Duration> {
        nanos(self.median.get())
    }

    /// What calls take of late, once there was a window.
    pub fn recent_rtt(&self) -> Option<Duration> {
        nanos(self.recent.get())
    }

    /// What calls take in the long run, once there was a window.
    pub fn baseline_rtt(&self) -> Option<Duration> {
        nanos(self.baseline.get())
    }

    #[expect(clippy::cast_precision_loss, reason = "times are known to far less than 53 bits")]
    fn close_window(&mut self) {
        let (in_flight, dropped) = (self.window.in_flight, self.window.dropped);
        let Some(rtt) = self.window.close(&self.config, self.now) else {
            // Calls that were all dropped do not tell what calls take, but that there are too many.
            if let Some(longest) = dropped {
                self.lower(self.config.step.of(self.limit), longest);
            }
            return;
        };
        let recent = self.recent.add(self.median.add(rtt as f64));
        let baseline = self.baseline.add(recent);
        let throughput = f64::from(in_flight) / (recent / 1e9);
        self.times.add(in_flight.into(), recent);
        self.throughput.add(in_flight.into(), throughput);
        let highest = self.highest.add(self.now, self.config.highest_for(in_flight));
        let queue = (f64::from(self.limit) * (1.0 - baseline / recent)).ceil();

        let change = if dropped.is_some() || self.is_overloaded(queue, in_flight) {
            Change::Lower
        } else {
            self.rise(queue, in_flight)
        };
        let step = self.config.step.of(self.limit);
        match change {
            _ if f64::from(self.limit) > highest => self.lower(step, rtt),
            Change::Lower => self.lower(step, rtt),
            Change::Raise if f64::from(self.limit.saturating_add(step)) <= highest => {
                self.limit = self.limit.saturating_add(step).min(self.config.max);
            }
            Change::Raise | Change::Hold => {}
        }
    }

    /// Lowers the limit, unless it fell since a call that takes so many nanoseconds began.
    fn lower(&mut self, step: u32, rtt: u64) {
        let limit = self.limit.saturating_sub(step).max(self.config.min);
        if limit < self.limit && self.now >= self.lowered + Duration::from_nanos(rtt) {
            self.limit = limit;
            self.lowered = self.now;
        }
    }

    fn is_overloaded(&self, queue: f64, in_flight: u32) -> bool {
        if queue > f64::from(self.config.beta.of(self.limit)) {
            return true;
        }
        if in_flight < self.limit || self.times.len() < WARM_UP as usize {
            return false;
        }
        let (times, throughput) = (self.times.get(), self.throughput.get());
        let steady = self.throughput.variation_of_second().is_some_and(|variation| variation < 0.2);
        throughput < 0.0 || (times > 0.5 && (throughput < 0.3 || steady))
    }

    fn rise(&self, queue: f64, in_flight: u32) -> Change {
        let used = f64::from(in_flight) >= f64::from(self.limit) * self.config.min_use;
        if used && queue < f64::from(self.config.alpha.of(self.limit)) { Change::Raise } else { Change::Hold }
    }

    fn follow(&mut self, now: Timestamp) {
        if stepped_back(self.now, now) {
            self.now = now;
            self.lowered = now;
            self.window.end = now + self.config.window;
            self.highest.clear();
        }
        self.now = self.now.max(now);
    }
}

impl Window {
    fn add(&mut self, sample: &Sample) {
        self.in_flight = self.in_flight.max(sample.in_flight);
        let nanos = sample.nanos();
        if sample.signal == Signal::Dropped {
            self.dropped = self.dropped.max(Some(nanos));
        }
        if sample.signal == Signal::Completed {
            self.least = self.least.min(nanos);
            self.calls.add(nanos);
        } else {
            self.calls.add_at_least(nanos);
        }
    }

    /// What stands for its calls; the next one begins.
    fn close(&mut self, config: &Correlation, now: Timestamp) -> Option<u64> {
        let rtt = self.calls.quantile_at_least(config.quantile, self.last);
        self.last = rtt.or(self.last);
        let twice = if self.least == u64::MAX { Duration::ZERO } else { Duration::from_nanos(self.least) * 2 };
        self.end = now + twice.clamp(config.window, config.longest);
        self.calls.clear();
        (self.least, self.in_flight, self.dropped) = (u64::MAX, 0, None);
        rtt
    }
}

impl LimitAlgorithm for CorrelationLimit {
    fn limit(&self) -> u32 {
        self.limit
    }

    fn on_sample(&mut self, sample: &Sample) -> u32 {
        self.follow(sample.at);
        self.window.add(sample);
        if self.now >= self.window.end && self.window.calls.count() >= self.config.min_samples {
            self.close_window();
        }
        self.limit
    }

    fn on_tick(&mut self, now: Timestamp) -> u32 {
        self.follow(now);
        self.limit
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an average of u64 values")]
fn nanos(average: Option<f64>) -> Option<Duration> {
    average.map(|nanos| Duration::from_nanos(nanos.round() as u64))
}
