#[cfg(feature = "serde")]
mod format;

use std::time::Duration;

use seawall_core::{Backoff, ConfigError, Jitter};

/// How often and when a job that failed is tried again. It waits outside the worker's slot, which is free for other jobs
/// meanwhile.
///
/// ```
/// use seawall_core::Backoff;
/// use seawall_worker_pool::Retry;
/// use std::time::Duration;
///
/// let hour = Duration::from_secs(3_600);
/// let retry = Retry::new(5).backoff(Backoff::polynomial(Duration::from_secs(1), 4, hour)?);
/// assert_eq!(retry.delay(3, 0), Duration::from_secs(81));
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
///
/// With feature `serde` it is a table; all but `attempts` may be left out:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// # use seawall_worker_pool::Retry;
/// let text = r#"
///     attempts = 5
///     backoff = { exponential = { initial = "1s", multiplier = 2.0, max = "1h", jitter = { spread = 10 } } }
///     panics = false
/// "#;
/// assert_eq!(toml::from_str::<Retry>(text).unwrap(), Retry::new(5));
/// assert_eq!(toml::from_str::<Retry>("attempts = 25\nbackoff = 'sidekiq'").unwrap(), Retry::new(25).sidekiq());
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Retry {
    attempts: u32,
    #[cfg_attr(feature = "serde", serde(default, rename = "backoff"))]
    schedule: Schedule,
    #[cfg_attr(feature = "serde", serde(default))]
    panics: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Schedule {
    Backoff(Backoff),
    Sidekiq,
}

impl Default for Schedule {
    fn default() -> Self {
        let (initial, max) = (Duration::from_secs(1), Duration::from_secs(3_600));
        let backoff = Backoff::exponential(initial, 2.0, max).expect("it grows, and its end is after its beginning");
        Self::Backoff(backoff.jitter(Jitter::Spread(10)))
    }
}

impl Retry {
    const MOST_ATTEMPTS: u32 = 1_000;
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);
    /// How many whole numbers the sidekiq schedule draws from.
    const DRAWS: u32 = 30;

    /// At most so many attempts, the first included: 1 to 1000. Between them 1, 2, 4, … seconds, at most an hour, and up to a
    /// tenth of it more or less, so that jobs that failed together do not come back together.
    pub fn new(attempts: u32) -> Self {
        Self { attempts, schedule: Schedule::default(), panics: false }
    }

    /// Only the first attempt.
    pub fn never() -> Self {
        Self::new(1)
    }

    /// Waits as `backoff` says: its first wait after the first failure. Where a wait depends on the one before, that is taken
    /// for the first. No wait is above 366 days.
    #[must_use]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.schedule = Schedule::Backoff(backoff);
        self
    }

    /// Waits as Sidekiq, Faktory and asynq do: see [`sidekiq_delay`](Self::sidekiq_delay). 25 attempts, as many as theirs, are
    /// spread over three weeks.
    #[must_use]
    pub const fn sidekiq(mut self) -> Self {
        self.schedule = Schedule::Sidekiq;
        self
    }

    /// Whether a job that panicked is tried again. Default no: what it left behind is not trusted.
    #[must_use]
    pub const fn panics(mut self, again: bool) -> Self {
        self.panics = again;
        self
    }

    /// How many attempts there are, the first included.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether a job that panicked is [tried again](Self::panics).
    pub const fn retries_panics(&self) -> bool {
        self.panics
    }

    /// How long a job waits for its next attempt after `failures` that failed, 1 or more. `random` is spread over all of `u64`,
    /// and only used for jitter.
    pub fn delay(&self, failures: u32, random: u64) -> Duration {
        let earlier = failures.saturating_sub(1);
        let wait = match self.schedule {
            Schedule::Backoff(backoff) => backoff.delay(earlier, random),
            Schedule::Sidekiq => Self::sidekiq_delay(earlier, draw(random, Self::DRAWS)),
        };
        wait.min(Self::LONGEST)
    }

    /// The schedule of Sidekiq, Faktory and asynq: `n^4 + 15 + rand * (n + 1)` seconds after `n` earlier retries, where `rand`
    /// is 0 to 29 at random. It saturates.
    ///
    /// ```
    /// use seawall_worker_pool::Retry;
    ///
    /// assert_eq!(Retry::sidekiq_delay(0, 0).as_secs(), 15);
    /// assert_eq!(Retry::sidekiq_delay(5, 10).as_secs(), 700);
    /// ```
    pub const fn sidekiq_delay(retry_count: u32, rand: u32) -> Duration {
        let n = retry_count as u64;
        let spread = (rand as u64).saturating_mul(n + 1);
        Duration::from_secs(n.saturating_pow(4).saturating_add(15).saturating_add(spread))
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if !(1..=Self::MOST_ATTEMPTS).contains(&self.attempts) {
            let valid = format!("1 to {}", Self::MOST_ATTEMPTS);
            return Err(ConfigError::new("retry.attempts", self.attempts, valid));
        }
        match self.schedule {
            Schedule::Backoff(backoff) if backoff.max() > Self::LONGEST => {
                Err(ConfigError::new("retry.backoff.max", format!("{:?}", backoff.max()), "at most 366 days"))
            }
            Schedule::Backoff(_) | Schedule::Sidekiq => Ok(()),
        }
    }
}

impl Default for Retry {
    /// [Never](Self::never).
    fn default() -> Self {
        Self::never()
    }
}

/// A whole number below `end`, as far up as `random` is among all numbers.
#[expect(clippy::cast_possible_truncation, reason = "below `end`")]
const fn draw(random: u64, end: u32) -> u32 {
    ((random as u128 * end as u128) >> 64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_wait_belongs_to_the_number_of_failures() {
        let hour = Duration::from_secs(3_600);
        let retry = Retry::new(9).backoff(Backoff::exponential(SECOND, 2.0, hour).expect("valid"));
        let waits: Vec<u64> = [1, 2, 3, 12, 13, u32::MAX].map(|failures| retry.delay(failures, 0).as_secs()).into();
        assert_eq!(waits, [1, 2, 4, 2_048, 3_600, 3_600]);
        assert_eq!(retry.delay(0, 0), SECOND, "none failed is taken for one");
    }

    #[test]
    fn the_default_schedule_spreads_by_a_tenth() {
        let retry = Retry::new(3);
        assert_eq!(retry.delay(2, 0), Duration::from_millis(1_800));
        assert_eq!(retry.delay(2, u64::MAX), Duration::from_millis(2_200));
    }

    #[test]
    fn the_sidekiq_schedule_is_theirs() {
        for (retries, rand, seconds) in [(0, 0, 15), (1, 0, 16), (5, 10, 700), (24, 29, 332_516)] {
            assert_eq!(Retry::sidekiq_delay(retries, rand), Duration::from_secs(seconds), "{retries}, {rand}");
        }
        let retry = Retry::new(25).sidekiq();
        assert_eq!(retry.delay(1, 0), Retry::sidekiq_delay(0, 0));
        assert_eq!(retry.delay(6, u64::MAX), Retry::sidekiq_delay(5, 29));
        // A third of the way through all numbers.
        assert_eq!(retry.delay(6, u64::MAX / 3 + 1), Retry::sidekiq_delay(5, 10));
        assert_eq!(Retry::sidekiq_delay(u32::MAX, u32::MAX), Duration::from_secs(u64::MAX));
        assert_eq!(retry.delay(u32::MAX, 0), Retry::LONGEST);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let error = Retry::new(0).check().expect_err("none");
        assert_eq!(error.to_string(), "`retry.attempts` is 0, must be 1 to 1000");
        assert_eq!(Retry::new(1_001).check().expect_err("too many").value(), "1001");
        let long = Backoff::fixed(Retry::LONGEST + SECOND);
        assert_eq!(Retry::new(2).backoff(long).check().expect_err("too long").field(), "retry.backoff.max");
        for retry in [Retry::never(), Retry::new(1_000).sidekiq(), Retry::new(2).backoff(Backoff::fixed(SECOND))] {
            assert_eq!(retry.check(), Ok(()), "{retry:?}");
        }
    }
}
