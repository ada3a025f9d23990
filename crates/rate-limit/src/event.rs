use std::time::Duration;

use seawall_core::Name;
use seawall_core::observe::Observer;

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
    /// The quota follows the load.
    Adapted {
        /// Which limiter.
        name: Name,
        /// The load that was told.
        load: f64,
        /// What held before.
        from: Quota,
        /// What holds now.
        to: Quota,
    },
    /// Calls come in a burst.
    Burst {
        /// Which limiter.
        name: Name,
        /// Whose calls, by the fingerprint of the key; 0 where there is no key.
        key: u64,
        /// How many calls are no burst yet.
        requests: u32,
        /// In what time.
        period: Duration,
        /// For how long it is refused, if it is.
        penalty: Option<Duration>,
    },
}

impl Event {
    /// Tells it to `tracing` and to the observer; no lock is held.
    pub(crate) fn tell(&self, observer: Option<&dyn Observer<Self>>) {
        self.emit();
        if let Some(observer) = observer {
            observer.observe(self);
        }
    }

    fn emit(&self) {
        match self {
            Self::Reconfigured { name, from, to } => {
                tracing::info!(target: "seawall::rate_limit", %name, %from, %to, "reconfigured");
            }
            Self::Adapted { name, load, from, to } => {
                tracing::info!(target: "seawall::rate_limit", %name, load, %from, %to, "adapted");
            }
            Self::Burst { name, key, requests, period, penalty } => {
                tracing::warn!(target: "seawall::rate_limit", %name, key, requests, ?period, ?penalty, "burst");
            }
        }
    }
}
