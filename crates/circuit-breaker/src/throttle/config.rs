use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::observe::Observer;

use super::Event;

/// When a throttle refuses, and how often.
///
/// Values are checked when a throttle takes the configuration; the error names the field.
///
/// ```
/// use seawall_circuit_breaker::AdaptiveThrottle;
/// use seawall_circuit_breaker::throttle::Config;
/// use std::time::Duration;
///
/// let throttle = AdaptiveThrottle::new(
///     Config::default().name("search").k(1.5).window(Duration::from_secs(30)).minimum_calls(50).max_rejection(0.95),
/// )?;
/// let error = AdaptiveThrottle::new(Config::default().k(1.0)).unwrap_err();
/// assert_eq!(error.to_string(), "`k` is 1, must be a number above 1 and at most 1000");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "super::format::Config"))]
pub struct Config {
    pub(super) name: String,
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub(super) allowance: Allowance,
    pub(super) max_rejection: f64,
    pub(super) aggression: f64,
    pub(super) minimum_calls: u32,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub(super) window: Duration,
    pub(super) buckets: u32,
    pub(super) abandoned: Abandoned,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) seed: Option<u64>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) observer: Option<Arc<dyn Observer<Event>>>,
}

/// The same thing, said in one of two ways.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub(super) enum Allowance {
    K(f64),
    SuccessThreshold(f64),
}

/// What a call counts as that was dropped before its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Abandoned {
    /// As a request that was not accepted. A timeout around a dependency that hangs drops its calls, and nothing else tells
    /// that it hangs; callers that go away among calls that end are what `k` leaves room for.
    #[default]
    Failure,
    /// As nothing: as if it had never been asked for.
    Ignore,
}

impl Default for Config {
    /// `k` 2 over 10 seconds in 10 buckets, of at least 100 requests; no cap; what is dropped is not accepted.
    fn default() -> Self {
        Self {
            name: "adaptive_throttle".into(),
            allowance: Allowance::K(2.0),
            max_rejection: 1.0,
            aggression: 1.0,
            minimum_calls: 100,
            window: Duration::from_secs(10),
            buckets: 10,
            abandoned: Abandoned::Failure,
            seed: None,
            observer: None,
        }
    }
}

impl Config {
    /// Names the instance: in its refusals, metrics and events. 1 to 31 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How many requests may be made for each that is accepted: above 1, at most 1 000. 2 by default: refusing begins when
    /// fewer than half of the requests are accepted.
    ///
    /// Less sends fewer calls to a dependency that refuses them; more finds out sooner that it is back. At 1 a single failure
    /// would be refused for ever after: refused calls count as requests, so the accepted ones could never catch up.
    #[must_use]
    pub fn k(mut self, k: f64) -> Self {
        self.allowance = Allowance::K(k);
        self
    }

    /// Refuses when a smaller share of the requests is accepted than this: [`k`](Self::k) is one divided by it. At least
    /// 0.001, below 1.
    #[must_use]
    pub fn success_threshold(mut self, threshold: f64) -> Self {
        self.allowance = Allowance::SuccessThreshold(threshold);
        self
    }

    /// The most that is ever refused, as a probability: above 0, at most 1. 1 by default.
    ///
    /// While a dependency is down for longer than the window, about one call a window tries it; once it is back, the accepted
    /// calls multiply by e every `window / (k - 1)`. With 100 calls a second, `k` 2 and 10 seconds, all calls pass again after
    /// some 45 seconds, in simulations after 25 to 85. A cap of 0.95 tries it with a twentieth of the calls instead, which
    /// burdens a dependency that is down with just that, and all calls pass again after some 22 seconds.
    #[must_use]
    pub fn max_rejection(mut self, most: f64) -> Self {
        self.max_rejection = most;
        self
    }

    /// How sharply it refuses: 1 to 100. The probability is taken to the power of `1 / aggression`; 1 by default.
    #[must_use]
    pub fn aggression(mut self, aggression: f64) -> Self {
        self.aggression = aggression;
        self
    }

    /// How many requests the window must hold before any is refused: 100 by default, 0 for none.
    ///
    /// A call that has not ended is not accepted yet. So where many begin at once after a silence, this should be above
    /// `k / (k - 1)` times as many as usually run at the same time: twice as many for a `k` of 2.
    #[must_use]
    pub fn minimum_calls(mut self, calls: u32) -> Self {
        self.minimum_calls = calls;
        self
    }

    /// How far back it looks: at least one millisecond a bucket. 10 seconds by default.
    ///
    /// A dependency that goes down is noticed after `1 - 1 / k` of it, half of it for a `k` of 2; a shorter one forgets an
    /// outage sooner, and needs more calls a second to have `minimum_calls`.
    #[must_use]
    pub fn window(mut self, length: Duration) -> Self {
        self.window = length;
        self
    }

    /// In how many steps old requests leave the window: 1 to 1 000. 10 by default.
    #[must_use]
    pub fn buckets(mut self, buckets: u32) -> Self {
        self.buckets = buckets;
        self
    }

    /// What dropped calls count as.
    #[must_use]
    pub fn abandoned(mut self, abandoned: Abandoned) -> Self {
        self.abandoned = abandoned;
        self
    }

    /// Draws from this seed, so that a simulation on one thread repeats itself exactly. All threads then count in one place,
    /// which costs when there are many.
    ///
    /// A running throttle keeps the draws that it was made with.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Tells `observer` when throttling begins and ends, after all locks are released.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer<Event> + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("allowance", &self.allowance)
            .field("max_rejection", &self.max_rejection)
            .field("aggression", &self.aggression)
            .field("minimum_calls", &self.minimum_calls)
            .field("window", &self.window)
            .field("buckets", &self.buckets)
            .field("abandoned", &self.abandoned)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
