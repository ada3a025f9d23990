//! What is done to a throttle by hand, and what can be seen of it.

use std::sync::Arc;

use seawall_core::{ConfigError, Ending, Report};

use super::Formula;
use super::handle::Throttle;
use super::settings::Settings;
use super::snapshot::Snapshot;

impl Throttle {
    /// Counts a call that this throttle did not admit, as a request of now that has ended: one that was made by other means.
    pub fn record<'a>(&self, report: impl Into<Report<'a>>) {
        self.count(&Ending::Finished(report.into()));
    }

    /// Refuses with this probability, whatever is counted, until [`release`](Self::release): at 0 every call passes, at 1
    /// none does. Counting goes on meanwhile.
    ///
    /// # Errors
    /// If it is not a number from 0 to 1; then nothing has changed.
    pub fn hold(&self, probability: f64) -> Result<(), ConfigError> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(ConfigError::new("probability", probability, "a number from 0 to 1"));
        }
        self.set_hold(Some(probability));
        Ok(())
    }

    /// Lets the counts decide again, with what was counted meanwhile.
    pub fn release(&self) {
        self.set_hold(None);
    }

    fn set_hold(&self, probability: Option<f64>) {
        let now = self.clock().now();
        self.locked(now, None, |locked| ((), locked.machine.hold(probability, now)));
    }

    /// Forgets what the window has counted. Calls that were admitted before count nowhere when they end; totals stay.
    pub fn reset(&self) {
        let now = self.clock().now();
        self.locked(now, None, |locked| ((), locked.machine.reset(now)));
    }

    /// The formula by which it decides.
    pub fn formula(&self) -> Formula {
        self.locked(self.clock().now(), None, |locked| (locked.machine.settings().formula, None))
    }

    pub(super) fn reconfigure(&self, settings: Arc<Settings>) -> Result<(), ConfigError> {
        if settings.name != self.name() {
            let valid = format!("{:?}: a running throttle keeps its name", self.name());
            return Err(ConfigError::new("name", format!("{:?}", settings.name), valid));
        }
        let now = self.clock().now();
        self.locked(now, None, |locked| ((), locked.machine.reconfigure(settings, now)));
        Ok(())
    }

    /// All that is known of the throttle, at one moment.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.clock().now();
        self.locked(now, None, |locked| {
            let machine = &locked.machine;
            let counts = machine.counts();
            let snapshot = Snapshot {
                name: self.name(),
                requests: counts.requests(),
                accepts: counts.accepted,
                refused: counts.refused,
                probability: machine.probability(),
                held: machine.held(),
                throttling: machine.throttling_since().map(|since| now.saturating_duration_since(since)),
                total: self.total(locked),
            };
            (snapshot, None)
        })
    }
}
