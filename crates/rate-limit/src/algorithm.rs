use seawall_core::ConfigError;

use crate::limit::{Gcra, Limit, SlidingWindow};
use crate::quota::Quota;

/// How a limit is kept.
///
/// | algorithm | memory of a key | the most that passes in any span of one period | at the boundary |
/// |---|---|---|---|
/// | [`SlidingWindow`](Self::SlidingWindow) | 52 bytes | the limit, exactly | none: every span is alike |
/// | [`Gcra`](Self::Gcra) | 8 bytes | burst + limit | none: refilled continuously |
/// | [`SlidingLog`](Self::SlidingLog) | 16 bytes a call | the limit, exactly | none |
/// | [`WindowCounter`](Self::WindowCounter) | 16 bytes | less than twice the limit | worst if all came at a window's end |
/// | [`FixedWindow`](Self::FixedWindow) | 16 bytes | twice the limit | all at once on either side |
/// | [`TokenSteps`](Self::TokenSteps) | 16 bytes | burst + limit | a whole refill at once |
/// | [`WarmUp`](Self::WarmUp) | 16 bytes | limit, less while cold | pays later |
/// | [`Pacer`](Self::Pacer) | 8 bytes | limit + slack | evenly spaced |
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum Algorithm {
    /// At most the limit in any span of one period, wherever it begins: the default.
    SlidingWindow {
        /// Into how many buckets the period is divided, 1 to 8: a cell counts for up to `1 + 1/buckets` periods.
        buckets: u8,
    },
    /// A token bucket with continuous refill: the limit on average, up to the quota's burst at once. The cheapest.
    Gcra,
}

impl Algorithm {
    /// A sliding window of eight buckets.
    pub const fn sliding_window() -> Self {
        Self::SlidingWindow { buckets: 8 }
    }
}

impl Default for Algorithm {
    fn default() -> Self {
        Self::sliding_window()
    }
}

/// A [`Limit`] that is made of a configuration.
pub(crate) trait Built: Limit + Sized {
    /// The limit of this quota, if the algorithm is this one.
    fn build(quota: Quota, algorithm: Algorithm) -> Result<Self, ConfigError>;
}

/// A limiter keeps its algorithm: what one remembers means nothing to another.
pub(crate) fn fixed<L>(algorithm: Algorithm, kept: &'static str) -> Result<L, ConfigError> {
    Err(ConfigError::new("algorithm", format!("{algorithm:?}"), format!("{kept}: a limiter keeps its algorithm")))
}

impl Built for Gcra {
    fn build(quota: Quota, algorithm: Algorithm) -> Result<Self, ConfigError> {
        if let Algorithm::Gcra = algorithm { Self::new(quota) } else { fixed(algorithm, "Gcra") }
    }
}

impl Built for SlidingWindow {
    fn build(quota: Quota, algorithm: Algorithm) -> Result<Self, ConfigError> {
        let Algorithm::SlidingWindow { buckets } = algorithm else { return fixed(algorithm, "SlidingWindow") };
        Self::new(quota, buckets)
    }
}
