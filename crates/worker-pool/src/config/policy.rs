use std::time::Duration;

use crate::weights::Weights;

/// What becomes of a job that finds every worker busy and the queue full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum FullPolicy {
    /// Its submitter waits for room, up to [`max_wait`](super::Config::max_wait).
    #[default]
    Wait,
    /// It is refused at once.
    Reject,
    /// The job goes that has waited longest among those of no higher priority than the new one. If there is none, the new one is
    /// refused.
    DropOldest,
    /// The newest job of the lowest priority goes, if that is below the new one's. If it is not, the new one is refused.
    DropLowest,
    /// Its submitter runs it, and submits nothing else meanwhile.
    CallerRuns,
}

/// Which of the jobs that wait is run next. Those of one priority are run in the order in which they came.
///
/// In a configuration file: `order = "strict"`, `order = { aging = "1s" }`, or
/// `order = { weighted = { low = 1, normal = 3, high = 6, critical = 12 } }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Order {
    /// A higher priority first, but a job counts as one priority higher after each such wait, so that nothing starves: of two jobs
    /// the one is first that came earlier when the time is taken off once for each priority. The default, with 1 s.
    Aging(#[cfg_attr(feature = "serde", serde(with = "humantime_serde"))] Duration),
    /// A higher priority first, always: a lower one waits for as long as any higher one comes.
    Strict,
    /// In turns, as many for each priority as its weight says.
    Weighted(Weights),
}

impl Order {
    const AGING: Duration = Duration::from_secs(1);
}

impl Default for Order {
    fn default() -> Self {
        Self::Aging(Self::AGING)
    }
}
