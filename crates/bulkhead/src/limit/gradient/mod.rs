mod config;

use std::time::Duration;

use seawall_core::random::Random;
use seawall_core::time::Timestamp;

pub use config::Gradient;

use super::round_trip::stepped_back;
use super::stats::QuantileWindow;
use super::{LimitAlgorithm, Sample, Signal};

/// [`Gradient`] at work.
#[derive(Clone, Debug)]
pub struct GradientLimit {
    config: Gradient,
    limit: u32,
    phase: Phase,
    /// Of the window, or of the measurement.
    calls: QuantileWindow,
    /// How many nanoseconds the longest of the calls took that were dropped in the window.
    dropped: Option<u64>,
    /// How many were in flight at most in the window.
    in_flight: u32,
    /// What calls take: with little load, and in the last window that had any. In nanoseconds.
    least: Option<u64>,
    last: Option<u64>,
    lowered: Timestamp,
    /// How many windows in a row left the limit at its minimum.
    at_min: u32,
    /// The latest time that was told.
    now: Timestamp,
    random: Random,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Calls that began before `since` do not count. `back_to` is the limit when it is over.
    Measuring { since: Timestamp, back_to: u32 },
    /// The window ends, and `minRTT` is measured again.
    Adapting { window_end: Timestamp, probe_at: Timestamp },
}

/// How many windows at the minimum say that what calls take with little load is not known.
const WINDOWS_AT_MIN: u32 = 5;
/// The most calls of a window, beyond which they are drawn.
const CALLS: u32 = 256;

impl GradientLimit {
    pub(super) fn new(config: Gradient) -> Self {
        Self {
            config,
            limit: config.min,
            phase: Phase::Measuring { since: Timestamp::ZERO, back_to: config.min },
            calls: QuantileWindow::new(CALLS.max(config.probe_calls), config.seed),
            dropped: None,
            in_flight: 0,
            least: None,
            last: None,
            lowered: Timestamp::ZERO,
            at_min: 0,
            now: Timestamp::ZERO,
            random: Random::new(config.seed),
        }
    }

    /// What calls take with little load, once it was measured.
    pub fn min_rtt(&self) -> Option<Duration> {
        self.least.map(Duration::from_nanos)
    }

    /// What calls took in the last window in which there were any.
    pub fn sample_rtt(&self) -> Option<Duration> {
        self.last.map(Duration::from_nanos)
    }

    /// Whether what calls take with little load is being measured: the limit is its minimum until then.
    pub const fn is_measuring(&self) -> bool {
        matches!(self.phase, Phase::Measuring { .. })
    }

    fn measure(&mut self, since: Timestamp) {
        self.clear();
        self.phase = Phase::Measuring { since, back_to: self.limit };
        self.at_min = 0;
        self.limit = self.config.min;
    }

    fn clear(&mut self) {
        self.calls.clear();
        self.dropped = None;
        self.in_flight = 0;
    }

    /// What calls take is known now.
    fn adapt(&mut self, now: Timestamp, back_to: u32) {
        if let Some(least) = self.calls.quantile(self.config.percentile) {
            self.least = Some(least);
        }
        self.clear();
        self.limit = back_to;
        let probe_at = now + self.config.probe_after(self.random.next());
        self.phase = Phase::Adapting { window_end: now + self.config.window, probe_at };
    }

    fn close_window(&mut self, now: Timestamp) {
        let before = self.limit;
        let found = self.found(now);
        self.clear();
        let Some(limit) = found else { return };
        if limit < before {
            self.lowered = now;
        }
        self.at_min = if limit == self.config.min && before == limit { self.at_min + 1 } else { 0 };
        self.limit = limit;
        if self.at_min >= WINDOWS_AT_MIN {
            self.measure(now);
        }
    }

    /// The limit after this window, if it tells of any.
    #[expect(clippy::cast_precision_loss, reason = "times are known to far less than 53 bits")]
    fn found(&mut self, now: Timestamp) -> Option<u32> {
        let sample = self.calls.quantile_at_least(self.config.percentile, self.last);
        self.last = sample.or(self.last);
        // Calls that were all dropped sooner than others completed do not tell what calls take, but that there are too many.
        let rtt = sample.or(self.dropped)?;
        let gradient = match (sample, self.least) {
            (Some(sample), Some(least)) => self.config.gradient(least as f64, sample as f64),
            _ => 1.0,
        };
        let limit = self.config.next(self.limit, gradient, self.dropped.is_some());
        let may = if limit > self.limit {
            u64::from(self.in_flight) * 2 >= self.limit.into()
        } else {
            now >= self.lowered + Duration::from_nanos(rtt)
        };
        Some(if may { limit } else { self.limit })
    }

    fn follow(&mut self, now: Timestamp) {
        let back = stepped_back(self.now, now);
        self.now = if back { now } else { self.now.max(now) };
        if !back {
            return;
        }
        self.lowered = now;
        match &mut self.phase {
            Phase::Measuring { since, .. } => *since = now,
            Phase::Adapting { window_end, probe_at } => {
                *window_end = now + self.config.window;
                *probe_at = now + self.config.probe_every;
            }
        }
    }
}

impl LimitAlgorithm for GradientLimit {
    fn limit(&self) -> u32 {
        self.limit
    }

    fn on_sample(&mut self, sample: &Sample) -> u32 {
        self.on_tick(sample.at);
        match self.phase {
            Phase::Measuring { since, back_to } => {
                if sample.signal == Signal::Completed && sample.began() >= since {
                    self.calls.add(sample.nanos());
                    if self.calls.len() >= self.config.probe_calls {
                        self.adapt(self.now, back_to);
                    }
                }
            }
            Phase::Adapting { .. } => {
                self.in_flight = self.in_flight.max(sample.in_flight);
                if sample.signal == Signal::Dropped {
                    self.dropped = self.dropped.max(Some(sample.nanos()));
                }
                match sample.signal {
                    Signal::Completed => self.calls.add(sample.nanos()),
                    Signal::Dropped | Signal::Abandoned => self.calls.add_at_least(sample.nanos()),
                }
            }
        }
        self.limit
    }

    fn on_tick(&mut self, now: Timestamp) -> u32 {
        self.follow(now);
        let now = self.now;
        if let Phase::Adapting { window_end, .. } = &mut self.phase
            && now >= *window_end
        {
            *window_end = now + self.config.window;
            self.close_window(now);
        }
        if let Phase::Adapting { probe_at, .. } = self.phase
            && now >= probe_at
        {
            self.measure(now);
        }
        self.limit
    }
}
