use std::time::Duration;

/// How a half-open circuit decides.
///
/// ```
/// use seawall_circuit_breaker::{Config, HalfOpen};
/// use std::time::Duration;
///
/// let four_of_five = HalfOpen::probes(5).successes(4).max(Duration::from_secs(10));
/// let config = Config::default().half_open(four_of_five);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "crate::format::HalfOpen"))]
#[non_exhaustive]
pub struct HalfOpen {
    /// How many calls may try the dependency: 1 to 1 000 000.
    pub probes: u32,
    /// How many of them must succeed, and not be slow: 1 to `probes`. Without it the rates decide, over the probes as their
    /// window; without rates all must succeed.
    /// In a file that has this section, leaving it out means without it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub successes: Option<u32>,
    /// How long the circuit waits for a probe to end. It waits while one is out, or was dropped and counts by rate; a lack of calls
    /// ends nothing. Without it, probes that hang keep the circuit half-open.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::format::limit"))]
    pub max: Option<Duration>,
    /// What happens then.
    pub after_max: Undecided,
    /// Whether all probes must have ended before they decide. Otherwise the circuit closes or opens as soon as it is
    /// settled, and probes that are still out cannot change it.
    pub wait_for_all: bool,
}

impl HalfOpen {
    /// So many probes, all of which must succeed; 30 seconds to decide.
    pub const fn probes(probes: u32) -> Self {
        Self {
            probes,
            successes: Some(probes),
            max: Some(Duration::from_secs(30)),
            after_max: Undecided::Open,
            wait_for_all: false,
        }
    }

    /// So many of the probes must succeed.
    #[must_use]
    pub const fn successes(mut self, successes: u32) -> Self {
        self.successes = Some(successes);
        self
    }

    /// The rates decide, over the probes as their window; without rates all must succeed.
    #[must_use]
    pub const fn by_rates(mut self) -> Self {
        self.successes = None;
        self
    }

    /// So long to decide.
    #[must_use]
    pub const fn max(mut self, max: Duration) -> Self {
        self.max = Some(max);
        self
    }

    /// Any time to decide: probes that hang keep the circuit half-open.
    #[must_use]
    pub const fn without_max(mut self) -> Self {
        self.max = None;
        self
    }

    /// Where the circuit goes if it could not decide in time.
    #[must_use]
    pub const fn after_max(mut self, undecided: Undecided) -> Self {
        self.after_max = undecided;
        self
    }

    /// Decides only when all probes have ended.
    #[must_use]
    pub const fn wait_for_all(mut self) -> Self {
        self.wait_for_all = true;
        self
    }
}

impl Default for HalfOpen {
    /// Two of three successes close, as soon as that is settled; 30 seconds to decide.
    fn default() -> Self {
        Self::probes(3).successes(2)
    }
}

/// Where a half-open circuit goes that could not decide in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Undecided {
    /// It opens again.
    #[default]
    Open,
    /// It closes.
    Close,
}
