use seawall_core::ConfigError;

/// How a quota follows the load: additive increase, multiplicative decrease (AIMD, Chiu and Jain 1989).
///
/// Whoever knows the load tells it from time to time, as a number from 0 to 1: of the processor, a queue, a pool of connections.
/// Above the target the share of the quota that holds is multiplied by the decrease, down to the floor; otherwise the increase is
/// added, up to the ceiling. So it falls fast and comes back slowly, and limiters that share a resource end at equal shares.
///
/// ```
/// use seawall_rate_limit::{AdaptiveConfig, Config, Quota, RateLimiter};
///
/// let api = RateLimiter::new(Config::new(Quota::per_second(100)).adaptive(AdaptiveConfig::default()))?;
/// api.adapt(0.95)?;
/// assert_eq!(api.quota().limit(), 70);
/// for _ in 0..6 {
///     api.adapt(0.2)?;
/// }
/// assert_eq!(api.quota().limit(), 100);
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct AdaptiveConfig {
    floor: f64,
    ceiling: f64,
    target: f64,
    increase: f64,
    decrease: f64,
}

impl Default for AdaptiveConfig {
    /// From a tenth to the whole of the quota; a load above 0.8 takes three tenths away, any other gives a twentieth back.
    fn default() -> Self {
        Self { floor: 0.1, ceiling: 1.0, target: 0.8, increase: 0.05, decrease: 0.7 }
    }
}

impl AdaptiveConfig {
    /// The highest ceiling.
    pub const MOST: f64 = 100.0;

    /// The least share that holds under load: above 0, at most the ceiling.
    #[must_use]
    pub const fn floor(mut self, floor: f64) -> Self {
        self.floor = floor;
        self
    }

    /// The largest share that holds without load: above 1, more than the quota; at most 100.
    #[must_use]
    pub const fn ceiling(mut self, ceiling: f64) -> Self {
        self.ceiling = ceiling;
        self
    }

    /// Above this load the share falls: above 0, below 1.
    #[must_use]
    pub const fn target(mut self, target: f64) -> Self {
        self.target = target;
        self
    }

    /// What is added to the share each time: above 0, at most 1.
    #[must_use]
    pub const fn increase(mut self, increase: f64) -> Self {
        self.increase = increase;
        self
    }

    /// What the share is multiplied by each time: above 0, below 1.
    #[must_use]
    pub const fn decrease(mut self, decrease: f64) -> Self {
        self.decrease = decrease;
        self
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let within = |field: &'static str, value: f64, valid: bool, range: &'static str| {
            if valid { Ok(()) } else { Err(ConfigError::new(field, value, range)) }
        };
        within(
            "adaptive.ceiling",
            self.ceiling,
            self.ceiling > 0.0 && self.ceiling <= Self::MOST,
            "above 0 and at most 100",
        )?;
        let floor = self.floor > 0.0 && self.floor <= self.ceiling;
        within("adaptive.floor", self.floor, floor, "above 0 and at most the ceiling")?;
        within("adaptive.target", self.target, self.target > 0.0 && self.target < 1.0, "above 0 and below 1")?;
        let increase = self.increase > 0.0 && self.increase <= 1.0;
        within("adaptive.increase", self.increase, increase, "above 0 and at most 1")?;
        within("adaptive.decrease", self.decrease, self.decrease > 0.0 && self.decrease < 1.0, "above 0 and below 1")
    }

    /// The share that holds before any load is known: the whole quota, or what lies nearest to it.
    pub(crate) const fn initial(&self) -> f64 {
        self.within(1.0)
    }

    /// The share that lies nearest to this one.
    pub(crate) const fn within(&self, share: f64) -> f64 {
        share.clamp(self.floor, self.ceiling)
    }

    /// The share after `share`, under this load.
    pub(crate) fn next(&self, share: f64, load: f64) -> f64 {
        let next = if load > self.target { share * self.decrease } else { share + self.increase };
        self.within(next)
    }
}

/// A load that was told.
pub(crate) fn checked_load(load: f64) -> Result<f64, ConfigError> {
    if (0.0..=1.0).contains(&load) { Ok(load) } else { Err(ConfigError::new("load", load, "0 to 1")) }
}
