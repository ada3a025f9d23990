use std::time::Duration;

/// When a falling success rate opens the circuit, as an exponential moving average (EMA): the rule of Finagle's failure accrual.
///
/// It keeps one number instead of a window. Each call that ends moves it by `average += (outcome - average) * (1 - w)`, where
/// `outcome` is 1 for a success and 0 for a failure; the first call sets it. Over calls, `w` is `exp(-1 / window)`; over time it
/// is `exp(-elapsed / window)`, with the time since the last call. The circuit opens at a failure after which the average is
/// below [`required`](Self::required), once a whole window has passed since the circuit closed. It begins anew when the circuit
/// closes again.
///
/// An average forgets slowly: what is a window old still weighs `1/e`. After nothing but successes it takes `ln 2` of a window
/// of nothing but failures to fall to one half, where in a window of the same size more than half of the calls have failed
/// after 51 %. Prefer [`Config::failure_rate`](crate::Config::failure_rate), unless circuits are to open as they do in Finagle.
///
/// Over calls, successes are counted without a lock as ever. Over time each of them takes the lock and reads the clock, because
/// its moment decides its weight; calls that end at the same moment weigh nothing but the first.
///
/// ```
/// use seawall_circuit_breaker::{Cause, CircuitBreaker, Config, SuccessRateEma};
/// use seawall_core::Outcome;
/// use std::time::Duration;
///
/// let breaker = CircuitBreaker::new(Config::empty().success_rate_ema(SuccessRateEma::over_calls(0.5, 100)))?;
/// for _ in 0..100 {
///     breaker.record(Outcome::Success, Duration::ZERO);
/// }
/// for _ in 0..69 {
///     breaker.record(Outcome::Failure, Duration::ZERO);
/// }
/// assert!(breaker.snapshot().success_rate_ema > Some(0.5));
/// breaker.record(Outcome::Failure, Duration::ZERO);
/// assert_eq!(breaker.snapshot().cause, Some(Cause::SuccessRateEma));
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct SuccessRateEma {
    /// The share of successes below which the circuit opens: above 0, at most 1.
    pub required: f64,
    /// Over what the average is taken.
    pub over: EmaWindow,
}

/// Over what a moving average is taken: the mean lifetime of a call in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EmaWindow {
    /// So many calls: 1 to 1 000 000.
    Calls(u32),
    /// So much time.
    Time {
        /// How long: above zero, at most 366 days.
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        length: Duration,
        /// How many calls of the last `length` there must be, counted in five buckets: at least 1. By default 5.
        #[cfg_attr(feature = "serde", serde(default = "default_minimum"))]
        minimum_calls: u32,
    },
}

const fn default_minimum() -> u32 {
    5
}

impl SuccessRateEma {
    /// Opens below this success rate, averaged over `window` calls.
    pub const fn over_calls(required: f64, window: u32) -> Self {
        Self { required, over: EmaWindow::Calls(window) }
    }

    /// Opens below this success rate, averaged over `length`, of which there must be at least 5 calls.
    pub const fn over_time(required: f64, length: Duration) -> Self {
        Self { required, over: EmaWindow::Time { length, minimum_calls: default_minimum() } }
    }

    /// The same with another minimum of calls. Changes nothing for an average over calls, whose window is the minimum.
    #[must_use]
    pub const fn minimum_calls(mut self, minimum: u32) -> Self {
        if let EmaWindow::Time { minimum_calls, .. } = &mut self.over {
            *minimum_calls = minimum;
        }
        self
    }
}
