use std::time::Duration;

use seawall_core::{ConfigError, Name};

use super::billionths;
use super::config::{BudgetConfig, Deposits, InFlight, Tokens};

const MOST_RATIO: f64 = 1_000.0;
const MOST_PER_SECOND: f64 = 1_000_000.0;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
const MOST_TOKENS: u32 = 1_000;
const LEAST_RETURNED: f64 = 0.001;

/// A [`BudgetConfig`] whose values were checked. What is counted is in billionths.
pub(super) enum Settings {
    Deposits(Rates),
    InFlight(Limit),
    Tokens(Throttle),
}

/// What calls pay for, and what is free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    /// Of an extra attempt, for each call.
    pub(super) ratio: u64,
    /// Of extra attempts, in each `ttl`.
    pub(super) free: u64,
    pub(super) ttl: Duration,
}

/// How many extra attempts may run at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) share: u64,
    pub(super) floor: u64,
}

/// How many tokens there are, and how many a success returns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throttle {
    pub(super) max: u64,
    pub(super) returned: u64,
}

impl BudgetConfig {
    pub(super) fn check(&self) -> Result<(Name, Settings), ConfigError> {
        Ok(match self {
            Self::Deposits(deposits) => (deposits.name.parse()?, Settings::Deposits(deposits.try_into()?)),
            Self::InFlight(in_flight) => (in_flight.name.parse()?, Settings::InFlight(in_flight.try_into()?)),
            Self::Tokens(tokens) => (tokens.name.parse()?, Settings::Tokens(tokens.try_into()?)),
        })
    }
}

impl TryFrom<&Deposits> for Rates {
    type Error = ConfigError;

    fn try_from(deposits: &Deposits) -> Result<Self, ConfigError> {
        let &Deposits { ratio, per_second, ttl, .. } = deposits;
        if !(0.0..=MOST_RATIO).contains(&ratio) {
            return Err(ConfigError::new("deposits.ratio", ratio, "a number from 0 to 1000"));
        }
        if !(0.0..=MOST_PER_SECOND).contains(&per_second) {
            return Err(ConfigError::new("deposits.per_second", per_second, "a number from 0 to 1000000"));
        }
        if !(SHORTEST..=LONGEST).contains(&ttl) {
            return Err(ConfigError::new("deposits.ttl", format!("{ttl:?}"), "1s to 60s"));
        }
        let free = u128::from(billionths::of(per_second)) * ttl.as_nanos() / u128::from(billionths::ONE);
        let free = u64::try_from(free).expect("60 million in billionths");
        Ok(Self { ratio: billionths::of(ratio), free, ttl })
    }
}

impl TryFrom<&InFlight> for Limit {
    type Error = ConfigError;

    fn try_from(in_flight: &InFlight) -> Result<Self, ConfigError> {
        let &InFlight { share, floor, .. } = in_flight;
        if !(0.0..=1.0).contains(&share) {
            return Err(ConfigError::new("in_flight.share", share, "a number from 0 to 1"));
        }
        Ok(Self { share: billionths::of(share), floor: floor.into() })
    }
}

impl TryFrom<&Tokens> for Throttle {
    type Error = ConfigError;

    fn try_from(tokens: &Tokens) -> Result<Self, ConfigError> {
        let &Tokens { max, ratio, .. } = tokens;
        if !(1..=MOST_TOKENS).contains(&max) {
            return Err(ConfigError::new("tokens.max", max, "1 to 1000"));
        }
        if !(LEAST_RETURNED..=MOST_RATIO).contains(&ratio) {
            return Err(ConfigError::new("tokens.ratio", ratio, "a number from 0.001 to 1000"));
        }
        Ok(Self { max: u64::from(max) * billionths::ONE, returned: billionths::of(ratio) })
    }
}
