use std::time::Duration;

use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::round_trip::RoundTrip;
use super::settings::Fields;
use super::stats::Ema;
use super::{LimitAlgorithm, Sample, Signal};

/// Compares what a call takes with what calls took for a long time (formula and constants of Netflix' `Gradient2Limit`).
///
/// With `L` the limit, `short` what the call took and `long` the average of the last calls:
///
/// ```text
/// g  = tolerance · long / short, from 0.5 to 1
/// L' = (1 − smoothing) · L + smoothing · (L · g + queue)
/// ```
///
/// A call that completes changes the limit if at least half of it is in use, at most once in each round trip; each call that
/// completes is averaged. `long` begins as the mean of ten calls. Where it is more than twice `short`, the service has become quicker,
/// and `drift` of it is left after each call. A dropped call does not tell what calls take; it leaves `backoff` of the limit (in Netflix'
/// it counts as if it had completed). An abandoned call can lower the limit, and is not averaged.
///
/// Under lasting overload `long` becomes what calls take under overload, and the limit follows it up. `probe` measures again and again
/// (a variant; Netflix' does not): once so many calls have completed since the last time, the limit is halved. Of the calls that began
/// after that the first that completes is left out, and what the second takes is `long`. Then the limit is what it was before. A probe
/// begins only where at least half of the limit is in use; a call that is dropped during one lowers both limits, and one that is
/// abandoned tells nothing. One call is little to measure by: use it in windows.
///
/// Where calls differ much, feed it through [`Windowed`](super::Windowed). Without a `probe` the limit creeps up to `queue / (1 − g)`
/// where `g` stays below 1, and to `max` where calls never take longer: give a `max` that is no harm.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Gradient2 {
    /// The limit to begin with: from `min` to `max`. Default 20.
    pub initial: u32,
    /// The lowest limit: at least 1. Default 20.
    pub min: u32,
    /// The highest limit. Default 200.
    pub max: u32,
    /// How much of each step is taken: above 0 and at most 1. Default 0.2.
    pub smoothing: f64,
    /// How many calls may wait: up to 1 000 000. Default 4. With 0 the limit never rises.
    pub queue: u32,
    /// How many calls the long average goes back: 1 to 1 000 000. Default 600.
    pub long_window: u32,
    /// How many times as long as the long average a call may take: 1 to 1000. Default 1.5.
    pub tolerance: f64,
    /// What is left of a long average that is twice too long: above 0 and at most 1. Default 0.95.
    pub drift: f64,
    /// What a dropped call leaves of the limit: above 0 and at most 1. Default 0.9. With 1 it tells nothing.
    pub backoff: f64,
    /// After how many calls that completed the long average is measured anew: up to 1 000 000. Default 0: never.
    pub probe: u32,
}

setters!(Gradient2 {
    initial: u32,
    min: u32,
    max: u32,
    smoothing: f64,
    queue: u32,
    long_window: u32,
    tolerance: f64,
    drift: f64,
    backoff: f64,
    probe: u32,
});

impl Default for Gradient2 {
    fn default() -> Self {
        Self {
            initial: 20,
            min: 20,
            max: 200,
            smoothing: 0.2,
            queue: 4,
            long_window: 600,
            tolerance: 1.5,
            drift: 0.95,
            backoff: 0.9,
            probe: 0,
        }
    }
}

impl Gradient2 {
    const WARM_UP: u32 = 10;

    /// The algorithm at its beginning.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn build(self) -> Result<Gradient2Limit, ConfigError> {
        let fields = Fields("gradient2");
        fields.bounds(self.initial, self.min, self.max)?;
        fields.share("smoothing", self.smoothing)?;
        fields.count("queue", self.queue, 0, 1_000_000)?;
        fields.count("long_window", self.long_window, 1, 1_000_000)?;
        fields.number("tolerance", self.tolerance, 1.0, 1_000.0)?;
        fields.share("drift", self.drift)?;
        fields.share("backoff", self.backoff)?;
        fields.count("probe", self.probe, 0, 1_000_000)?;
        Ok(Gradient2Limit {
            config: self,
            limit: self.initial.into(),
            long: Ema::new(self.long_window, Self::WARM_UP),
            round_trip: RoundTrip::default(),
            calls: 0,
            probe: None,
        })
    }
}

/// [`Gradient2`] at work.
#[derive(Clone, Debug)]
pub struct Gradient2Limit {
    config: Gradient2,
    limit: f64,
    /// In nanoseconds.
    long: Ema,
    round_trip: RoundTrip,
    /// How many calls completed since the last probe.
    calls: u32,
    /// The one that is under way.
    probe: Option<Probe>,
}

/// The limit is halved, to find what calls take with less load.
#[derive(Clone, Copy, Debug)]
struct Probe {
    /// The limit when it is over: not below the one during it.
    back_to: f64,
    /// Whether a call has completed that began after the limit was halved.
    drained: bool,
}

impl LimitAlgorithm for Gradient2Limit {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds that are u32")]
    fn limit(&self) -> u32 {
        self.limit as u32
    }

    fn on_sample(&mut self, sample: &Sample) -> u32 {
        self.round_trip.follow(sample.at);
        if let Some(probe) = self.probe {
            self.go_on(probe, sample);
        } else if self.is_due(sample) {
            self.probe = Some(Probe { back_to: self.limit, drained: false });
            self.become_at(sample.at, self.bounded(self.limit * 0.5));
        } else {
            self.adapt(sample);
        }
        self.limit()
    }

    fn on_tick(&mut self, now: Timestamp) -> u32 {
        self.round_trip.follow(now);
        self.limit()
    }
}

impl Gradient2Limit {
    /// What calls take on average, once one has completed.
    pub fn long_rtt(&self) -> Option<Duration> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an average of u64 values")]
        self.long.get().map(|nanos| Duration::from_nanos(nanos as u64))
    }

    /// Whether the long average is being measured anew: the limit is half of what it was until then.
    pub const fn is_measuring(&self) -> bool {
        self.probe.is_some()
    }

    fn bounded(&self, limit: f64) -> f64 {
        limit.clamp(self.config.min.into(), self.config.max.into())
    }

    fn become_at(&mut self, at: Timestamp, limit: f64) {
        self.round_trip.note(at, self.limit, limit);
        self.limit = limit;
    }

    /// Whether a probe is to begin with this call, which is counted.
    fn is_due(&mut self, sample: &Sample) -> bool {
        if self.config.probe == 0 || sample.signal != Signal::Completed {
            return false;
        }
        self.calls = self.calls.saturating_add(1);
        // A probe lowers the limit and is no sooner than any other change of it.
        self.calls >= self.config.probe && sample.uses_half(self.limit()) && self.round_trip.may_raise(sample)
    }

    #[expect(clippy::cast_precision_loss, reason = "times are known to far less than 53 bits")]
    fn go_on(&mut self, probe: Probe, sample: &Sample) {
        match sample.signal {
            Signal::Dropped if self.round_trip.may_lower(sample) => {
                let back_to = self.bounded(probe.back_to * self.config.backoff);
                // Noted of the limit that is the last to reach the lowest one.
                self.round_trip.note(sample.at, probe.back_to, back_to);
                self.limit = self.bounded(self.limit * self.config.backoff);
                self.probe = Some(Probe { back_to, ..probe });
            }
            Signal::Completed if self.round_trip.may_raise(sample) => {
                if probe.drained {
                    self.long = Ema::starting_at(self.config.long_window, sample.nanos() as f64);
                    self.become_at(sample.at, probe.back_to);
                    self.calls = 0;
                    self.probe = None;
                } else {
                    self.probe = Some(Probe { drained: true, ..probe });
                }
            }
            Signal::Completed | Signal::Dropped | Signal::Abandoned => {}
        }
    }

    fn adapt(&mut self, sample: &Sample) {
        let Some(limit) = self.after(sample) else { return };
        let limit = self.bounded(limit);
        let may = if limit < self.limit {
            self.round_trip.may_lower(sample)
        } else {
            sample.signal == Signal::Completed && self.round_trip.may_raise(sample)
        };
        if may {
            self.become_at(sample.at, limit);
        }
    }

    /// The limit that the call asks for, if it asks for any.
    #[expect(clippy::cast_precision_loss, reason = "times are known to far less than 53 bits")]
    fn after(&mut self, sample: &Sample) -> Option<f64> {
        let short = sample.nanos() as f64;
        let long = match sample.signal {
            Signal::Dropped => return Some(self.limit * self.config.backoff),
            Signal::Abandoned => self.long.get()?,
            Signal::Completed => {
                let long = self.long.add(short);
                if long > 2.0 * short {
                    self.long.scale(self.config.drift);
                }
                long
            }
        };
        if !sample.uses_half(self.limit()) {
            return None;
        }
        let &Gradient2 { smoothing, tolerance, queue, .. } = &self.config;
        let gradient = (tolerance * long / short).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + f64::from(queue);
        // In this form nothing wanted is nothing changed, to the last bit.
        Some(self.limit + smoothing * (wanted - self.limit))
    }
}
