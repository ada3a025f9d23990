use seawall_core::ConfigError;

use super::{Aimd, LimitAlgorithm};

/// Which algorithm finds the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Adaptive {
    /// Additive increase, multiplicative decrease.
    Aimd(Aimd),
}

impl Adaptive {
    /// The algorithm at its beginning.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn build(&self) -> Result<Box<dyn LimitAlgorithm>, ConfigError> {
        Ok(match self {
            Self::Aimd(aimd) => Box::new(aimd.build()?),
        })
    }
}

impl From<Aimd> for Adaptive {
    fn from(aimd: Aimd) -> Self {
        Self::Aimd(aimd)
    }
}
