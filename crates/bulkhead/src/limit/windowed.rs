use std::time::Duration;

use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::adaptive::PerCall;
use super::round_trip::stepped_back;
use super::settings::Fields;
use super::stats::{SampleWindow, Summary};
use super::{LimitAlgorithm, Sample, Signal};

/// Feeds an algorithm with one summary of all calls of a window instead of each of them (Netflix' `WindowedLimit`).
///
/// A window ends with the first call that ends after `window`, or after twice the time of the quickest call if that is longer, up to
/// `longest`, once there were `min_samples` calls; until then it goes on. The summary is one call that took what `summary` says,
/// with the most calls in flight; it was dropped if one of them was, or more of them than `max_dropped`. Calls that took less than
/// `min_rtt` are left out.
///
/// An abandoned call is one of the window's if it took longer than the summary of the others; if all were abandoned, so is their
/// summary. Where `max_dropped` is above 0, that goes for dropped calls too.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Windowed {
    /// What is fed.
    pub inner: PerCall,
    /// How long a window is at least: up to 366 days. Default 1 s.
    #[cfg_attr(feature = "serde", serde(default = "default_window", with = "humantime_serde"))]
    pub window: Duration,
    /// How long a window is at most, unless there are too few calls: not below `window`. Default 1 s.
    #[cfg_attr(feature = "serde", serde(default = "default_window", with = "humantime_serde"))]
    pub longest: Duration,
    /// How many calls it takes: 1 to 1 000 000. Default 10.
    #[cfg_attr(feature = "serde", serde(default = "default_min_samples"))]
    pub min_samples: u32,
    /// What stands for the calls of a window. Default their average.
    #[cfg_attr(feature = "serde", serde(default))]
    pub summary: Summary,
    /// Calls that take less are left out. Default 100 µs.
    #[cfg_attr(feature = "serde", serde(default = "default_min_rtt", with = "humantime_serde"))]
    pub min_rtt: Duration,
    /// Which share of the calls may be dropped that completed or were dropped, before the summary counts as dropped: 0 to 1. Default 0:
    /// one dropped call is enough. With 1 dropped calls tell only what they took at least.
    #[cfg_attr(feature = "serde", serde(default))]
    pub max_dropped: f64,
}

setters!(Windowed {
    inner: PerCall,
    window: Duration,
    longest: Duration,
    min_samples: u32,
    summary: Summary,
    min_rtt: Duration,
    max_dropped: f64,
});

const fn default_window() -> Duration {
    Duration::from_secs(1)
}

const fn default_min_samples() -> u32 {
    10
}

const fn default_min_rtt() -> Duration {
    Duration::from_micros(100)
}

impl Windowed {
    /// Windows of a second and at least ten calls, whose average is fed to `inner`.
    pub fn new(inner: impl Into<PerCall>) -> Self {
        Self {
            inner: inner.into(),
            window: default_window(),
            longest: default_window(),
            min_samples: default_min_samples(),
            summary: Summary::default(),
            min_rtt: default_min_rtt(),
            max_dropped: 0.0,
        }
    }

    /// The algorithm at its beginning.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn build(self) -> Result<WindowedLimit<Box<dyn LimitAlgorithm>>, ConfigError> {
        self.build_around(self.inner.build()?)
    }

    /// The same around another algorithm than [`inner`](field@Self::inner), such as one's own.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn build_around<A: LimitAlgorithm>(self, algorithm: A) -> Result<WindowedLimit<A>, ConfigError> {
        let fields = Fields("windowed");
        fields.duration("window", self.window)?;
        fields.duration("longest", self.longest)?;
        if self.longest < self.window {
            let valid = format!("at least the `window` of {:?}", self.window);
            return Err(fields.error("longest", format!("{:?}", self.longest), valid));
        }
        fields.count("min_samples", self.min_samples, 1, 1_000_000)?;
        if let Summary::Percentile(quantile) = self.summary {
            fields.share("summary", quantile)?;
        }
        fields.number("max_dropped", self.max_dropped, 0.0, 1.0)?;
        Ok(WindowedLimit {
            config: self,
            algorithm,
            calls: SampleWindow::new(self.summary).max_dropped(self.max_dropped),
            window_end: Timestamp::ZERO,
            now: Timestamp::ZERO,
        })
    }
}

/// [`Windowed`] at work.
#[derive(Clone, Debug)]
pub struct WindowedLimit<A> {
    config: Windowed,
    algorithm: A,
    calls: SampleWindow,
    window_end: Timestamp,
    /// The latest time that was told.
    now: Timestamp,
}

impl<A> WindowedLimit<A> {
    /// What is fed.
    pub const fn algorithm(&self) -> &A {
        &self.algorithm
    }
}

impl<A: LimitAlgorithm> WindowedLimit<A> {
    fn follow(&mut self, now: Timestamp) {
        if stepped_back(self.now, now) {
            self.now = now;
            self.window_end = now + self.config.window;
        }
        self.now = self.now.max(now);
    }

    fn close(&mut self) {
        let Some((rtt, all_abandoned)) = self.calls.summary() else { return };
        let signal = match (self.calls.dropped(), all_abandoned) {
            (true, _) => Signal::Dropped,
            (false, true) => Signal::Abandoned,
            (false, false) => Signal::Completed,
        };
        let sample = Sample::new(self.now, Duration::from_nanos(rtt), self.calls.in_flight(), signal);
        let twice = Duration::from_nanos(self.calls.least().saturating_mul(2));
        self.window_end = self.now + twice.clamp(self.config.window, self.config.longest);
        self.calls.clear();
        self.algorithm.on_sample(&sample);
    }
}

impl<A: LimitAlgorithm> LimitAlgorithm for WindowedLimit<A> {
    fn limit(&self) -> u32 {
        self.algorithm.limit()
    }

    fn on_sample(&mut self, sample: &Sample) -> u32 {
        self.follow(sample.at);
        if sample.rtt >= self.config.min_rtt {
            self.calls.add(sample);
        }
        if self.now > self.window_end && self.calls.len() >= self.config.min_samples {
            self.close();
        }
        self.limit()
    }

    fn on_tick(&mut self, now: Timestamp) -> u32 {
        self.follow(now);
        self.algorithm.on_tick(now)
    }
}
