use seawall_core::ConfigError;

use super::{Aimd, Correlation, Gradient, Gradient2, LimitAlgorithm, Vegas, Windowed};

/// Which algorithm finds the limit.
///
/// The [default](Self::default) is [`Gradient`] as it comes: the one to begin with, for it alone needs to be told nothing about
/// the service and measures again, while it runs, what calls take with little load.
///
/// ```
/// use seawall_bulkhead::limit::{Adaptive, Gradient};
/// use seawall_bulkhead::{Bulkhead, Config};
///
/// assert_eq!(Adaptive::default(), Gradient::default().into());
/// let bulkhead = Bulkhead::new(Config::adaptive(Adaptive::default()))?;
/// assert_eq!(bulkhead.limit(), 3, "it begins with a measurement at its lowest limit");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
///
/// With feature `serde` it is a table named after the algorithm, in which everything may be left out:
/// `adaptive = { vegas = { max = 100 } }`, or `adaptive = { windowed = { inner = { gradient2 = {} } } }`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Adaptive {
    /// Additive increase, multiplicative decrease.
    Aimd(Aimd),
    /// A short queue.
    Vegas(Vegas),
    /// What calls took for a long time.
    Gradient2(Gradient2),
    /// What calls take with little load.
    Gradient(Gradient),
    /// A short queue, and throughput that grows with what is in flight.
    Correlation(Correlation),
    /// One of the first three, fed with summaries.
    Windowed(Windowed),
}

impl Default for Adaptive {
    /// [`Gradient`] with its defaults.
    fn default() -> Self {
        Self::Gradient(Gradient::default())
    }
}

impl Adaptive {
    /// The algorithm at its beginning.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn build(&self) -> Result<Box<dyn LimitAlgorithm>, ConfigError> {
        Ok(match self {
            Self::Aimd(aimd) => Box::new(aimd.build()?),
            Self::Vegas(vegas) => Box::new(vegas.build()?),
            Self::Gradient2(gradient) => Box::new(gradient.build()?),
            Self::Gradient(gradient) => Box::new(gradient.build()?),
            Self::Correlation(correlation) => Box::new(correlation.build()?),
            Self::Windowed(windowed) => Box::new(windowed.build()?),
        })
    }
}

/// An algorithm without windows of its own, which [`Windowed`] can feed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum PerCall {
    /// Additive increase, multiplicative decrease.
    Aimd(Aimd),
    /// A short queue.
    Vegas(Vegas),
    /// What calls took for a long time.
    Gradient2(Gradient2),
}

impl PerCall {
    /// The algorithm at its beginning.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn build(&self) -> Result<Box<dyn LimitAlgorithm>, ConfigError> {
        Adaptive::from(*self).build()
    }
}

impl From<PerCall> for Adaptive {
    fn from(inner: PerCall) -> Self {
        match inner {
            PerCall::Aimd(aimd) => Self::Aimd(aimd),
            PerCall::Vegas(vegas) => Self::Vegas(vegas),
            PerCall::Gradient2(gradient) => Self::Gradient2(gradient),
        }
    }
}

macro_rules! from {
    ($($of:ident: $($kind:ident)+;)+) => {
        $($(
            impl From<$kind> for $of {
                fn from(config: $kind) -> Self {
                    Self::$kind(config)
                }
            }
        )+)+
    };
}

from! {
    Adaptive: Aimd Vegas Gradient2 Gradient Correlation Windowed;
    PerCall: Aimd Vegas Gradient2;
}
