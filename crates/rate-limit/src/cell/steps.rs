use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::time::{Clock, Timestamp};

/// Notices whether a clock has stepped back since anything was granted by it, before anything is given back.
///
/// What comes back of a grant is told by the time since. After a step back that is too little, and nothing shows it once the clock
/// has passed the old times again: of two grants, the one given back before that and the other after it, more would come back
/// than the step has made the key owe. So whoever gives back looks first whether anything was granted later than now, and ends all
/// receipts if so.
///
/// Between two looks a clock may have stepped back and passed its old time again. That takes nothing from anybody: what is given
/// back of each grant is too much by the step, but all of them come back after the latest was made, by the clock too.
#[derive(Debug)]
pub(crate) struct Steps {
    /// The latest time by which anything was asked, in nanoseconds; none of the system's clock, which is monotonic.
    latest: Option<AtomicU64>,
}

impl Steps {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { latest: (!clock.is_same(&Clock::system())).then(|| AtomicU64::new(0)) }
    }

    /// Whether the clock may step back at all.
    pub(crate) const fn may_come(&self) -> bool {
        self.latest.is_some()
    }

    /// Something is asked, or was granted, by this time. To be called after the epoch was read that is written on the receipt:
    /// whoever has read the epoch that begins with a step is noted after it.
    #[inline(always)]
    pub(crate) fn note(&self, at: Timestamp) {
        if let Some(latest) = &self.latest {
            latest.fetch_max(at.as_nanos(), Ordering::AcqRel);
        }
    }

    /// Whether the clock tells a time before that of any call. Tells each step once; the epoch has to move on after it.
    pub(crate) fn has_stepped(&self, clock: &Clock) -> bool {
        let Some(latest) = &self.latest else { return false };
        // Before the clock is read: what another thread grants meanwhile, by a later time, is no step.
        let seen = latest.load(Ordering::Acquire);
        let now = clock.now().as_nanos();
        if now < seen {
            // Who fails has been noted since, or has told the same step.
            let _ = latest.compare_exchange(seen, now, Ordering::AcqRel, Ordering::Relaxed);
        }
        now < seen
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_step_is_told_once_and_only_if_anything_was_granted_before_it_by_a_later_time() {
        let (clock, time) = Clock::manual();
        let steps = Steps::new(&clock);
        time.advance(Duration::from_secs(9));
        time.step_back(Duration::from_secs(1));
        assert!(!steps.has_stepped(&clock), "nothing was granted");
        steps.note(clock.now());
        time.step_back(Duration::from_nanos(1));
        assert!(steps.has_stepped(&clock));
        assert!(!steps.has_stepped(&clock));
        steps.note(clock.now());
        time.advance(Duration::from_secs(1));
        assert!(!steps.has_stepped(&clock));
    }
}
