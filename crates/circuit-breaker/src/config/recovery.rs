use std::time::Duration;

/// How calls come back once the probes have succeeded: in stages, each of which lets a larger share of them pass.
///
/// A cold dependency that could answer three probes may still fall under the whole load. In a stage with share `s`, of any `n`
/// calls exactly `s * n`, rounded up, are admitted and the others refused. A stage is passed when it has lasted
/// [`each`](Self::each) and [`calls`](Self::calls) of its calls have ended well enough; what is well enough is what
/// [`HalfOpen`](crate::HalfOpen) asks of the probes, but for `wait_for_all`. As soon as that cannot be kept any more, missing calls taken
/// for good ones, the circuit opens again. After the last stage it closes.
///
/// While no calls come, a stage lasts. If some of its calls hang, so that none ends for [`HalfOpen::max`](crate::HalfOpen::max),
/// it ends as [`HalfOpen::after_max`](crate::HalfOpen::after_max) says.
///
/// ```
/// use seawall_circuit_breaker::{CircuitBreaker, Config, Recovery};
/// use std::time::Duration;
///
/// let careful = Recovery::new([0.01, 0.05, 0.25]).each(Duration::from_secs(20)).calls(50);
/// let breaker = CircuitBreaker::new(Config::default().recovery(careful))?;
/// let error = CircuitBreaker::new(Config::default().recovery(Recovery::new([0.5, 0.1]))).unwrap_err();
/// assert_eq!(error.to_string(), "`recovery.shares` is 0.1 after 0.5, must be 1 to 16 shares that rise, each above 0 and below 1");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Recovery {
    /// The share of calls that each stage admits: 1 to 16 of them, rising, each above 0 and below 1.
    pub shares: Vec<f64>,
    /// How long each stage lasts at least. By default 10 seconds.
    #[cfg_attr(feature = "serde", serde(default = "default_each", with = "humantime_serde"))]
    pub each: Duration,
    /// How many calls of each stage must have ended before it is passed: 1 to 1 000 000. By default 10.
    #[cfg_attr(feature = "serde", serde(default = "default_calls"))]
    pub calls: u32,
}

const fn default_each() -> Duration {
    Duration::from_secs(10)
}

const fn default_calls() -> u32 {
    10
}

impl Recovery {
    /// One stage for each of these shares, of at least 10 seconds and 10 calls.
    pub fn new(shares: impl Into<Vec<f64>>) -> Self {
        Self { shares: shares.into(), each: default_each(), calls: default_calls() }
    }

    /// Each stage lasts at least so long.
    #[must_use]
    pub const fn each(mut self, duration: Duration) -> Self {
        self.each = duration;
        self
    }

    /// So many calls of each stage must have ended before it is passed.
    #[must_use]
    pub const fn calls(mut self, calls: u32) -> Self {
        self.calls = calls;
        self
    }
}

impl Default for Recovery {
    /// 1 %, 5 %, 25 %, 50 %.
    fn default() -> Self {
        Self::new([0.01, 0.05, 0.25, 0.5])
    }
}
