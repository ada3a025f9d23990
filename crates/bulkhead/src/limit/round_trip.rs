use std::time::Duration;

use seawall_core::time::Timestamp;

use super::Sample;

/// When the limit was changed last, so that the calls of one round trip change it once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrip {
    changed: Timestamp,
    lowered: Timestamp,
}

/// Samples of several threads come a little out of order. One that is so much earlier says that the clock has stepped back.
const OUT_OF_ORDER: Duration = Duration::from_secs(1);

/// Whether it is so much earlier than what is known to have been that the clock must have stepped back.
pub(super) fn stepped_back(known: Timestamp, now: Timestamp) -> bool {
    known.saturating_duration_since(now) > OUT_OF_ORDER
}

impl RoundTrip {
    /// Follows a clock that has stepped back: otherwise nothing would change until it is where it was.
    pub(super) fn follow(&mut self, now: Timestamp) {
        if stepped_back(self.changed, now) {
            self.changed = now;
            self.lowered = now;
        }
    }

    /// Whether the call began after the last change: it has seen what that brought.
    pub(super) fn may_raise(&self, sample: &Sample) -> bool {
        sample.began() >= self.changed
    }

    /// Whether the call began after the limit was lowered last.
    pub(super) fn may_lower(&self, sample: &Sample) -> bool {
        sample.began() >= self.lowered
    }

    /// Notes what became of the limit.
    pub(super) fn note(&mut self, at: Timestamp, before: f64, after: f64) {
        if after < before {
            self.lowered = at;
        }
        if after.total_cmp(&before).is_ne() {
            self.changed = at;
        }
    }
}
