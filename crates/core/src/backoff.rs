use std::time::Duration;

use crate::ConfigError;

/// Growing waits: `initial * multiplier^attempt`, never above `max`, with or without [`Jitter`].
///
/// A pure function of the attempt and a random number, so that a run can be repeated.
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    initial: Duration,
    multiplier: f64,
    max: Duration,
    jitter: Jitter,
}

/// How a random number changes a wait. It only ever shortens one: no wait is above its cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jitter {
    /// Not at all.
    #[default]
    None,
    /// Between half of the wait and the whole.
    Equal,
    /// Between nothing and the whole.
    Full,
}

impl Backoff {
    /// Always the same wait.
    pub const fn fixed(wait: Duration) -> Self {
        Self { initial: wait, multiplier: 1.0, max: wait, jitter: Jitter::None }
    }

    /// Waits that grow by `multiplier`, up to `max`.
    ///
    /// # Errors
    /// If `multiplier` is not a number of at least 1, or `max` is below `initial`.
    pub fn exponential(initial: Duration, multiplier: f64, max: Duration) -> Result<Self, ConfigError> {
        if !(multiplier.is_finite() && multiplier >= 1.0) {
            return Err(ConfigError::new("multiplier", multiplier, "a number of at least 1"));
        }
        if max < initial {
            return Err(ConfigError::new("max", format!("{max:?}"), format!("at least the initial {initial:?}")));
        }
        Ok(Self { initial, multiplier, max, jitter: Jitter::None })
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

    /// The wait after `attempt` earlier ones. `random` is spread over all of `u64`, and only used for jitter.
    pub fn delay(&self, attempt: u32, random: u64) -> Duration {
        let whole = self.without_jitter(attempt);
        let random = u128::from(random) + 1;
        let share = |of: Duration| {
            let nanos = (of.as_nanos().saturating_mul(random)) >> 64;
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        };
        match self.jitter {
            Jitter::None => whole,
            Jitter::Full => share(whole),
            Jitter::Equal => whole / 2 + share(whole.saturating_sub(whole / 2)),
        }
    }

    fn without_jitter(&self, attempt: u32) -> Duration {
        let factor = self.multiplier.powi(i32::try_from(attempt).unwrap_or(i32::MAX));
        let wait = self.initial.as_secs_f64() * factor;
        match Duration::try_from_secs_f64(wait) {
            Ok(wait) if factor > 1.0 => wait.min(self.max),
            Ok(_) => self.initial,
            Err(_) => self.max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_is_above_its_cap() {
        let backoff = Backoff::exponential(Duration::from_millis(7), 1e9, Duration::from_secs(3)).expect("valid");
        for attempt in [0, 1, 2, 40, u32::MAX] {
            for random in [0, 1, u64::MAX / 2, u64::MAX] {
                for jitter in [Jitter::None, Jitter::Equal, Jitter::Full] {
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
    fn impossible_values_are_named() {
        let second = Duration::from_secs(1);
        assert_eq!(Backoff::exponential(second, f64::NAN, second).expect_err("NaN").field(), "multiplier");
        assert_eq!(Backoff::exponential(second, 0.5, second).expect_err("below 1").field(), "multiplier");
        assert_eq!(Backoff::exponential(second, 2.0, second / 2).expect_err("below").field(), "max");
    }
}
