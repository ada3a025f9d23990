use std::sync::Arc;
use std::time::Duration;

use seawall_core::observe::Observer;
use seawall_core::{ConfigError, Name, Ratio};

use super::config::{Abandoned, Allowance, Config};
use super::{Event, Formula};

/// A [`Config`] whose values were checked: what the machine works with.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) name: Name,
    pub(super) formula: Formula,
    pub(super) window: Duration,
    pub(super) buckets: u32,
    /// Whether calls that are dropped count as if they had never been asked for.
    pub(super) ignores_abandoned: bool,
    pub(super) seed: Option<u64>,
    pub(super) observer: Option<Arc<dyn Observer<Event>>>,
}

const MOST_BUCKETS: u32 = 1_000;
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

impl TryFrom<Config> for Settings {
    type Error = ConfigError;

    fn try_from(config: Config) -> Result<Self, ConfigError> {
        let name = config.name.parse()?;
        let most = Ratio::new(config.max_rejection)
            .map_err(|error| ConfigError::new("max_rejection", error.value(), Ratio::VALID))?;
        let formula = of_allowance(config.allowance)?
            .max_rejection(most)
            .aggression(config.aggression)?
            .minimum_calls(u64::from(config.minimum_calls));
        check_window(config.window, config.buckets)?;
        Ok(Self {
            name,
            formula,
            window: config.window,
            buckets: config.buckets,
            ignores_abandoned: config.abandoned == Abandoned::Ignore,
            seed: config.seed,
            observer: config.observer,
        })
    }
}

/// Refused calls count as requests, so a throttle that asked that all requests be accepted could never be satisfied again.
fn of_allowance(allowance: Allowance) -> Result<Formula, ConfigError> {
    match allowance {
        Allowance::K(k) if k > 1.0 && k <= Formula::MOST_K => Formula::new(k),
        Allowance::K(k) => Err(ConfigError::new("k", k, "a number above 1 and at most 1000")),
        Allowance::SuccessThreshold(share) if (Formula::LEAST_THRESHOLD..1.0).contains(&share) => {
            Formula::of_threshold(share)
        }
        Allowance::SuccessThreshold(share) => {
            Err(ConfigError::new("success_threshold", share, "a number of at least 0.001 and below 1"))
        }
    }
}

fn check_window(length: Duration, buckets: u32) -> Result<(), ConfigError> {
    if !(1..=MOST_BUCKETS).contains(&buckets) {
        return Err(ConfigError::new("buckets", buckets, format!("1 to {MOST_BUCKETS}")));
    }
    if length < Duration::from_millis(u64::from(buckets)) || length > LONGEST {
        let valid =
            format!("at least {buckets}ms (one millisecond for each of {buckets} buckets) and at most 366 days");
        return Err(ConfigError::new("window", format!("{length:?}"), valid));
    }
    Ok(())
}
