//! What each kind of dependency is given.

use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreaker, Config, HalfOpen};
use seawall_core::ConfigError;

/// A kind of dependency: how long a call of it may take, and when it is left alone.
///
/// ```
/// use order_service::breakers::Preset;
/// use std::time::Duration;
///
/// assert_eq!(Preset::External.timeout(), Duration::from_mins(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// The service's own store, near by: 30 seconds.
    Database,
    /// The API of a provider that does a part of the service's work: 60 seconds.
    Provider,
    /// A service of which nothing is known but its address: 120 seconds.
    External,
}

impl Preset {
    /// How long a call may take.
    pub const fn timeout(self) -> Duration {
        match self {
            Self::Database => Duration::from_secs(30),
            Self::Provider => Duration::from_mins(1),
            Self::External => Duration::from_mins(2),
        }
    }

    /// When a dependency of this kind is left alone: from 5 failures in a row on, for 60 seconds; 3 of 3 probes that
    /// succeed end it.
    ///
    /// Probes have any time to decide. None of them hangs, since each has the call's timeout; and where calls are rare, a
    /// circuit that opened again for want of a third one would keep a healthy dependency away.
    pub fn breaker(self) -> Config {
        Config::classic().half_open(HalfOpen::probes(3).without_max())
    }
}

/// `config` for the breaker that is called `name`, which the file and the caller need not say and cannot change.
pub(crate) fn named(config: Config, name: &'static str) -> Result<Config, ConfigError> {
    let given = CircuitBreaker::new(config.clone())?.name();
    let unnamed = CircuitBreaker::new(Config::default())?.name();
    if given.as_str() == name || given == unnamed {
        Ok(config.name(name))
    } else {
        Err(ConfigError::new("name", given, format!("{name}, or left out")))
    }
}

#[cfg(test)]
mod tests {
    use seawall_circuit_breaker::State;
    use seawall_core::time::Clock;

    use super::*;

    #[test]
    fn each_kind_has_its_time() {
        let times = [Preset::Database, Preset::Provider, Preset::External].map(|preset| preset.timeout().as_secs());
        assert_eq!(times, [30, 60, 120]);
    }

    #[test]
    fn five_failures_open_for_a_minute_and_three_successes_close() {
        for preset in [Preset::Database, Preset::Provider, Preset::External] {
            let (clock, time) = Clock::manual();
            let breaker = CircuitBreaker::with_clock(preset.breaker(), clock).expect("a good configuration");
            let call = |result: Result<(), ()>| breaker.run_sync(|| result).is_ok();
            for _ in 0..5 {
                assert!(call(Err(())));
            }
            time.advance(Duration::from_millis(59_999));
            assert!(!call(Ok(())), "{preset:?}");
            time.advance(Duration::from_millis(1));
            assert!(call(Ok(())) && call(Ok(())));
            time.advance(Duration::from_hours(1));
            assert_eq!(breaker.state(), State::HalfOpen, "{preset:?} waits for a third call");
            assert!(call(Ok(())));
            assert_eq!(breaker.state(), State::Closed, "{preset:?}");
        }
    }

    #[test]
    fn a_breaker_has_the_name_of_its_dependency() {
        for given in [Config::default(), Config::classic().name("database")] {
            let named = named(given, "database").expect("the right name, or none");
            assert_eq!(CircuitBreaker::new(named).expect("a good configuration").name().as_str(), "database");
        }
        let error = named(Config::default().name("other"), "database").expect_err("another name");
        assert_eq!(error.to_string(), "`name` is other, must be database, or left out");
        let error = named(Config::default().failure_rate(2.0), "database").expect_err("a bad rate");
        assert_eq!(error.field(), "failure_rate");
    }
}
