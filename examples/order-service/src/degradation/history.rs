//! What was switched, and when.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use seawall_bulkhead::load::{Event, Level};
use seawall_core::observe::Observer;
use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::WallTime;

/// How many changes are shown.
const KEPT: usize = 100;

/// The latest changes. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Arc<Mutex<VecDeque<Change>>>);

/// A change of the level, or of a feature because of one.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum Change {
    /// The level.
    Level {
        at: WallTime,
        #[schema(value_type = String, example = "normal")]
        from: Level,
        #[schema(value_type = String, example = "elevated")]
        to: Level,
        /// The load that brought it.
        load: f64,
    },
    /// A feature.
    Feature {
        at: WallTime,
        feature: String,
        on: bool,
        #[schema(value_type = String, example = "elevated")]
        level: Level,
    },
}

impl History {
    /// What notes each change.
    pub(super) fn observer(&self) -> impl Observer<Event> + 'static {
        let history = self.clone();
        move |event: &Event| history.note(event)
    }

    fn note(&self, event: &Event) {
        let at = WallTime::now();
        let change = match *event {
            Event::LevelChanged { from, to, load, .. } => Change::Level { at, from, to, load },
            Event::FeatureSwitched { feature, on, level, .. } => {
                Change::Feature { at, feature: feature.to_string(), on, level }
            }
            _ => return,
        };
        let mut changes = self.0.lock();
        changes.truncate(KEPT - 1);
        changes.push_front(change);
    }

    /// The latest first.
    pub(super) fn latest(&self) -> Vec<Change> {
        self.0.lock().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_kept_and_no_more() {
        let history = History::default();
        let name = "load".parse().expect("a good name");
        for load in 0..250 {
            let (from, to) = (Level::Normal, Level::Elevated);
            history.note(&Event::LevelChanged { name, from, to, load: f64::from(load) });
        }
        let latest = history.latest();
        assert_eq!(latest.len(), KEPT);
        assert!(matches!(latest[0], Change::Level { load, .. } if (load - 249.0).abs() < f64::EPSILON));
    }
}
