use seawall_core::Name;
use seawall_core::observe::Observer;

use super::level::Level;

/// A rare change of a load gauge: told to its observer and as a `tracing` event with target `seawall::bulkhead`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The level has changed.
    LevelChanged {
        /// Which gauge.
        name: Name,
        /// The level before.
        from: Level,
        /// The level now.
        to: Level,
        /// The load that brought it.
        load: f64,
    },
    /// A feature was switched off, or on again.
    FeatureSwitched {
        /// Which gauge.
        name: Name,
        /// Which feature.
        feature: Name,
        /// Whether it is on now.
        on: bool,
        /// The level now.
        level: Level,
    },
    /// Another configuration holds from now on. The level is kept.
    Reconfigured {
        /// Which gauge.
        name: Name,
        /// The level.
        level: Level,
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
            Self::LevelChanged { name, from, to, load } if to > from => {
                tracing::warn!(target: "seawall::bulkhead", %name, %from, %to, load, "load level changed");
            }
            Self::LevelChanged { name, from, to, load } => {
                tracing::info!(target: "seawall::bulkhead", %name, %from, %to, load, "load level changed");
            }
            Self::FeatureSwitched { name, feature, on: false, level } => {
                tracing::warn!(target: "seawall::bulkhead", %name, %feature, load_level = %level, on = false, "feature switched");
            }
            Self::FeatureSwitched { name, feature, on: true, level } => {
                tracing::info!(target: "seawall::bulkhead", %name, %feature, load_level = %level, on = true, "feature switched");
            }
            Self::Reconfigured { name, level } => {
                tracing::info!(target: "seawall::bulkhead", %name, load_level = %level, "load gauge reconfigured");
            }
        }
    }
}
