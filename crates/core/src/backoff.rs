#[cfg(feature = "serde")]
mod format;

use std::time::Duration;

use crate::ConfigError;
use crate::random::Random;

/// Growing waits, never above a maximum, with or without [`Jitter`].
///
/// A pure function of the attempt and a random number, so that a run can be repeated; [`delays`](Self::delays) is the same as an
/// iterator.
///
/// | shape | wait after n earlier ones |
/// |---|---|
/// | [`fixed`](Self::fixed) | `wait` |
/// | [`linear`](Self::linear) | `initial + n * step` |
/// | [`exponential`](Self::exponential) | `initial * multiplier^n` |
/// | [`polynomial`](Self::polynomial) | `unit * (n + 1)^exponent` |
/// | [`decorrelated`](Self::decorrelated) | at random between `initial` and three times the last wait (Brooker, "Exponential Backoff And Jitter", 2015) |
///
/// ```
/// use seawall_core::Backoff;
/// use std::time::Duration;
///
/// let backoff = Backoff::exponential(Duration::from_secs(1), 2.0, Duration::from_secs(10))?;
/// let waits: Vec<u64> = (0..5).map(|attempt| backoff.delay(attempt, 0).as_secs()).collect();
/// assert_eq!(waits, [1, 2, 4, 8, 10]);
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
///
/// With feature `serde` it is a table of its shape, with the jitter inside:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// # use seawall_core::{Backoff, Jitter};
/// # use std::time::Duration;
/// let text = r#"{"polynomial": {"unit": "1s", "exponent": 4, "max": "1day", "jitter": {"spread": 10}}}"#;
/// let backoff: Backoff = serde_json::from_str(text).unwrap();
/// let same = Backoff::polynomial(Duration::from_secs(1), 4, Duration::from_secs(86_400)).unwrap();
/// assert_eq!(backoff, same.jitter(Jitter::Spread(10)));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "format::Table", into = "format::Table"))]
pub struct Backoff {
    initial: Duration,
    shape: Shape,
    max: Duration,
    jitter: Jitter,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Exponential { multiplier: f64 },
    Linear { step: Duration },
    Polynomial { exponent: u32 },
    Decorrelated,
}

/// How a random number changes a wait. No wait is above its maximum for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Jitter {
    /// Not at all.
    #[default]
    None,
    /// Between half of the wait and the whole.
    Equal,
    /// Between nothing and the whole.
    Full,
    /// Up to so many hundredths of the wait less or more; more than 100 are taken for 100.
    Spread(u8),
    /// Up to so many hundredths of the wait less, never more; more than 100 are taken for 100.
    Below(u8),
}

impl Backoff {
    const STEEPEST: u32 = 16;

    /// Always the same wait.
    pub const fn fixed(wait: Duration) -> Self {
        Self { initial: wait, shape: Shape::Exponential { multiplier: 1.0 }, max: wait, jitter: Jitter::None }
    }

    /// Waits that grow by `multiplier`, up to `max`.
    ///
    /// # Errors
    /// If `multiplier` is not a number of at least 1, or `max` is below `initial`.
    pub fn exponential(initial: Duration, multiplier: f64, max: Duration) -> Result<Self, ConfigError> {
        if !(multiplier.is_finite() && multiplier >= 1.0) {
            return Err(ConfigError::new("multiplier", multiplier, "a number of at least 1"));
        }
        Self::growing(initial, Shape::Exponential { multiplier }, max)
    }

    /// Waits that grow by `step`, up to `max`.
    ///
    /// # Errors
    /// If `max` is below `initial`.
    pub fn linear(initial: Duration, step: Duration, max: Duration) -> Result<Self, ConfigError> {
        Self::growing(initial, Shape::Linear { step }, max)
    }

    /// Waits of `unit` times a power of the number of the wait, counted from 1: `unit`, `unit * 2^exponent`,
    /// `unit * 3^exponent`, … up to `max`. They are exact to the nanosecond.
    ///
    /// # Errors
    /// If `exponent` is not 1 to 16, or `max` is below `unit`.
    pub fn polynomial(unit: Duration, exponent: u32, max: Duration) -> Result<Self, ConfigError> {
        if !(1..=Self::STEEPEST).contains(&exponent) {
            return Err(ConfigError::new("exponent", exponent, format!("1 to {}", Self::STEEPEST)));
        }
        Self::growing(unit, Shape::Polynomial { exponent }, max)
    }

    /// Random waits, each between `initial` and three times the one before, up to `max`. They need no jitter.
    ///
    /// # Errors
    /// If `max` is below `initial`.
    pub fn decorrelated(initial: Duration, max: Duration) -> Result<Self, ConfigError> {
        Self::growing(initial, Shape::Decorrelated, max)
    }

    fn growing(initial: Duration, shape: Shape, max: Duration) -> Result<Self, ConfigError> {
        if max < initial {
            return Err(ConfigError::new("max", format!("{max:?}"), format!("at least the initial {initial:?}")));
        }
        Ok(Self { initial, shape, max, jitter: Jitter::None })
    }

    /// The same with jitter.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The wait before the first attempt after the initial one.
    pub const fn initial(&self) -> Duration {
        self.initial
    }

    /// The longest wait.
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// The wait after `attempt` earlier ones. `random` is spread over all of `u64`, and only used for jitter. Where a wait
    /// depends on the one before, that is taken for the first.
    pub fn delay(&self, attempt: u32, random: u64) -> Duration {
        self.delay_after(self.initial, attempt, random)
    }

    /// The same, where `last` was the wait before.
    pub fn delay_after(&self, last: Duration, attempt: u32, random: u64) -> Duration {
        let whole = match self.shape {
            Shape::Exponential { multiplier } => self.multiplied(multiplier, attempt),
            Shape::Linear { step } => self.initial.saturating_add(step.saturating_mul(attempt)),
            Shape::Polynomial { exponent } => self.raised(exponent, attempt),
            Shape::Decorrelated => {
                let room = last.saturating_mul(3).saturating_sub(self.initial);
                self.initial.saturating_add(share(room, random))
            }
        };
        let whole = whole.min(self.max);
        match self.jitter {
            Jitter::None => whole,
            Jitter::Full => share(whole, random),
            Jitter::Equal => whole / 2 + share(whole.saturating_sub(whole / 2), random),
            Jitter::Spread(percent) => {
                let most = whole.saturating_mul(u32::from(percent.min(100))) / 100;
                whole.saturating_sub(most).saturating_add(share(most.saturating_mul(2), random)).min(self.max)
            }
            Jitter::Below(percent) => {
                let most = whole.saturating_mul(u32::from(percent.min(100))) / 100;
                whole.saturating_sub(most).saturating_add(share(most, random))
            }
        }
    }

    /// Whole numbers of nanoseconds, because a float of a long wait is off by microseconds.
    fn raised(&self, exponent: u32, attempt: u32) -> Duration {
        let factor = (u128::from(attempt) + 1).saturating_pow(exponent);
        let nanos = self.initial.as_nanos().saturating_mul(factor);
        if nanos < self.max.as_nanos() { from_nanos(nanos) } else { self.max }
    }

    fn multiplied(&self, multiplier: f64, attempt: u32) -> Duration {
        let factor = multiplier.powi(i32::try_from(attempt).unwrap_or(i32::MAX));
        let wait = self.initial.as_secs_f64() * factor;
        match Duration::try_from_secs_f64(wait) {
            Ok(wait) if factor > 1.0 => wait,
            Ok(_) => self.initial,
            Err(_) => self.max,
        }
    }

    /// All waits, one after the other, without an end.
    ///
    /// ```
    /// use seawall_core::Backoff;
    /// use seawall_core::random::Random;
    /// use std::time::Duration;
    ///
    /// let backoff = Backoff::linear(Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(60))?;
    /// let waits: Vec<u64> = backoff.delays(Random::new(7)).map(|wait| wait.as_secs()).take(4).collect();
    /// assert_eq!(waits, [1, 3, 5, 7]);
    /// # Ok::<(), seawall_core::ConfigError>(())
    /// ```
    pub fn delays(&self, mut random: Random) -> impl Iterator<Item = Duration> + use<> {
        let (backoff, mut last) = (*self, self.initial);
        (0..).map(move |attempt| {
            last = backoff.delay_after(last, attempt, random.next());
            last
        })
    }
}

/// A duration of so many nanoseconds, or the longest there is.
fn from_nanos(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    u64::try_from(nanos / SECOND).map_or(Duration::MAX, |seconds| Duration::new(seconds, (nanos % SECOND) as u32))
}

/// As much of `whole` as `random` is of all numbers.
fn share(whole: Duration, random: u64) -> Duration {
    let nanos = whole.as_nanos().saturating_mul(u128::from(random) + 1).saturating_add(1 << 63) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_is_above_its_cap() {
        let backoff = Backoff::exponential(Duration::from_millis(7), 1e9, Duration::from_secs(3)).expect("valid");
        for attempt in [0, 1, 2, 40, u32::MAX] {
            for random in [0, 1, u64::MAX / 2, u64::MAX] {
                for jitter in [Jitter::None, Jitter::Equal, Jitter::Full, Jitter::Below(30)] {
                    assert!(backoff.jitter(Jitter::Spread(50)).delay(attempt, random) <= Duration::from_secs(3));
                    let cap = backoff.delay(attempt, 0).min(Duration::from_secs(3));
                    assert!(backoff.jitter(jitter).delay(attempt, random) <= cap);
                }
            }
        }
    }

    #[test]
    fn equal_jitter_keeps_half() {
        let backoff = Backoff::fixed(Duration::from_secs(8)).jitter(Jitter::Equal);
        assert_eq!(backoff.delay(0, 0), Duration::from_secs(4));
        assert_eq!(backoff.delay(0, u64::MAX), Duration::from_secs(8));
    }

    #[test]
    fn a_spread_is_as_wide_below_as_above() {
        let second = Duration::from_secs(1);
        let backoff = Backoff::exponential(second, 1.0, 10 * second).expect("valid").jitter(Jitter::Spread(25));
        assert_eq!(backoff.delay(3, 0), Duration::from_millis(750));
        assert_eq!(backoff.delay(3, u64::MAX), Duration::from_millis(1_250));
        assert_eq!(backoff.jitter(Jitter::Spread(200)).delay(0, 0), Duration::ZERO);
        assert_eq!(Backoff::fixed(second).jitter(Jitter::Spread(25)).delay(0, u64::MAX), second, "never above its cap");
    }

    #[test]
    fn less_by_a_share_is_never_more() {
        let backoff = Backoff::exponential(Duration::from_secs(1), 2.0, Duration::from_secs(3600)).expect("valid");
        let jittered = backoff.jitter(Jitter::Below(50));
        assert_eq!(jittered.delay(2, 0), Duration::from_secs(2));
        assert_eq!(jittered.delay(2, 1 << 63), Duration::from_secs(3));
        assert_eq!(jittered.delay(2, u64::MAX), Duration::from_secs(4));
        assert_eq!(backoff.jitter(Jitter::Below(0)).delay(2, 7), Duration::from_secs(4));
        assert_eq!(backoff.jitter(Jitter::Below(200)).delay(2, 0), Duration::ZERO);
    }

    #[test]
    fn a_power_of_the_number_of_failures_is_exact() {
        let backoff = Backoff::polynomial(Duration::from_secs(1), 4, Duration::from_secs(400_000)).expect("valid");
        for (attempt, seconds) in [(0, 1), (1, 16), (2, 81), (9, 10_000), (22, 279_841), (23, 331_776), (25, 400_000)] {
            assert_eq!(backoff.delay(attempt, 0), Duration::from_secs(seconds), "after {attempt}");
        }
        let odd = Backoff::polynomial(Duration::from_nanos(3), 16, Duration::MAX).expect("valid");
        assert_eq!(odd.delay(9, 0), Duration::from_secs(30_000_000));
    }

    #[test]
    fn a_power_saturates_at_its_cap_exactly() {
        // The longest of 64 bits with a sign: 309^4 s are below it, 310^4 s above.
        let max = Duration::from_nanos(i64::MAX.unsigned_abs());
        let backoff = Backoff::polynomial(Duration::from_secs(1), 4, max).expect("valid");
        assert_eq!(backoff.delay(308, 0), Duration::from_secs(309_u64.pow(4)));
        for attempt in [309, 310, 999, 999_999, u32::MAX] {
            assert_eq!(backoff.delay(attempt, 0), max, "after {attempt}");
        }
        let steepest = Backoff::polynomial(Duration::MAX, 16, Duration::MAX).expect("valid");
        assert_eq!(steepest.delay(u32::MAX, 0), Duration::MAX);
    }

    #[test]
    fn decorrelated_waits_stay_within_three_times_the_last() {
        let (first, max) = (Duration::from_millis(100), Duration::from_secs(5));
        let backoff = Backoff::decorrelated(first, max).expect("valid");
        for seed in 0..100 {
            let mut last = first;
            for wait in backoff.delays(Random::new(seed)).take(50) {
                assert!(wait >= first && wait <= (last * 3).min(max), "{wait:?} after {last:?}");
                last = wait;
            }
        }
        let longest = backoff.delays(Random::new(1)).take(200).max().expect("200 of them");
        assert!(longest > Duration::from_secs(4), "they grow: {longest:?}");
    }

    #[test]
    fn a_linear_wait_saturates() {
        let backoff = Backoff::linear(Duration::MAX / 2, Duration::MAX / 2, Duration::MAX).expect("valid");
        assert_eq!(backoff.delay(u32::MAX, 0), Duration::MAX);
    }

    #[test]
    fn impossible_values_are_named() {
        let second = Duration::from_secs(1);
        assert_eq!(Backoff::exponential(second, f64::NAN, second).expect_err("NaN").field(), "multiplier");
        assert_eq!(Backoff::exponential(second, 0.5, second).expect_err("below 1").field(), "multiplier");
        assert_eq!(Backoff::exponential(second, 2.0, second / 2).expect_err("below").field(), "max");
        assert_eq!(Backoff::polynomial(second, 4, second / 2).expect_err("below").field(), "max");
        for exponent in [0, 17] {
            let error = Backoff::polynomial(second, exponent, second).expect_err("out of range");
            assert_eq!(error.to_string(), format!("`exponent` is {exponent}, must be 1 to 16"));
        }
    }
}
