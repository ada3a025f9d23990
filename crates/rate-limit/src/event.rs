use seawall_core::Name;

use crate::quota::Quota;

/// A rare change of a limiter: told to its observer and as a `tracing` event with target `seawall::rate_limit`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Another quota holds from now on.
    Reconfigured {
        /// Which limiter.
        name: Name,
        /// What held before.
        from: Quota,
        /// What holds now.
        to: Quota,
    },
}

impl Event {
    pub(crate) fn emit(&self) {
        match self {
            Self::Reconfigured { name, from, to } => {
                tracing::info!(target: "seawall::rate_limit", %name, %from, %to, "reconfigured");
            }
        }
    }
}
