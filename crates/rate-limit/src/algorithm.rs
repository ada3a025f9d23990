#[cfg(feature = "serde")]
mod format;

use std::time::Duration;

use seawall_core::ConfigError;

use crate::limit::{
    Alignment, FixedWindow, Gcra, Limit, Pacer, SlidingLog, SlidingWindow, TokenSteps, WarmUp, WindowCounter,
};
use crate::quota::Quota;

/// How a limit is kept.
///
/// | algorithm | a key's memory | the most that passes in any span of one period | at a boundary |
/// |---|---|---|---|
/// | [`SlidingWindow`](Self::SlidingWindow) | 52 bytes | the limit, **exactly** | nothing: every span is alike |
/// | [`Gcra`](Self::Gcra) | 8 bytes | burst + limit | nothing: cells come back one by one |
/// | [`SlidingLog`](Self::SlidingLog) | 16 bytes for each call of a period | the limit, **exactly** | nothing |
/// | [`WindowCounter`](Self::WindowCounter) | 24 bytes | less than twice the limit | nothing jumps; worst after a window that filled at its end |
/// | [`FixedWindow`](Self::FixedWindow) | 16 bytes | twice the limit | the whole limit on either side, at once |
/// | [`TokenSteps`](Self::TokenSteps) | 16 bytes | burst + limit | a whole bucket and a whole refill at once |
/// | [`WarmUp`](Self::WarmUp) | 32 bytes | limit + 1, and less while it is cold | none: evenly spaced, paid later |
/// | [`Pacer`](Self::Pacer) | 16 bytes | slack + 1 + limit | none: evenly spaced, paid later |
///
/// The first two keep their state in one atomic word (the sliding window for as long as a bucket lasts); the others take a lock
/// for some nanoseconds. [`limit`](crate::limit) has the formulas.
///
/// In a configuration file an algorithm is its name, with its defaults, or a table of the name with the parameters:
/// `algorithm = "gcra"`, `algorithm = { sliding_window = { buckets = 4 } }`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Algorithm {
    /// At most the limit in any span of one period, wherever it begins: the default.
    SlidingWindow {
        /// Into how many buckets the period is divided, 1 to 8; 8 by default. A cell counts for up to `1 + 1/buckets` periods.
        buckets: u8,
    },
    /// A token bucket with continuous refill: the limit on average, up to the quota's burst at once. The cheapest.
    Gcra,
    /// The exact time of every call: nothing is refused that an exact window has room for. For limits up to 65 536.
    SlidingLog,
    /// Two counters, the older one weighed by its age, as Cloudflare has it.
    WindowCounter,
    /// A counter that begins anew with every window.
    FixedWindow {
        /// Where windows begin; at whole periods of the clock by default.
        alignment: Alignment,
    },
    /// A token bucket that is refilled a period's cells at a time.
    TokenSteps,
    /// A pacer that is slow when it was idle, as Guava's.
    WarmUp {
        /// How long it takes to come up to the full rate; 1 µs to 366 days.
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        over: Duration,
        /// How many times slower it is when cold, 1 to 100; 3 by default.
        cold_factor: f64,
    },
    /// Turns at even intervals: of use to who waits for them.
    Pacer {
        /// How many turns that nobody took are kept for later; none by default.
        slack: u32,
    },
}

impl Algorithm {
    /// A sliding window of eight buckets.
    pub const fn sliding_window() -> Self {
        Self::SlidingWindow { buckets: SlidingWindow::MOST_BUCKETS }
    }

    /// Windows that begin at whole periods of the clock.
    pub const fn fixed_window() -> Self {
        Self::FixedWindow { alignment: Alignment::Clock { offset: Duration::ZERO } }
    }

    /// A warm-up over this time from a third of the rate.
    pub const fn warm_up(over: Duration) -> Self {
        Self::WarmUp { over, cold_factor: 3.0 }
    }

    /// Turns at even intervals, none of which is kept for later.
    pub const fn pacer() -> Self {
        Self::Pacer { slack: 0 }
    }

    /// The name, in `snake_case`, as in files, metrics and snapshots.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::SlidingWindow { .. } => "sliding_window",
            Self::Gcra => "gcra",
            Self::SlidingLog => "sliding_log",
            Self::WindowCounter => "window_counter",
            Self::FixedWindow { .. } => "fixed_window",
            Self::TokenSteps => "token_steps",
            Self::WarmUp { .. } => "warm_up",
            Self::Pacer { .. } => "pacer",
        }
    }
}

impl Default for Algorithm {
    fn default() -> Self {
        Self::sliding_window()
    }
}

/// A [`Limit`] that is made of a configuration.
pub(crate) trait Built: Limit + Sized {
    /// The algorithm's name.
    const NAME: &'static str;

    /// The limit of this quota, if the algorithm is this one.
    fn made(quota: Quota, algorithm: Algorithm) -> Option<Result<Self, ConfigError>>;

    /// The limit of this quota.
    ///
    /// # Errors
    /// If the quota does not suit it, or the algorithm is another one: a limiter keeps its algorithm, because what one remembers
    /// means nothing to another.
    fn build(quota: Quota, algorithm: Algorithm) -> Result<Self, ConfigError> {
        Self::made(quota, algorithm).unwrap_or_else(|| {
            let valid = format!("{}: a limiter keeps its algorithm", Self::NAME);
            Err(ConfigError::new("algorithm", algorithm.as_str(), valid))
        })
    }
}

macro_rules! built {
    ($($limit:ident, $name:literal, $pattern:pat => $made:expr, $quota:ident;)*) => {$(
        impl Built for $limit {
            const NAME: &'static str = $name;

            fn made($quota: Quota, algorithm: Algorithm) -> Option<Result<Self, ConfigError>> {
                match algorithm {
                    $pattern => Some($made),
                    _ => None,
                }
            }
        }
    )*};
}

built! {
    SlidingWindow, "sliding_window", Algorithm::SlidingWindow { buckets } => Self::new(quota, buckets), quota;
    Gcra, "gcra", Algorithm::Gcra => Self::new(quota), quota;
    SlidingLog, "sliding_log", Algorithm::SlidingLog => Self::new(quota), quota;
    WindowCounter, "window_counter", Algorithm::WindowCounter => Self::new(quota), quota;
    FixedWindow, "fixed_window", Algorithm::FixedWindow { alignment } => Self::new(quota, alignment), quota;
    TokenSteps, "token_steps", Algorithm::TokenSteps => Self::new(quota), quota;
    WarmUp, "warm_up", Algorithm::WarmUp { over, cold_factor } => Self::new(quota, over, cold_factor), quota;
    Pacer, "pacer", Algorithm::Pacer { slack } => Self::new(quota, slack), quota;
}
