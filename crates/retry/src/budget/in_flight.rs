use seawall_core::stripe::Striped;
use seawall_core::sync::Mutex;

use super::billionths::ONE;
use super::lane::{Lane, sum};
use super::settings::Limit;

/// The extra attempts that run, as a share of all that run.
pub(super) struct Running {
    locked: Mutex<Locked>,
}

struct Locked {
    limit: Limit,
    extra: u64,
}

impl Running {
    pub(super) fn new(limit: Limit) -> Self {
        Self { locked: Mutex::new(Locked { limit, extra: 0 }) }
    }

    pub(super) fn spend(&self, lanes: &Striped<Lane>) -> bool {
        let mut locked = self.locked.lock();
        let may = locked.extra < locked.limit.most(original(lanes));
        locked.extra += u64::from(may);
        may
    }

    /// How many more could begin.
    pub(super) fn balance(&self, lanes: &Striped<Lane>) -> u64 {
        let locked = self.locked.lock();
        locked.limit.most(original(lanes)).saturating_sub(locked.extra)
    }

    /// An extra attempt has ended, or was never begun.
    pub(super) fn settle(&self) {
        let mut locked = self.locked.lock();
        locked.extra = locked.extra.saturating_sub(1);
    }

    pub(super) fn reconfigure(&self, limit: Limit) {
        self.locked.lock().limit = limit;
    }
}

/// How many original calls run. Calls that end while this is asked may be left out.
fn original(lanes: &Striped<Lane>) -> u64 {
    let begun = sum(lanes, |lane| &lane.calls);
    begun.saturating_sub(sum(lanes, |lane| &lane.ended))
}

impl Limit {
    /// How many extra attempts may run beside so many original calls.
    ///
    /// With x of them running, one more is refused if `x >= floor` and `x / (original + x) > share`, that is
    /// `x * (1 - share) > original * share`.
    fn most(&self, original: u64) -> u64 {
        let rest = ONE - self.share;
        if rest == 0 {
            return u64::MAX;
        }
        let by_share = u128::from(original) * u128::from(self.share) / u128::from(rest) + 1;
        self.floor.max(u64::try_from(by_share).unwrap_or(u64::MAX))
    }
}
