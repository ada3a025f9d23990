use seawall_core::ConfigError;
use seawall_core::time::Clock;

use crate::budget::{Budget, BudgetConfig, Deposits, InFlight, Tokens};

/// From what further attempts are paid.
///
/// Every kind of budget, and a [`Budget`] that others share, converts into it. In a file it is the table of a
/// [`BudgetConfig`], or `"none"`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "InFile", from = "InFile"))]
#[non_exhaustive]
pub enum Paying {
    /// From a budget of one's own.
    Own(BudgetConfig),
    /// From one that others share.
    Shared(Budget),
    /// From nothing: every attempt that is allowed is made.
    Unlimited,
}

impl Paying {
    /// The budget. `earlier` is what the same instance paid from, and is kept if nothing has changed.
    pub(crate) fn budget(&self, clock: &Clock, earlier: Option<&Paid>) -> Result<Option<Budget>, ConfigError> {
        match (self, earlier) {
            (Self::Own(config), Some(Paid { own: Some(before), budget })) if config == before => Ok(budget.clone()),
            (Self::Own(config), _) => Budget::with_clock(config.clone(), clock.clone()).map(Some).map_err(|error| {
                ConfigError::new(format!("budget.{}", error.field()), error.value(), error.valid().to_owned())
            }),
            (Self::Shared(budget), _) => Ok(Some(budget.clone())),
            (Self::Unlimited, _) => Ok(None),
        }
    }
}

/// What an instance pays from.
pub(crate) struct Paid {
    /// How its own budget was configured.
    own: Option<BudgetConfig>,
    pub(crate) budget: Option<Budget>,
}

impl Paid {
    pub(crate) fn new(paying: &Paying, clock: &Clock, earlier: Option<&Self>) -> Result<Self, ConfigError> {
        let budget = paying.budget(clock, earlier)?;
        let own = if let Paying::Own(config) = paying { Some(config.clone()) } else { None };
        Ok(Self { own, budget })
    }
}

impl From<Budget> for Paying {
    fn from(budget: Budget) -> Self {
        Self::Shared(budget)
    }
}

impl From<BudgetConfig> for Paying {
    fn from(config: BudgetConfig) -> Self {
        Self::Own(config)
    }
}

impl From<Deposits> for Paying {
    fn from(deposits: Deposits) -> Self {
        Self::Own(deposits.into())
    }
}

impl From<InFlight> for Paying {
    fn from(in_flight: InFlight) -> Self {
        Self::Own(in_flight.into())
    }
}

impl From<Tokens> for Paying {
    fn from(tokens: Tokens) -> Self {
        Self::Own(tokens.into())
    }
}

/// As it is written: a shared budget cannot be, so it is left to whoever reads the file.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum InFile {
    None,
    Deposits(Deposits),
    InFlight(InFlight),
    Tokens(Tokens),
}

#[cfg(feature = "serde")]
impl From<Paying> for InFile {
    fn from(paying: Paying) -> Self {
        match paying {
            Paying::Own(BudgetConfig::Deposits(deposits)) => Self::Deposits(deposits),
            Paying::Own(BudgetConfig::InFlight(in_flight)) => Self::InFlight(in_flight),
            Paying::Own(BudgetConfig::Tokens(tokens)) => Self::Tokens(tokens),
            Paying::Shared(_) | Paying::Unlimited => Self::None,
        }
    }
}

#[cfg(feature = "serde")]
impl From<InFile> for Paying {
    fn from(file: InFile) -> Self {
        match file {
            InFile::None => Self::Unlimited,
            InFile::Deposits(deposits) => deposits.into(),
            InFile::InFlight(in_flight) => in_flight.into(),
            InFile::Tokens(tokens) => tokens.into(),
        }
    }
}
